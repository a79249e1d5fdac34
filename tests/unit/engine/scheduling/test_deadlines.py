"""Clocks above the single attempt: `deadline` of a node and of the run (S55, S56)."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.engine.state.decision import StopAttempt
from waypost.kube.timestamps import timestamp

from tests.support import builders
from tests.support.builders import (
    NOW,
    SETTINGS,
    after,
    attempt,
    container,
    done,
    gate,
    in_flight,
    node_status,
    observed,
    pod,
    python,
    running,
    spec,
    wait,
    without_a_job,
)
from tests.support.passes import decide
from tests.support.play import Play, never_ends, raises, returns

HOUR = 3600.0
HANGS = {"a": [never_ends()]}


def at(play: Play, seconds: float) -> Play:
    """The run, one pass at this time after its beginning."""
    play.now = after(seconds)
    play.step()
    return play


def begun(raw: JsonObject, **more: Any) -> Play:
    """A run after its first pass, its pods started."""
    play = Play(raw, **more)
    play.step()
    play.advance()
    return play


def stopped(play: Play) -> list[str | None]:
    """Why the attempts that the last pass stops are stopped."""
    stops = [a.job for a in play.decisions[-1].after if isinstance(a, StopAttempt)]
    attempts = [a for node in play.status.nodes for a in node.attempts or []]
    return [a.stopping for a in attempts if a.job in stops]


# --- of a node -----------------------------------------------------------------------------------


def test_node_deadline_stops_the_attempt_first() -> None:
    play = begun(spec(python("a", deadline="2m", timeout="1h")), endings=HANGS)
    assert play.node("a").deadline_at == timestamp(after(120))
    assert play.requeue is not None
    at(play, 119)
    assert stopped(play) == []
    assert play.requeue == after(120), "an absolute time, and a timer"
    at(play, 120)
    assert (stopped(play), play.phases["a"]) == (["DeadlineExceeded"], "Running")
    play.finish()
    node = play.node("a")
    assert (node.phase, node.reason) == ("Failed", "DeadlineExceeded")
    assert node.message == ("exceeded its deadline of 2m; stopped while it was running")
    assert play.condition("Succeeded")[1] == "DeadlineExceeded"


def test_node_deadline_counts_all_attempts_and_the_waits_between() -> None:
    backoff = {"initial": "50s", "factor": 1}
    raw = spec(python("a", deadline="2m", retry={"limit": 9, "backoff": backoff}))
    play = Play(raw, endings={"a": [raises()]}).finish()
    node = play.node("a")
    assert (node.phase, node.reason) == ("Failed", "DeadlineExceeded")
    assert "; NodeError: boom" in (node.message or ""), "why it was not done by then"
    assert node.attempt == 3, "launched at 0, 50+ and 100+ s"
    assert node.finished_at == timestamp(after(120)), "not later than it says"


@pytest.mark.parametrize(
    ("raw", "trouble"),
    [
        pytest.param(
            spec(python("b"), python("a", deadline="2m"), parallelism=1), "", id="no-room"
        ),
        pytest.param(spec(python("a", deadline="2m"), python("b"), suspend=True), "", id="suspend"),
        pytest.param(
            spec(builders.agent("a", deadline="2m"), python("b")),
            "; MissingReference: ",
            id="reference",
        ),
    ],
)
def test_node_deadline_counts_queueing(raw: JsonObject, trouble: str) -> None:
    play = begun(raw, endings={"b": [never_ends()]})
    assert (play.phases["a"], play.node("a").deadline_at) == ("Pending", timestamp(after(120)))
    at(play, 119)
    assert play.phases["a"] == "Pending"
    at(play, 120)
    node = play.node("a")
    assert (node.phase, node.reason) == ("Failed", "DeadlineExceeded")
    assert (node.message or "").startswith(f"exceeded its deadline of 2m{trouble}")


def test_node_deadline_begins_when_what_it_waits_for_has_ended() -> None:
    raw = spec(wait("w", duration="1h"), python("a", deadline="2m", dependsOn=["w"]))
    play = begun(raw, endings=HANGS)
    assert play.node("a").deadline_at is None
    at(play, HOUR)
    assert play.node("a").deadline_at == timestamp(after(HOUR + 120))


def test_a_result_written_in_time_counts() -> None:
    """The operator was away; what the pod wrote is read first."""
    status = builders.status(in_flight("a", deadline_at=timestamp(after(120))))
    raw = spec(python("a", deadline="2m"))
    decision = decide(observed(raw, status=status, pods=(done(1),)), after(900), SETTINGS)
    assert decision.status.nodes[0].phase == "Succeeded"
    late = in_flight(
        "a", deadline_at=timestamp(after(120)), attempts=[attempt(stopping="DeadlineExceeded")]
    )
    seen = observed(raw, status=builders.status(late), pods=(done(1),))
    assert decide(seen, after(121), SETTINGS).status.nodes[0].phase == "Succeeded"


def test_an_attempt_that_was_not_launched_by_then_never_is() -> None:
    status = builders.status(in_flight("a", deadline_at=timestamp(after(120))))
    node = without_a_job(spec(python("a", deadline="2m")), status, 120, 121, 133).nodes[0]
    assert (node.phase, node.reason) == ("Failed", "DeadlineExceeded")
    assert "stopped before it started" in (node.message or "")


def test_the_clusters_own_words_are_kept() -> None:
    play = begun(spec(python("a", deadline="2m", queueTimeout="1h")), endings=HANGS)
    uid = next(iter(play.pods))
    play.pods[uid] = pod("a", scheduled=False, unschedulable="0/3 nodes are available")
    at(play, 60)
    at(play, 120)
    at(play, 121)
    assert "Unschedulable: 0/3 nodes are available" in (play.node("a").message or "")


def test_a_deadline_is_kept_without_writes() -> None:
    play = begun(spec(python("a", deadline="2h", timeout="9h")), endings=HANGS)
    before = play.status
    for moment in (10, 600, 7000):
        assert at(play, moment).status == before


@pytest.mark.parametrize(
    ("on_failure", "phase", "run"),
    [
        ("Fail", "Failed", "Failed"),
        ("Continue", "Failed", "Succeeded"),
        ("Pause", "Failed", "Paused"),
    ],
)
def test_a_missed_deadline_is_a_failure_of_the_node(on_failure: str, phase: str, run: str) -> None:
    play = begun(spec(python("a", deadline="2m", onFailure=on_failure)), endings=HANGS)
    for moment in (120, 121):
        at(play, moment)
    assert (play.phases["a"], play.status.phase) == (phase, run)


# --- of the run ----------------------------------------------------------------------------------


def test_run_deadline_stops_everything_like_a_cancel() -> None:
    raw = spec(
        python("early"),
        python("a", dependsOn=["early"], timeout="9h"),
        wait("w", duration="9h"),
        gate("ok", timeout="9h"),
        python("b", retry={"limit": 9, "backoff": {"initial": "2h", "max": "2h"}}),
        python("later", dependsOn=["a"]),
        deadline="1h",
        outputs={"early": "${nodes.early.output}"},
    )
    play = begun(raw, endings={**HANGS, "early": [returns(1)], "b": [raises()]})
    for moment in (1, 2, HOUR - 1):
        at(play, moment)
        play.advance()
    assert play.requeue == after(HOUR)
    assert "Failed" not in play.phases.values()
    at(play, HOUR)
    assert stopped(play) == ["DeadlineExceeded"]
    play.finish()
    assert play.phases == {"early": "Succeeded"} | dict.fromkeys(
        ("a", "w", "ok", "b", "later"), "Cancelled"
    )
    assert {n: play.reasons[n] for n in ("a", "w", "b", "later")} == dict.fromkeys(
        ("a", "w", "b", "later"), "DeadlineExceeded"
    )
    assert [f.status.state for f in play.approvals.values()] == ["Withdrawn"], "S81"
    assert play.status.phase == "Failed"
    _, reason, message = play.condition("Succeeded")
    assert reason == "DeadlineExceeded"
    assert message == (
        "the run exceeded its deadline of 1h; 5 of 6 nodes not done: w, ok, b, a, later"
    )
    assert play.status.outputs == {"early": 1}, "S43"


def test_run_deadline_makes_no_difference_to_what_was_done_by_then() -> None:
    schema = {"type": "object", "properties": {"v": {"type": "string"}}}
    outputs = {"v": "${nodes.a.output}"}
    raw = spec(python("a"), deadline="1h", outputs=outputs, outputSchema=schema)
    play = begun(raw, endings={"a": [returns(1)]})
    at(play, 2 * HOUR)
    assert play.phases["a"] == "Succeeded", "nobody looked for an hour"
    assert play.condition("Succeeded")[1] == "OutputInvalid", "and its outputs are checked as ever"
    good = begun(spec(python("a"), deadline="1h"), endings={"a": [returns(1)]})
    assert at(good, 2 * HOUR).status.phase == "Succeeded"


def test_run_deadline_ends_a_paused_run() -> None:
    raw = spec(python("x", onFailure="Pause"), python("y", dependsOn=["x"]), deadline="1h")
    play = begun(raw, endings={"x": [raises()]})
    at(play, 1)
    assert (play.status.phase, play.requeue) == ("Paused", after(HOUR))
    at(play, HOUR)
    assert (play.status.phase, play.finished) == ("Failed", True)
    _, reason, message = play.condition("Stalled")
    assert reason == "DeadlineExceeded"
    assert "2 of 2 nodes not done: x, y" in message
    assert play.reasons["x"] == "NodeError", "failures stay reported"


def test_run_deadline_also_when_all_is_over_but_the_pause() -> None:
    play = begun(spec(python("x", onFailure="Pause"), deadline="1h"), endings={"x": [raises()]})
    at(play, 1)
    at(play, HOUR)
    assert (play.condition("Succeeded")[1], play.finished) == ("DeadlineExceeded", True)


def test_run_deadline_after_a_failure_stops_what_still_runs() -> None:
    raw = spec(python("x"), python("a", timeout="9h"), deadline="1h")
    play = begun(raw, endings={**HANGS, "x": [raises("first")]})
    at(play, 1)
    assert play.phases == {"x": "Failed", "a": "Running"}, "S40: it may finish"
    at(play, HOUR)
    assert stopped(play) == ["DeadlineExceeded"]
    play.finish()
    assert play.condition("Succeeded")[1:] == ("NodeError", "x failed: NodeError: first")


def test_run_deadline_is_no_longer_a_cancel_once_cancelled() -> None:
    play = begun(spec(gate("ok"), deadline="1h", cancel=True))
    at(play, 2 * HOUR)
    assert play.finish().status.phase == "Cancelled"


def test_run_deadline_counts_from_its_acceptance() -> None:
    status = builders.status(
        node_status("w", "Waiting", wake_at=timestamp(after(9 * HOUR))),
        started_at=timestamp(NOW - timedelta(minutes=30)),
    )
    seen = observed(spec(wait("w"), deadline="1h"), status=status)
    assert decide(seen, NOW, SETTINGS).requeue_at == after(1800)


def test_nothing_is_launched_after_the_runs_deadline() -> None:
    status = builders.status(in_flight("a"))
    raw = spec(python("a"), python("b"), deadline="1h")
    ended = without_a_job(raw, status, HOUR, HOUR + 1, HOUR + 13)
    assert {n.phase for n in ended.nodes} == {"Cancelled"}


def test_a_foreign_program_that_runs_on_is_stopped_once() -> None:
    raw = spec(container("a"), deadline="1h")
    status = builders.status(in_flight("a", attempts=[attempt(stopping="DeadlineExceeded")]))
    seen = observed(raw, status=status, pods=(running("a", deleting=True),))
    decision = decide(seen, after(HOUR + 5), SETTINGS)
    assert [a for a in decision.after if isinstance(a, StopAttempt)] == [], "it is on its way"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        pytest.param(spec(python("a", deadline="0s")), "nodes.a.deadline", id="node"),
        pytest.param(spec(python("a"), deadline="0h0m"), "deadline", id="run"),
        pytest.param(
            spec(python("a"), defaults={"deadline": "1h"}), "defaults.deadline", id="no-default"
        ),
    ],
)
def test_what_is_refused(raw: JsonObject, field: str) -> None:
    assert [p.field for p in define(raw).problems] == [field]
