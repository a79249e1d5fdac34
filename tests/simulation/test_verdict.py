"""Clocks of the verdict, on stories written by hand."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.nodes.programs import Ledger
from tests.simulation.judging import gates
from tests.simulation.judging.others import StrangeJudge
from tests.simulation.judging.verdict import Judge
from tests.simulation.play import standstill
from tests.simulation.reference.interpreter import End
from tests.simulation.scenario.plan import Node, Read, Scenario, Trouble, When
from tests.simulation.scenario.template_plan import TemplatePlan
from tests.simulation.watching.evidence import AttemptStory, Evidence, GateStory, PodStory, Waiting

NODE = Node("n0", "python", queue_timeout=60.0)
PLAN = Scenario(seed=0, nodes=(NODE,), troubles=(Trouble("faults", number=24, seconds=50.0),))


@pytest.mark.parametrize(
    ("launched", "over_at", "allowed"),
    [
        pytest.param("09:00:20.801", 81.4, {"ImagePull"}, id="stored-three-seconds-after-launch"),
        pytest.param("09:00:20.801", 76.0, set(), id="too-early"),
        pytest.param("09:00:30.000", 81.4, set(), id="too-early-after-a-second-launch"),
        pytest.param("09:00:00.000", 65.0, set(), id="a-launch-long-before-it-was-stored"),
    ],
)
def test_s54_the_queue_timeout_counts_from_the_launch(
    launched: str, over_at: float, allowed: set[str]
) -> None:
    story = AttemptStory("n0", 1, "job", recorded_at=23.6, launched_at=f"2026-03-01T{launched}Z")
    story.decided_at = 11.6
    story.stops, story.finished_at, story.reason = {"ImagePull"}, 90.0, "ImagePull"
    pod = PodStory("uid", "pod", "n0", 1, created_at=23.9, over_at=over_at)
    assert Judge(PLAN, Evidence(), Ledger())._stops(NODE, story, pod) == allowed


@pytest.mark.parametrize(
    ("trouble", "finished", "allowed"),
    [
        pytest.param(Trouble("faults", seconds=80.0), 81.0, True, id="faults"),
        pytest.param(Trouble("outage", at=10.0, seconds=70.0), 81.0, True, id="outage"),
        pytest.param(Trouble("faults", seconds=50.0), 85.0, True, id="before-the-next-create"),
        pytest.param(Trouble("faults", seconds=80.0), 70.0, False, id="before-its-queue-timeout"),
        pytest.param(Trouble("faults", seconds=30.0), 85.0, False, id="long-after-the-faults"),
        pytest.param(Trouble("deaf", seconds=80.0), 81.0, False, id="another-trouble"),
    ],
)
def test_s54_a_job_that_cannot_be_created_until_the_queue_timeout_is_rejected(
    trouble: Trouble, finished: float, allowed: bool
) -> None:
    story = AttemptStory("n0", 1, "job", recorded_at=20.0, launched_at="2026-03-01T09:00:20.000Z")
    story.finished_at, story.reason = finished, "LaunchRejected"
    plan = Scenario(seed=0, nodes=(NODE,), troubles=(trouble,))
    found = list(Judge(plan, Evidence(), Ledger())._attempt(NODE, story))
    assert [violation.invariant for violation in found] == ([] if allowed else ["T11"])


ASKED = Node("n0", "approval", patience=40.0, denied_continues=True)


@pytest.mark.parametrize(
    ("halted", "template", "end"),
    [
        pytest.param([(50.0, 90.0)], TemplatePlan(), End("Failed", "ApprovalExpired"), id="lost"),
        pytest.param([(50.0, 60.0)], TemplatePlan(), End("Succeeded"), id="found-again"),
        pytest.param([(50.0, 90.0)], None, End("Succeeded"), id="in-the-run-itself"),
    ],
)
def test_s107_a_gate_whose_definition_is_lost_fails_when_it_expires(
    halted: list[tuple[float, float]], template: TemplatePlan | None, end: End
) -> None:
    gate = GateStory("gate", "uid", "n0", 5.0, state="Denied", expired=True)
    seen = Evidence(gates={"uid": gate}, halted=halted, ended={"n0": 70.0})
    plan = Scenario(seed=0, nodes=(ASKED,), template=template)
    assert gates.ends(plan, ASKED, seen) == {end}


@pytest.mark.parametrize(
    ("trouble", "ended", "expected"),
    [
        pytest.param(Trouble("faults", seconds=60.0), 52.0, {End("Succeeded")}, id="faults"),
        pytest.param(Trouble("outage", at=9, seconds=35.0), 52.0, {End("Succeeded")}, id="outage"),
        pytest.param(Trouble("faults", seconds=60.0), 40.0, set(), id="before-its-expiry"),
        pytest.param(Trouble("faults", seconds=30.0), 52.0, set(), id="long-after-the-faults"),
        pytest.param(Trouble("deaf", seconds=60.0), 52.0, set(), id="another-trouble"),
    ],
)
def test_s69_a_gate_without_an_approval_expires_only_if_it_could_not_be_created(
    trouble: Trouble, ended: float, expected: set[End]
) -> None:
    seen = Evidence(waiting={"n0": Waiting(10.0, 9.0)}, ended={"n0": ended})
    plan = Scenario(seed=0, nodes=(ASKED,), troubles=(trouble,))
    assert gates.ends(plan, ASKED, seen) == expected


READER = Node("n1", "python", reads=(Read("field", "n0"),), when=When("large", "n2"))


@pytest.mark.parametrize(
    ("node", "gone", "excused"),
    [
        pytest.param(READER, {"r0": 5.0}, True, id="read-by-an-input"),
        pytest.param(READER, {"r2": 5.0}, True, id="read-by-its-condition"),
        pytest.param(READER, {"r0": 15.0}, False, id="gone-after-it-ended"),
        pytest.param(READER, {"r3": 5.0}, False, id="a-record-that-it-does-not-read"),
        pytest.param(replace(READER, reads=(), when=None), {"r0": 5.0}, False, id="reads-nothing"),
        pytest.param(
            replace(READER, reads=(Read("phase", "n0"),)), {"r0": 5.0}, False, id="reads-a-phase"
        ),
    ],
)
def test_s69_a_node_that_reads_a_deleted_record_ends_with_result_lost(
    node: Node, gone: dict[str, float], excused: bool
) -> None:
    entries = [_node(f"n{at}", "Succeeded") | {"outputRecord": f"r{at}"} for at in (0, 2, 3)]
    seen = Evidence(gone_records=gone, ended={"n1": 10.0})
    seen.run = {"status": {"nodes": entries}}
    judge = StrangeJudge(Scenario(seed=0, nodes=(node,)), seen, Ledger())
    assert (End("Failed", "ResultLost") in judge._unneeded(node)) is excused


@pytest.mark.parametrize(
    ("expires_at", "found"),
    [
        pytest.param("2026-03-01T09:01:25.000Z", [], id="rounded-up-to-a-millisecond"),
        pytest.param("2026-03-01T09:01:24.000Z", [], id="decided-a-second-before-it-was-stored"),
        pytest.param("2026-03-01T09:01:25.010Z", ["I9"], id="after-it-was-stored"),
        pytest.param("2026-03-01T09:01:12.000Z", ["I9"], id="before-it-was-decided"),
    ],
)
def test_i9_a_gate_expires_its_timeout_after_it_began_to_wait(
    expires_at: str, found: list[str]
) -> None:
    gate = GateStory(
        "gate", "uid", "n0", 45.0, waiting_since=44.9999998, decided_at=33.0, expires_at=expires_at
    )
    plan = Scenario(seed=0, nodes=(ASKED,))
    seen = list(gates.violations(plan, Evidence(gates={"uid": gate})))
    assert [violation.invariant for violation in seen] == found


@pytest.mark.parametrize(
    ("items", "found"),
    [
        pytest.param(2, [], id="each-item-has-a-place"),
        pytest.param(1, ["K1"], id="a-place-is-free"),
    ],
)
def test_k1_a_node_can_start_if_fewer_pods_run_than_parallelism_allows(
    items: int, found: list[str]
) -> None:
    nodes = (Node("n0", "python", values=(1, 2, 3)), Node("n1", "python"))
    seen = Evidence()
    seen.run = {"status": {"nodes": [_node("n0", "Running"), _node("n1", "Pending")]}}
    for at in range(items):
        seen.attempts[f"n0/{at}", 1] = AttemptStory(f"n0/{at}", 1, "job", recorded_at=3.0)
    plan = Scenario(seed=0, nodes=nodes, parallelism=2)
    stage: Any = SimpleNamespace(seen=seen, scenario=plan, watcher=SimpleNamespace(now=100.0))
    assert [label for label, _ in standstill._idle(stage, 0.0)] == found


def _node(path: str, phase: str) -> dict[str, str]:
    return {"path": path, "phase": phase}
