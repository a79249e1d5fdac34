"""Spans of what takes time without a pod, and of what happened before a pod worked (S790, S794)."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.engine.state.observed import Observed
from waypost.telemetry import conventions
from waypost.telemetry.spans import SpanFact, ended_since, spans

from tests.unit.telemetry.test_spans import T0, at, attempt, observed, status, work

SPEC = {
    "nodes": [
        {"name": "pause", "wait": {"duration": "5s"}},
        {"name": "hears", "event": {"names": ["paid"], "key": "k"}},
        {"name": "sub", "workflow": {"template": "other"}},
        {"name": "think", "agent": {"model": {"provider": "p", "name": "m"}, "prompt": "Go."}},
    ]
}


def run(**changes: Any) -> Observed:
    return observed(definition=define(SPEC), **changes)


def node(path: str, phase: str, **fields: Any) -> dict[str, Any]:
    return {"path": path, "phase": phase, "startedAt": at(1), **fields}


@pytest.mark.parametrize("phase", ["Pending", "Skipped"])
def test_s794_an_agent_without_attempts_does_not_hide_what_ended_beside_it(phase: str) -> None:
    before = status(node("pause", "Waiting"), node("think", "Pending"))
    ended = node("pause", "Succeeded", finishedAt=at(6))
    after = status(ended, node("think", phase, reason="UpstreamFailed", finishedAt=at(6)))
    assert [span.name for span in spans(run(), before, after)] == ["wait pause"]


@pytest.mark.parametrize(
    ("path", "fields", "name", "error"),
    [
        pytest.param("pause", {}, "wait pause", "", id="wait"),
        pytest.param("hears", {}, "event hears", "", id="event"),
        pytest.param(
            "hears", {"reason": "DeadlineExceeded"}, "event hears", "DeadlineExceeded", id="failed"
        ),
        pytest.param(
            "sub",
            {"child": {"name": "demo-sub", "generation": 1, "round": 1}},
            "workflow sub",
            "",
            id="child-run",
        ),
    ],
)
def test_s794_a_node_without_a_pod_has_one_span(
    path: str, fields: dict[str, Any], name: str, error: str
) -> None:
    before = status(node(path, "Waiting", **fields))
    phase = "Failed" if error else "Succeeded"
    after = status(node(path, phase, finishedAt=at(6), **fields))
    (span,) = spans(run(), before, after)
    assert (span.name, span.error) == (name, error)
    assert (span.start, span.end) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=6))
    child = fields.get("child", {}).get("name")
    assert span.attributes.get(conventions.CHILD_RUN) == child
    assert spans(run(), after, after) == (), "a round that keeps it repeats nothing"
    assert spans(run(), before, before) == ()


def test_s794_a_node_that_was_skipped_has_none() -> None:
    skipped = {"path": "pause", "phase": "Skipped", "finishedAt": at(6)}
    assert spans(run(), status(), status(skipped)) == ()


def asking(*more: dict[str, Any], **fields: Any) -> dict[str, Any]:
    first = attempt(1, reason="AwaitingApproval")
    return {"path": "think", "phase": "Waiting", "attempts": [first, *more], **fields}


def decided(found: tuple[SpanFact, ...]) -> list[SpanFact]:
    return [span for span in found if span.name == "approval think"]


def test_s794_people_who_decide_on_tool_calls_have_a_span() -> None:
    waiting = status(asking())
    assert decided(spans(run(), status(), waiting)) == [], "they have not decided"
    next_ = attempt(2, launchedAt=at(65))
    after = status(asking(next_))
    (span,) = decided(spans(run(), waiting, after))
    assert (span.start, span.end) == (T0 + timedelta(seconds=5), T0 + timedelta(seconds=65))
    assert (span.error, span.attributes[conventions.NODE_ATTEMPT]) == ("", 1)
    done = status(asking(attempt(2, reason="Succeeded", launchedAt=at(65)), phase="Succeeded"))
    assert decided(spans(run(), after, done)) == [], "once"
    again = ended_since(run(status=done), T0)
    assert sum(getattr(fact, "number", 0) == 1 and fact.finished == span.end for fact in again) == 1


def test_s794_a_run_that_ends_while_they_decide() -> None:
    waiting = status(asking())
    cancelled = status(asking(phase="Cancelled", reason="Cancelled", finishedAt=at(9)))
    (span,) = decided(spans(run(), waiting, cancelled))
    assert (span.end, span.error) == (T0 + timedelta(seconds=9), "Cancelled")


def test_s790_times_before_the_program_runs_are_events() -> None:
    item = attempt(1, reason="Succeeded", queuedUntil=at(0.5), scheduledAt=at(1))
    (span,) = spans(observed(), status(work(attempt(1))), status(work(item)))
    assert [(event.name, (event.time - T0).total_seconds()) for event in span.events] == [
        ("waypost.admitted", 0.5),
        ("waypost.scheduled", 1),
        ("waypost.started", 2),
    ]
    assert span.attributes["waypost.node.queue_seconds"] == 2
    assert span.attributes["waypost.node.startup_seconds"] == 1


def test_s790_no_event_is_before_its_span() -> None:
    item = attempt(1, reason="Succeeded", launchedAt=at(1.5), scheduledAt=at(1))
    (span,) = spans(observed(), status(work(attempt(1))), status(work(item)))
    assert min(event.time for event in span.events) == span.start
