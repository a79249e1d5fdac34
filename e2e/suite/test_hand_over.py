"""Two replicas: the leader dies, stops or freezes, and the standby continues its work."""

import signal
import time

import pytest

from e2e.suite.build import workflow
from e2e.suite.kube import Obj, path_of
from e2e.suite.ledger import Ledger
from e2e.suite.operators import NAMESPACE, Machine, Operator, is_ready
from e2e.suite.space import Run, Space
from e2e.suite.waiting import until

# Nothing may run beside tests that stop or replace the operator.
pytestmark = pytest.mark.alone

RECOVERY_SECONDS = 20.0  # for a Lease to expire and the run to go on
LEADER = "waypost_leader"


@pytest.fixture
def standby(operator: Operator) -> Obj:
    """The pod that stands by."""
    operator.ready()
    return until(operator.standby, within=60, what="an operator stands by")


def test_both_are_ready_and_one_of_them_leads(operator: Operator, standby: Obj) -> None:
    pods = [p for p in operator.pods() if is_ready(p)]
    assert len(pods) == 2
    leads = {p["metadata"]["name"]: operator.metrics_of(p)[LEADER] for p in pods}
    assert sorted(leads.values()) == [0.0, 1.0]
    assert leads[standby["metadata"]["name"]] == 0.0


def goes_on(space: Space, operator: Operator, name: str) -> Run:
    """A run that waits at a gate, and has been seen by both."""
    run = space.start(workflow(name).approval("review").wait("after", "1ms", dependsOn=["review"]))
    run.opened("review")
    return run


def recovery(run: Run, gate: str, began: float) -> float:
    """Seconds from `began` until the answered gate was passed."""
    run.space.answer(gate, decision="Approved")
    run.until(
        lambda s: s.get("status", {}).get("finishedAt"),
        what="it continues",
        within=RECOVERY_SECONDS,
    )
    return time.monotonic() - began


def test_the_leader_is_killed(
    space: Space, operator: Operator, machine: Machine, standby: Obj
) -> None:
    run = goes_on(space, operator, "killed")
    gate, leader = run.opened("review"), operator.ready()
    operator.send(leader, signal.SIGKILL)
    began = time.monotonic()
    took = recovery(run, gate, began)
    print(f"went on {took:.2f} s after SIGKILL")
    assert operator.holder().startswith(standby["metadata"]["name"])


def test_the_leader_is_stopped(space: Space, operator: Operator, standby: Obj) -> None:
    run = goes_on(space, operator, "stopped")
    gate, leader = run.opened("review"), operator.ready()
    path = path_of("pods", NAMESPACE, leader["metadata"]["name"])
    began = time.monotonic()
    operator.kube.request("DELETE", path)
    took = recovery(run, gate, began)
    print(f"went on {took:.2f} s after the pod was deleted")
    # The one being stopped may have passed the gate itself: it leads until the signal arrives.
    until(
        lambda: operator.holder().startswith(standby["metadata"]["name"]),
        within=RECOVERY_SECONDS,
        what="the one that stood by leads",
    )


def test_the_leader_freezes_and_thaws(
    space: Space, operator: Operator, machine: Machine, standby: Obj, ledger: Ledger
) -> None:
    run = space.start(
        workflow("frozen-leader")
        .python("first", ledger.counted("def run():\n    time.sleep(2)\n"))
        .python("second", ledger.counted("def run():\n    time.sleep(12)\n"), dependsOn=["first"])
    )
    run.running_pod("first")
    leader = operator.ready()
    operator.send(leader, signal.SIGSTOP)
    try:
        run.running_pod("second")
        assert operator.holder().startswith(standby["metadata"]["name"])
    finally:
        operator.send(leader, signal.SIGCONT)
    run.succeeded()
    assert ledger.starts(run.uid) == {"first": 1, "second": 1}
    until(
        lambda: operator.metrics_of(leader)[LEADER] == 0.0,
        within=10,
        what="the thawed one knows that it leads no more",
    )
