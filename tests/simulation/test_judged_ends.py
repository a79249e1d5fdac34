"""Ends that the checkers accept and refuse, on evidence written by hand. Each table has the case of
a seed that failed, and beside it what is wrong in almost the same case."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.ports.cluster import Kind, Obj

from tests.fakes.faults import Request, Written
from tests.fakes.nodes.programs import Ledger
from tests.simulation.judging.others import StrangeJudge
from tests.simulation.judging.unsealed_maps import unstored
from tests.simulation.play.after_the_end import stops_a_copy
from tests.simulation.play.stage import play
from tests.simulation.reference.interpreter import VERDICT, End, choices_of
from tests.simulation.reference.maps import MapWatch
from tests.simulation.scenario.plan import Act, Node, Read, Scenario, Trouble
from tests.simulation.watching.choices import Choices, stays_lost
from tests.simulation.watching.evidence import AttemptStory, Evidence, PodStory
from tests.simulation.watching.machines import Machines

BEST = Node("best", "first", of=("b", "a"))
RACE = Scenario(seed=0, nodes=(Node("a", "python"), Node("b", "python", values=()), BEST))
ONE = End("Succeeded", at=7, moment=15.836)


@pytest.mark.parametrize(
    ("a", "b", "best", "chosen"),
    [
        pytest.param({}, {}, 7, {"b"}, id="the-order-of-the-list"),
        pytest.param({}, {"late": True}, 7, {"a"}, id="b-begins-in-the-write (seed 1235542)"),
        pytest.param({}, {"late": True}, 9, {"b"}, id="judged-in-a-later-write"),
        pytest.param({"late": True}, {"late": True}, 7, {"b"}, id="both-begin-in-the-write"),
        pytest.param({"at": 6}, {}, 7, {"a", "b"}, id="two-writes-in-one-moment"),
        pytest.param({}, {"late": True, "at": 6, "moment": 15.0}, 7, {"b"}, id="b-ended-before"),
    ],
)
def test_s469_which_of_two_ends_comes_first(
    a: dict[str, Any], b: dict[str, Any], best: int, chosen: set[str]
) -> None:
    ends = {"a": replace(ONE, **a), "b": replace(ONE, **b), "best": replace(ONE, at=best)}
    found = {one[0] for one in choices_of(RACE, BEST, ends) if one is not None}
    assert found == chosen


def entry(phase: str, reason: str | None = None, *, at: str = "t1", chosen: str = "") -> Obj:
    made: Obj = {"phase": phase, "reason": reason, "finishedAt": at}
    return made | ({"first": {"chosen": chosen}} if chosen else {})


CHOSE_A = entry("Succeeded", chosen="a")
SKIPPED = entry("Skipped", "DependencyFailed")


@pytest.mark.parametrize(
    ("before", "now", "accepted"),
    [
        pytest.param({}, {}, True, id="the-choice-is-kept (seed 1223152)"),
        pytest.param({}, {"b": entry("Skipped", "DependencySkipped")}, False, id="another-reason"),
        pytest.param({}, {"b": {**SKIPPED, "finishedAt": "t2"}}, False, id="skipped-again"),
        pytest.param({"best": entry("Pending")}, {}, False, id="nothing-was-chosen-before"),
        pytest.param({"best": entry("Succeeded", chosen="b")}, {}, False, id="it-was-chosen"),
        pytest.param({}, {"best": {**CHOSE_A, "finishedAt": "t2"}}, False, id="a-new-choice"),
        pytest.param({"b": entry("Succeeded")}, {"b": entry("Succeeded")}, False, id="a-success"),
    ],
)
def test_s232_a_candidate_that_was_not_chosen_stays_as_it_ended(
    before: dict[str, Obj], now: dict[str, Obj], accepted: bool
) -> None:
    was = {"a": entry("Succeeded"), "b": SKIPPED, "best": CHOSE_A}
    assert stays_lost(RACE, "b", was | before, was | now) is accepted


@pytest.mark.parametrize(
    ("node", "refused", "accepted"),
    [
        pytest.param("b", {"brief-b-items-2049df8b56": 41.5}, True, id="its-list (seed 1229080)"),
        pytest.param("b", {"brief-a-1-result-ffbb20aa": 41.5}, False, id="of-another-node"),
        pytest.param("b", {"brief-b-items-2049df8b56": 20.0}, False, id="long-before-its-end"),
        pytest.param("b", {}, False, id="nothing-was-refused"),
        pytest.param("a", {"brief-a-items-2049df8b56": 41.5}, False, id="not-a-map"),
    ],
)
def test_s69_a_map_whose_list_is_refused_fails(
    node: str, refused: dict[str, float], accepted: bool
) -> None:
    seen = Evidence(refused_records=refused, ended={"a": 41.5, "b": 41.5})
    found = unstored(RACE.by_name[node], seen)
    assert found == ({End("Failed", "RecordRejected")} if accepted else set())


@pytest.mark.parametrize(
    ("result", "unreadable", "held"),
    [
        pytest.param("AlreadyExists", 1, True, id="exists-but-cannot-be-read (seed 802225)"),
        pytest.param("AlreadyExists", 0, False, id="exists"),
        pytest.param("done", 1, False, id="stored"),
        pytest.param("RefusedForNow", 0, True, id="refused-for-now"),
        pytest.param("Rejected", 0, False, id="refused-permanently"),
    ],
)
def test_s69_a_record_is_held_while_nobody_knows_what_is_stored(
    result: str, unreadable: int, held: bool
) -> None:
    seen = Evidence(unreadable_records=unreadable)
    request = Request("create", Kind.NODE_RECORD, "default", "brief-b-items-2049df8b56", "operator")
    watch = MapWatch(RACE, seen, Machines(), lambda _: None, lambda _, text: None)
    watch.written(Written(request, result, at=5.0))
    assert bool(seen.held_records) is held


@pytest.mark.parametrize(
    ("verb", "result", "job", "accepted"),
    [
        pytest.param("patch", "unchanged", "brief-a-1-6a6e99ea", True, id="again (seed 2001616)"),
        pytest.param("patch", "done", "brief-a-1-6a6e99ea", False, id="for-the-first-time"),
        pytest.param("patch", "unchanged", "brief-b-1-0b641dd9", False, id="nobody-copied-its-pod"),
        pytest.param("delete", "unchanged", "brief-a-1-6a6e99ea", False, id="a-deletion"),
    ],
)
def test_i11_a_stop_of_a_job_whose_pod_was_copied_may_be_repeated(
    verb: str, result: str, job: str, accepted: bool
) -> None:
    write = Written(Request(verb, Kind.JOB, "default", job, "operator"), result, at=360.0)
    assert stops_a_copy(write, {"brief-a-1-6a6e99ea"}) is accepted


@pytest.mark.parametrize(
    ("halted", "over_at", "accepted"),
    [
        pytest.param([(20.0, 50.0)], 51.0, True, id="while-a-round-was-rejected (seed 1244965)"),
        pytest.param([(20.0, 50.0)], 75.0, False, id="long-after-it"),
        pytest.param([(60.0, float("inf"))], 51.0, False, id="rejected-later"),
        pytest.param([(0.0, 3.0), (20.0, 21.0)], 51.0, False, id="rejected-for-a-moment"),
        pytest.param([], 51.0, False, id="never-rejected"),
    ],
)
def test_s54_a_timeout_is_kept_where_nothing_goes_wrong(
    halted: list[tuple[float, float]], over_at: float, accepted: bool
) -> None:
    node = Node("n0", "agent", timeout=20.0)
    seen = Evidence(halted=halted)
    pod = PodStory("uid", "pod", "n0", 1, 5.0, started_at=6.0, over_at=over_at)
    judge = StrangeJudge(Scenario(seed=0, nodes=(node,)), seen, Ledger())
    assert [v.invariant for v in judge._prompt(node, [pod])] == ([] if accepted else ["T11"])


NODE = Node("n0", "python", queue_timeout=60.0, acts=(Act("unstartable"),))
QUEUED = Scenario(seed=0, nodes=(NODE,), troubles=(Trouble("queue", seconds=150.0),))


@pytest.mark.parametrize(
    ("stops", "over_at", "reason", "accepted"),
    [
        pytest.param({"Unschedulable"}, 150.3, "Unschedulable", True, id="late (seed 1229168)"),
        pytest.param(set(), 150.3, "NodeError", True, id="by-its-program"),
        pytest.param({"Unschedulable"}, 120.0, "Unschedulable", False, id="too-early"),
        pytest.param(set(), 150.3, "Unschedulable", False, id="it-was-not-stopped"),
        pytest.param({"Timeout"}, 150.3, "Timeout", False, id="another-reason"),
    ],
)
def test_k2_a_program_that_cannot_start_may_be_stopped_at_its_queue_timeout(
    stops: set[str], over_at: float, reason: str, accepted: bool
) -> None:
    story = AttemptStory("n0", 1, "job", 85.0, launched_at="2026-03-01T09:01:25.000Z")
    story.stops, story.finished_at, story.reason = stops, over_at, reason
    seen = Evidence(attempts={("n0", 1): story})
    pod = PodStory("uid", "pod", "n0", 1, 100.0, act=NODE.acts[0], over_at=over_at)
    seen.pods["uid"] = pod
    found = list(StrangeJudge(QUEUED, seen, Ledger())._attempt(NODE, story))
    assert [violation.invariant for violation in found] == ([] if accepted else ["K2"])


@pytest.mark.parametrize(
    ("stopped_at", "created_at", "accepted"),
    [
        pytest.param(145.0, 185.0, True, id="its-queue-was-late (seed 1321538)"),
        pytest.param(145.0, 100.0, False, id="it-had-a-pod"),
        pytest.param(120.0, 185.0, False, id="stopped-too-early"),
        pytest.param(None, 185.0, False, id="it-was-not-stopped"),
    ],
)
def test_k2_a_program_that_cannot_start_may_have_been_stopped_before_it_had_a_pod(
    stopped_at: float | None, created_at: float, accepted: bool
) -> None:
    story = AttemptStory("n0", 1, "job", 85.0, launched_at="2026-03-01T09:01:25.000Z")
    story.stopped_at, story.stops = stopped_at, {"PodRejected"}
    story.finished_at, story.reason = 186.0, "PodRejected"
    seen = Evidence(attempts={("n0", 1): story})
    seen.pods["uid"] = PodStory("uid", "pod", "n0", 1, created_at, act=NODE.acts[0], over_at=185.5)
    found = list(StrangeJudge(QUEUED, seen, Ledger())._attempt(NODE, story))
    assert [violation.invariant for violation in found] == ([] if accepted else ["K2"])


PULLS = Node("n0", "container", timeout=45.0, queue_timeout=60.0, acts=(Act("imageless"),))
BOUND = {"nodeName": "m0"}


@pytest.mark.parametrize(
    ("named", "spec", "by_kubelet", "over_at", "accepted"),
    [
        pytest.param("", BOUND, True, 140.0, True, id="nobody-saw-why (seed 1290666)"),
        pytest.param(None, BOUND, True, 140.0, True, id="an-item"),
        pytest.param("ImagePull", BOUND, True, 140.0, False, id="an-operator-saw-why"),
        pytest.param("", {}, True, 140.0, False, id="without-a-machine"),
        pytest.param("", BOUND, False, 140.0, False, id="no-deadline-of-the-pod-passed"),
        pytest.param("", BOUND, True, 20.0, False, id="too-early"),
    ],
)
def test_e3_a_pod_that_its_kubelet_ends_unseen_may_have_run(
    named: str | None, spec: Obj, by_kubelet: bool, over_at: float, accepted: bool
) -> None:
    """While no operator runs, the deadline of a pod ends it before its program has started."""
    story = AttemptStory("n0", 1, "job", 0.0, launched_at="2026-03-01T09:00:00.000Z", named=named)
    story.finished_at, story.reason = over_at + 60, "Timeout"
    pod = PodStory("uid", "pod", "n0", 1, 1.0, act=PULLS.acts[0], over_at=over_at)
    pod.body = {"spec": spec, "status": {"reason": "DeadlineExceeded"} if by_kubelet else {}}
    seen = Evidence(attempts={("n0", 1): story}, pods={"uid": pod})
    plan = Scenario(seed=0, nodes=(PULLS,), troubles=(Trouble("kill", seconds=200.0),))
    found = list(StrangeJudge(plan, seen, Ledger())._attempt(PULLS, story))
    assert [violation.invariant for violation in found] == ([] if accepted else ["T11"])


READ = Scenario(
    seed=0,
    nodes=(Node("a", "python"),),
    outputs=(Read("phase", "a"), Read("whole", "a")),
    deadline=60.0,
    troubles=(Trouble("withhold", at=1.0, seconds=150.0, choice="error records"),),
)


@pytest.mark.parametrize(
    ("plan", "finished", "outputs", "wrong"),
    [
        pytest.param(READ, 60.2, {"o0": "Succeeded"}, 0, id="one-cannot-be-read"),
        pytest.param(READ, 60.2, {"o0": "Failed"}, 1, id="another-value"),
        pytest.param(READ, 60.2, {"o0": "Succeeded", "o7": 1}, 1, id="an-output-too-many"),
        pytest.param(READ, 50.0, {"o0": "Succeeded"}, 1, id="before-its-deadline"),
        pytest.param(
            replace(READ, deadline=None), 60.2, {"o0": "Succeeded"}, 1, id="without-a-deadline"
        ),
        pytest.param(
            replace(READ, troubles=(Trouble("withhold", choice="error stops"),)),
            60.2,
            {"o0": "Succeeded"},
            1,
            id="records-can-be-read",
        ),
    ],
)
def test_s85_outputs_that_cannot_be_read_at_the_deadline_are_left_out(
    plan: Scenario, finished: float, outputs: Obj, wrong: int
) -> None:
    seen = Evidence(finished_at=finished)
    seen.run = {"status": {"phase": "Succeeded", "outputs": outputs, "conditions": []}}
    judge = StrangeJudge(plan, seen, Ledger())
    judge._ends = {"a": End("Succeeded", output={"n": 1}), VERDICT: End("Succeeded")}
    assert len(list(judge._run())) == wrong


def test_s42_a_deadline_does_not_begin_while_a_person_has_to_act() -> None:
    """Seed 2004696: n1 waits longer than its deadline for somebody who continues the run."""
    asked = Node("n0", "approval", patience=30.0, pauses=True)
    after = Node("n1", "python", reads=(Read("reason", "n0"),), deadline=5.0, acts=(Act("echoes"),))
    violations, seen = play(Scenario(seed=0, nodes=(asked, after)))
    assert violations == []
    assert seen.nodes["n1"]["phase"] == "Cancelled"


@pytest.mark.parametrize(
    ("reason", "unreadable", "accepted"),
    [
        pytest.param("ReadRejected", 1, True, id="an-output-cannot-be-read (seed 3103262)"),
        pytest.param("ReadRejected", 0, False, id="it-can-be-read"),
        pytest.param(None, 1, False, id="nothing-is-said"),
    ],
)
def test_vc1_a_first_node_waits_for_an_output_that_it_cannot_read(
    reason: str | None, unreadable: int, accepted: bool
) -> None:
    nodes = [Node("a", "python"), Node("b", "python"), Node("best", "first", of=("a", "b"))]
    choices = Choices(Scenario(1, tuple(nodes)), Evidence(unreadable_records=unreadable))
    ended = [{"path": name, "phase": "Failed", "finishedAt": "now"} for name in ("a", "b")]
    waits = {"path": "best", "phase": "Waiting", "reason": reason}
    found = choices.note({}, {"nodes": [*ended, waits]}, 5.0, begins=False)
    assert (list(found) == []) is accepted
