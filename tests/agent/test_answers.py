"""An answer is judged before anything is done with it: by its finish reason, and by its calls."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_agent.journal import entries as journal_entries
from waypost_agent.provider import answers, model_client

from tests.agent.attempts import Node
from tests.agent.pods import BRIEF, Pod, entries
from tests.agent.replies import Call, answer
from tests.runner.servers import Reply, serving

FINAL = Call("final_result", json.dumps({"cause": "database", "confidence": 0.9}))
LOOK = Call("look", '{"where": "here"}')
ALL = ["OpenAI", "Anthropic", "Google"]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger"
    monkeypatch.setenv("WAYPOST_TEST_LEDGER", str(path))
    return path


def fail(type_: str, replies: list[Reply], folder: Path, **more: Any) -> WorkFailed:
    with serving(*replies) as server:
        return Pod(folder, server.url, type_).fail("any", **more)


CUT = [
    pytest.param("OpenAI", answer("OpenAI", "Decided: the of", finish="length"), id="openai-text"),
    pytest.param(
        "Anthropic", answer("Anthropic", "Decided: the of", finish="length"), id="anthropic-text"
    ),
    pytest.param("Google", answer("Google", "Decided: the of", finish="length"), id="google-text"),
    pytest.param("OpenAI", answer("OpenAI", "", LOOK, finish="length"), id="complete-call"),
    pytest.param(
        "OpenAI", answer("OpenAI", "", Call("look", '{"whe'), finish="length"), id="cut-call"
    ),
    pytest.param("OpenAI", answer("OpenAI", finish="length"), id="empty"),
    pytest.param("Google", answer("Google", "", LOOK, finish="length"), id="google-call"),
]


@pytest.mark.parametrize(("type_", "reply"), CUT)
def test_a_cut_answer_is_no_output_and_begins_no_tool(
    type_: str, reply: Reply, tmp_path: Path, ledger: Path
) -> None:
    tools = [{"module": "tests.agent.deeds", "functions": ["look"]}]
    model = {"settings": {"maxTokens": 60}}
    failed = fail(type_, [reply], tmp_path, tools=tools, model=model)
    assert failed.reason is Reason.OUTPUT_INVALID
    assert "the answer was cut at the token limit (settings.maxTokens is 60)" in failed.message
    assert not ledger.exists(), "no tool began"
    assert entries(failed, "model")[0]["finish"] == "length"


@pytest.mark.parametrize("type_", ALL)
def test_a_complete_final_result_of_a_cut_answer_is_no_output(type_: str, tmp_path: Path) -> None:
    failed = fail(type_, [answer(type_, "", FINAL, finish="length")], tmp_path, output_schema=BRIEF)
    assert failed.reason is Reason.OUTPUT_INVALID
    assert "settings.maxTokens is not set, so this is the provider's limit" in failed.message


def test_a_full_context_window_is_named(tmp_path: Path) -> None:
    reply = answer("Anthropic", "So", finish="model_context_window_exceeded")
    assert "context window" in fail("Anthropic", [reply], tmp_path).message


@pytest.mark.parametrize("type_", ALL)
def test_a_filtered_answer_is_refused_though_it_has_a_result(type_: str, tmp_path: Path) -> None:
    reply = answer(type_, "I stop here.", FINAL, finish="filter")
    assert fail(type_, [reply], tmp_path, output_schema=BRIEF).reason is Reason.REFUSED


def test_an_answer_that_failed_by_chance_is_asked_for_again(node: Node) -> None:
    node.type = "Google"
    broken = answer("Google", "half", finish="error", tokens=(7, 3))
    outcome = node.play([broken, broken, answer("Google", "whole", tokens=(7, 3))])
    assert isinstance(outcome, WorkResult)
    assert (outcome.output, outcome.usage and outcome.usage.model_calls) == ("whole", 3)
    assert outcome.usage is not None
    assert outcome.usage.input_tokens == 21, "each answer was paid for"
    again = node.play([])
    assert isinstance(again, WorkResult)
    assert again.output == "whole", "the broken answers are not replayed"


def test_an_answer_that_fails_again_and_again_ends_the_attempt(tmp_path: Path) -> None:
    failed = fail("Google", [answer("Google", "", finish="error")], tmp_path)
    assert failed.reason is Reason.PROVIDER_ERROR
    assert "its finish reason is MALFORMED_FUNCTION_CALL" in failed.message
    assert failed.usage is not None
    assert failed.usage.model_calls == model_client.TRIES


COUNT = '{"words": "one two"}'
SAME_ID = [
    pytest.param("count:0", "count:0", id="same"),
    pytest.param("", "", id="empty"),
    pytest.param("x" * 400, "x" * 400, id="too-long"),
    pytest.param("a b", "a\u00e9", id="strange"),
]


@pytest.mark.parametrize("type_", ALL)
@pytest.mark.parametrize(("one", "two"), SAME_ID)
def test_calls_with_ids_of_no_use_are_each_made_once(
    type_: str, one: str, two: str, node: Node
) -> None:
    node.type = type_
    calls = [Call("send", '{"text": "A"}', one), Call("send", '{"text": "B"}', two)]
    outcome = node.play([answer(type_, "", *calls), answer(type_, "done")])
    assert isinstance(outcome, WorkResult), outcome
    assert outcome.output == "done"
    assert Counter(node.deeds) == {"send A": 1, "send B": 1}
    shown = json.dumps(json.loads(node.asked[1].body))
    assert shown.count("send: A") == shown.count("send: B") == 1, "each call has its result"


def test_an_id_may_come_again_in_a_later_answer(node: Node) -> None:
    calls = [answer("OpenAI", "", Call("send", f'{{"text": "{n}"}}')) for n in range(3)]
    outcome = node.play([*calls, answer("OpenAI", "done")])
    assert isinstance(outcome, WorkResult), outcome
    assert node.deeds == ["send 0", "send 1", "send 2"]
    messages = json.loads(node.asked[3].body)["messages"]
    ids = [m["tool_call_id"] for m in messages if m["role"] == "tool"]
    assert len(set(ids)) == 3
    assert ids[0] == "call_1", "a unique id of the provider is kept"


def test_replayed_ids_are_known(node: Node) -> None:
    first = node.play([answer("OpenAI", "", Call("count", COUNT)), Reply(status=401)])
    assert isinstance(first, WorkFailed)
    second = node.play([answer("OpenAI", "", Call("count", COUNT)), answer("OpenAI", "done")])
    assert isinstance(second, WorkResult), second
    assert node.deeds == ["count one two"] * 2


@pytest.mark.parametrize("first", [True, False], ids=["call-first", "output-first"])
def test_a_call_beside_the_output_is_made_once_and_has_its_result(first: bool, node: Node) -> None:
    send = Call("send", '{"text": "A"}', "call_2")
    tools = [{"module": "tests.agent.deeds", "functions": ["send"], "effects": {"send": "once"}}]
    more = {"tools": tools, "output_schema": BRIEF}
    calls = [send, FINAL] if first else [FINAL, send]
    outcome = node.play([answer("OpenAI", "", *calls)], **more)
    assert isinstance(outcome, WorkResult), outcome
    again = node.play([], **more)
    assert isinstance(again, WorkResult), "no effect is unknown"
    assert node.deeds == ["send A"]


def test_an_answer_that_the_loop_refuses_is_asked_for_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library may refuse what we took; then no call began, and the journal says so."""
    tools = [{"module": "tests.agent.deeds", "functions": ["send"], "effects": {"send": "once"}}]
    twice = [Call("send", '{"text": "A"}', "same"), Call("send", '{"text": "B"}', "same")]
    with monkeypatch.context() as patch:
        patch.setattr(answers, "with_own_ids", lambda response, _: response)
        first = node.play([answer("OpenAI", "", *twice)], tools=tools)
    assert isinstance(first, WorkFailed)
    assert first.reason is Reason.PROVIDER_ERROR
    second = node.play([answer("OpenAI", "done")], tools=tools)
    assert isinstance(second, WorkResult), second
    assert second.output == "done"


def test_a_journal_of_an_earlier_release_with_one_id_for_two_calls_is_void() -> None:
    mark = journal_entries.Mark("same", "send", "sha256:0", "once")
    response = ModelResponse(parts=[ToolCallPart("send", {}, "same")] * 2)
    batch = [
        journal_entries.opened(library="x", topic=None, accounted=None),
        journal_entries.answer(response, asked=["send", "send"], marks=[mark, mark], model="/m"),
    ]
    segments: list[Any] = [
        {"number": n, "attempt": 1, "podUID": "p", "document": document}
        for n, document in enumerate(journal_entries.packed(batch, str, by="me"), start=1)
    ]
    assert [turn.void for turn in journal_entries.read(segments).turns] == [True]


def test_ids_are_unique_and_short() -> None:
    used = {"call00002"}
    parts = [ToolCallPart("t", {}, each) for each in ("", "a", "a", "call00002", "x" * 41)]
    response = answers.with_own_ids(ModelResponse(parts=[TextPart("hi"), *parts]), used)
    ids = answers.call_ids(response)
    assert len(set(ids)) == 5
    assert "call00002" not in ids
    assert ids[1] == "a"
    assert {len(each) for each in ids if each != "a"} == {9}
