"""A node with several models: when the next one is asked, what is counted, what is replayed."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed, WorkResult
from waypost_agent.provider import provider_retries

from tests.agent.attempts import Node
from tests.agent.pods import Pod, entries
from tests.agent.replies import Call, answer, reply
from tests.runner.servers import Asked, Reply, serving

DEAR = {"input": "1000", "output": "1000"}
CHEAP = {"input": "1", "output": "1"}
SLOW = reply({"error": {"message": "slow down"}}, status=429, **{"Retry-After": "3600"})
BUSY = reply({"error": {"message": "try later"}}, status=503)
NO_KEY = reply({"error": {"message": "bad key"}}, status=401)
TOO_LONG = reply({"error": {"message": "too long", "code": "context_length_exceeded"}}, status=400)
BROKEN = reply(b"<html>hello</html>")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_retries, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(provider_retries, "PATIENCE", 0.01)


def models(folder: Path, url: str, **of_second: Any) -> dict[str, Any]:
    """The part of a request that names two models at one server."""
    second = {
        "type": "OpenAI",
        "name": "second",
        "baseUrl": f"{url}/v1",
        "keyFile": str(folder / "key"),
        "provider": "backup",
        "price": CHEAP,
        **of_second,
    }
    return {"model": {"provider": "main", "price": DEAR}, "fallbacks": [second]}


def play(folder: Path, *replies: Reply, **more: Any) -> tuple[WorkResult | WorkFailed, list[Asked]]:
    """The outcome of a node with two models whose server gives these replies."""
    with serving(*replies) as server:
        pod = Pod(folder, server.url)
        document = {**models(folder, server.url, **more.pop("second", {})), **more}
        try:
            return pod.perform("first", **document), server.asked
        except WorkFailed as failed:
            return failed, server.asked


def asked_models(asked: list[Asked]) -> list[str]:
    return [json.loads(each.body)["model"] for each in asked]


@pytest.mark.parametrize(
    ("replies", "tries"),
    [
        pytest.param([SLOW], 1, id="busy for an hour"),
        pytest.param([BUSY] * 4, 4, id="busy beyond patience"),
        pytest.param([NO_KEY], 1, id="key refused"),
        pytest.param([TOO_LONG], 1, id="conversation too long"),
        pytest.param([BROKEN], 1, id="no answer of a model"),
    ],
)
def test_the_next_model_answers_where_one_does_not(
    replies: list[Reply], tries: int, tmp_path: Path
) -> None:
    result, asked = play(tmp_path, *replies, answer("OpenAI", "done"))
    assert isinstance(result, WorkResult)
    assert result.output == "done"
    assert asked_models(asked) == ["first"] * tries + ["second"]
    reported = [entry["provider"] for entry in entries(result, "model")]
    assert reported == ["main"] * tries + ["backup"]


def test_the_cost_of_each_answer_is_that_of_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_TEST_LEDGER", str(tmp_path / "ledger"))
    tools = [{"module": "tests.agent.deeds", "functions": ["count"]}]
    call = answer("OpenAI", "", Call("count", '{"words": "one"}'), tokens=(999, 1))
    result, asked = play(tmp_path, call, NO_KEY, answer("OpenAI", "x", tokens=(999, 1)),
                         tools=tools)  # fmt: skip
    assert isinstance(result, WorkResult)
    assert asked_models(asked) == ["first", "first", "second"]
    assert result.usage is not None
    assert (result.usage.cost_usd, result.usage.input_tokens) == ("1.001", 1998)
    calls = [(e["provider"], e.get("costUSD"), e["inputTokens"]) for e in entries(result, "model")]
    assert calls == [("main", "1", 999), ("main", None, 0), ("backup", "0.001", 999)]


def test_the_calls_of_a_trace_add_up_to_the_account(tmp_path: Path) -> None:
    """An answer that nothing can be done with is paid, and stands in the trace with its tokens."""
    replies = [answer("Google", "", finish="error")] * 4
    with serving(*replies, answer("OpenAI", "done", tokens=(20, 5))) as server:
        result = Pod(tmp_path, server.url, "Google").perform(
            "first", **models(tmp_path, server.url)
        )
    assert result.usage is not None
    calls = entries(result, "model")
    assert sum(each["inputTokens"] for each in calls) == result.usage.input_tokens
    assert sum(each["outputTokens"] for each in calls) == result.usage.output_tokens
    assert sum(Decimal(each["costUSD"]) for each in calls) == Decimal(result.usage.cost_usd or 0)
    assert sum(bool(each.get("estimated")) for each in calls) == result.usage.estimated_model_calls


def test_a_model_whose_answers_fail_again_and_again_is_left(tmp_path: Path) -> None:
    replies = [answer("Google", "", finish="error")] * 4
    with serving(*replies, answer("OpenAI", "done")) as server:
        result = Pod(tmp_path, server.url, "Google").perform(
            "first", **models(tmp_path, server.url)
        )
    assert result.output == "done"
    assert result.usage is not None
    assert result.usage.model_calls == 5, "failed answers are paid"
    assert json.loads(server.asked[-1].body)["model"] == "second"


@pytest.mark.parametrize(
    ("reply_", "more", "reason"),
    [
        pytest.param(
            answer("OpenAI", "I will not", finish="filter"), {}, Reason.REFUSED, id="refusal"
        ),
        pytest.param(answer("OpenAI", "hal", finish="length"), {}, Reason.OUTPUT_INVALID, id="cut"),
        pytest.param(
            answer("OpenAI", "done"), {"limits": {"tokens": 0}}, Reason.BUDGET_EXCEEDED, id="limit"
        ),
    ],
)
def test_what_a_model_answered_and_limits_stand(
    reply_: Reply, more: dict[str, Any], reason: Reason, tmp_path: Path
) -> None:
    failed, asked = play(tmp_path, reply_, answer("OpenAI", "done"), **more)
    assert isinstance(failed, WorkFailed)
    assert failed.reason is reason
    assert "second" not in asked_models(asked)


@pytest.mark.parametrize(
    ("replies", "reason", "retry_after"),
    [
        pytest.param([SLOW, NO_KEY], Reason.RATE_LIMITED, 3600, id="first is busy"),
        pytest.param([NO_KEY, SLOW], Reason.RATE_LIMITED, 3600, id="second is busy"),
        pytest.param([NO_KEY, NO_KEY], Reason.PROVIDER_ERROR, None, id="none is busy"),
    ],
)
def test_when_no_model_answers_the_attempt_says_why_for_each(
    replies: list[Reply], reason: Reason, retry_after: float | None, tmp_path: Path
) -> None:
    failed, _ = play(tmp_path, *replies)
    assert isinstance(failed, WorkFailed)
    assert (failed.reason, failed.retry_after) == (reason, retry_after)
    assert failed.message.startswith("none of the node's 2 models answered: model first: 4")
    assert "; model second: 4" in failed.message


def test_a_model_whose_key_is_missing_is_passed_over(tmp_path: Path) -> None:
    with serving(answer("OpenAI", "done")) as server:
        document = models(tmp_path, server.url)
        document["model"]["keyFile"] = "/nowhere"
        assert Pod(tmp_path, server.url).perform("first", **document).output == "done"
    assert asked_models(server.asked) == ["second"]


def test_each_model_gets_its_own_settings(tmp_path: Path) -> None:
    with serving(NO_KEY, answer("OpenAI", "done")) as server:
        document = models(tmp_path, server.url, settings={"seed": 2})
        document["model"]["settings"] = {"seed": 1, "temperature": 1}
        Pod(tmp_path, server.url).perform("first", **document)
    sent = [json.loads(each.body) for each in server.asked]
    assert [each.get("seed") for each in sent] == [1, 2]
    assert [each.get("temperature") for each in sent] == [1, None]


def test_a_later_attempt_replays_the_model_that_answered_and_begins_with_the_first(
    node: Node, tmp_path: Path
) -> None:
    call = answer("OpenAI", "", Call("count", '{"words": "one"}'), tokens=(999, 1))

    def document() -> dict[str, Any]:
        # Keeps nothing of an earlier server: each play has a separate one.
        return models(tmp_path, node._models)

    with serving(NO_KEY, call, NO_KEY) as server:
        node._models = server.url
        failed = node.attempt("first", **document())
    assert isinstance(failed, WorkFailed)
    assert failed.usage is not None
    assert failed.usage.cost_usd == "0.001"
    with serving(answer("OpenAI", "done", tokens=(999, 1))) as server:
        node._models = server.url
        result = node.attempt("first", limits={"costUSD": "0.5"}, **document())
    assert isinstance(result, WorkResult), "at the price of the first model the limit is reached"
    assert asked_models(server.asked) == ["first"]
    assert result.usage is not None
    assert (result.usage.cost_usd, result.usage.replayed_model_calls) == ("1", 1)
    assert [entry["provider"] for entry in entries(result, "model")] == ["backup", "main"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        pytest.param(answer("OpenAI", "done"), None, id="answers"),
        pytest.param(NO_KEY, Reason.KEY_MISSING, id="a-key-that-comes-helps-a-wrong-one-does-not"),
    ],
)
def test_s638_the_next_model_is_asked_when_the_key_of_one_is_missing(
    second: Reply, reason: Reason | None, tmp_path: Path
) -> None:
    refused = {"error": {"message": "no Secret", "code": "KeyMissing"}}
    gone = reply(refused, status=403, **{"Waypost-Refused": "KeyMissing"})
    token = tmp_path / "token"
    token.write_text("of-the-pod")
    with serving(gone, second) as server:
        document = models(tmp_path, server.url)
        document["model"] |= {"baseUrl": f"{server.url}/v1/model/0", "tokenFile": str(token)}
        try:
            ended: WorkResult | WorkFailed = Pod(tmp_path, server.url).perform("first", **document)
        except WorkFailed as failed:
            ended = failed
        assert asked_models(server.asked) == ["first", "second"]
    assert getattr(ended, "reason", None) == reason
