"""What the checkers excuse is excused, and nothing else: each excused situation is played as it is,
and again with an operator that breaks the same invariant."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from waypost.api.base import parse_duration
from waypost.engine.attempts import cleanup, launch, lost_machines, watch
from waypost.engine.nodes import approval
from waypost.engine.nodes.gates import request
from waypost.engine.scheduling import deadlines, loops
from waypost.engine.scheduling.inputs import resolve
from waypost.engine.state.transition import Transition
from waypost.kube.facts import copies
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.facts.pods import PodFact
from waypost.kube.timestamps import timestamp

from tests.simulation.play.stage import play
from tests.simulation.scenario.plan import Act, Answer, Loop, Node, Round, Scenario, Trouble

SLOW = Node("n0", "python", acts=(Act("gives", 5, seconds=9.0),))
LOST = Scenario(
    seed=2, nodes=(SLOW,), troubles=(Trouble("lose", at=3.0, seconds=650, choice="m1"),)
)
SUPERSEDED = replace(LOST, rounds=(Round("begun", 5.0, edit="n0"),))
# The program of an iteration continues on the lost machine beside the next attempt.
REPEATED_THERE = replace(
    LOST,
    nodes=(replace(SLOW, acts=(Act("hangs", 5), Act("gives", 600)), loop=Loop(above=500, max=2)),),
)
CANCELLED = replace(LOST, troubles=(*LOST.troubles, Trouble("cancel", at=20.0)))
HANGS = Node("n0", "container", acts=(Act("hangs", 5), Act("gives", 5)))
# An operator is frozen when it has recorded the attempt; another one launches it; its Job is
# deleted; the first one, whose fence still holds, creates the Job again.
RELAUNCHED = Scenario(
    seed=1,
    nodes=(HANGS,),
    troubles=(
        Trouble("freeze_fence", number=1, seconds=6.6),
        Trouble("delete_job", number=1, choice="Background"),
    ),
)
REPEATED = replace(
    RELAUNCHED,
    latency=0.2,
    troubles=(
        Trouble("twice", number=2),
        Trouble("delete_job", number=1, choice="Orphan"),
    ),
)
# The Job that is made again creates its pod in the second in which the first one was created.
IN_ONE_SECOND = replace(
    REPEATED,
    seed=7,
    latency=0.3,
    nodes=(replace(HANGS, acts=(Act("gives", 5, seconds=2.0),)),),
    troubles=(
        Trouble("twice", number=2),
        Trouble("delete_job", at=0.1, number=1, choice="Orphan"),
    ),
)
DELETED = replace(RELAUNCHED, troubles=(Trouble("delete_job", number=1, at=3.0, choice="Orphan"),))

# A policy refuses the status of the Approval, so it stays open after its expiry.
SILENT = Scenario(
    seed=3,
    nodes=(
        Node("n0", "approval", patience=40.0, denied_continues=True),
        Node("n1", "python", depends_on=("n0",), acts=(Act("gives", 5),)),
    ),
    troubles=(Trouble("refuse", at=10.0, seconds=150.0, number=1, choice="policy answers"),),
)
# The next node starts in the moment of the expiry, a fraction of a millisecond before it.
AT_ONCE = replace(
    SILENT,
    seed=3002189,
    nodes=(
        Node("n1", "http", backoff=2.0, acts=(Act("gives", 165, seconds=0.1),)),
        Node(
            "n3",
            "approval",
            tolerated=True,
            patience=40.0,
            denied_continues=True,
            answers=(Answer(90.0, "Approved"),),
        ),
        Node(
            "n5",
            "python",
            depends_on=("n3",),
            after=("n1",),
            schema=True,
            backoff=2.0,
            acts=(Act("gives", 962, seconds=15),),
        ),
    ),
    troubles=(Trouble("refuse", at=2.0, seconds=150.0, number=1, choice="policy answers"),),
    parallelism=2,
    latency=0.0,
    deliveries=("immediate", "immediate", "immediate"),
)
# An operator freezes when it has recorded the gate, and asks in the next round, which adopts it.
ADOPTED = Scenario(
    seed=3002248,
    nodes=(replace(SILENT.nodes[0], tolerated=True, answers=(Answer(20.0, "Approved"),)),),
    troubles=(Trouble("freeze_fence", seconds=121.6, number=1),),
    rounds=(Round("begun", 20.0),),
    parallelism=1,
    flag=False,
    latency=0.3,
    deliveries=("rough", "rough", "immediate"),
    finally_deadline=36000.0,
)
LATE = replace(
    SILENT, nodes=(replace(SILENT.nodes[0], answers=(Answer(40.9, "Approved"),)), SILENT.nodes[1])
)

# A quota allows no Approval until long after its expiry.
UNASKED = replace(
    SILENT,
    troubles=(Trouble("refuse", at=0.0, seconds=100.0, number=1, choice="quota approvals"),),
)

# Requests take half a second, and the result of an iteration is stored before the status.
PAUSES = Scenario(
    seed=18,
    latency=0.3,
    nodes=(Node("n0", "python", acts=(Act("gives", 5),), loop=Loop(above=500, max=4, pause=5.0)),),
)
# Many programs are stopped at the deadline of the run, one request after the other.
STOPPED = Scenario(
    seed=1,
    latency=0.3,
    deadline=5.0,
    nodes=tuple(Node(f"n{at}", "python", acts=(Act("hangs", 5),)) for at in range(4)),
)

# A machine is removed while a pod waits for its image. The watch of the second operator reports
# the end of the pod only after the operator has stopped it at its queueTimeout.
UNSEEN = Scenario(
    seed=7,
    parallelism=1,
    deliveries=("immediate", "rough", "delayed"),
    nodes=(
        Node("n0", "container", once=True, tolerated=True, acts=(Act("echoes", 762, seconds=2),)),
        Node(
            "n1",
            "container",
            queue_timeout=60.0,
            limit=1,
            acts=(Act("imageless", 5), Act("gives", 5)),
        ),
    ),
    troubles=(
        Trouble("kill", seconds=8.0, number=5, choice="before"),
        Trouble("evict", at=0.3, number=1, choice="EvictionByEvictionAPI"),
        Trouble("remove", at=18.58, seconds=83.8, number=1, choice="m1"),
    ),
)


def broken(scenario: Scenario) -> set[str]:
    return {violation.invariant for violation in play(scenario)[0]}


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(LOST, id="replaced-on-another-machine"),
        pytest.param(REPEATED_THERE, id="iteration-replaced-on-another-machine"),
        pytest.param(SUPERSEDED, id="superseded-on-a-lost-machine"),
        pytest.param(CANCELLED, id="cancelled-on-a-lost-machine"),
    ],
)
def test_an_attempt_is_given_up_with_its_machine(scenario: Scenario) -> None:
    violations, seen = play(scenario)
    assert violations == []
    assert seen.attempts["n0", 1].given_up
    assert seen.attempts["n0", 1].reason in ("NodeLost", "Superseded", "Cancelled")


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        pytest.param(SUPERSEDED, "I2", id="superseded"),
        pytest.param(REPEATED_THERE, "I2", id="an iteration"),
        pytest.param(CANCELLED, "I4", id="cancelled"),
    ],
)
def test_an_attempt_that_is_given_up_too_early_is_caught(
    scenario: Scenario, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_machines, "_lost_at", lambda observed, fact, suspected: suspected)
    assert expected in broken(scenario)


@pytest.mark.parametrize(
    ("scenario", "after_its_end"),
    [
        pytest.param(RELAUNCHED, True, id="by-a-frozen-operator"),
        pytest.param(REPEATED, False, id="by-a-proxy"),
    ],
)
def test_a_job_that_is_made_again_without_a_look_is_excused(
    scenario: Scenario, after_its_end: bool
) -> None:
    violations, seen = play(scenario)
    assert violations == []
    assert list(seen.relaunched.values()) == [after_its_end]


def test_a_pod_that_looks_like_a_copy_of_one_second_may_be_let_go() -> None:
    """Of two pods of one second the pod that the Job controls is the original (S240)."""
    violations, seen = play(IN_ONE_SECOND)
    assert violations == []
    first = next(iter(seen.pods.values()))
    assert seen.passes_for_a_copy(first)
    ended = seen.attempts["n0", 1].finished_at
    assert first.released_at is not None
    assert ended is not None
    assert first.released_at < ended


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(DELETED, id="no Job is made again"),
        pytest.param(replace(IN_ONE_SECOND, seed=4), id="a Job is made again a second later"),
    ],
)
def test_a_pod_that_a_deletion_left_and_that_is_let_go_unread_is_caught(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken(scenario) == set()

    def controlled(pods: Iterable[PodFact], *, job: str, **_: object) -> list[PodFact]:
        return [pod for pod in pods if copies.is_of(pod, job)]

    monkeypatch.setattr(cleanup, "own_pods", controlled)
    assert "I4" in broken(scenario)


def test_a_job_that_is_made_again_by_one_who_made_it_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fence holds, and somebody has deleted the Job; but this operator has seen the pod."""
    advance = watch.advance

    def again(transition: Transition, path: str) -> None:
        advance(transition, path)
        attempt = transition.statuses[path].open_attempt
        inputs: Any = resolve(transition, path)
        if attempt is not None and transition.observed.pods_of(path, attempt):
            transition.after.append(launch.prepare(transition, path, inputs, attempt))  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "advance", again)
    assert "I2" in broken(DELETED)


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(SILENT, id="no answer"),
        pytest.param(LATE, id="an answer too late"),
        pytest.param(UNASKED, id="no Approval"),
    ],
)
def test_an_approval_that_stays_open_may_have_expired(scenario: Scenario) -> None:
    violations, seen = play(scenario)
    assert violations == []
    assert ("n1", 1) in seen.attempts


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(AT_ONCE, id="to the millisecond"), pytest.param(ADOPTED, id="of a round before")],
)
def test_the_time_of_a_gate_is_that_of_its_first_record(scenario: Scenario) -> None:
    violations, seen = play(scenario)
    assert violations == []
    assert seen.gates


def test_an_answer_that_is_seen_in_time_and_recorded_late_must_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    early = replace(SILENT.nodes[0], answers=(Answer(20.0, "Approved"),))
    passing = replace(SILENT.troubles[0], choice="webhook answers")
    plan = replace(SILENT, nodes=(early, SILENT.nodes[1]), troubles=(passing,))
    assert broken(plan) == set()
    monkeypatch.setattr("waypost.runtime.cache.runs.seen", lambda fact, earlier, now: fact)
    assert {"I8", "I9"} <= broken(plan)


def test_an_approval_expires_when_its_gate_does(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = request.manifest

    def earlier(transition: Transition, path: str, inputs: Any, expires: str | None) -> Any:
        soon = timestamp(transition.now + timedelta(seconds=35)) if expires else None
        return manifest(transition, path, inputs, soon)

    monkeypatch.setattr(request, "manifest", earlier)
    assert "I9" in broken(replace(SILENT, troubles=()))


def test_a_gate_that_ends_before_its_expiry_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def end_at_once(transition: Transition, path: str, problem: WriteProblem, **_: object) -> None:
        approval._expire(transition, path, problem.message)

    monkeypatch.setattr(approval, "_unwritten", end_at_once)
    early = replace(SILENT.nodes[0], answers=(Answer(20.0, "Approved"),))
    assert "I8" in broken(replace(SILENT, nodes=(early, SILENT.nodes[1])))


def test_a_gate_that_ends_unasked_before_its_expiry_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(approval, "_is_expired", lambda transition, path: True)
    assert "I8" in broken(UNASKED)


@pytest.mark.parametrize(
    "scenario", [pytest.param(PAUSES, id="pause"), pytest.param(STOPPED, id="deadline")]
)
def test_a_slow_api_server_is_no_mistake_of_the_operator(scenario: Scenario) -> None:
    assert broken(scenario) == set()


def test_a_pause_that_is_cut_short_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "parse_duration", lambda text: parse_duration(text) - 0.2)
    assert "VL1" in broken(PAUSES)


def test_a_stop_long_after_the_deadline_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    of_run, late = deadlines.of_run, timedelta(seconds=15)

    def later(transition: Transition) -> datetime | None:
        at = of_run(transition)
        return at and at + late

    monkeypatch.setattr(deadlines, "of_run", later)
    assert "deadline" in broken(replace(STOPPED, latency=0.02))


def test_a_pod_whose_end_was_not_seen_may_be_stopped_at_its_queue_timeout() -> None:
    violations, seen = play(UNSEEN)
    assert violations == []
    assert seen.attempts["n1", 1].reason == "ImagePull"


def test_a_pod_that_is_stopped_before_its_queue_timeout_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_start = deadlines.of_start
    early = timedelta(seconds=20)
    monkeypatch.setattr(deadlines, "of_start", lambda *about: of_start(*about) - early)
    assert "T11" in broken(replace(UNSEEN, troubles=()))
