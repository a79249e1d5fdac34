"""Resources that attempts used, and the share of the budget that one may use."""

from pydantic import Field

from waypost.api.base import StatusModel


class Usage(StatusModel):
    """Resources that were used, counted by the pods and added up by the operator."""

    model_calls: int | None = Field(default=None, ge=0, description="Number of model responses.")
    input_tokens: int | None = Field(default=None, ge=0, description="Number of input tokens.")
    cached_tokens: int | None = Field(
        default=None,
        ge=0,
        description="Number of input tokens read from the cache of the provider.",
    )
    output_tokens: int | None = Field(default=None, ge=0, description="Number of output tokens.")
    total_tokens: int | None = Field(
        default=None, ge=0, description="Number of input and output tokens together."
    )
    tool_calls: int | None = Field(default=None, ge=0, description="Number of tool calls.")
    reasks: int | None = Field(
        default=None,
        ge=0,
        description="Number of responses that did not match outputSchema and were asked for again.",
    )
    provider_waits: int | None = Field(
        default=None, ge=0, description="Number of waits for a provider that was busy or down."
    )
    replayed_model_calls: int | None = Field(
        default=None,
        ge=0,
        description="Number of model responses taken from the journal. They cost nothing again.",
    )
    replayed_tool_calls: int | None = Field(
        default=None,
        ge=0,
        description="Number of tool results taken from the journal. The calls were not repeated.",
    )
    estimated_model_calls: int | None = Field(
        default=None,
        ge=0,
        description="Model calls whose provider reported no tokens: their tokens and cost are "
        "estimates.",
    )
    cost_usd: str | None = Field(
        default=None, max_length=40, alias="costUSD", description="Cost in US dollars, as text."
    )
    tools: dict[str, int] | None = Field(
        default=None,
        max_length=64,
        description="Number of calls by tool, for the 64 most used tools.",
    )


class Allotment(StatusModel):
    """Share of the budget of the run that is reserved for the attempt."""

    tokens: int | None = Field(default=None, ge=0, description="Maximum number of tokens.")
    cost_usd: str | None = Field(
        default=None, max_length=40, alias="costUSD", description="Cost in US dollars, as text."
    )
    tool_calls: int | None = Field(default=None, ge=0, description="Maximum number of tool calls.")
