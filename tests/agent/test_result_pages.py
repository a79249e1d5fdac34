"""Results that are larger than a model may be given: cut with a word, read on by pages."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_agent.agent_request import MAX_RESULT_BYTES
from waypost_agent.journal.entries import Result
from waypost_agent.journal.journal import Journal
from waypost_agent.tools.result_pages import NAME, ResultPages
from waypost_agent.tools.tool_results import Content

from tests.agent import deeds
from tests.agent.attempts import MODULE, Node
from tests.agent.pods import Pod, entries
from tests.agent.replies import Call, answer
from tests.runner.servers import Asked, Reply, serving

LOG = "".join(f"{n:09}\n" for n in range(300_000))  # 3 MB
DONE = answer("OpenAI", "done")
TOOLS = [{"module": MODULE, "functions": ["log"]}]


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    def log() -> str:
        """The log of the build."""
        return LOG

    monkeypatch.setattr(deeds, "log", log, raising=False)


def read(offset: int, call_id: str = "c1") -> Reply:
    return answer("OpenAI", "", Call(NAME, json.dumps({"id": call_id, "offset": offset}), "c9"))


def shown(asked: Asked) -> list[str]:
    messages = json.loads(asked.body)["messages"]
    return [each["content"] for each in messages if each["role"] == "tool"]


def offered(asked: Asked) -> list[str]:
    return [each["function"]["name"] for each in json.loads(asked.body)["tools"]]


def test_a_large_result_is_cut_with_a_word_and_can_be_read_on(tmp_path: Path) -> None:
    replies = [answer("OpenAI", "", Call("log", "{}", "c1")), read(65_536), read(2_999_990), DONE]
    with serving(*replies) as server:
        result = Pod(tmp_path, server.url).perform("any", tools=TOOLS)
    assert result.output == "done"
    first, second, last = shown(server.asked[-1])
    assert first.startswith(LOG[:MAX_RESULT_BYTES])
    assert "these are characters 0 to 65536 of 3000000" in first
    assert 'with id "c1" and offset 65536' in first
    assert second.startswith(LOG[65_536 : 65_536 + 1000])
    assert last == LOG[-10:]
    assert [NAME in offered(each) for each in server.asked] == [False, True, True, True]
    assert [e["outcome"] for e in entries(result, "tool")] == ["ok"] * 3
    assert len(server.asked[1].body) < 2 * MAX_RESULT_BYTES


@pytest.mark.parametrize(
    ("limit", "size", "cut"),
    [
        pytest.param(None, MAX_RESULT_BYTES, False, id="fits"),
        pytest.param(None, MAX_RESULT_BYTES + 1, True, id="a-byte-more"),
        pytest.param(100_000, 100_000, False, id="own-limit"),
        pytest.param(1000, 1001, True, id="small-limit"),
    ],
)
def test_the_limit_is_of_the_tools(
    limit: int | None, size: int, cut: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deeds, "log", lambda: "x" * size)
    tools = [{**TOOLS[0], **({"maxResultBytes": limit} if limit else {})}]
    with serving(answer("OpenAI", "", Call("log", "{}", "c1")), DONE) as server:
        Pod(tmp_path, server.url).perform("any", tools=tools)
    [text] = shown(server.asked[-1])
    assert ("[The result was cut" in text) is cut
    assert len(text) <= (limit or MAX_RESULT_BYTES) + 300


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        pytest.param("é" * 1000, False, id="text"),
        pytest.param({"rows": ["€"] * 900}, False, id="json"),
        pytest.param("é" * 100, True, id="short"),
    ],
)
def test_pages_end_between_characters_and_give_the_whole(value: Any, whole: bool) -> None:
    pages = ResultPages(limit=501)
    content = pages.bounded(Content(value), call_id="c", limit=501, keep=True)
    assert content.cut is not whole
    if whole:
        assert content.value == value
        return
    text = value if isinstance(value, str) else json.dumps(
        value, ensure_ascii=False, separators=(",", ":")
    )  # fmt: skip
    assert content.value.split("\n[The result")[0] == text[: len(content.value.split("\n[The")[0])]
    assert "\ufffd" not in content.value


def test_a_later_attempt_says_that_the_rest_is_not_kept(node: Node) -> None:
    calls = [answer("OpenAI", "", Call("log", "{}", "c1")), Reply(status=401)]
    first = node.play(calls, tools=TOOLS)
    assert isinstance(first, WorkFailed)
    second = node.play([read(65_536), DONE], tools=TOOLS)
    assert isinstance(second, WorkResult), second
    assert NAME in offered(node.asked[0]), "the model got its name"
    cut, late = shown(node.asked[-1])
    assert "of 3000000" in cut
    assert "not kept any more; call its tool again" in late


def test_a_conversation_with_a_result_too_large_goes_on_after_the_limit_came(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier releases kept results of any size in the journal."""
    done = Journal.done

    async def whole(self: Journal, call_id: str, result: Result) -> None:
        await done(self, call_id, Result("ok", LOG[:200_000]))

    calls = [answer("OpenAI", "", Call("log", "{}", "c1")), Reply(status=400)]
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "done", whole)
        first = node.play(calls, tools=TOOLS)
    assert isinstance(first, WorkFailed)
    assert first.reason is Reason.PROVIDER_ERROR
    second = node.play([DONE], tools=TOOLS)
    assert isinstance(second, WorkResult), second
    assert "of 200000" in shown(node.asked[0])[0]
