"""What a checkpoint ends: facts, spans, and ids that survive any crash."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from waypost.api.approval import ApprovalStatus
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.compiler.definition import define
from waypost.engine.state.observed import Observed
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.timestamps import timestamp
from waypost.kube.trace_ids import span_id, trace_id, traceparent
from waypost.telemetry.endings import ApprovalEnded, AttemptEnded, RunEnded
from waypost.telemetry.spans import ended, escalated, span, spans

T0 = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
SPEC = {
    "nodes": [
        {"name": "work", "container": {"image": "x"}},
        {"name": "gate", "approval": {"message": "ok?", "approvers": {"users": ["a"]}}},
    ]
}


def at(seconds: float) -> str:
    return timestamp(T0 + timedelta(seconds=seconds))


def observed(**changes: Any) -> Observed:
    base = Observed(
        name="demo",
        namespace="n",
        uid="uid-1",
        generation=1,
        resource_version="1",
        created_at=T0,
        definition=define(SPEC),
        status=AgentWorkflowStatus(),
    )
    return replace(base, **changes)


def attempt(number: int, *, reason: str | None = None, **changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = {"number": number, "job": f"j-{number}", "launchedAt": at(0)}
    if reason:
        item |= {"reason": reason, "startedAt": at(2), "finishedAt": at(5), "podUid": "p"}
    return item | changes


def status(*nodes: dict[str, Any], **run: Any) -> AgentWorkflowStatus:
    return AgentWorkflowStatus.model_validate({"nodes": list(nodes), **run})


def work(*attempts: dict[str, Any], phase: str = "Running") -> dict[str, Any]:
    return {"path": "work", "phase": phase, "attempts": list(attempts)}


def gate(**changes: Any) -> dict[str, Any]:
    return {
        "path": "gate",
        "phase": "Waiting",
        "approval": "demo-gate-1-abcd",
        "startedAt": at(1),
        **changes,
    }


def test_an_attempt_is_told_once() -> None:
    before = status(work(attempt(1)))
    after = status(work(attempt(1, reason="NodeError"), attempt(2)))
    (fact,) = ended(observed(), before, after)
    assert fact == AttemptEnded(
        path="work",
        kind="container",
        round=1,
        number=1,
        outcome="NodeError",
        job="j-1",
        pod_uid="p",
        launched=T0,
        started=T0 + timedelta(seconds=2),
        finished=T0 + timedelta(seconds=5),
    )
    assert ended(observed(), after, after) == ()


def test_one_span_per_attempt_and_one_for_the_run() -> None:
    first = status(work(attempt(1)))
    second = status(work(attempt(1, reason="OutOfMemory"), attempt(2)))
    third = status(
        work(attempt(1, reason="OutOfMemory"), attempt(2, reason="Succeeded"), phase="Succeeded"),
        phase="Succeeded",
        startedAt=at(0),
        finishedAt=at(6),
    )
    reported = [*spans(observed(), first, second), *spans(observed(), second, third)]
    assert [span.name for span in reported] == ["node work", "node work", "invoke_workflow demo"]
    assert len({span.span_id for span in reported}) == 3
    assert {span.trace_id for span in reported} == {trace_id("uid-1")}
    run = reported[-1]
    assert [span.parent_id for span in reported] == [run.span_id, run.span_id, ""]
    assert [span.error for span in reported] == ["OutOfMemory", "", ""]


def test_a_choice_has_one_span() -> None:
    def best(phase: str, **fields: Any) -> dict[str, Any]:
        return {"path": "best", "phase": phase, "startedAt": at(1), **fields}

    waiting = status(best("Waiting", first={}))
    over = status(best("Succeeded", first={"chosen": "quick"}, finishedAt=at(4)))
    (span,) = spans(observed(), waiting, over)
    assert (span.name, span.error) == ("first best", "")
    assert span.attributes["waypost.first.chosen"] == "quick"
    assert (span.start, span.end) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=4))
    assert spans(observed(), over, over) == (), "a round that keeps it repeats nothing"
    none = status(best("Failed", reason="NoneAccepted", first={}, finishedAt=at(4)))
    (span,) = spans(observed(), waiting, none)
    assert span.error == "NoneAccepted"
    assert "waypost.first.chosen" not in span.attributes


def test_a_checkpoint_reported_again_repeats_its_ids() -> None:
    before, after = status(work(attempt(1))), status(work(attempt(1, reason="Succeeded")))
    assert spans(observed(), before, after) == spans(observed(), before, after)


def test_ids_are_pinned() -> None:
    # Pods of a running release hold these: a new release must go on with the same ones.
    assert trace_id("uid-1") == "060f10c2e1a9c211de99c547be1cdeea"
    assert span_id("uid-1", "work", 1, 2) == "b9bb58c170262f29"


def test_a_pod_is_told_the_span_of_its_attempt() -> None:
    before, after = status(work(attempt(1))), status(work(attempt(1, reason="Succeeded")))
    (span,) = spans(observed(), before, after)
    assert traceparent("uid-1", "work", 1, 1) == f"00-{span.trace_id}-{span.span_id}-01"


@pytest.mark.parametrize(
    "other",
    [("uid-2", "a", 1, 1), ("uid-1", "b", 1, 1), ("uid-1", "a", 2, 1), ("uid-1", "a", 1, 2)],
)
def test_each_part_of_the_identity_counts(other: tuple[str, str, int, int]) -> None:
    assert span_id(*other) != span_id("uid-1", "a", 1, 1)


def approval(state: str, *, expired: bool | None = None) -> dict[str, ApprovalFact]:
    recorded = ApprovalStatus.model_validate({"state": state, "expired": expired})
    fact = ApprovalFact(
        name="demo-gate-1-abcd",
        uid="u",
        resource_version="1",
        owner_uid="uid-1",
        spec=None,
        status=recorded,
    )
    return {fact.name: fact}


@pytest.mark.parametrize(
    ("approvals", "node", "outcome"),
    [
        pytest.param(approval("Approved"), {"phase": "Succeeded"}, "Approved", id="approved"),
        pytest.param(approval("Denied"), {"phase": "Failed"}, "Denied", id="denied"),
        pytest.param(
            approval("Denied"), {"phase": "Succeeded"}, "Denied", id="denied-and-continued"
        ),
        pytest.param(
            approval("Denied", expired=True), {"phase": "Failed"}, "Expired", id="by-the-clock"
        ),
        pytest.param(approval("Withdrawn"), {"phase": "Cancelled"}, "Withdrawn", id="withdrawn"),
        pytest.param(
            {},
            {"phase": "Succeeded", "output": {"decision": "Denied"}},
            "Denied",
            id="object-gone-output-known",
        ),
        pytest.param({}, {"phase": "Succeeded"}, "Unknown", id="object-gone-output-elsewhere"),
        pytest.param(
            {}, {"phase": "Failed", "reason": "ApprovalExpired"}, "Expired", id="object-gone-reason"
        ),
    ],
)
def test_gates(approvals: dict[str, ApprovalFact], node: dict[str, Any], outcome: str) -> None:
    after = status(gate(finishedAt=at(9), **node))
    (fact,) = ended(observed(approvals=approvals), status(gate()), after)
    assert fact == ApprovalEnded(
        path="gate",
        round=1,
        outcome=outcome,
        approval="demo-gate-1-abcd",
        opened=T0 + timedelta(seconds=1),
        finished=T0 + timedelta(seconds=9),
    )
    (span,) = spans(observed(approvals=approvals), status(gate()), after)
    assert span.error == "", "a denial is an answer"


def test_a_level_that_nobody_answered_has_its_own_span() -> None:
    before = gate(wakeAt=at(7), level=1)
    (fact,) = escalated([NodeStatus.model_validate(before)])
    assert (fact.outcome, fact.level, fact.approval) == ("Escalated", 1, "demo-gate-1-abcd")
    assert (fact.opened, fact.finished) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=7))
    after = status(gate(finishedAt=at(9), phase="Succeeded", level=2))
    (end,) = ended(observed(), status(gate(level=2)), after)
    first, last = span(observed(), fact), span(observed(), end)
    assert first.span_id != last.span_id
    levels = [one.attributes["waypost.approval.level"] for one in (first, last)]
    assert levels == [1, 2]


def test_the_run_ends_once_a_round() -> None:
    done = status(phase="Failed", startedAt=at(0), finishedAt=at(4))
    again = status(phase="Succeeded", startedAt=at(0), finishedAt=at(8), round=2)
    (first,) = ended(observed(), status(), done)
    assert isinstance(first, RunEnded)
    assert first.outcome == "Failed"
    assert ended(observed(), done, done) == ()
    (second,) = spans(observed(), done, again)
    assert second.span_id != spans(observed(), status(), done)[0].span_id


@pytest.mark.parametrize(
    ("state", "reason", "outcome"),
    [
        ("True", "Completed", "Succeeded"),
        ("False", "FinallyFailed", "FinallyFailed"),
        ("False", "FinallySkipped", "FinallySkipped"),
    ],
)
def test_the_end_of_a_run_says_how_finally_ended(state: str, reason: str, outcome: str) -> None:
    condition = {"type": "FinallySucceeded", "status": state, "reason": reason}
    condition["lastTransitionTime"] = at(4)
    done = status(startedAt=at(0), finishedAt=at(4), conditions=[condition])
    (fact,) = ended(observed(), status(), done)
    assert isinstance(fact, RunEnded)
    assert fact.finally_ == outcome


@pytest.mark.parametrize(
    ("state", "reason", "undone", "outcome"),
    [
        ("True", "Completed", True, "Succeeded"),
        ("False", "CompensationFailed", True, "CompensationFailed"),
        ("True", "NothingToCompensate", False, ""),
    ],
)
def test_the_end_of_a_run_says_how_compensation_ended(
    state: str, reason: str, undone: bool, outcome: str
) -> None:
    condition = {"type": "CompensationSucceeded", "status": state, "reason": reason}
    condition["lastTransitionTime"] = at(4)
    entry = {"path": "draft/compensate", "stage": "Compensating", "phase": "Succeeded"}
    nodes = {"nodes": [entry]} if undone else {}
    done = status(startedAt=at(0), finishedAt=at(4), conditions=[condition], **nodes)
    fact = ended(observed(), status(), done)[-1]
    assert isinstance(fact, RunEnded)
    assert fact.compensation == outcome


def test_an_attempt_that_never_started_has_no_start() -> None:
    item = attempt(1, reason="ImagePull")
    del item["startedAt"]
    (fact,) = ended(observed(), status(work(attempt(1))), status(work(item)))
    assert isinstance(fact, AttemptEnded)
    assert fact.started is None
    (span,) = spans(observed(), status(work(attempt(1))), status(work(item)))
    assert "waypost.node.queue_seconds" not in span.attributes


def test_clocks_that_disagree_give_no_negative_span() -> None:
    item = attempt(1, reason="Succeeded", launchedAt=at(100))
    (span,) = spans(observed(), status(), status(work(item)))
    assert span.start == span.end
    assert span.attributes["waypost.node.queue_seconds"] == 0.0


def test_no_content_leaves_the_cluster() -> None:
    item = attempt(1, reason="NodeError", message="the password is hunter2")
    node = {**work(item), "output": "hunter2", "message": "hunter2", "tail": "hunter2"}
    reported = spans(observed(), status(), status(node, outputs="hunter2", finishedAt=at(9)))
    assert "hunter2" not in repr(reported)


def test_a_definition_that_is_gone_is_no_error() -> None:
    after = status(work(attempt(1, reason="Succeeded")))
    (fact,) = ended(observed(definition=define({"nodes": "?"})), status(), after)
    assert isinstance(fact, AttemptEnded)
    assert fact.kind == "unknown"
