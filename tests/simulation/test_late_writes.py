"""Requests that arrive late: what the checkers excuse is excused, and nothing else (as in
`test_excuses.py`)."""

from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from waypost.api.base import parse_duration
from waypost.engine.nodes.gates import escalation
from waypost.engine.run import losers
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition
from waypost.ports.cluster import Kind
from waypost.runtime.reads.observer import Observer
from waypost.runtime.writes.actions import Prepared

from tests.fakes.faults import Request
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.play.stage import play
from tests.simulation.scenario.plan import Act, Answer, Node, Read, Round, Scenario, Trouble, When
from tests.simulation.test_excuses import broken
from tests.simulation.watching.decisions import awake_before
from tests.simulation.watching.relaunches import Relaunches
from tests.support.virtual import PROCESS

# --- the question of a round is withdrawn before the next round's status says so ------------------

ASKED_AGAIN = Scenario(
    seed=2002715,
    latency=0.3,
    deliveries=("stale", "stale", "immediate"),
    nodes=(
        Node("n0", "approval", answers=(Answer(20.0, "Approved"),)),
        Node(
            "n1",
            "container",
            depends_on=("n0",),
            tolerated=True,
            fallback={"n": -1},
            timeout=45.0,
            acts=(Act("hangs", 690, seconds=2),),
        ),
        Node("n2", "approval", reads=(Read("text", "n1"),), answers=(Answer(39.5, "Approved"),)),
        Node("n3", "approval", when=When("approved", "n2"), patience=40.0),
    ),
    troubles=(
        Trouble("shutdown", at=23.67, seconds=0.8),
        Trouble("freeze_fence", seconds=9.4, number=3),
    ),
    rounds=(Round("begun", pause=20.0),),
)


def test_s460_the_time_of_a_question_that_is_asked_again_begins_again() -> None:
    violations, seen = play(ASKED_AGAIN)
    assert violations == []
    assert [gate.state for gate in seen.gates.values() if gate.path == "n3"] == [
        "Withdrawn",
        "Denied",
    ]


# --- an operator is frozen between a decision and its status -------------------------------------

GATE = Scenario(
    seed=2,
    latency=0.3,
    nodes=(Node("n0", "approval", patience=40.0, denied_continues=True),),
    troubles=(Trouble("freeze", at=2.1, seconds=9.0),),  # its first status is on its way
)
OVERDUE = replace(GATE, nodes=(Node("n0", "python", acts=(Act("hangs", 5),)),), deadline=20.0)


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(GATE, id="a gate"), pytest.param(OVERDUE, id="the deadline of the run")],
)
def test_a_clock_begins_when_the_status_is_decided(scenario: Scenario) -> None:
    violations, seen = play(scenario)
    assert violations == []
    assert seen.ended["n0"] > 20


def test_a_status_that_is_written_long_after_its_decision_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An operator freezes between the two, for longer than the fence (A11)."""
    drawn = scenario(805644)
    freeze = next(each for each in drawn.troubles if each.kind == "freeze")
    others = tuple(each for each in drawn.troubles if each.kind != "freeze")
    frozen = replace(drawn, troubles=(*others, replace(freeze, at=17.7)))
    assert broken(frozen) == set()
    monkeypatch.setattr(Prepared, "stands", lambda self, age: True)
    assert "I9" in broken(frozen)


def test_a_gate_that_expires_early_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalation, "parse_duration", lambda text: parse_duration(text) - 20)
    assert "I9" in broken(replace(GATE, troubles=()))
    assert "I9" in broken(replace(GATE, troubles=(Trouble("freeze", at=9.0, seconds=4.0),)))


def test_a_deadline_that_passes_early_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    of_run, early = deadlines.of_run, timedelta(seconds=20)

    def sooner(transition: Transition) -> datetime | None:
        at = of_run(transition)
        return at and at - early

    monkeypatch.setattr(deadlines, "of_run", sooner)
    assert "deadline" in broken(replace(OVERDUE, troubles=()))
    assert "deadline" in broken(replace(OVERDUE, troubles=(Trouble("freeze", at=9, seconds=4),)))


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        pytest.param([], 88.0, id="never frozen"),
        pytest.param([(10.0, 60.0)], 88.0, id="long ago"),
        pytest.param([(40.0, 95.0)], 33.0, id="five seconds ago"),
        pytest.param([(20.0, 30.0), (35.0, 97.0)], 16.0, id="twice"),
    ],
)
def test_only_the_time_in_which_an_operator_was_awake_counts(
    frozen: Sequence[tuple[float, float]], expected: float
) -> None:
    assert awake_before(100.0, 12.0, frozen) == pytest.approx(expected)


# --- a Job is created again by a request that was on its way -------------------------------------

# Both operators launch n3. One of them has looked for Jobs and pods before the other one creates
# its Job, which a person deletes at once.
BOTH_LAUNCH = Scenario(
    seed=800753,
    latency=0.3,
    parallelism=2,
    deliveries=("stale", "rough", "rough"),
    outputs=(Read("phase", "n0"), Read("whole", "n1")),
    nodes=(
        Node("n0", "container", schema=True, once=True, acts=(Act("gives", 607),)),
        Node("n1", "python", depends_on=("n0",), acts=(Act("gives", 474, seconds=0.1),)),
        Node(
            "n2",
            "approval",
            reads=(Read("text", "n0"),),
            when=When("succeeded", "n1"),
            tolerated=True,
            patience=300.0,
            answers=(Answer(3.0, "Approved"), Answer(20.0, "Approved")),
        ),
        Node(
            "n3",
            "python",
            reads=(Read("maybe", "n2"), Read("maybe", "n1")),
            depends_on=("n0",),
            acts=(Act("gives", 506, seconds=15),),
        ),
    ),
    troubles=(
        Trouble("delete_job", at=0.4, number=3, choice="Orphan"),
        Trouble("lose_answer", number=14),
        Trouble("freeze", at=0.9, seconds=8.2),
    ),
)


@pytest.mark.parametrize(
    "deleted_at",
    [
        pytest.param(0.4, id="looked-before-the-job"),
        pytest.param(0.25, id="looked-for-pods-between-the-job-and-its-pod"),
    ],
)
def test_a_job_that_is_made_again_after_a_look_is_excused(deleted_at: float) -> None:
    deletion = replace(BOTH_LAUNCH.troubles[0], at=deleted_at)
    violations, seen = play(replace(BOTH_LAUNCH, troubles=(deletion, *BOTH_LAUNCH.troubles[1:])))
    assert violations == []
    assert list(seen.relaunched.values()) == [False]


@pytest.mark.parametrize(
    ("looks", "read_at", "excused"),
    [
        pytest.param([], 19.0, True, id="the run was read before the deletion"),
        pytest.param([], 21.0, False, id="the run was read after it"),
        pytest.param([9.0, 9.5], 21.0, True, id="it looked before the first Job was created"),
        pytest.param([9.0, 10.1], 21.0, True, id="it looked for pods before there was one"),
        pytest.param([9.0, 10.5], 21.0, False, id="it looked for pods after that"),
        pytest.param([10.5, 9.5], 21.0, False, id="it looked for Jobs after that"),
        pytest.param([9.0], 21.0, False, id="it did not look for pods"),
        pytest.param([1.0, 9.5], 21.0, False, id="it looked for Jobs too long ago"),
    ],
)
def test_who_may_create_a_job_again(looks: list[float], read_at: float, excused: bool) -> None:
    """The first Job is created at 10.0 and its pod at 10.2. The Job is deleted, and the second one
    is created within the fence."""
    jobs = Relaunches()

    def as_operator(name: str, *, at: float, entitled_at: float) -> bool:
        PROCESS.set(name)
        jobs.sent("job", name, entitled_at=entitled_at)
        return jobs.created("job", at)

    def look(name: str, at: float, kind: Kind) -> None:
        PROCESS.set(name)
        jobs.read(Request("list", kind, "default", "", "waypost-operator"), at)

    for at, kind in zip(looks, (Kind.JOB, Kind.POD), strict=False):
        copy_context().run(look, "b", at, kind)
    assert not copy_context().run(as_operator, "a", at=10.0, entitled_at=9.9)
    jobs.has_pod({"metadata": {"ownerReferences": [{"name": "job"}]}}, 10.2)
    jobs.deleted("job", 20.0)
    assert copy_context().run(as_operator, "b", at=18.9, entitled_at=read_at) is excused


def test_several_requests_on_their_way_are_told_apart() -> None:
    """Both operators have sent a request before the first one arrives."""
    jobs = Relaunches()
    jobs.sent("job", "a", entitled_at=9.0)
    jobs.sent("job", "b", entitled_at=9.5)

    def arrives(name: str, at: float) -> bool:
        PROCESS.set(name)
        return jobs.created("job", at)

    assert not copy_context().run(arrives, "a", 10.0)
    jobs.deleted("job", 10.5)
    assert copy_context().run(arrives, "b", 11.0)


# --- a NodeRecord is written for a run that is gone ----------------------------------------------

# No operator learns of the deletion before the wait is over and the list of the map is stored.
GONE = Scenario(
    seed=802590,
    latency=0.3,
    deliveries=("delayed", "stale", "rough"),
    nodes=(
        Node("n0", "wait", seconds=120.0),
        Node(
            "n1",
            "container",
            reads=(Read("field", "n0"),),
            values=(2, 2),
            item_acts=((Act("gives", 519),),),
            max_parallel=1,
        ),
    ),
    troubles=(Trouble("delete_run", at=25.85, choice="Foreground"),),
)


def test_a_record_of_a_run_that_is_gone_is_found_out() -> None:
    assert broken(GONE) == set()


def test_records_that_are_written_again_for_a_run_that_is_gone_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def there(self: Observer, key: object) -> bool:
        return False

    monkeypatch.setattr(Observer, "gone", there)
    assert broken(GONE) & {"I11", "I12"}


# --- a first node chooses again in the write that begins a round ---------------------------------

AGAIN = Scenario(
    seed=809119,
    latency=0.3,
    deliveries=("rough", "rough", "immediate"),
    nodes=(
        Node("n1", "container", acts=(Act("gives", 711, seconds=4),)),
        Node("n3", "approval", reads=(Read("reason", "n1"),), tolerated=True),
        Node(
            "n5",
            "wait",
            when=When("succeeded", "n1"),
            tolerated=True,
            candidate=True,
            seconds=120.0,
        ),
        Node(
            "n7",
            "http",
            reads=(Read("whole", "n5"),),
            after=("n1",),
            tolerated=True,
            candidate=True,
            method="POST",
            acts=(Act("saves", 221, seconds=4),),
        ),
        Node("best", "first", after=("n3",), tolerated=True, of=("n7", "n5")),
    ),
    rounds=(Round("ended", 0.5, edit="n7"),),
)


def test_a_loser_may_be_recorded_in_the_write_that_chooses() -> None:
    violations, seen = play(AGAIN)
    assert violations == []
    assert ("n7", 1) in seen.attempts
    assert not seen.pods_of("n7", 1)


def test_a_job_of_a_loser_that_is_recorded_as_stopped_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(losers, "Launch", type(None))  # the launch stays among the actions
    assert "I3" in broken(AGAIN)
