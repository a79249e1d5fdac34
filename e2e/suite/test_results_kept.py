"""What an operator has not seen yet is not lost, and what has run is not run again.

One outage serves all cases: each run has a node that ends while no operator is there, and then
something happens to its pod or its Job.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2e.suite.build import workflow
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import FINALIZER, Run, Space, container_state, node_of
from e2e.suite.waiting import until

# All of them still run when the operator has gone.
WORK = """
def run():
    held()
    return {"attempt": os.environ["WAYPOST_ATTEMPT"]}
"""


def pod_deleted(space: Space, run: Run, pod: Obj) -> None:
    space.delete("pods", pod["metadata"]["name"])


def pod_forced(space: Space, run: Run, pod: Obj) -> None:
    space.delete("pods", pod["metadata"]["name"], grace=0)


def job_deleted(space: Space, run: Run, pod: Obj) -> None:
    space.delete("jobs", run.jobs("work")[0]["metadata"]["name"])
    until(lambda: not run.jobs("work"), within=20, what="the Job is gone")


def ttl_fires(space: Space, run: Run, pod: Obj) -> None:
    name = run.jobs("work")[0]["metadata"]["name"]
    space.patch("jobs", name, {"spec": {"ttlSecondsAfterFinished": 0}})
    # Foreground: the Job itself stays, deleted, until the last finalizer is off its pod.
    until(
        lambda: all("deletionTimestamp" in job["metadata"] for job in run.jobs("work")),
        within=30,
        what="the TTL has deleted the Job",
    )


def nothing(space: Space, run: Run, pod: Obj) -> None:
    """The pod ends, that is all."""


@dataclass(frozen=True)
class Mishap:
    happens: Callable[[Space, Run, Obj], None]
    reason: str


MISHAPS = {
    "nothing": Mishap(nothing, "the pod's record waits for the next operator"),
    "pod-deleted": Mishap(pod_deleted, "the finalizer keeps the pod of a node drain or a person"),
    "pod-forced": Mishap(pod_forced, "force takes the grace, not the finalizer"),
    "job-deleted": Mishap(job_deleted, "absence of a Job says nothing about its pod"),
    "job-ttl": Mishap(ttl_fires, "a Job that is gone has not never been there"),
}


@pytest.fixture(scope="module")
def survivors(space: Space, ledger: Ledger, operator: Operator) -> dict[str, Run]:
    """The runs after the outage, in which each met its mishap."""
    runs = {
        name: space.start(workflow(name).python("work", ledger.counted(WORK))) for name in MISHAPS
    }
    for run in runs.values():
        ledger.holds(run.uid)
    operator.scale(0)
    try:
        for name, run in runs.items():
            ledger.release(run.uid)
            pod = ended(run)
            MISHAPS[name].happens(space, run, pod)
        assert all("outputDigest" not in run.node("work") for run in runs.values())
    finally:
        operator.scale()
    return runs


def ended(run: Run) -> Obj:
    """The pod of a run once its container has ended."""
    return until(
        lambda: next((p for p in run.pods("work") if container_state(p, "terminated")), None),
        within=30,
        what=f"{run.name}: its program has ended",
    )


@pytest.mark.alone  # the operator is stopped
@pytest.mark.parametrize("name", MISHAPS)
def test_result_that_nobody_saw_is_recorded_and_nothing_runs_again(
    survivors: dict[str, Run], ledger: Ledger, name: str
) -> None:
    run, why = survivors[name], MISHAPS[name].reason
    seen = run.succeeded()
    work = node_of(seen, "work")
    assert work["output"] == {"attempt": "1"}, why
    assert work["attempt"] == 1, why
    assert ledger.starts(run.uid) == {"work": 1}, why
    until(lambda: not held(run), within=10, what="the finalizer is released")


def held(run: Run) -> list[Obj]:
    """Pods of a run that its finalizer keeps."""
    return [p for p in run.pods() if FINALIZER in p["metadata"].get("finalizers", [])]


STUBBORN = """
import json, os, signal, time

signal.signal(signal.SIGTERM, lambda *_: None)
note("ready")
time.sleep(1)
end = time.time() + 5
while time.time() < end:
    time.sleep(0.2)
with open(os.environ["WAYPOST_OUTPUT"], "w") as file:
    json.dump("finished in its grace", file)
"""


def test_job_of_a_running_node_deleted_starts_no_second_pod_and_its_record_counts(
    space: Space, ledger: Ledger, runner: str
) -> None:
    run = space.start(
        workflow("job-gone").container("work", runner, ledger.counted(STUBBORN), retry={"limit": 2})
    )
    until(
        lambda: [e for e in ledger.entries(run.uid) if e["what"] == "ready"],
        within=30,
        what="the program runs and ignores SIGTERM",
    )
    first = run.running_pod("work")["metadata"]["uid"]
    space.delete("jobs", run.jobs("work")[0]["metadata"]["name"])
    seen = run.succeeded()
    work = node_of(seen, "work")
    assert work["output"] == "finished in its grace"
    assert (work["attempt"], work["attempts"][0]["podUid"]) == (1, first)
    assert ledger.starts(run.uid) == {"work": 1}


def test_job_of_a_running_python_node_deleted_is_a_disruption_and_runs_alone(
    space: Space, ledger: Ledger
) -> None:
    source = ledger.counted(
        "def run():\n    held() if os.environ['WAYPOST_ATTEMPT'] == '1' else None\n"
        "    return os.environ['WAYPOST_ATTEMPT']\n"
    )
    run = space.start(workflow("job-gone-python").python("work", source))
    pod = run.running_pod("work")
    space.delete("jobs", run.jobs("work")[0]["metadata"]["name"])
    work = node_of(run.succeeded(), "work")
    assert work["output"] == "2"
    assert work["attempts"][0]["reason"] == "Disrupted"
    assert "retries" not in work, "a disruption does not eat the user's retries"
    begun = [e for e in ledger.entries(run.uid) if (e["attempt"], e["what"]) == (2, "start")]
    assert len(begun) == 1
    assert pod["metadata"]["uid"] != begun[0]["pod"]


OBEDIENT = """
import os, signal, sys, time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
note("ready")
if os.environ["WAYPOST_ATTEMPT"] == "1":
    time.sleep(120)
"""


def obeys_sigterm(space: Space, ledger: Ledger, runner: str, name: str) -> tuple[Run, Obj]:
    """A run whose program exits with 0 on SIGTERM and writes nothing, and its pod."""
    run = space.start(workflow(name).container("work", runner, ledger.counted(OBEDIENT)))
    until(
        lambda: [e for e in ledger.entries(run.uid) if e["what"] == "ready"],
        within=30,
        what="the program listens for SIGTERM",
    )
    return run, run.running_pod("work")


def assert_ran_again(run: Run) -> None:
    """S60: the first attempt has not done its work."""
    work = node_of(run.succeeded(), "work")
    assert [a["reason"] for a in work["attempts"]] == ["Disrupted", "Succeeded"]


def test_s60_a_program_that_exits_with_0_on_sigterm_runs_again(
    space: Space, ledger: Ledger, runner: str
) -> None:
    run, pod = obeys_sigterm(space, ledger, runner, "obeys")
    space.delete("pods", pod["metadata"]["name"])
    assert_ran_again(run)


@pytest.mark.alone  # the operator is stopped
def test_s60_also_if_the_operator_reads_the_pod_after_the_kubelets_last_delete(
    space: Space, ledger: Ledger, runner: str, operator: Operator
) -> None:
    run, pod = obeys_sigterm(space, ledger, runner, "obeys-unseen")
    operator.scale(0)
    try:
        space.delete("pods", pod["metadata"]["name"])
        last = until(
            lambda: next(
                (p for p in run.pods("work") if p["metadata"]["deletionGracePeriodSeconds"] == 0),
                None,
            ),
            within=60,
            what="the kubelet has deleted the pod for good",
        )
        state = container_state(last, "terminated")
        assert state is not None
        assert state["exitCode"] == 0
        assert last["metadata"]["deletionTimestamp"] >= state["finishedAt"], "not the request"
    finally:
        operator.scale()
    assert_ran_again(run)
