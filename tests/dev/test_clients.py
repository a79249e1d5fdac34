"""The clients that agent nodes use, unchanged, against the scripted model server."""

from collections.abc import AsyncIterable, Callable
from typing import Any

import pytest
from pydantic_ai import Agent, ModelHTTPError, ModelRetry, StructuredDict
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.dev.serving import Serving, serving

MakeModel = Callable[[Serving, str], Model]
SCRIPT = """
apiKey: sesame
scripts:
  note:
    turns:
    - call:
      - {tool: search, arguments: {query: latency}}
      - {tool: search, arguments: {query: errors}}
      tokens: {input: 100, output: 10, cached: 40}
      expect: [{at: system, contains: careful}, {at: prompt, equals: "What happened?"}]
    - output: {cause: unknown}
      tokens: {input: 200, output: 20}
    - output: {cause: "${results.search.found[0]}"}
      tokens: {input: 300, output: 30}
      expect: [{at: last, contains: say more}]
  refusal:
    turns: [{refuse: I will not do that}]
  busy:
    turns: [{status: 429, message: slow down, repeat: forever}]
"""
SCHEMA = {
    "type": "object",
    "properties": {"cause": {"type": "string"}},
    "required": ["cause"],
    "additionalProperties": False,
}


def openai(server: Serving, name: str) -> Model:
    url = f"{server.url}/v1"
    provider = OpenAIProvider(base_url=url, api_key="sesame", http_client=server.http)
    return OpenAIChatModel(name, provider=provider)


def anthropic(server: Serving, name: str) -> Model:
    provider = AnthropicProvider(base_url=server.url, api_key="sesame", http_client=server.http)
    return AnthropicModel(name, provider=provider)


def google(server: Serving, name: str) -> Model:
    provider = GoogleProvider(base_url=server.url, api_key="sesame", http_client=server.http)
    return GoogleModel(name, provider=provider)


providers = pytest.mark.parametrize("make", [openai, anthropic, google], ids=lambda f: f.__name__)
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def agent(make: MakeModel, server: Serving, script: str) -> Agent[None, dict[str, Any]]:
    made = Agent(
        make(server, f"scripted/{script}"),
        output_type=StructuredDict(SCHEMA, name="note"),
        instructions="Be careful.",
        retries=2,
    )

    @made.tool_plain
    def search(query: str) -> dict[str, list[str]]:
        return {"found": [query, "cache full"]}

    @made.output_validator
    def check(output: dict[str, Any]) -> dict[str, Any]:
        if output["cause"] == "unknown":
            raise ModelRetry("say more")
        return output

    return made


async def drained(ctx: object, events: AsyncIterable[object]) -> None:
    """Read a stream to its end; that there is a reader makes the client ask for one."""
    async for _ in events:
        pass


@providers
@streams
async def test_tools_a_reask_and_the_tokens(make: MakeModel, stream: bool) -> None:
    async with serving(SCRIPT) as server:
        asked = agent(make, server, "note")
        result = await asked.run("What happened?", event_stream_handler=drained if stream else None)
        usage, sums = result.usage, await server.log("note")
        entries = (await server.http.get("/_log")).json()["entries"]
    assert {entry["stream"] for entry in entries} == {stream}
    assert result.output == {"cause": "errors"}, "the result of the last call of that tool"
    assert (usage.requests, usage.tool_calls) == (3, 2)
    reported = (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens)
    assert reported == (sums["inputTokens"], sums["cachedTokens"], sums["outputTokens"])
    assert reported == (600, 40, 60)


@providers
async def test_a_refusal_is_seen_as_one(make: MakeModel) -> None:
    async with serving(SCRIPT) as server:
        made = Agent(make(server, "scripted/refusal"))
        with pytest.raises(Exception, match=r"(?i)content filter|refus"):
            await made.run("go")


@providers
async def test_a_failure_is_the_providers_own(make: MakeModel) -> None:
    async with serving(SCRIPT) as server:
        with pytest.raises(ModelHTTPError) as caught:
            await Agent(make(server, "scripted/busy")).run("go")
    assert caught.value.status_code == 429
    assert "slow down" in str(caught.value)
