"""Calls and outputs in the text of an answer: a call that a server did not read is no output, and
an output as text is taken where it is the whole answer and meets the schema."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason

from tests.agent.malformed import DONE, body, call, calls, content, message, parts, play
from tests.agent.pods import BRIEF
from tests.agent.replies import reply
from tests.runner.servers import Reply

ARGUMENTS = '{"name": "send", "arguments": {"text": "A"}}'
# How models write calls that their servers pass on as text, with the finish reason stop (K8).
WRITTEN = [
    pytest.param(f"<tool_call>\n{ARGUMENTS}\n</tool_call>", id="hermes"),
    pytest.param(f"<tool_calls>[{ARGUMENTS}]</tool_calls>", id="list"),
    pytest.param(f"[TOOL_CALLS][{ARGUMENTS}]", id="mistral"),
    pytest.param('<|python_tag|>{"name": "send", "parameters": {"text": "A"}}', id="llama"),
    pytest.param('<function=send>{"text": "A"}</function>', id="llama-function"),
    pytest.param('<invoke name="send"><parameter name="text">A</parameter></invoke>', id="claude"),
    pytest.param("<｜tool▁calls▁begin｜>function<｜tool▁sep｜>send\n", id="deepseek"),
    pytest.param("<|tool_calls_section_begin|><|tool_call_begin|>functions.send:0", id="kimi"),
    pytest.param('<|channel|>commentary to=functions.send <|message|>{"text": "A"}', id="gpt-oss"),
    pytest.param('```tool_code\nprint(send(text="A"))\n```', id="gemini"),
    pytest.param(ARGUMENTS, id="json"),
    pytest.param('{"name": "send", "parameters": {"text": "A"}}', id="json-with-parameters"),
    pytest.param(f"```json\n{ARGUMENTS}\n```", id="json-in-a-block"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_s663_a_call_in_a_text_is_no_output(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [message(content=text), calls(call()), DONE["OpenAI"]]
    outcome = play("OpenAI", replies, tmp_path, monkeypatch)
    assert (outcome.output, outcome.deeds) == ("done", ["send A"])
    assert outcome.usage.model_calls == 3, "each answer is paid"
    failed = play("OpenAI", [message(content=text)], tmp_path, monkeypatch)
    assert failed.failure[0] is Reason.PROVIDER_ERROR
    assert "its text is a call of send, which its server did not read" in failed.failure[1]
    assert "start the server with the parser for tool calls" in failed.failure[1]


NO_CALLS = [
    pytest.param(f"It wrote <tool_call>{ARGUMENTS}</tool_call>.", {}, id="about-a-call"),
    pytest.param(ARGUMENTS.replace("send", "other"), {}, id="json-of-another-name"),
    pytest.param('{"name": "send", "size": 5}', {}, id="json-that-calls-nothing"),
    pytest.param(f"<tool_call>{ARGUMENTS}</tool_call>", {"tools": []}, id="no-tools"),
]


@pytest.mark.parametrize(("text", "more"), NO_CALLS)
def test_a_text_that_calls_no_offered_tool_is_the_output(
    text: str, more: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert play("OpenAI", [message(content=text)], tmp_path, monkeypatch, **more).output == text


GOOD = {"cause": "db", "confidence": 1}
TEXT = json.dumps(GOOD)
LIST = {"type": "array", "items": {"type": "integer"}}
TAKEN = [
    pytest.param("OpenAI", message(content=TEXT), BRIEF, GOOD, id="json"),
    pytest.param("OpenAI", message(content=f"\n{TEXT}\n"), BRIEF, GOOD, id="blanks"),
    pytest.param("OpenAI", message(content=f"```json\n{TEXT}\n```"), BRIEF, GOOD, id="block"),
    pytest.param("OpenAI", message(content=f"```\n{TEXT}\n```"), BRIEF, GOOD, id="plain-block"),
    pytest.param("OpenAI", message(content=f"<think>so</think>\n{TEXT}"), BRIEF, GOOD, id="think"),
    pytest.param("OpenAI", message(content=f"\ufeff{TEXT}"), BRIEF, GOOD, id="byte-order-mark"),
    pytest.param("Anthropic", content({"type": "text", "text": TEXT}), BRIEF, GOOD, id="anthropic"),
    pytest.param("Google", parts({"text": TEXT}), BRIEF, GOOD, id="google"),
    pytest.param("OpenAI", message(content='{"value": [1, 2]}'), LIST, [1, 2], id="wrapped"),
]


@pytest.mark.parametrize(("type_", "first", "schema", "output"), TAKEN)
def test_s664_an_output_that_is_the_whole_text_is_taken(
    type_: str,
    first: Reply,
    schema: Any,
    output: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome = play(type_, [first], tmp_path, monkeypatch, output_schema=schema)
    assert (outcome.output, outcome.usage.model_calls) == (output, 1)


FINAL = calls(call(TEXT, name="final_result"))
ASKED_AGAIN = [
    pytest.param(f"Here it is: {TEXT}", id="words-before"),
    pytest.param('{"cause": "db", "confidence": 7}', id="does-not-fit"),
    pytest.param(TEXT + TEXT, id="twice"),
    pytest.param(f"[{TEXT}]", id="list"),
    pytest.param('{"cause": "db", "confidence": NaN}', id="nan"),
    pytest.param("the database", id="text"),
]


@pytest.mark.parametrize("text", ASKED_AGAIN)
def test_another_text_is_asked_for_again(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [message(content=text), FINAL]
    outcome = play("OpenAI", replies, tmp_path, monkeypatch, output_schema=BRIEF)
    assert (outcome.output, outcome.usage.model_calls) == (GOOD, 2)


def test_a_cut_output_is_not_taken_from_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = message("length", content=TEXT)
    outcome = play("OpenAI", [cut], tmp_path, monkeypatch, output_schema=BRIEF)
    assert outcome.failure[0] is Reason.OUTPUT_INVALID


NO_ERRORS = [
    pytest.param({"code": 0, "message": "success"}, id="success"),
    pytest.param({"code": 0, "message": "OK."}, id="ok"),
    pytest.param({"msg": "", "type": None}, id="empty"),
]


@pytest.mark.parametrize("error", NO_ERRORS)
def test_an_error_that_says_success_is_none(
    error: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [reply({**body(), "error": error})], tmp_path, monkeypatch)
    assert (outcome.output, len(outcome.asked)) == ("hello", 1)


def test_a_refusal_as_a_part_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = message(content=[{"type": "refusal", "refusal": "I cannot help"}])
    outcome = play("OpenAI", [refused], tmp_path, monkeypatch)
    assert outcome.failure == (Reason.REFUSED, "model any: refuses: I cannot help")


def test_an_answer_without_content_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = reply({**body("Anthropic"), "content": None})
    assert play("Anthropic", [empty, DONE["Anthropic"]], tmp_path, monkeypatch).output == "done"


def test_an_answer_of_pictures_alone_is_named_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = message(images=[{"type": "image_url", "image_url": {"url": "data:,"}}])
    outcome = play("OpenAI", [pictures], tmp_path, monkeypatch)
    assert outcome.failure[0] is Reason.OUTPUT_INVALID
    assert "the model gave neither text nor a tool call" in outcome.failure[1]
