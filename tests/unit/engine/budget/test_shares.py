"""An attempt whose share of the run's budget was too small (S64): started again with another."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.protocol.work import SHARE

from tests.support.builders import SETTINGS, agent
from tests.support.play import Ending, Play, evicted, never_ends, uses
from tests.unit.engine.nodes.test_agent import play, spent


def out(
    tokens: int = 0,
    *,
    cost: str | None = None,
    tools: int = 0,
    ref: str = f"{SHARE}.tokens",
) -> Ending:
    """The attempt used this up, and then it had nothing left of `whose`."""
    reported = f"{ref}: all are used, and there is no output yet"
    return uses(spent(tokens, cost=cost, tools=tools), fails="BudgetExceeded", message=reported)


def done(tokens: int = 0, *, cost: str | None = None, tools: int = 0) -> Ending:
    return uses(spent(tokens, cost=cost, tools=tools))


def given(run: Play, path: str, name: str) -> list[Any]:
    """The shares of a node's attempts."""
    [node] = [node for node in run.status.nodes if node.path == path]
    return [a.allotment and getattr(a.allotment, name) for a in node.attempts or []]


def three(**of_a: Any) -> tuple[JsonObject, ...]:
    return agent("a", **of_a), agent("b"), agent("c")


CASES = [
    pytest.param({"tokens": 900}, {}, [out(310), done(200)], "tokens", [300, 570], id="tokens"),
    pytest.param(
        {"costUSD": "0.9"},
        {},
        [out(9, cost="0.31", ref=f"{SHARE}.costUSD"), done(9, cost="0.1")],
        "cost_usd",
        ["0.3", "0.57"],
        id="cost",
    ),
    pytest.param(
        {"toolCalls": 90},
        {},
        [out(9, tools=28, ref=f"{SHARE}.toolCalls"), done(9, tools=1)],
        "tool_calls",
        [30, 60],
        id="tool calls, refused before they are made",
    ),
    pytest.param(
        {"tokens": 900, "toolCalls": 90},
        {},
        [out(310, tools=2), done(9)],
        "tokens",
        [300, 570],
        id="one of two",
    ),
    pytest.param(
        {"tokens": 900},
        {"limits": {"tokens": 350}},
        [out(310), done(9)],
        "tokens",
        [300, 350],
        id="up to its own limit",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("budget", "own", "endings", "name", "shares"), CASES)
def test_it_is_started_again_with_what_others_gave_back(
    budget: JsonObject, own: JsonObject, endings: list[Ending], name: str, shares: list[Any]
) -> None:
    run = play(*three(**own), budget=budget)
    gives = done(10, cost="0.01", tools=1)
    run.endings = {"a": endings, "b": [gives], "c": [gives]}
    run.finish()
    assert given(run, "a", name) == shares
    assert run.status.phase == "Succeeded"
    [node] = [node for node in run.status.nodes if node.path == "a"]
    assert node.retries is None, "no retry of the user's was used"


@pytest.mark.parametrize(
    ("own", "ending"),
    [
        pytest.param({}, out(310, ref="limits.tokens"), id="its own limit"),
        pytest.param({}, out(310, ref="limits.requests"), id="its model calls"),
        pytest.param({"effect": "once"}, out(310), id="it must not run twice"),
    ],
)
def test_what_a_larger_share_would_not_help_fails_at_once(own: JsonObject, ending: Ending) -> None:
    run = play(*three(**own), budget={"tokens": 900})
    run.endings = {"a": [ending], "b": [done(10)], "c": [done(10)]}
    run.finish()
    assert len(given(run, "a", "tokens")) == 1
    node = run.status.nodes[0]
    assert (node.phase, node.reason) == ("Failed", "BudgetExceeded")
    assert "is left" not in (node.message or "")


@pytest.mark.parametrize(
    ("others", "shares"),
    [
        pytest.param(300, [300], id="nothing is left"),
        pytest.param(290, [300], id="less is left"),
        pytest.param(150, [300], id="as much as before is not more"),
        pytest.param(149, [300, 302], id="a little more is"),
    ],
)
def test_a_share_must_be_larger_than_the_one_before(others: int, shares: list[int]) -> None:
    run = play(*three(), budget={"tokens": 900})
    run.endings = {"a": [out(300), out(302)], "b": [done(others)], "c": [done(others)]}
    run.finish()
    assert given(run, "a", "tokens") == shares
    node = run.status.nodes[0]
    assert (node.phase, node.reason) == ("Failed", "BudgetExceeded")
    reported = f"{SHARE}.tokens: all are used, and there is no output yet; no larger share is left"
    assert node.message == reported


@pytest.mark.parametrize(
    ("ending", "budget", "name", "shares"),
    [
        pytest.param(out(300), {"tokens": 900}, "tokens", [300, 30], id="by less than before"),
        pytest.param(
            out(1, tools=30, ref=f"{SHARE}.toolCalls"),
            {"toolCalls": 90},
            "tool_calls",
            [30],
            id="not by as few tool calls, which are refused before they are made",
        ),
    ],
)
def test_with_a_journal_it_goes_on_where_it_stopped(
    ending: Ending, budget: JsonObject, name: str, shares: list[int]
) -> None:
    run = play(*three(), budget=budget)
    run.settings = replace(SETTINGS, gateway_url="http://gateway")
    others = done(285, tools=20)
    run.endings = {"a": [ending, done(9)], "b": [others], "c": [others]}
    run.finish()
    assert given(run, "a", name) == shares


def test_it_waits_while_others_may_still_give_some_back() -> None:
    run = play(*three(), budget={"tokens": 900})
    run.endings = {"a": [out(300), done(1)], "b": [done(10)], "c": [never_ends()]}
    run.step()
    run.advance()
    run.step()
    assert [node.phase for node in run.status.nodes] == ["Pending", "Succeeded", "Running"]
    reported = run.status.nodes[0]
    assert reported.reason == "BudgetExceeded"
    assert "the rest is reserved by running attempts" in (reported.message or "")
    run.endings["c"] = [done(10)]
    run.finish()
    assert (given(run, "a", "tokens"), run.status.phase) == ([300, 580], "Succeeded")


def test_an_attempt_that_was_disturbed_in_between_needs_no_less() -> None:
    run = play(*three(), agent("d", dependsOn=["c"]), budget={"tokens": 900})
    a = [out(300), evicted(), done(1)]
    run.endings = {"a": a, "b": [done(10)], "c": [done(10)], "d": [never_ends()]}
    for _ in range(8):
        run.step()
        run.advance(1)
    run.endings = {"a": a, "d": [done(10)]}
    run.finish()
    assert given(run, "d", "tokens") == [290], "taken while the other waits to be repeated"
    assert given(run, "a", "tokens") == [300, 580, 570], "290 would not do"


def test_two_that_had_too_little_do_not_divide_the_rest_once_more() -> None:
    run = play(*three(), agent("d"), budget={"tokens": 1200})
    run.endings = {
        "a": [out(300), done(100)],
        "b": [out(300), done(400)],
        "c": [done(10)],
        "d": [done(10)],
    }
    run.finish()
    assert (given(run, "a", "tokens"), given(run, "b", "tokens")) == ([300, 580], [300, 480])
    assert run.status.phase == "Succeeded"


def test_the_budget_holds_however_often_it_runs_out() -> None:
    nodes = [agent(name, onFailure="Continue") for name in "abcdefgh"]
    run = play(*nodes, budget={"tokens": 8000})
    run.endings = {name: [done(1)] for name in "cdefgh"}
    run.endings |= {"a": [out(1000), out(5994), out(9)], "b": [out(1000), out(9)]}
    run.finish()
    assert (given(run, "a", "tokens"), given(run, "b", "tokens")) == ([1000, 5994], [1000])
    assert run.status.usage is not None
    assert run.status.usage.total_tokens == 8000


def test_a_new_round_takes_what_there_is() -> None:
    run = play(*three(), budget={"tokens": 900})
    run.endings = {"a": [out(300), done(9)], "b": [done(300)], "c": [done(300)]}
    run.finish()
    run.edit(budget={"tokens": 1100}).rerun()
    run.finish()
    assert given(run, "a", "tokens") == [300, 200], "what the last round had is no measure"
    assert run.status.phase == "Succeeded"
