"""Items of agents: budget, usage, limits and missing providers (S186 to S188)."""

import json
from dataclasses import replace
from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.api.provider import ModelProviderSpec
from waypost.protocol.work import SHARE

from tests.support.builders import SETTINGS, agent
from tests.support.maps import items_of, steps
from tests.support.play import Ending, Play, evicted, never_ends, uses
from tests.unit.engine.nodes.test_agent import PROVIDER, asked, play, spent, world


def asking(values: list[JsonValue], *, around: dict[str, Any] | None = None, **fields: Any) -> Play:
    """A run whose agent `ask` gets one question for each value."""
    for_each = {"items": "${inputs.list}", **fields.pop("forEach", {})}
    more = {
        name: fields.pop(name) for name in ("budget", "parallelism") if fields.get(name) is not None
    }
    node = agent(
        "ask",
        inputs={"q": "${item}"},
        agent={"model": {"provider": "main", "name": "m"}, "prompt": "Answer ${self.inputs.q}"},
        forEach=for_each,
        **fields,
    )
    return play(node, around=around, inputs={"list": values}, **more)


def done(tokens: int, **more: Any) -> Ending:
    return uses(spent(tokens), output=more.pop("output", "yes"), **more)


def out(tokens: int) -> Ending:
    """The attempt used this up, and its share of the budget was too small."""
    text = f"{SHARE}.tokens: all are used, and there is no output yet"
    return uses(spent(tokens), fails="BudgetExceeded", message=text)


def of_agent(run: Play, path: str, number: int = 1) -> JsonObject:
    """The agent part of the request of an attempt."""
    found: JsonObject = asked(run.manifests[path, number])["agent"]
    return found


def share(run: Play, path: str, number: int = 1) -> int | None:
    found: int | None = of_agent(run, path, number).get("allotment", {}).get("tokens")
    return found


def open_texts(run: Play) -> list[str]:
    return items_of(run, "ask").open or []


def test_s186_each_item_has_its_own_prompt_and_identity() -> None:
    run = asking(["a", "b", "a"])
    run.step()
    prompts = [of_agent(run, f"ask/{at}")["prompt"] for at in range(3)]
    assert prompts == ["Answer a", "Answer b", "Answer a"]
    identities = [text.split("#")[1].split()[0] for text in open_texts(run)]
    assert len({*identities}) == 3, "equal items differ by their occurrence"


def test_s186_usage_of_all_attempts_is_that_of_the_map() -> None:
    run = asking(["a", "b"], retry={"limit": 1})
    run.endings = {
        "ask/0": [uses(spent(5), fails="NodeError"), done(7)],
        "ask/1": [done(11)],
    }
    run.finish()
    usage = run.node("ask").usage
    assert usage is not None
    assert (usage.total_tokens, usage.model_calls) == (23, 3)
    assert run.status.usage == usage


def test_s186_an_attempt_carries_what_earlier_ones_could_not_report() -> None:
    """`accounted` of the request changes with every report: by it the pod decides what to carry."""
    run = asking(["a"], retry={"limit": 2})
    carried = spent(30)
    run.endings = {
        "ask/0": [evicted(), uses(spent(5), fails="NodeError", carried=carried), done(7)]
    }
    run.finish()
    accounted = [of_agent(run, "ask/0", number).get("accounted") for number in (1, 2, 3)]
    assert accounted == [None, None, {"reported": 1}]
    usage = run.node("ask").usage
    assert usage is not None
    assert usage.total_tokens == 42


def test_s187_items_share_the_budget_as_far_as_they_can_run_at_once() -> None:
    run = asking(["a"] * 6, forEach={"maxParallel": 3}, budget={"tokens": 900})
    run.endings = {"ask": [never_ends()]}
    run.step()
    assert [share(run, f"ask/{at}") for at in range(3)] == [300, 300, 300]
    assert ("ask/3", 1) not in run.manifests


def test_s187_a_node_beside_a_map_gets_its_share() -> None:
    run = play(
        agent("solo"),
        agent("ask", inputs={"q": "${item}"}, forEach={"items": "${[1, 2, 3]}", "maxParallel": 2}),
        budget={"tokens": 900},
    )
    run.endings = {"ask": [never_ends()], "solo": [never_ends()]}
    run.step()
    shares = [share(run, path) for path in ("solo", "ask/0", "ask/1")]
    assert shares == [300, 300, 300], "one node and two items can start"


def test_s187_what_an_item_returns_goes_to_the_next() -> None:
    run = asking(["a"] * 4, forEach={"maxParallel": 2}, budget={"tokens": 1000})
    run.endings = {"ask/0": [done(100)], "ask": [done(100)]}
    run.finish()
    assert [share(run, f"ask/{at}") for at in range(2)] == [500, 500]
    assert run.node("ask").phase == "Succeeded"
    usage = run.status.usage
    assert usage is not None
    assert usage.total_tokens == 400


def test_s187_an_item_whose_share_was_too_small_waits_for_more() -> None:
    run = asking(["a", "b"], budget={"tokens": 400})
    run.settings = replace(SETTINGS, gateway_url="http://gateway")
    run.endings = {"ask/0": [out(200), done(120)], "ask/1": [never_ends()]}
    run.step()
    run.advance()
    run.step()
    run.advance(0.2)
    [held] = [text for text in open_texts(run) if text.startswith("0 ")]
    assert " $200/-/- <tokens " in held
    assert "=BudgetExceeded" in held
    assert items_of(run, "ask").states == "H1 R"
    run.endings = {"ask/0": [out(200), done(120)], "ask/1": [done(50)]}
    run.finish()
    assert share(run, "ask/0", 2) == 150, "what the other item gave back"
    assert run.node("ask").phase == "Succeeded"


@pytest.mark.parametrize(
    ("tolerate", "phase", "reason"),
    [
        pytest.param(0, "Failed", "ItemsFailed", id="not tolerated"),
        pytest.param("100%", "Succeeded", None, id="tolerated"),
    ],
)
def test_s187_items_fail_when_the_budget_is_used_up(
    tolerate: JsonValue, phase: str, reason: str | None
) -> None:
    run = asking(
        ["a"] * 5, forEach={"maxParallel": 1, "tolerate": tolerate}, budget={"tokens": 100}
    )
    run.endings = {"ask": [done(60)]}
    run.finish()
    node = run.node("ask")
    assert (node.phase, node.reason) == (phase, reason)
    assert set(items_of(run, "ask").reasons or {}) == {"BudgetExceeded"}
    assert sorted(run.executions) == [("ask/0", 1), ("ask/1", 1)]


def missing(**fields: Any) -> Play:
    return asking(["a", "b", "c"], around={"providers": {}, "servers": {}}, **fields)


def test_s188_the_first_item_waits_for_a_missing_provider() -> None:
    run = missing()
    run.step()
    node = run.node("ask")
    assert items_of(run, "ask").states == "H P*2"
    assert node.reason == "MissingReference"
    assert "ModelProvider main does not exist" in (node.message or "")
    assert not run.manifests
    before = run.status
    run.step()
    assert run.status == before, "a pass that changes nothing writes nothing"
    run.overrides = world()
    run.finish()
    assert run.node("ask").phase == "Succeeded"


def test_s188_it_fails_after_its_queue_timeout() -> None:
    run = missing(queueTimeout="60s")
    run.finish()
    node = run.node("ask")
    assert (node.phase, node.reason) == ("Failed", "ItemsFailed")
    assert items_of(run, "ask").reasons == {"MissingReference": 1}


def test_s188_a_cancel_ends_what_waits() -> None:
    run = missing()
    run.step()
    run.edit(cancel=True)
    run.finish()
    assert run.node("ask").phase == "Cancelled"


def test_s188_a_new_round_replaces_what_waits() -> None:
    run = missing()
    run.step()
    run.overrides = {
        "providers": {"main": ModelProviderSpec.model_validate(PROVIDER)},
        "servers": {},
    }
    run.rerun(**{"from": ["ask"]})
    run.finish()
    assert run.node("ask").phase == "Succeeded"
    assert sorted(run.executions) == [("ask/0", 1), ("ask/1", 1), ("ask/2", 1)]


def test_s187_without_a_journal_only_a_larger_share_helps() -> None:
    run = asking(["a"], budget={"tokens": 100})
    run.settings = replace(SETTINGS, gateway_url=None)
    run.endings = {"ask/0": [out(60), out(30), done(10)]}
    run.finish()
    node = run.node("ask")
    assert (node.phase, node.reason) == ("Failed", "ItemsFailed")
    assert run.executions == {("ask/0", 1): 1}


def test_s172_open_items_never_make_the_entry_too_large() -> None:
    """A hundred conversations in backoff, each with its share, identity and counters."""
    run = asking(
        list(range(300)),
        forEach={"maxParallel": 100},
        parallelism=100,
        retry={"limit": 5, "backoff": {"initial": "10m"}},
        budget={"tokens": 90_000_000, "costUSD": "1234.123456789", "toolCalls": 100_000},
    )
    run.endings = {"ask": [uses(spent(5), fails="ProviderError")]}
    for _ in range(60):
        steps(run, 1)
        entry = items_of(run, "ask").model_dump(by_alias=True, exclude_none=True, exclude={"fresh"})
        assert len(json.dumps(entry)) <= 8 * 1024
    assert 80 <= len(open_texts(run)) <= 100
