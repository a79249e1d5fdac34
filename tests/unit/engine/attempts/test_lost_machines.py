"""NodeLost (S57, A4): when a machine is asked for, when it is given up, what follows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from waypost.api.status import NodeStatus
from waypost.engine.attempts.lost_machines import look_at
from waypost.engine.state.decision import Decision, ReleasePod, StopAttempt
from waypost.engine.state.observed import Observed
from waypost.kube.facts.machines import MachineFact, machine_fact
from waypost.kube.facts.pods import PodFact, pod_fact
from waypost.kube.payloads import Payload, RecordFact
from waypost.kube.timestamps import timestamp

from tests.support import builders
from tests.support.builders import (
    NOW,
    RUN_UID,
    SETTINGS,
    after,
    attempt,
    container,
    done,
    in_flight,
    job_of,
    observed,
    pod,
    python,
    running,
    spec,
)
from tests.support.passes import decide, required_reads
from tests.support.play import launches

SILENT = after(100)  # the machine's Ready condition turned Unknown
GIVEN_UP = after(400)
CLOCKS = {"timeout": "9h", "queueTimeout": "9h"}


def left_alone(**fields: Any) -> PodFact:
    """A pod that ran when its machine fell silent."""
    return running("a", machine="m1", **{"unready_since": after(101), **fields})


def machine(at: float, **fields: Any) -> MachineFact:
    """Machine m1, read at this time: silent since SILENT by default."""
    made = MachineFact("m1", after(at), ready=False, since=SILENT, live=True)
    return replace(made, **fields)


def seen(*pods: PodFact, fact: MachineFact | None, **fields: Any) -> Observed:
    """Attempt 1 of node a, and what is known of its machine."""
    node = fields.pop("node", None) or python("a", **CLOCKS)
    status = fields.pop("status", None) or builders.status(in_flight("a"))
    known = {fact.name: fact} if fact else {}
    return observed(
        spec(node), **{"status": status, "pods": pods, "machines": known, "live": True, **fields}
    )


def the_node(decision: Decision) -> NodeStatus:
    return decision.status.nodes[0]


def decided(*pods: PodFact, at: float = 400, **fields: Any) -> Decision:
    """A pass with a live look at the machine."""
    fact = fields.pop("fact", None) or machine(at)
    return decide(seen(*pods, fact=fact, **fields), after(at), SETTINGS)


# --- when it is asked for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "at", "wanted"),
    [
        pytest.param(running("a", machine="m1"), 9999, False, id="runs-well"),
        pytest.param(left_alone(), 101, True, id="not-ready-any-more"),
        pytest.param(
            running("a", machine="m1", deleting=True, deleting_until=after(200)),
            204,
            False,
            id="is-being-deleted",
        ),
        pytest.param(
            running("a", machine="m1", deleting=True, deleting_until=after(200)),
            205,
            True,
            id="should-be-gone",
        ),
        pytest.param(
            pod("a", machine="m1", unready_since=NOW), 9999, False, id="has-not-started-yet"
        ),
        pytest.param(
            pod("a", machine="m1", deleting=True, deleting_until=after(200)),
            205,
            True,
            id="never-started-and-should-be-gone",
        ),
        pytest.param(left_alone(terminated=True, has_sidecar=True), 9999, False, id="has-ended"),
        pytest.param(done(1, machine="m1", unready_since=NOW), 9999, False, id="is-over"),
        pytest.param(left_alone(attempt=2), 9999, False, id="of-another-attempt"),
    ],
)
def test_a_machine_is_read_when_its_pod_looks_left_alone(
    found: PodFact, at: float, wanted: bool
) -> None:
    wants = required_reads(seen(found, fact=None), after(at))
    assert wants.machines == ({"m1"} if wanted else frozenset())


@pytest.mark.parametrize(
    ("fact", "at", "again"),
    [
        pytest.param(machine(110, ready=True, live=False), 169, False, id="well-a-while-ago"),
        pytest.param(machine(110, ready=True, live=False), 170, True, id="well-a-minute-ago"),
        pytest.param(machine(110, live=False), 399.0, False, id="silent-and-not-long-enough"),
        pytest.param(machine(110, live=False), 400, True, id="silent-for-long-enough"),
        pytest.param(machine(395, live=False), 404, False, id="read-just-now"),
        pytest.param(machine(395, live=False), 405, True, id="read-ten-seconds-ago"),
        pytest.param(machine(400), 400, False, id="read-in-this-pass"),
    ],
)
def test_it_is_not_read_needlessly(fact: MachineFact, at: float, again: bool) -> None:
    known = seen(left_alone(), fact=fact)
    assert bool(required_reads(known, after(at)).machines) is again
    if not again and not fact.live:
        timer = decide(known, after(at), SETTINGS).requeue_at
        assert timer == look_at(known, left_alone())
        assert timer is not None
        assert timer - after(at) <= timedelta(seconds=60), "a separate timer"
        assert required_reads(known, timer).machines


def test_the_pods_are_read_live_before_one_is_given_up() -> None:
    early = seen(left_alone(), fact=machine(399), live=False)
    assert not required_reads(early, after(399)).live
    due = seen(left_alone(), fact=machine(400), live=False)
    assert required_reads(due, GIVEN_UP).live, "it may have ended, and the watch lags"
    assert the_node(decide(due, GIVEN_UP, SETTINGS)).phase == "Running"


# --- when it is given up -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "at", "lost"),
    [
        pytest.param(machine(399), 399, False, id="five-minutes-are-not-over"),
        pytest.param(machine(400), 400, True, id="five-minutes"),
        pytest.param(machine(390, live=False), 400, False, id="from-the-cache"),
        pytest.param(machine(400, ready=True), 400, False, id="ready"),
        pytest.param(machine(400, since=after(390)), 400, False, id="was-back-meanwhile"),
        pytest.param(machine(400, exists=False, since=None), 400, False, id="gone-not-long-enough"),
        pytest.param(machine(401, exists=False, since=None), 401, True, id="gone"),
        pytest.param(machine(401, since=None), 401, True, id="says-nothing-of-ready"),
    ],
)
def test_five_minutes_of_silence_read_live(fact: MachineFact, at: float, lost: bool) -> None:
    node = the_node(decided(left_alone(), fact=fact, at=at))
    assert (node.phase == "Backoff") is lost


@pytest.mark.parametrize(
    ("patience", "at", "lost"), [(60, 160, True), (60, 159, False), (0, 1e6, False)]
)
def test_the_patience_is_a_setting(patience: float, at: float, lost: bool) -> None:
    known = {"node_lost_seconds": patience}
    node = the_node(decided(left_alone(), at=at, fact=machine(at), **known))
    assert (node.phase == "Backoff") is lost
    if not patience:
        assert not required_reads(seen(left_alone(), fact=None, **known), after(1e6)).machines, (
            "0: never"
        )


def test_the_trouble_is_told_before_it_is_given_up_and_forgotten_if_it_passes() -> None:
    fact = machine(110, live=False)
    reported = decide(seen(left_alone(), fact=fact), after(120), SETTINGS)
    node = the_node(reported)
    assert (node.phase, node.reason) == ("Running", "NodeLost")
    assert node.message == f"machine m1 has not been ready since {timestamp(SILENT)}"
    back = seen(running("a", machine="m1"), fact=fact, status=reported.status)
    assert the_node(decide(back, after(130), SETTINGS)).reason is None


def test_it_is_replaced_without_a_retry_of_the_users() -> None:
    decision = decided(left_alone())
    node = the_node(decision)
    assert (node.phase, node.reason, node.disruptions, node.retries) == (
        "Backoff",
        "NodeLost",
        1,
        None,
    )
    entry = (node.attempts or [])[0]
    assert (entry.reason, entry.finished_at) == ("NodeLost", timestamp(GIVEN_UP)), "sealed"
    assert launches(decision) == [], "the status that seals it comes first"
    later = seen(left_alone(), fact=machine(400), status=decision.status)
    assert [x.attempt for x in launches(decide(later, after(500), SETTINGS))] == [2]


@pytest.mark.parametrize("settings", [{"effect": "once"}, {"retry": {"never": True}}])
@pytest.mark.parametrize(
    ("on_failure", "run"), [("Fail", "Failed"), ("Continue", "Succeeded"), ("Pause", "Paused")]
)
def test_once_is_never_replaced(settings: Any, on_failure: str, run: str) -> None:
    node = container("a", onFailure=on_failure, **CLOCKS, **settings)
    decision = decided(left_alone(), node=node)
    found = the_node(decision)
    assert (found.phase, found.reason) == ("Failed", "UnknownEffect")
    assert "machine m1 has not been ready" in (found.message or "")
    assert (found.attempts or [])[0].reason == "NodeLost"
    assert decision.status.phase == run, "and a person looks, by onFailure"


def test_a_pod_that_never_started_there_counts_as_started() -> None:
    stuck = pod("a", machine="m1", deleting=True, deleting_until=after(200))
    found = the_node(decided(stuck, node=python("a", effect="once", **CLOCKS)))
    assert found.reason == "UnknownEffect", "E3: nobody can say what happened on a lost machine"


# --- sealed --------------------------------------------------------------------------------------


def sealed(*pods: PodFact, at: float = 500) -> Decision:
    """Attempt 1 was given up and replaced; its pod is heard of again."""
    closed = attempt(finished_at=timestamp(GIVEN_UP), reason="NodeLost")
    status = builders.status(in_flight("a", 2, attempts=[closed, attempt("a", 2)]))
    return decided(*pods, running("a", 2, machine="m2"), status=status, at=at)


def test_a_zombie_is_stopped_as_soon_as_its_machine_is_back() -> None:
    zombie = left_alone()
    first = decided(zombie)
    stop = StopAttempt(job=job_of("a"), pods=(zombie,))
    assert stop in first.after, "no kubelet may start it, or let it run on, when it is back"
    assert stop in sealed(zombie).after, "repeated: the first may have got lost"
    deleting = left_alone(deleting=True)
    assert not [x for x in sealed(deleting).after if isinstance(x, StopAttempt)]


def test_its_late_record_is_not_taken_and_its_finalizer_goes() -> None:
    late = done({"late": True}, machine="m1")
    decision = sealed(late)
    node = the_node(decision)
    assert (node.phase, node.output, node.attempt) == ("Running", None, 2), "I14"
    assert ReleasePod(name=late.name, uid=late.uid) in decision.after
    assert not [x for x in decision.after if isinstance(x, StopAttempt)], "it is over"


def test_the_finalizer_of_a_lost_pod_does_not_hold_it() -> None:
    lost = left_alone()
    assert ReleasePod(name=lost.name, uid=lost.uid) in decided(lost).after


def test_a_record_that_came_in_time_counts() -> None:
    """The end of the pod was reported before its machine stopped responding."""
    reported = done({"n": 1}, machine="m1", unready_since=after(101))
    assert the_node(decided(reported)).output == {"n": 1}


def test_a_result_that_was_handed_in_counts() -> None:
    ready = seen(left_alone(), fact=machine(400))
    (name,) = required_reads(ready, GIVEN_UP).records
    payload = Payload("sha256:1", 1, read=True, value={"n": 1})
    kept = RecordFact(name, "Result", RUN_UID, "a", 1, 1, RUN_UID, payload)
    decision = decide(replace(ready, records={name: kept}), GIVEN_UP, SETTINGS)
    assert (the_node(decision).phase, the_node(decision).output_record) == ("Succeeded", name)


# --- what was stopped, on a machine that is dead -------------------------------------------------


@pytest.mark.parametrize(
    ("stopping", "phase", "reason"),
    [
        pytest.param("Timeout", "Backoff", "NodeLost", id="timeout"),
        pytest.param("Unschedulable", "Backoff", "NodeLost", id="never-started"),
        pytest.param("Cancelled", "Cancelled", "Cancelled", id="cancel"),
        pytest.param("DeadlineExceeded", "Failed", "DeadlineExceeded", id="deadline"),
    ],
)
def test_a_stop_that_nobody_carries_out(stopping: str, phase: str, reason: str) -> None:
    gone = left_alone(deleting=True, deleting_until=after(150))
    entry = attempt(stopping=stopping)
    status = builders.status(in_flight("a", attempts=[entry], deadline_at=timestamp(after(120))))
    node = python("a", deadline="2m", **CLOCKS)
    with_clock: dict[str, Any] = {"status": status, "node": node}
    plain: dict[str, Any] = {"status": builders.status(in_flight("a", attempts=[entry]))}
    found = the_node(decided(gone, **with_clock if stopping == "DeadlineExceeded" else plain))
    assert (found.phase, found.reason) == (phase, reason), "a dead machine stops no run forever"


# --- facts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "ready", "since"),
    [
        pytest.param([{"type": "Ready", "status": "True"}], True, None, id="ready"),
        pytest.param(
            [{"type": "Ready", "status": "Unknown", "lastTransitionTime": "2026-03-01T12:01:40Z"}],
            False,
            SILENT,
            id="silent",
        ),
        pytest.param(
            [{"type": "Ready", "status": "False", "lastTransitionTime": "soon"}],
            False,
            None,
            id="?",
        ),
        pytest.param([{"type": "DiskPressure", "status": "True"}], False, None, id="no-ready"),
        pytest.param("nonsense", False, None, id="nonsense"),
    ],
)
def test_machine_facts(conditions: Any, ready: bool, since: Any) -> None:
    body = {"status": {"conditions": conditions}}
    found = machine_fact(body, name="m1", looked_at=NOW)
    assert (found.ready, found.since, found.exists) == (ready, since, True)


def test_what_a_pod_tells_of_its_machine() -> None:
    labels = {"waypost.dev/run": RUN_UID, "waypost.dev/node": "a", "waypost.dev/attempt": "1"}
    moment = timestamp(NOW + timedelta(seconds=30))
    body = {
        "metadata": {"labels": labels, "deletionTimestamp": moment},
        "spec": {"nodeName": "m1"},
        "status": {
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": moment}]
        },
    }
    found = pod_fact(body)
    assert found is not None
    assert (found.machine, found.deleting_until, found.unready_since) == (
        "m1",
        after(30),
        after(30),
    )
