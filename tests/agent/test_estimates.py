"""Unknown usage is estimated, marked, and held to limits."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed

from tests.agent.attempts import MODULE, Node
from tests.agent.pods import Pod, entries
from tests.agent.replies import Call, answer, reply
from tests.runner.servers import Reply, serving

PRICE = {"input": "3", "output": "15"}
ALL = ["OpenAI", "Anthropic", "Google"]
COUNTS = {"module": MODULE, "functions": ["count"]}


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOST_TEST_LEDGER", str(tmp_path / "ledger"))


def usage_of(body: dict[str, Any], usage: Any) -> Reply:
    return reply({**body, "usage": usage})


SAID = "It was the database, as far as anybody can see."
CHAT = json.loads(answer("OpenAI", SAID, tokens=None).body)
MISSING = [
    pytest.param(reply(CHAT), id="absent"),
    pytest.param(usage_of(CHAT, None), id="null"),
    pytest.param(usage_of(CHAT, {}), id="empty"),
    pytest.param(
        usage_of(CHAT, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}), id="zeros"
    ),
    pytest.param(
        usage_of(CHAT, {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}),
        id="nulls",
    ),
]


@pytest.mark.parametrize("body", MISSING)
def test_usage_that_is_missing_is_estimated_and_marked(body: Reply, tmp_path: Path) -> None:
    with serving(body) as server:
        result = Pod(tmp_path, server.url).perform(
            "any", model={"price": PRICE}, instructions="Be careful. " * 100
        )
    usage = result.usage
    assert usage is not None
    assert usage.estimated_model_calls == 1
    assert 300 <= usage.input_tokens < 600, "instructions and prompt"
    assert 8 <= usage.output_tokens <= 16
    assert usage.cost_usd not in (None, "0")
    [entry] = entries(result, "model")
    assert entry["estimated"] is True


def test_an_anthropic_gateway_without_usage(tmp_path: Path) -> None:
    body = {**json.loads(answer("Anthropic", SAID).body), "usage": None}
    with serving(reply(body)) as server:
        result = Pod(tmp_path, server.url, "Anthropic").perform("any")
    assert (result.output, result.usage and result.usage.estimated_model_calls) == (SAID, 1)


def test_only_what_is_missing_is_estimated(tmp_path: Path) -> None:
    body = usage_of(CHAT, {"prompt_tokens": 4321, "completion_tokens": None, "total_tokens": 4321})
    with serving(body) as server:
        usage = Pod(tmp_path, server.url).perform("any").usage
    assert usage is not None
    assert (usage.input_tokens, usage.estimated_model_calls) == (4321, 1)
    assert usage.output_tokens > 5


@pytest.mark.parametrize("type_", ALL)
def test_reported_usage_is_taken_as_it_is(type_: str, tmp_path: Path) -> None:
    with serving(answer(type_, SAID, tokens=(10, 5))) as server:
        usage = Pod(tmp_path, server.url, type_).perform("any").usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.estimated_model_calls) == (10, 5, 0)


@pytest.mark.parametrize("type_", ALL)
@pytest.mark.parametrize(
    ("limits", "name"),
    [
        pytest.param({"tokens": 500}, "limits.tokens", id="tokens"),
        pytest.param({"costUSD": "0.01"}, "limits.costUSD", id="cost"),
    ],
)
def test_limits_hold_though_no_usage_is_reported(
    type_: str, limits: dict[str, Any], name: str, tmp_path: Path
) -> None:
    call = answer(type_, "", Call("count", '{"words": "one two three"}'), tokens=None)
    with serving(call) as server:
        failed = Pod(tmp_path, server.url, type_).fail(
            "any", limits={"requests": 50, **limits}, model={"price": PRICE}, tools=[COUNTS]
        )
    assert failed.reason is Reason.BUDGET_EXCEEDED
    assert failed.message.startswith(name)
    assert 1 < len(server.asked) < 50


def test_a_budget_holds_over_replayed_answers_without_usage(node: Node) -> None:
    call = answer("OpenAI", "", Call("count", '{"words": "one"}'), tokens=None)
    tools = [COUNTS]
    node.play([call, call, Reply(status=401)], tools=tools)
    node.play([call, Reply(status=401)], tools=tools)
    third = node.play([], limits={"tokens": 100}, tools=tools)
    assert isinstance(third, WorkFailed)
    assert third.reason is Reason.BUDGET_EXCEEDED
    assert len(node.asked) == 0, "earlier answers are not free"
