"""ModelProvider: the URL of a provider of models, its key, and the prices of its models."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Model, keyed_by
from waypost.api.endpoint import KeyRef, TlsSource, Url
from waypost.api.probe import ProbedStatus
from waypost.api.toolserver import QueryParameter, ToolHeader

ProviderType = Literal["OpenAI", "Anthropic", "Google"]

# Used when baseURL is not set.
PUBLIC_URLS: Final[dict[ProviderType, str]] = {
    "OpenAI": "https://api.openai.com/v1",
    "Anthropic": "https://api.anthropic.com",
    "Google": "https://generativelanguage.googleapis.com",
}

Money = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,9})?$", max_length=16)]


class ModelSettings(Model):
    """Settings of a model. A field that is not set uses the default of the provider."""

    temperature: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Sampling temperature, as the provider defines it. 0 is the least random.",
    )
    top_p: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Nucleus sampling: use only the most likely tokens "
        "up to this total probability.",
    )
    max_tokens: int | None = Field(
        default=None, ge=1, le=10_000_000, description="Maximum number of tokens in one response."
    )
    seed: int | None = Field(
        default=None,
        ge=-(2**31),
        le=2**31 - 1,
        description="Seed for sampling. It makes responses more repeatable if the provider "
        "supports it.",
    )
    stop_sequences: list[Annotated[str, StringConstraints(min_length=1, max_length=256)]] | None = (
        Field(default=None, max_length=16, description="Texts at which the response ends.")
    )
    parallel_tool_calls: bool | None = Field(
        default=None, description="false: at most one tool call in a response."
    )
    reasoning_effort: Literal["Minimal", "Low", "Medium", "High"] | None = Field(
        default=None,
        description="How much a reasoning model thinks before it answers. Only for models that "
        "can: others refuse the request, or ignore it.",
    )


class Price(Model):
    """Prices in US dollars per million tokens. They are text, so that they stay exact."""

    input: Money = Field(description='Price of input tokens, for example "0.25".')
    cached_input: Money | None = Field(
        default=None,
        description="Price of input tokens read from the provider's cache. Default: the price of "
        "input.",
    )
    output: Money = Field(description="Price of output tokens.")


StructuredOutput = Literal["Tools", "JsonSchema", "JsonObject"]
Input = Literal["Image", "Audio", "PDF"]


class ModelEntry(Model):
    """Price and settings of one model."""

    name: str = Field(
        min_length=1, max_length=253, description="Name of the model at the provider."
    )
    price: Price | None = Field(
        default=None, description="Price of its tokens. Default: its calls count as free."
    )
    settings: ModelSettings | None = Field(
        default=None, description="Settings of this model. They override those of the provider."
    )
    inputs: list[Input] | None = Field(
        default=None,
        max_length=3,
        description="What the model takes besides text in the results of tools. Anything else is "
        "described to it in text, for example [image/png, 12 KiB, not shown]. Default: nothing.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    structured_output: StructuredOutput | None = Field(
        default=None,
        description="How the model is asked for an output with a schema. Tools: as the call of a "
        "tool. JsonSchema: by response_format with the schema. JsonObject: by the schema in the "
        "instructions, and response_format json_object. The last two are for servers without tool "
        "calling and need type OpenAI. Default Tools.",
    )


class RateLimits(Model):
    """What the provider allows to all runs together. The model gateway enforces it."""

    requests_per_minute: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Calls in a minute."
    )
    tokens_per_minute: int | None = Field(
        default=None, ge=1, le=1_000_000_000, description="Tokens of input and output in a minute."
    )
    concurrency: int | None = Field(
        default=None, ge=1, le=10_000, description="Calls at the same time."
    )


class ModelProviderSpec(Model):
    """URL, key, prices and settings of a provider of models."""

    type: ProviderType = Field(
        description="API of the provider: OpenAI (also vLLM, Ollama and most gateways), Anthropic "
        "or Google."
    )
    base_url: Url | None = Field(
        default=None,
        alias="baseURL",
        description="Base URL of the API: https://host/v1 for OpenAI, https://host for Anthropic "
        "and Google. Default: the public URL of that type.",
    )
    api_key: KeyRef | None = Field(
        default=None,
        description="Key of a Secret that holds the API key. The operator never reads it; it is "
        "mounted as a file in the pods that need it. Default: no key is sent.",
    )
    headers: list[ToolHeader] | None = Field(
        default=None,
        max_length=20,
        description="Further headers of every request, for example for a gateway.",
        json_schema_extra=keyed_by("name"),
    )
    query: list[QueryParameter] | None = Field(
        default=None,
        max_length=20,
        description="Query parameters of every request, for example api-version for a gateway.",
        json_schema_extra=keyed_by("name"),
    )
    tls: TlsSource | None = Field(default=None, description=TlsSource.__doc__)
    settings: ModelSettings | None = Field(
        default=None,
        description="Default settings of its models. Settings of a node override them.",
    )
    rate_limits: RateLimits | None = Field(
        default=None,
        description="What the provider allows to all runs together. The model gateway enforces it: "
        "agents that call the provider themselves are refused then.",
    )
    models: list[ModelEntry] | None = Field(
        default=None,
        max_length=200,
        description="Prices and settings by model. Models that are not listed can be used too.",
        json_schema_extra=keyed_by("name"),
    )


class ModelProviderStatus(ProbedStatus):
    """Result of the latest probe. Only the operator writes it."""

    models_found: int | None = Field(
        default=None, ge=0, description="Number of models that the provider lists."
    )
    unknown_models: list[Annotated[str, StringConstraints(max_length=253)]] | None = Field(
        default=None,
        max_length=200,
        description="Models of spec.models that the provider does not list.",
    )
