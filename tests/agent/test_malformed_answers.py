"""Answers that differ from their interface: what is clear is used, what was cut is not,
and what is wrong is said in the provider's words."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason

from tests.agent.malformed import DONE, body, call, calls, content, finished, message, parts, play
from tests.agent.pods import BRIEF, entries
from tests.agent.replies import Call, answer, reply
from tests.runner.servers import Reply

CUT, NO, FAILED = Reason.OUTPUT_INVALID, Reason.REFUSED, Reason.PROVIDER_ERROR
FINISHES = [
    # A token limit, in the words of other interfaces.
    ("OpenAI", "max_tokens", CUT),
    ("OpenAI", "MAX_TOKENS", CUT),
    ("OpenAI", "max_output_tokens", CUT),
    ("OpenAI", "model_length", CUT),
    ("OpenAI", "truncated", CUT),
    ("Anthropic", "length", CUT),
    ("Google", "TOKEN_LIMIT", CUT),
    ("OpenAI", "max-tokens", CUT),
    ("OpenAI", "max_output", CUT),
    ("OpenAI", "REASON_MAX_LEN", CUT),
    ("OpenAI", "tokens_exceeded", CUT),
    ("OpenAI", "stop_length", CUT),
    ("OpenAI", "limit_reached", CUT),
    ("Anthropic", "context_limit", CUT),
    ("OpenAI", "max_seq_len", CUT),
    ("OpenAI", "num_predict", CUT),
    ("OpenAI", "kv_cache_full", CUT),
    ("OpenAI", "ctx_exhausted", CUT),
    ("OpenAI", {"type": "max_tokens"}, CUT),
    ("OpenAI", {"reason": "length", "type": None}, CUT),
    # A filter or a refusal.
    ("OpenAI", "unsafe", NO),
    ("OpenAI", "ERROR_TOXIC", NO),
    ("OpenAI", "RESPONSIBLE_AI", NO),
    ("OpenAI", "harmful_content", NO),
    ("OpenAI", "copyright", NO),
    ("Anthropic", "violence", NO),
    ("OpenAI", "BLOCKLIST", NO),
    ("OpenAI", "refusal", NO),
    ("OpenAI", "SAFETY", NO),
    ("OpenAI", "sensitive", NO),
    ("OpenAI", "guardrail_intervened", NO),
    ("OpenAI", "nsfw", NO),
    ("OpenAI", "jailbreak_detected", NO),
    ("Anthropic", "content_filtered", NO),
    ("Google", "IMAGE_RECITATION", NO),
    # The server broke off.
    ("OpenAI", "insufficient_system_resource", FAILED),
    ("OpenAI", "abort", FAILED),
    ("OpenAI", "cancelled", FAILED),
    ("OpenAI", "network_error", FAILED),
    ("OpenAI", "pause_turn", FAILED),
    ("OpenAI", "time_limit", FAILED),
    ("OpenAI", "not_finished", FAILED),
    ("OpenAI", "rate_limit", FAILED),
    ("OpenAI", "load", FAILED),
    ("OpenAI", "quota_exceeded", FAILED),
    ("OpenAI", "deadline_exceeded", FAILED),
    ("OpenAI", "thinking_budget_exceeded", FAILED),
    ("OpenAI", "out_of_memory", FAILED),
    ("OpenAI", "killed", FAILED),
    ("OpenAI", "unfinished", FAILED),
    ("OpenAI", "client_disconnected", FAILED),
    ("OpenAI", "engine_crash", FAILED),
    ("OpenAI", "server_busy", FAILED),
    ("OpenAI", "throttled", FAILED),
    ("OpenAI", "access_denied", FAILED),
    ("OpenAI", "session_expired", FAILED),
    ("OpenAI", "stopped_by_user", FAILED),
    ("OpenAI", "invalid_output", FAILED),
    ("OpenAI", "ended_early", FAILED),
    ("OpenAI", "repetition", FAILED),
    ("Anthropic", "max_turns", FAILED),
    ("Google", "MISSING_THOUGHT_SIGNATURE", FAILED),
    ("Anthropic", "error", FAILED),
    ("Google", "OTHER", FAILED),
    ("Google", "MALFORMED_RESPONSE", FAILED),
    ("Google", "TOO_MANY_TOOL_CALLS", FAILED),
    # No reason is none against an answer, and an unknown word is not either.
    ("OpenAI", None, None),
    ("OpenAI", "", None),
    ("OpenAI", 7, None),
    ("OpenAI", ["stop"], None),
    ("OpenAI", "eos_token", None),
    ("OpenAI", "end_turn", None),
    ("OpenAI", "completed", None),
    ("OpenAI", "finished", None),
    ("OpenAI", "stop_sequence", None),
    ("OpenAI", "success", None),
    ("OpenAI", "STOP", None),
    ("OpenAI", "stop_string", None),
    ("OpenAI", "unknown", None),
    ("OpenAI", {"text": "length"}, None),
    ("Anthropic", None, None),
    ("Anthropic", "stop", None),
    ("Google", None, None),
    ("Google", "FINISH_REASON_UNSPECIFIED", None),
]


@pytest.mark.filterwarnings("ignore:.* is not a valid FinishReason")
@pytest.mark.parametrize(
    ("type_", "word", "reason"), FINISHES, ids=[f"{t}-{w}" for t, w, _ in FINISHES]
)
def test_finish_reasons_of_other_interfaces_are_understood(
    type_: str, word: Any, reason: Reason | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play(type_, [finished(type_, word)], tmp_path, monkeypatch)
    if reason is None:
        assert outcome.output == "half a sentence"
        return
    assert outcome.failure[0] is reason
    if reason is FAILED:
        assert str(word) in outcome.failure[1]
        assert outcome.usage.model_calls == 4, "the next answer may be whole; each is paid"
    assert outcome.deeds == []


NATIVE = [
    pytest.param("stop", "MAX_TOKENS", CUT, id="translated"),
    pytest.param(None, "max_tokens", CUT, id="not-translated"),
    pytest.param("stop", "SAFETY", NO, id="filter"),
    pytest.param("length", "stop", CUT, id="only-the-translation"),
    pytest.param("stop", "end_turn", None, id="end"),
    pytest.param("stop", 7, None, id="number"),
]


@pytest.mark.parametrize(("word", "native", "reason"), NATIVE)
def test_the_models_own_finish_reason_counts_beside_a_gateways(
    word: Any, native: Any, reason: Reason | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = body()
    whole["choices"][0] |= {"finish_reason": word, "native_finish_reason": native}
    outcome = play("OpenAI", [reply(whole)], tmp_path, monkeypatch)
    assert (outcome.output == "hello") if reason is None else (outcome.failure[0] is reason)


BESIDE = [
    pytest.param({"finish_reason": None, "finish_details": {"type": "max_tokens"}}, {}, id="old"),
    pytest.param({}, {"incomplete_details": {"reason": "max_output_tokens"}}, id="responses"),
    pytest.param({}, {"status": "incomplete", "incomplete_details": {"reason": "max_tokens"}},
                 id="both"),
]  # fmt: skip


@pytest.mark.parametrize(("choice", "document"), BESIDE)
def test_a_cut_counts_wherever_a_gateway_says_it(
    choice: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = body() | document
    whole["choices"][0] |= choice
    assert play("OpenAI", [reply(whole)], tmp_path, monkeypatch).failure[0] is CUT


NO_TEXT = [
    pytest.param("OpenAI", message(content=" \n"), id="blank"),
    pytest.param("Anthropic", content({"type": "text", "text": "\n"}), id="blank-block"),
    pytest.param("Google", parts({"text": "plan", "thought": True}), id="thought"),
    pytest.param("OpenAI", message(content="<think>first I"), id="thoughts-that-were-cut"),
    pytest.param("OpenAI", message(content="first I</think>\n"), id="thoughts-that-were-opened"),
    pytest.param("OpenAI", message(reasoning_content="plan"), id="reasoning"),
]


@pytest.mark.parametrize(("type_", "first"), NO_TEXT)
def test_an_answer_without_text_is_asked_for_again(
    type_: str, first: Reply, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play(type_, [first, DONE[type_]], tmp_path, monkeypatch)
    assert outcome.output == "done"


@pytest.mark.parametrize("opened", ["", "<think>"], ids=["opened-by-the-server", "both-tags"])
def test_thoughts_are_no_part_of_the_output(
    opened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = message(content=f"{opened}2 and 2</think>\n\n4")
    assert play("OpenAI", [first], tmp_path, monkeypatch).output.strip() == "4"


def test_a_json_answer_that_was_cut_is_no_output_though_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed object may lack the items that came next."""
    replies = [finished("OpenAI", "length", '{"cause": "db", "confidence": 1}')]
    more: dict[str, Any] = {"output_schema": BRIEF, "model": {"structuredOutput": "Native"}}
    assert play("OpenAI", replies, tmp_path, monkeypatch, **more).failure[0] is CUT


def test_the_first_of_several_choices_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = body()
    first = {**whole["choices"][0], "finish_reason": "length"}
    whole["choices"] = [first, *whole["choices"]]
    assert play("OpenAI", [reply(whole)], tmp_path, monkeypatch).failure[0] is CUT


@pytest.mark.parametrize("word", ["max_tokens", "abort", "SAFETY"])
def test_calls_of_an_answer_that_was_cut_are_not_made(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [calls(call(), finish=word)], tmp_path, monkeypatch)
    assert outcome.failure
    assert outcome.deeds == []


@pytest.mark.parametrize(
    ("type_", "word"), [("OpenAI", "tool_calls"), ("Anthropic", "tool_use")], ids=["OpenAI", "Anth"]
)
def test_an_answer_that_lost_its_calls_is_no_output(
    type_: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that cannot read the calls of their model leave them out."""
    replies = [finished(type_, word, "<tool_call>send"), DONE[type_]]
    assert play(type_, replies, tmp_path, monkeypatch).output == "done"


def test_the_trace_has_an_unknown_finish_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [finished("OpenAI", "eos" * 100)], tmp_path, monkeypatch)
    [entry] = entries(outcome.result, "model")
    assert entry["finish"] == "a text of 300 characters"


def test_a_turn_that_pauses_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paused = {**body("Anthropic", "first "), "stop_reason": "pause_turn", "id": "msg_0"}
    replies = [reply(paused), answer("Anthropic", "second")]
    outcome = play("Anthropic", replies, tmp_path, monkeypatch)
    assert outcome.output == "first second"
    assert outcome.usage.model_calls == 2


def test_a_turn_that_pauses_without_end_ends_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [finished("Anthropic", "pause_turn")]
    limits = {"requests": 4}
    assert play("Anthropic", replies, tmp_path, monkeypatch, limits=limits).failure


A = ["send A"]
TOOL_CALLS = [
    # What is clear is done.
    pytest.param(calls(call({"text": "A"})), A, id="object"),
    pytest.param(calls(call(), finish="stop"), A, id="finish-stop"),
    pytest.param(message("function_call", function_call=call()["function"]), A, id="old-form"),
    pytest.param(message(tool_calls={"0": call()}), A, id="calls-in-an-object"),
    pytest.param(calls(call('{"text": "A", "text": "B"}')), ["send B"], id="key-twice"),
    pytest.param(calls(call('{"text": "a\\u0000b"}')), ["send a\0b"], id="nul"),
    pytest.param(calls(call(id_=None), call(id_=None)), A * 2, id="id-null"),
    pytest.param(calls(call(id_=17), call(id_=17)), A * 2, id="id-number"),
    pytest.param(calls(call(id_=["x"])), A, id="id-list"),
    pytest.param(calls(call(id_="x" * 1_000_000)), A, id="id-of-1-MB"),
    pytest.param(calls(call(id_="a\0\ud800")), A, id="id-nul"),
    pytest.param(calls(call(), call("{}", id_="c2", name="nope")), A, id="one-unknown"),
    pytest.param(calls(call(), None), A, id="one-null"),
    # What is not is shown to the model, and nothing is done.
    pytest.param(calls(call('{"text": "A')), [], id="cut"),
    pytest.param(calls(call("")), [], id="empty"),
    pytest.param(calls(call("null")), [], id="null"),
    pytest.param(calls(call(None)), [], id="none"),
    pytest.param(calls(call('["A"]')), [], id="list"),
    pytest.param(calls(call(5)), [], id="number"),
    pytest.param(calls(call('"A"')), [], id="text"),
    pytest.param(calls(call('{"text": NaN}')), [], id="nan"),
    pytest.param(calls(call('{"text": "\\ud800"}')), [], id="surrogate"),
    pytest.param(calls(call('{"text": "A"}{"text": "B"}')), [], id="two-values"),
    pytest.param(calls(call('```json\n{"text": "A"}\n```')), [], id="fenced"),
    pytest.param(calls(call('{"text": ' + "[" * 3000 + "]" * 3000 + "}")), [], id="deep"),
    pytest.param(calls(call(name=None)), [], id="name-null"),
    pytest.param(calls(call(name="")), [], id="name-empty"),
    pytest.param(calls(call(name="functions.send")), [], id="name-dot"),
    pytest.param(calls(call(name="n" * 200_000)), [], id="name-of-200-KB"),
    pytest.param(calls({"id": "c1", "type": "function"}), [], id="no-function"),
    pytest.param(
        calls({"id": "c1", "type": "custom", "custom": {"name": "send", "input": "A"}}), [],
        id="custom"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "deeds"), TOOL_CALLS)
def test_strange_calls_are_made_once_or_shown_to_the_model(
    first: Reply, deeds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [first, DONE["OpenAI"]], tmp_path, monkeypatch)
    assert outcome.output == "done"
    assert outcome.deeds == deeds
    asked = json.loads(outcome.asked[1].body)["messages"]
    made = [each for message in asked for each in message.get("tool_calls") or ()]
    ids = [each["id"] for each in made]
    assert len(set(ids)) == len(ids)
    assert all(0 < len(each) <= 40 for each in ids)
    names = [each["function"]["name"] for each in made]
    assert all(0 < len(each) <= 64 and "." not in each for each in names), "providers take it back"
    results = [each["tool_call_id"] for each in asked if each["role"] == "tool"]
    assert sorted(results) == sorted(ids), "each call has its result"


OTHER_CALLS = [
    pytest.param("Anthropic", content({"type": "tool_use", "name": "send",
                                       "input": {"text": "A"}}), A, id="no-id"),
    pytest.param("Anthropic", content({"type": "tool_use", "id": 7, "name": "send",
                                       "input": {"text": "A"}}), A, id="id-number"),
    pytest.param("Anthropic", content({"type": "tool_use", "id": "t", "name": "send",
                                       "input": '{"text": "A"}'}), A, id="input-text"),
    pytest.param("Anthropic", content({"type": "tool_use", "id": "t", "name": "send",
                                       "input": None}), [], id="input-null"),
    pytest.param("Anthropic", content({"type": "tool_use", "id": "t", "input": {}}), [],
                 id="no-name"),
    pytest.param("Anthropic", content({"type": "hologram", "x": 1}), [], id="unknown-block"),
    pytest.param("Anthropic", content({"type": "text", "text": None}), [], id="text-null"),
    pytest.param("Google", parts({"functionCall": {"name": "send", "args": '{"text": "A"}'}}), A,
                 id="args-text"),
    pytest.param("Google", parts({"functionCall": {"name": "send", "id": 5,
                                                   "args": {"text": "A"}}}), A, id="call-id"),
    pytest.param("Google", parts({"functionCall": {"name": "send"}}), [], id="no-args"),
    pytest.param("Google", parts({"functionCall": {"args": {"text": "A"}}}), [], id="call-no-name"),
    pytest.param("Google", parts(None), [], id="part-null"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "first", "deeds"), OTHER_CALLS)
def test_strange_calls_of_the_other_interfaces(
    type_: str,
    first: Reply,
    deeds: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome = play(type_, [first, DONE[type_]], tmp_path, monkeypatch)
    assert outcome.output == "done"
    assert outcome.deeds == deeds


def test_a_final_result_that_comes_twice_is_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = call('{"cause": "db", "confidence": 1}', name="final_result")
    replies = [calls(final, {**final, "id": "c2"}, call(id_="c3"))]
    outcome = play("OpenAI", replies, tmp_path, monkeypatch, output_schema=BRIEF)
    assert outcome.output == {"cause": "db", "confidence": 1}
    assert outcome.deeds == A


def used(usage: Any) -> Reply:
    return reply({**body(), "usage": usage})


HUGE = 2**60
USAGES = [
    pytest.param("OpenAI", {"prompt_tokens": "10", "completion_tokens": "5"}, 15, 0, id="texts"),
    pytest.param("OpenAI", {"prompt_tokens": 10.0, "completion_tokens": 5.0}, 15, 0, id="floats"),
    pytest.param("OpenAI", {"prompt_tokens": -1, "completion_tokens": -5}, None, 1, id="negative"),
    pytest.param("OpenAI", {"prompt_tokens": HUGE, "completion_tokens": 2**70}, None, 1, id="huge"),
    pytest.param("OpenAI", {"prompt_tokens": True, "completion_tokens": True}, None, 1, id="bools"),
    pytest.param("OpenAI", {"prompt_tokens": "9" * 5000}, None, 1, id="5000-digits"),
    pytest.param("OpenAI", [1, 2], None, 1, id="list"),
    # Names of another interface, and what a sum says of a part that is missing.
    pytest.param("OpenAI", {"input_tokens": 10, "output_tokens": 5}, 15, 0, id="other-names"),
    pytest.param("OpenAI", {"prompt_tokens": 10, "total_tokens": 15}, 15, 0, id="prompt-and-sum"),
    pytest.param("OpenAI", {"completion_tokens": 5, "total_tokens": 15}, 15, 0, id="answer-sum"),
    pytest.param("OpenAI", {"total_tokens": 900}, 902, 1, id="only-a-sum"),
    pytest.param("OpenAI", {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 3}, 15, 0,
                 id="wrong-sum"),
    pytest.param("Google", {"promptTokenCount": 10, "totalTokenCount": 1015}, 1015, 0, id="g-sum"),
    pytest.param("Google", {"promptTokenCount": 10, "thoughtsTokenCount": 900,
                            "totalTokenCount": 1015}, 1015, 0, id="g-thoughts"),
    pytest.param("OpenAI", "none", None, 1, id="text"),
    pytest.param("OpenAI", {"prompt_tokens": 10, "completion_tokens": 5,
                            "prompt_tokens_details": {"cached_tokens": 999}}, 15, 0, id="cached"),
    pytest.param("OpenAI", {"prompt_tokens": 10, "completion_tokens": 5,
                            "prompt_tokens_details": {"cached_tokens": -9}}, 15, 0, id="minus"),
    pytest.param("OpenAI", {"prompt_tokens": 10, "completion_tokens": 5,
                            "completion_tokens_details": 7}, 15, 0, id="details"),
    pytest.param("Anthropic", {"input_tokens": "10", "output_tokens": "5"}, 15, 0, id="a-texts"),
    pytest.param("Anthropic", {"input_tokens": -10, "output_tokens": None}, None, 1, id="a-neg"),
    pytest.param("Anthropic", {"input_tokens": HUGE, "output_tokens": 5}, None, 1, id="a-huge"),
    pytest.param("Anthropic", "none", None, 1, id="a-text"),
    pytest.param("Anthropic", {"input_tokens": 10, "output_tokens": 5,
                               "cache_read_input_tokens": "7"}, 22, 0, id="a-cached"),
    pytest.param("Google", {"promptTokenCount": 10, "candidatesTokenCount": "x"}, None, 1,
                 id="g-word"),
    pytest.param("Google", {"promptTokenCount": HUGE, "candidatesTokenCount": -5}, None, 1,
                 id="g-huge"),
    pytest.param("Google", "none", None, 1, id="g-text"),
    # Other names of gateways, a text, an object in the object, and parts that are not in others.
    pytest.param("OpenAI", {"promptTokens": 10, "completionTokens": 5}, 15, 0, id="camel"),
    pytest.param("OpenAI", {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, 15, 0,
                 id="of-bedrock"),
    pytest.param("OpenAI", {"prompt_eval_count": 10, "eval_count": 5}, 15, 0, id="of-ollama"),
    pytest.param("OpenAI", {"billed_units": {"input_tokens": 9, "output_tokens": 4},
                            "tokens": {"input_tokens": 10, "output_tokens": 5}}, 15, 0,
                 id="cohere"),
    pytest.param("OpenAI", '{"prompt_tokens": 10, "completion_tokens": 5}', 15, 0, id="json-text"),
    pytest.param("OpenAI", {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 1015},
                 1015, 0, id="thoughts-only-in-the-sum"),
    pytest.param("OpenAI", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None, 1,
                 id="zeros"),
    pytest.param("OpenAI", {}, None, 1, id="empty"),
    pytest.param("OpenAI", {"cost": 0.01, "credits": 3}, None, 1, id="cost-only"),
    pytest.param("Anthropic", {"prompt_tokens": 10, "completion_tokens": 5}, 15, 0, id="a-openai"),
    pytest.param("Anthropic", {"input_tokens": 10, "output_tokens": 5, "cache_creation":
                               {"ephemeral_5m_input_tokens": 7}}, 22, 0, id="a-cache-written"),
    pytest.param("Google", {"prompt_token_count": 10, "candidates_token_count": 5,
                            "thoughts_token_count": 7}, 22, 0, id="g-snake"),
    pytest.param("Google", {"promptTokenCount": 10, "candidatesTokenCount": 5,
                            "totalTokenCount": 1015}, 1015, 0, id="g-more-in-the-sum"),
    pytest.param("Google", {"promptTokenCount": "10", "candidatesTokenCount": "5"}, 15, 0,
                 id="g-texts"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "usage", "tokens", "estimated"), USAGES)
def test_usage_that_is_no_count_is_estimated(
    type_: str,
    usage: Any,
    tokens: int | None,
    estimated: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field = "usageMetadata" if type_ == "Google" else "usage"
    outcome = play(type_, [reply({**body(type_), field: usage})], tmp_path, monkeypatch)
    assert outcome.output == "hello"
    counted = outcome.usage
    assert counted.estimated_model_calls == estimated
    total = counted.input_tokens + counted.output_tokens
    assert total == tokens if tokens else 0 < total < 10_000
    assert 0 <= counted.cached_tokens <= counted.input_tokens
    ijson.check(counted.to_json())  # a record can hold it


USED = {"prompt_tokens": 10, "completion_tokens": 5}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"choices": [{**body()["choices"][0], "usage": USED}]}, id="in-the-choice"),
        pytest.param({"x_groq": {"id": "req", "usage": USED}}, id="beside-it"),
        pytest.param({"prompt_eval_count": 10, "eval_count": 5}, id="in-the-answer-itself"),
        pytest.param({"usage": None, "metadata": {"usage": USED}}, id="in-metadata"),
        pytest.param({"usage": [USED], "token_usage": USED}, id="a-list-and-another-name"),
    ],
)
def test_usage_is_found_where_servers_put_it(
    more: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = {key: each for key, each in body().items() if key != "usage"} | more
    outcome = play("OpenAI", [reply(answered)], tmp_path, monkeypatch)
    counted = outcome.usage
    assert (counted.input_tokens, counted.output_tokens, counted.estimated_model_calls) == (
        10,
        5,
        0,
    )


HEAD = {"id": 9, "object": [], "created": "now", "model": 7, "service_tier": "x"}
BODIES = [
    pytest.param("OpenAI", {**body(), **HEAD}, "hello", id="head"),
    pytest.param("OpenAI", {**body(), "choices": [*body()["choices"], None]}, "hello", id="second"),
    pytest.param("OpenAI", {**body(), "error": {"code": 0, "message": ""}}, "hello", id="error-0"),
    pytest.param("OpenAI", {**body(), "error": {}}, "hello", id="error-empty"),
    pytest.param("OpenAI", body(text="a\ud800b"), "a\ufffdb", id="surrogate"),
    pytest.param("Anthropic", {**body("Anthropic"), "content": "hello"}, "hello", id="text"),
    pytest.param("Anthropic", {**body("Anthropic"), "content": [None, {"text": "hello"}]}, "hello",
                 id="block-without-type"),
    pytest.param("Google", {**body("Google"), "promptFeedback": None}, "hello", id="feedback-null"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "whole", "output"), BODIES)
def test_a_clear_answer_is_used(
    type_: str, whole: Any, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert play(type_, [reply(whole)], tmp_path, monkeypatch).output == output


MESSAGES = [
    pytest.param({"annotations": "x", "audio": "x", "refusal": 5}, id="fields"),
    pytest.param({"content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]},
                 id="parts"),
    pytest.param({"content": {"text": "hello"}}, id="one-part-without-its-list"),
]  # fmt: skip


@pytest.mark.parametrize("fields", MESSAGES)
def test_a_clear_message_is_used(
    fields: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply_ = message(**{"content": "hello", **fields})
    assert play("OpenAI", [reply_], tmp_path, monkeypatch).output == "hello"


UNREADABLE = [
    pytest.param("OpenAI", reply({"choices": [{"words": "old"}]}),
                 "choices.0.message: input should be a valid dictionary;", 1, id="completion"),
    pytest.param("OpenAI", reply({"choices": [None]}), "it is not a chat completion", 0, id="null"),
    pytest.param("OpenAI", reply({"choices": {"0": 1}}), "it is not a chat completion", 0,
                 id="choices-object"),
    pytest.param("Google", parts({"hologram": 1}), "the answer cannot be read", 1, id="part"),
    pytest.param("Google", reply({"promptFeedback": {}}), "it is not a gen", 0, id="feedback"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "first", "words", "counted"), UNREADABLE)
def test_an_answer_that_cannot_be_read_is_paid_and_named(
    type_: str,
    first: Reply,
    words: str,
    counted: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome = play(type_, [first], tmp_path, monkeypatch)
    reason, said = outcome.failure
    assert reason is Reason.PROVIDER_ERROR
    assert words in said
    assert outcome.usage.model_calls == outcome.usage.estimated_model_calls == counted


def test_a_name_that_no_provider_takes_does_not_stop_the_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider refuses a whole request for the name of one earlier call."""
    first = answer("OpenAI", "", Call("send it", "{}"), Call("send_it", "{}", "c2"))
    outcome = play("OpenAI", [first, DONE["OpenAI"]], tmp_path, monkeypatch)
    assert outcome.output == "done"
    refused = [each["outcome"] for each in entries(outcome.result, "tool")]
    assert refused == ["refused", "refused"]
