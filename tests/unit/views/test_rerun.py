"""The preview of a round says what the operator will do (S390)."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.engine.rounds.begin import begin_round
from waypost.views.documents import RerunPreview
from waypost.views.observed import observed_run
from waypost.views.rerun import rerun_preview

from tests.support.builders import NOW, agent, gate, http, python
from tests.unit.views.objects import at, body, ended

REF = "${nodes.%s.output}"


def preview(run: JsonObject, **rerun: Any) -> RerunPreview:
    run["spec"]["rerun"] = {"round": 2, **rerun}
    return rerun_preview(run, define(run["spec"]), now=NOW)


def chain() -> JsonObject:
    """a, then b which failed, then c after b; d beside them."""
    run = body(
        python("a"),
        python("b", inputs={"x": REF % "a"}),
        python("c", inputs={"x": REF % "b"}),
        python("d"),
    )
    run["status"] |= {
        "phase": "Failed",
        "finishedAt": at(10),
        "nodes": ended(run, a="Succeeded", b="Failed", c="Skipped", d="Succeeded"),
    }
    return run


@pytest.mark.parametrize(
    ("rerun", "actions"),
    [
        pytest.param({}, {"a": "keep", "b": "run", "c": "run", "d": "keep"}, id="from-failed"),
        pytest.param(
            {"from": ["a"]}, {"a": "run", "b": "run", "c": "run", "d": "keep"}, id="from-a-node"
        ),
        pytest.param(
            {"skip": ["b"]}, {"a": "keep", "b": "skip", "c": "run", "d": "keep"}, id="skip"
        ),
        pytest.param(
            {"outputs": {"b": 1}},
            {"a": "keep", "b": "keep", "c": "run", "d": "keep"},
            id="output-given",
        ),
    ],
)
def test_s390_the_preview_has_the_decision_of_the_operator(
    rerun: JsonObject, actions: dict[str, str]
) -> None:
    run = chain()
    shown = preview(run, **rerun)
    assert {node.path: node.action for node in shown.nodes} == actions
    begun = begin_round(observed_run(run, define(run["spec"]), now=NOW), NOW)
    assert [(node.path, node.disposition, node.message) for node in shown.nodes] == [
        (node.path, node.disposition, node.disposition_message) for node in begun.status.nodes
    ]
    assert all(node.message for node in shown.nodes), "each says why"


@pytest.mark.parametrize(
    ("rerun", "problem"),
    [
        pytest.param({"from": ["z"]}, "z", id="unknown-node"),
        pytest.param({"skip": ["a"], "from": ["a"]}, "a", id="contradiction"),
    ],
)
def test_a_round_that_would_be_rejected(rerun: JsonObject, problem: str) -> None:
    shown = preview(chain(), **rerun)
    assert problem in " ".join(shown.problems)
    assert shown.nodes == []


def test_a_cancelled_run_is_final() -> None:
    run = chain()
    run["status"]["cancelledAt"] = at(3)
    assert "create a new run" in preview(run).problems[0]


def test_what_may_have_taken_effect_needs_a_decision() -> None:
    run = body(http("pay", method="POST"))
    pay = ended(run, pay="Failed")[0]
    attempt = {
        "number": 1,
        "job": "j",
        "launchedAt": at(1),
        "startedAt": at(2),
        "finishedAt": at(3),
    }
    run["status"] |= {"nodes": [{**pay, "attempt": 1, "attempts": [attempt]}]}
    assert "may have taken effect" in preview(run).problems[0]
    shown = preview(run, **{"from": ["pay"]})
    assert (shown.nodes[0].action, shown.nodes[0].effect) == ("run", "once")


def test_the_cost_to_come_is_that_of_the_last_time() -> None:
    run = body(agent("draft"), agent("judge", inputs={"x": REF % "draft"}), gate("ok"))
    draft, judge = ended(run, draft="Failed", judge="Skipped")
    used = {"modelCalls": 2, "inputTokens": 10, "outputTokens": 5, "costUSD": "0.02"}
    one = {"job": "j", "launchedAt": at(1), "finishedAt": at(3), "reason": "Refused"}
    draft |= {
        "usage": {"modelCalls": 9},
        "attempt": 2,
        "attempts": [
            {**one, "number": 1, "usage": {"modelCalls": 7}},
            {**one, "number": 2, "usage": used},
        ],
    }
    run["status"] |= {"phase": "Failed", "nodes": [draft, judge]}
    cost = preview(run).cost
    assert (cost.model_calls, cost.total_tokens, cost.cost_usd) == (2, 15, "0.02")
    assert cost.unknown == ["judge"]


def test_an_attempt_in_progress_that_is_stopped_is_named() -> None:
    run = body(python("a"))
    running = {"path": "a", "phase": "Running", "attempt": 1, "fingerprint": "v1:other"}
    attempts = [{"number": 1, "job": "brief-a-1", "launchedAt": at(1)}]
    run["status"]["nodes"] = [{**running, "attempts": attempts}]
    (node,) = preview(run).nodes
    assert (node.action, node.stops) == ("run", "brief-a-1")


REMEMBERED = {"key": "customer-7", "scope": "triage", "episodes": 2, "facts": 1}


def remembering() -> JsonObject:
    """A run that has read its memory: b reads it, a does not."""
    run = body(
        python("a"),
        python("b", inputs={"x": "${memory.?last.?outputs.?cause.orValue('nothing')}"}),
        memory={"key": "customer-7", "remember": {"cause": "${run.name}"}},
    )
    run["metadata"]["labels"] = {"waypost.dev/workflow": "triage"}
    run["status"] |= {
        "phase": "Succeeded",
        "finishedAt": at(10),
        "nodes": ended(run, a="Succeeded", b="Succeeded"),
        "memory": {**REMEMBERED, "digest": "sha256:0", "record": "m"},
    }
    return run


@pytest.mark.parametrize("refresh", [True, False])
def test_s748_the_preview_says_that_the_memory_is_read_again(refresh: bool) -> None:
    shown = preview(remembering(), **({"memory": "Refresh"} if refresh else {}))
    assert shown.memory is not None
    assert shown.memory.to_json() == {**REMEMBERED, "refresh": refresh}
    found = {node.path: node.action for node in shown.nodes}
    assert found == {"a": "keep", "b": "run" if refresh else "keep"}


def test_a_run_without_memory_has_nothing_to_read_again() -> None:
    assert preview(chain()).memory is None
    refused = preview(chain(), memory="Refresh")
    assert refused.problems == [
        "rerun.memory: this run has no memory block; add memory: {key: ...}"
    ]
