"""Ids of tool calls that others choose: each call is made once, and has its own result (K9)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agent.malformed import DONE, call, calls, content, parts, play
from tests.runner.servers import Reply

ARGS = {"text": "A"}


def use(id_: Any) -> Any:
    return {"type": "tool_use", "id": id_, "name": "send", "input": ARGS}


def asks(id_: Any) -> Any:
    return {"functionCall": {"id": id_, "name": "send", "args": ARGS}}


IDS = [
    pytest.param("Anthropic", [content(use("t"), use("t"))], 2, id="twice-in-a-message"),
    pytest.param("Anthropic", [content(use("t")), content(use("t"))], 2, id="again-next-turn"),
    pytest.param("Google", [parts(asks("c"), asks("c"))], 2, id="google-twice"),
    pytest.param("Google", [parts(asks("")), parts(asks(""))], 2, id="google-empty"),
    pytest.param("OpenAI", [calls(call(id_="c1")), calls(call(id_="c1"))], 2, id="next-turn"),
    pytest.param("OpenAI", [calls(call(id_="call00000"), call(id_=None))], 2, id="as-ours"),
    pytest.param("OpenAI", [calls(call(id_="call00001"), call(id_="call00001"))], 2,
                 id="ours-twice"),
    pytest.param("OpenAI", [calls(call(id_="A"), call(id_="a"))], 2, id="by-case-only"),
    pytest.param("OpenAI", [calls(call(id_=" "), call(id_="\t"))], 2, id="blank"),
    pytest.param("OpenAI", [calls(call(id_="x" * 41 + "1"), call(id_="x" * 41 + "2"))], 2,
                 id="same-first-40"),
    pytest.param("OpenAI", [calls(call(id_="é"), call(id_="e\u0301"))], 2, id="normal-forms"),
    pytest.param("OpenAI", [calls(*[call(id_="c") for _ in range(30)])], 30, id="thirty"),
    pytest.param("OpenAI", [calls(call(id_=True), call(id_=1.0))], 2, id="other-types"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "turns", "made"), IDS)
def test_each_call_is_made_once_whatever_its_id(
    type_: str, turns: list[Reply], made: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more: dict[str, Any] = {"limits": {"toolCalls": 50, "requests": 10}}
    outcome = play(type_, [*turns, DONE[type_]], tmp_path, monkeypatch, **more)
    assert outcome.output == "done"
    assert outcome.deeds == ["send A"] * made
    if type_ != "OpenAI":
        return
    asked = json.loads(outcome.asked[-1].body)["messages"]
    given = [each["id"] for message in asked for each in message.get("tool_calls") or ()]
    answered = [each["tool_call_id"] for each in asked if each["role"] == "tool"]
    assert len(set(given)) == made
    assert sorted(given) == sorted(answered)
