"""Errors of a provider: which end the attempt, which are retried in it, and what is reported."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost_agent.calls import Calls
from waypost_agent.provider import provider_retries

from tests.agent.pods import BRIEF, KEY, Pod, entries, model_server
from tests.agent.replies import answer
from tests.runner.servers import Reply
from tests.runner.servers import serving as answering

SCRIPTS = """
scripts:
  busy:
    turns:
    - {status: 429, message: slow down, retryAfter: 1}
    - {status: 503}
    - say: done
      tokens: {input: 5, output: 5}
  long:
    turns: [{status: 429, message: slow down, retryAfter: 3600, repeat: forever}]
  down:
    turns: [{status: 500, message: out of order, repeat: forever}]
  overloaded:
    turns:
    - {status: 529, message: Overloaded, repeat: 6}
    - say: done
  hang:
    turns: [{hang: 60s, repeat: forever}]
  refusal:
    turns: [{refuse: I will not do that}]
  loop:
    turns:
    - call: [{tool: final, arguments: {}}]
      tokens: {input: 60, output: 40}
      repeat: forever
"""
PRICE = {"input": "1000", "output": "1000"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with model_server(SCRIPTS) as address:
        yield address


@pytest.fixture
def pod(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    monkeypatch.setattr(provider_retries, "FIRST_WAIT", 0.01)
    return Pod(tmp_path, url)


def test_short_waits_are_waited_out_and_traced(pod: Pod) -> None:
    result = pod.perform("busy")
    assert result.output == "done"
    assert result.usage is not None
    assert (result.usage.model_calls, result.usage.provider_waits) == (1, 2)
    types = [entry["type"] for entry in entries(result)]
    assert types == ["model", "wait", "model", "wait", "model"]
    waits = [(entry["reason"], entry["seconds"]) for entry in entries(result, "wait")]
    assert waits == [("RateLimited", 1.0), ("ProviderError", 0.02)]
    assert entries(result)[0]["error"] == "RateLimited: 429: slow down"


@pytest.mark.parametrize(
    ("script", "more", "reason", "message"),
    [
        pytest.param("long", {}, Reason.RATE_LIMITED, "429: slow down", id="long-wait"),
        pytest.param("down", {}, Reason.PROVIDER_ERROR, "out of order (4 tries)", id="5xx"),
        pytest.param(
            "hang",
            {"model": {"timeoutSeconds": 0.3}},
            Reason.PROVIDER_ERROR,
            "no answer within 0.3 s",
            id="hang",
        ),
        pytest.param(
            "hang", {"seconds": 2.0}, Reason.TIMEOUT, "longer than the node's timeout", id="timeout"
        ),
        pytest.param("refusal", {}, Reason.REFUSED, "I will not do that", id="refusal"),
        pytest.param(
            "busy",
            {"model": {"baseUrl": "http://127.0.0.1:1/v1"}},
            Reason.PROVIDER_ERROR,
            "no connection",
            id="nobody-there",
        ),
        pytest.param(
            "busy",
            {"model": {"keyFile": "/nowhere"}},
            Reason.PROVIDER_ERROR,
            "/nowhere cannot be read",
            id="no-key-file",
        ),
        pytest.param(
            "busy",
            {"model": {"settings": {"mood": 1}}},
            Reason.INPUT_INVALID,
            "settings.mood",
            id="unknown-setting",
        ),
        pytest.param(
            "loop",
            {"limits": {"requests": 3}},
            Reason.BUDGET_EXCEEDED,
            "limits.requests: 3 of 3 model calls are used",
            id="requests",
        ),
        pytest.param(
            "loop",
            {"limits": {"tokens": 250}},
            Reason.BUDGET_EXCEEDED,
            "limits.tokens: 300 of 250 tokens are used",
            id="tokens",
        ),
        pytest.param(
            "loop",
            {"limits": {"costUSD": "0.15"}, "model": {"price": PRICE}},
            Reason.BUDGET_EXCEEDED,
            "limits.costUSD: 0.2 of 0.15 US dollars are used",
            id="cost",
        ),
        pytest.param(
            "loop",
            {"limits": {"toolCalls": 2}},
            Reason.BUDGET_EXCEEDED,
            "limits.toolCalls: 2 of 2 tool calls are used",
            id="tool-calls",
        ),
    ],
)
def test_reasons(script: str, more: dict[str, Any], reason: Reason, message: str, pod: Pod) -> None:
    failed = pod.fail(script, **more)
    assert failed.reason is reason
    assert message in failed.message


def test_a_provider_that_is_overloaded_for_a_while_is_waited_for(pod: Pod) -> None:
    result = pod.perform("overloaded")
    assert result.output == "done"
    assert result.usage is not None
    assert (result.usage.model_calls, result.usage.provider_waits) == (1, 6)


@pytest.mark.parametrize("status", [429, 502, 503, 504, 529])
def test_a_provider_that_stays_busy_is_left_to_the_operator(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_retries, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(provider_retries, "PATIENCE", 0.1)
    with answering(error(status, openai("try later"))) as server:
        failed = Pod(tmp_path, server.url).fail("any")
    assert failed.retry_after == provider_retries.BUSY_WAIT
    assert f"{status}: try later (4 tries)" in failed.message


ERRORS_IN_200 = [
    pytest.param({"code": 429, "message": "rate limited upstream"}, "OpenAI", id="number"),
    pytest.param({"code": "502", "message": "rate limited upstream"}, "OpenAI", id="digits"),
    pytest.param(
        {"type": "overloaded_error", "message": "rate limited upstream"}, "Anthropic", id="type"
    ),
    pytest.param(
        {"status": "UNAVAILABLE", "message": "rate limited upstream"}, "Google", id="word"
    ),
    pytest.param({"message": "rate limited upstream"}, "OpenAI", id="no-code"),
]


@pytest.mark.parametrize(("body", "type_"), ERRORS_IN_200)
def test_an_error_in_a_success_is_an_error_like_any_other(
    body: Any, type_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_retries, "FIRST_WAIT", 0.01)
    with answering(error(200, {"error": body, "user_id": "u"}), answer(type_, "done")) as server:
        result = Pod(tmp_path, server.url, type_).perform("any")
    assert result.output == "done"
    assert "rate limited upstream" in entries(result)[0]["error"]
    assert result.usage is not None
    assert result.usage.model_calls == 1, "an error is no answer"


def test_an_error_in_a_choice_is_told_with_its_words(tmp_path: Path) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "error",
              "error": {"code": 400, "message": "prompt too odd"}}  # fmt: skip
    with answering(error(200, {"choices": [choice]})) as server:
        failed = Pod(tmp_path, server.url).fail("any")
    assert "400: prompt too odd" in failed.message


STRAYS = [
    pytest.param({"id": None, "object": None, "created": None, "model": None}, id="head"),
    pytest.param({"usage": {"prompt_tokens": 3, "completion_tokens": None}}, id="null-usage"),
    pytest.param({"choices": [{"message": {"content": "hello"}}]}, id="bare-choice"),
    pytest.param(
        {"choices": [{"message": {"role": "model", "content": "hello", "tool_calls": []}}]},
        id="role",
    ),
]


@pytest.mark.parametrize("strays", STRAYS)
def test_a_clear_answer_is_taken_whatever_else_is_missing(
    strays: dict[str, Any], tmp_path: Path
) -> None:
    body = {**json.loads(answer("OpenAI", "hello").body), **strays}
    with answering(error(200, body)) as server:
        assert Pod(tmp_path, server.url).perform("any").output == "hello"


def test_a_tool_call_without_type_and_with_an_object_of_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_TEST_LEDGER", str(tmp_path / "ledger"))
    call = {"function": {"name": "count", "arguments": {"words": "one"}}}
    body = {"choices": [{"message": {"content": None, "tool_calls": [call]}}]}
    tools = [{"module": "tests.agent.deeds", "functions": ["count"]}]
    with answering(error(200, body), answer("OpenAI", "done")) as server:
        result = Pod(tmp_path, server.url).perform("any", tools=tools)
    assert result.usage is not None
    assert result.usage.tools == {"count": 1}


def test_an_unexpected_exception_keeps_usage_and_trace(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"a bug near {KEY}")

    monkeypatch.setattr(Calls, "asked", broken)
    failed = pod.fail("loop")
    assert failed.reason is Reason.NODE_ERROR
    assert "the agent failed unexpectedly: RuntimeError: a bug near [redacted]" in failed.message
    assert failed.usage is not None
    assert (failed.usage.model_calls, failed.usage.input_tokens) == (1, 60)
    assert [entry["type"] for entry in entries(failed)] == ["model"]
    logged = capfd.readouterr().err
    assert "Traceback" in logged
    assert KEY not in logged


def test_long_wait_is_left_to_the_operator(pod: Pod) -> None:
    failed = pod.fail("long")
    assert failed.retry_after == 3600
    assert failed.usage is not None
    assert failed.usage.provider_waits == 0


def test_usage_of_a_failed_attempt_is_kept(pod: Pod) -> None:
    failed = pod.fail("loop", limits={"requests": 3}, model={"price": PRICE})
    assert failed.usage is not None
    assert failed.usage.to_json() == {
        "modelCalls": 3,
        "inputTokens": 180,
        "outputTokens": 120,
        "toolCalls": 3,
        "costUSD": "0.3",
        "tools": {"final": 3},
    }


def error(status: int, body: Any, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else ijson.canonical(body)
    printed = (("Content-Type", "application/json"), *headers.items())
    return Reply(status=status, body=content, headers=printed)


def openai(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("reply", "reason", "message"),
    [
        pytest.param(
            error(401, openai("bad key")), Reason.PROVIDER_ERROR, "401: bad key; put a valid key",
            id="401"),
        pytest.param(
            error(403, openai("no")), Reason.PROVIDER_ERROR, "403: no; the key is known", id="403"),
        pytest.param(
            error(404, openai("no such model")), Reason.PROVIDER_ERROR,
            "404: no such model; check the model's name", id="404"),
        pytest.param(
            error(400, openai("bad tool")), Reason.PROVIDER_ERROR,
            "400: bad tool; the provider does not take the request", id="400"),
        pytest.param(
            error(400, openai("over 8192 tokens", code="context_length_exceeded")),
            Reason.INPUT_TOO_LARGE,
            "longer than the model takes: 400: over 8192 tokens; lower maxResultBytes of its tools",
            id="context"),
        pytest.param(
            error(400, openai("This model's maximum context length is 8192 tokens")),
            Reason.INPUT_TOO_LARGE, "maximum context length is 8192 tokens; lower",
            id="context-in-words"),
        pytest.param(
            error(400, openai("prompt is too long: 214000 tokens > 200000 maximum")),
            Reason.INPUT_TOO_LARGE, "214000 tokens > 200000 maximum; lower",
            id="context-anthropic"),
        pytest.param(
            error(400, openai("The input token count (99) exceeds the maximum number of tokens")),
            Reason.INPUT_TOO_LARGE, "(99) exceeds the maximum number", id="context-google"),
        pytest.param(
            error(413, b"<html>Request Entity Too Large</html>"), Reason.INPUT_TOO_LARGE,
            "413: <html>Request Entity Too Large", id="context-gateway"),
        pytest.param(
            error(200, {"error": {"code": 400, "message": "exceeds the context window"}}),
            Reason.INPUT_TOO_LARGE, "longer than the model takes: 400", id="context-in-200"),
        pytest.param(
            error(429, openai("pay first", code="insufficient_quota")), Reason.PROVIDER_ERROR,
            "429: pay first; the account's quota", id="quota"),
        pytest.param(
            error(404, b"<html>nginx</html>"), Reason.PROVIDER_ERROR, "404: <html>nginx</html>",
            id="html"),
        pytest.param(
            error(200, b"<html>hello</html>"), Reason.PROVIDER_ERROR,
            "the answer begins '<html>hello</html>': it is not a chat completion; check the "
            "ModelProvider's baseURL", id="web-page"),
        pytest.param(error(200, b""), Reason.PROVIDER_ERROR, "the answer is empty", id="empty"),
        pytest.param(
            error(200, b'data: {"choices": []}'), Reason.PROVIDER_ERROR,
            "the answer begins 'data: {", id="stream"),
        pytest.param(
            error(200, {"choices": []}), Reason.PROVIDER_ERROR, "not a chat completion",
            id="no-choice"),
        pytest.param(
            error(200, {"choices": [{"finish_reason": "stop"}]}), Reason.PROVIDER_ERROR,
            "choices.0.message: input should be a valid dictionary", id="no-message"),
        pytest.param(
            error(200, {"error": {"code": 401, "message": "no credits"}}), Reason.PROVIDER_ERROR,
            "401: no credits; put a valid key", id="error-in-200"),
        pytest.param(
            error(302, {}, Location="http://127.0.0.1:1/"), Reason.PROVIDER_ERROR, "302",
            id="redirect"),
    ],
)  # fmt: skip
def test_refusals_of_a_provider_end_the_attempt_at_once(
    reply: Reply, reason: Reason, message: str, tmp_path: Path
) -> None:
    with answering(reply) as server:
        failed = Pod(tmp_path, server.url).fail("any", output_schema=BRIEF)
    assert failed.reason is reason
    assert message in failed.message
    assert len(server.asked) == 1


def test_provider_that_is_not_trusted_is_told_so(tmp_path: Path) -> None:
    failed = Pod(tmp_path, "http://127.0.0.1:1").fail("any", model={"caFile": "/nowhere"})
    assert failed.reason is Reason.PROVIDER_ERROR
    assert "spec.tls" in failed.message


def test_key_is_nowhere_in_what_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    reply = error(401, openai(f"Incorrect API key provided: {KEY}. You said Bearer {KEY}"))
    with answering(reply) as server:
        failed = Pod(tmp_path, server.url).fail("any")
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert failed.trace is not None
    printed = capfd.readouterr()
    context = repr((failed, failed.__cause__, failed.__suppress_context__ and None))
    for text in (failed.message, str(failed.trace.to_json()), printed.out, printed.err, context):
        assert KEY not in text
    assert "[redacted]" in failed.message


def test_no_key_is_sent_where_the_provider_has_none(tmp_path: Path) -> None:
    with answering(error(401, openai("who are you"))) as server:
        Pod(tmp_path, server.url).fail("any", model={"keyFile": None})
    assert "authorization" not in server.asked[0].headers
