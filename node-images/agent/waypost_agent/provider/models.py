"""The one module that knows the model and provider classes of pydantic-ai.

Only the library of the provider in use is imported, and of that what is used. Each is given our own
HTTP client, and none repeats a request by itself: waits are counted and traced, so they are ours
(provider_retries.py).
"""

from collections.abc import Callable
from typing import Any, Final, cast

import httpx2
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from waypost_agent import lazy_imports
from waypost_agent.agent_request import InvalidAgentRequest, ModelWork
from waypost_agent.provider import provider_http

CONNECT_TIMEOUT: Final = 10.0  # seconds
_NO_KEY: Final = "no-key"  # the libraries want one; the client below does not send it
_KEY_HEADERS: Final = ("Authorization", "x-api-key", "api-key", "x-goog-api-key")
# What OpenAI itself answers; others know an older name for the most tokens of an answer.
_OPENAI_HOSTS: Final = (".openai.com", ".openai.azure.com")
_EFFORT: Final = "openai_reasoning_effort"
_SETTINGS: Final = {
    "temperature": "temperature",
    "topP": "top_p",
    "maxTokens": "max_tokens",
    "seed": "seed",
    "stopSequences": "stop_sequences",
    "parallelToolCalls": "parallel_tool_calls",
    "reasoningEffort": _EFFORT,
}


def build(
    work: ModelWork, *, key: str | None, http: httpx2.AsyncClient, redact: Callable[[str], str]
) -> Model:
    """The model, reached through `http`; `redact` removes secrets from the words of its provider.
    Raises InvalidAgentRequest for an unknown type."""
    makers: dict[str, Callable[[ModelWork, str, httpx2.AsyncClient], Model]] = {
        "OpenAI": _openai,
        "Anthropic": _anthropic,
        "Google": _google,
    }
    if work.type not in makers:
        known = ", ".join(makers)
        raise InvalidAgentRequest(f"agent.model.type: expected one of {known}, found {work.type!r}")
    lazy_imports.install()
    provider_http.check_answers(http, type_=work.type, redact=redact)
    if key is None:
        _send_no_key(http)
    return makers[work.type](work, key or _NO_KEY, http)


def settings(work: ModelWork) -> ModelSettings:
    """The settings of every call. Raises InvalidAgentRequest for one that is not known."""
    unknown = sorted(set(work.settings) - set(_SETTINGS))
    if unknown:
        raise InvalidAgentRequest(
            f"agent.model.settings.{unknown[0]}: this runner does not know it"
        )
    mapped: Any = {_SETTINGS[name]: value for name, value in work.settings.items()}
    effort = mapped.pop(_EFFORT, None)
    if effort is not None:
        # For OpenAI as it is: what a server behind that interface can, no profile knows.
        mapped[_EFFORT if work.type == "OpenAI" else "thinking"] = str(effort).lower()
    return cast(ModelSettings, mapped)


def _openai(work: ModelWork, key: str, http: httpx2.AsyncClient) -> Model:
    from openai import AsyncOpenAI
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    from waypost_agent.provider.openai_compatible import CompatibleChatModel

    client = AsyncOpenAI(base_url=work.base_url, api_key=key, http_client=http, max_retries=0)
    if f".{httpx2.URL(work.upstream_url or work.base_url).host}".endswith(_OPENAI_HOSTS):
        return CompatibleChatModel(work.name, provider=OpenAIProvider(openai_client=client))
    # Whether a server can answer in JSON is said by the ModelProvider (structuredOutput).
    older = OpenAIModelProfile(
        openai_chat_supports_max_completion_tokens=False,
        supports_json_schema_output=True,
        supports_json_object_output=True,
    )
    provider = OpenAICompatibleProvider("openai-compatible", openai_client=client, profile=older)
    return CompatibleChatModel(work.name, provider=provider)


def _anthropic(work: ModelWork, key: str, http: httpx2.AsyncClient) -> Model:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(base_url=work.base_url, api_key=key, http_client=http, max_retries=0)
    return AnthropicModel(work.name, provider=AnthropicProvider(anthropic_client=client))


def _google(work: ModelWork, key: str, http: httpx2.AsyncClient) -> Model:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    # Without retry_options google-genai asks once.
    provider = GoogleProvider(api_key=key, base_url=work.base_url, http_client=http)
    return GoogleModel(work.name, provider=provider)


def _send_no_key(http: httpx2.AsyncClient) -> None:
    """Let `http` send none of the headers in which the libraries put a key, unless the
    ModelProvider's own headers have it."""

    async def drop(request: httpx2.Request) -> None:
        for name in _KEY_HEADERS:
            request.headers.pop(name, None)
            if name in http.headers:
                request.headers[name] = http.headers[name]

    http.event_hooks["request"].append(drop)
