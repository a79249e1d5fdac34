"""ModelProvider: where models are, which secret opens them, what their tokens cost."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Model, keyed_by
from waypost.api.endpoint import KeyRef, TlsSource, Url
from waypost.api.probe import ProbedStatus
from waypost.api.toolserver import ToolHeader

ProviderType = Literal["OpenAI", "Anthropic", "Google"]

# What an absent baseURL means.
PUBLIC_URLS: Final[dict[ProviderType, str]] = {
    "OpenAI": "https://api.openai.com/v1",
    "Anthropic": "https://api.anthropic.com",
    "Google": "https://generativelanguage.googleapis.com",
}

Money = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,9})?$", max_length=16)]


class ModelSettings(Model):
    """How a model answers. What is absent is left to the provider."""

    temperature: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Randomness: 0 is the least. As the provider means it.",
    )
    top_p: float | None = Field(
        default=None, ge=0, le=1, description="Choose among the likeliest tokens up to this share."
    )
    max_tokens: int | None = Field(
        default=None, ge=1, le=10_000_000, description="Most tokens of one answer."
    )
    seed: int | None = Field(
        default=None,
        ge=-(2**31),
        le=2**31 - 1,
        description="Makes answers repeat themselves more often, where the provider can.",
    )
    stop_sequences: list[Annotated[str, StringConstraints(min_length=1, max_length=256)]] | None = (
        Field(default=None, max_length=16, description="Texts at which the answer ends.")
    )
    parallel_tool_calls: bool | None = Field(
        default=None, description="false: at most one tool call in an answer."
    )
    reasoning_effort: Literal["Minimal", "Low", "Medium", "High"] | None = Field(
        default=None,
        description="How much a reasoning model thinks before it answers. Only for models that "
        "can: others refuse the request, or ignore it.",
    )


class Price(Model):
    """What tokens cost, in US dollars per million. Text, so that cents stay exact."""

    input: Money = Field(description='Price of input tokens, e.g. "0.25".')
    cached_input: Money | None = Field(
        default=None,
        description="Price of input tokens read from the provider's cache. Default: that of input.",
    )
    output: Money = Field(description="Price of output tokens.")


Input = Literal["Image", "Audio", "PDF"]


class ModelEntry(Model):
    """What is known of one model."""

    name: str = Field(
        min_length=1, max_length=253, description="Name of the model, as the provider spells it."
    )
    price: Price | None = Field(
        default=None, description="Price of its tokens. Absent: its calls are counted as free."
    )
    settings: ModelSettings | None = Field(
        default=None, description="Settings of this model, over those of the provider."
    )
    inputs: list[Input] | None = Field(
        default=None,
        max_length=3,
        description="What the model takes besides text in the results of tools. Anything else is "
        "described to it in text, for example [image/png, 12 KiB, not shown]. Default: nothing.",
        json_schema_extra=UNIQUE_ITEMS,
    )


class ModelProviderSpec(Model):
    """Where models are and how they are opened."""

    type: ProviderType = Field(
        description="The interface it speaks: OpenAI (also vLLM, Ollama and most gateways), "
        "Anthropic or Google."
    )
    base_url: Url | None = Field(
        default=None,
        alias="baseURL",
        description="Address of the interface, without the last part of the path: "
        "https://host/v1 for OpenAI, https://host for Anthropic and Google. Default: the public "
        "address of that type.",
    )
    api_key: KeyRef | None = Field(
        default=None,
        description="Key of a Secret that holds the API key. The operator never reads it: it is "
        "one file in the pods that need it. Absent: no key is sent.",
    )
    headers: list[ToolHeader] | None = Field(
        default=None,
        max_length=20,
        description="Further headers of every request, for example for a gateway.",
        json_schema_extra=keyed_by("name"),
    )
    tls: TlsSource | None = Field(default=None, description=TlsSource.__doc__)
    settings: ModelSettings | None = Field(
        default=None, description="Default settings of its models. Those of the node go before."
    )
    models: list[ModelEntry] | None = Field(
        default=None,
        max_length=200,
        description="Prices and settings by model. Models that are not listed may be used too.",
        json_schema_extra=keyed_by("name"),
    )


class ModelProviderStatus(ProbedStatus):
    """What the last probe found. Written by the operator alone."""

    models_found: int | None = Field(
        default=None, ge=0, description="How many models the provider lists."
    )
    unknown_models: list[Annotated[str, StringConstraints(max_length=253)]] | None = Field(
        default=None,
        max_length=200,
        description="Models of spec.models that the provider does not list.",
    )
