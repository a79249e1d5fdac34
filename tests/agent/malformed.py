"""Bodies and bytes of providers that misbehave, and how a node ends with them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Usage, WorkFailed, WorkResult
from waypost_agent.provider import provider_retries

from tests.agent.deeds import LEDGER
from tests.agent.pods import Pod
from tests.agent.replies import answer, reply
from tests.runner.servers import Asked, Reply, serving

TOOLS: list[Any] = [{"module": "tests.agent.deeds", "functions": ["look", "send"]}]
DONE = {type_: answer(type_, "done") for type_ in ("OpenAI", "Anthropic", "Google")}


def body(type_: str = "OpenAI", text: str = "hello") -> Any:
    """An answer as JSON."""
    return json.loads(answer(type_, text).body)


def finished(type_: str, word: Any, text: str = "half a sentence") -> Reply:
    """An answer whose finish reason is `word`."""
    whole = body(type_, text)
    if type_ == "OpenAI":
        whole["choices"][0]["finish_reason"] = word
    elif type_ == "Anthropic":
        whole["stop_reason"] = word
    else:
        whole["candidates"][0]["finishReason"] = word
    return reply(whole)


def message(finish: str = "stop", **fields: Any) -> Reply:
    """A chat completion with this message."""
    whole = body()
    whole["choices"][0] = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **fields},
        "finish_reason": finish,
    }
    return reply(whole)


def call(arguments: Any = '{"text": "A"}', *, id_: Any = "c1", name: Any = "send") -> Any:
    """A tool call of a chat completion."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*each: Any, finish: str = "tool_calls") -> Reply:
    """A chat completion with tool calls."""
    return message(finish, tool_calls=list(each))


def content(*blocks: Any) -> Reply:
    """A message of Anthropic with these blocks."""
    return reply({**body("Anthropic"), "content": list(blocks)})


def parts(*each: Any) -> Reply:
    """An answer of Google with these parts."""
    candidate = {"index": 0, "content": {"role": "model", "parts": list(each)},
                 "finishReason": "STOP"}  # fmt: skip
    return reply({**body("Google"), "candidates": [candidate]})


@dataclass(frozen=True)
class Outcome:
    """What became of a node."""

    result: WorkResult | WorkFailed
    asked: list[Asked]
    deeds: list[str]

    @property
    def output(self) -> Any:
        assert isinstance(self.result, WorkResult), self.result.message
        return self.result.output

    @property
    def failure(self) -> tuple[Reason, str]:
        assert isinstance(self.result, WorkFailed), self.result
        assert "pydantic" not in self.result.message
        return self.result.reason, self.result.message

    @property
    def usage(self) -> Usage:
        assert self.result.usage is not None
        return self.result.usage


def play(
    type_: str, replies: list[Reply], folder: Path, patch: pytest.MonkeyPatch, **more: Any
) -> Outcome:
    """What becomes of a node with the tools look and send whose provider gives these replies."""
    ledger = folder / "ledger"
    patch.setenv(LEDGER, str(ledger))
    patch.setattr(provider_retries, "FIRST_WAIT", 0.001)
    result: WorkResult | WorkFailed
    with serving(*replies) as server:
        try:
            result = Pod(folder, server.url, type_).perform("any", **{"tools": TOOLS, **more})
        except WorkFailed as failed:
            result = failed
    deeds = ledger.read_text().split("\n")[:-1] if ledger.exists() else []
    return Outcome(result, server.asked, deeds)
