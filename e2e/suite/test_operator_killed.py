"""The operator is killed, at any moment, or frozen while another one takes over."""

import random
import signal
import time

import pytest

from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.ledger import Ledger, as_text
from e2e.suite.operators import NAMESPACE, Machine, Operator
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.waiting import until

# Nothing may run beside tests that stop or replace the operator.
pytestmark = pytest.mark.alone

KILLS = 4  # the simulator tries the other moments
SEED = 20251
# The calm run is the same run without the waits: same source, inputs and digests.
STEP = """
def run(**inputs):
    if os.environ["WAYPOST_RUN"] != "calm":
        time.sleep(2)
    return {"sum": 1 + sum(value["sum"] for value in inputs.values())}
"""
LAYERS = [["a"], ["b", "c"], ["d"], ["e", "f"], ["g"], ["h"], ["i"], ["j"], ["k"], ["last"]]


def twelve(name: str, ledger: Ledger) -> Workflow:
    """Twelve nodes in ten layers; each node needs all nodes of the layer before."""
    made = workflow(name).having(outputs={"sum": "${nodes.last.output.sum}"})
    before: list[str] = []
    for layer in LAYERS:
        for node in layer:
            inputs = {f"from_{b}": f"${{nodes.{b}.output}}" for b in before}
            made.python(node, ledger.counted(STEP), inputs=inputs)
        before = layer
    return made


def test_operator_killed_again_and_again_changes_nothing_and_no_node_runs_twice(
    space: Space, ledger: Ledger, operator: Operator, machine: Machine
) -> None:
    calm = space.start(twelve("calm", ledger))
    expected = calm.succeeded(within=60)
    run = space.start(twelve("stormy", ledger))
    moments = random.Random(SEED)
    print(f"seed {SEED}")
    for number in range(KILLS):
        pod = operator.ready()  # each in turn comes to lead, works for a moment, and dies
        delay = moments.uniform(0.0, 2.0)
        time.sleep(delay)
        seen = run.read()
        assert condition(seen, "Finished").get("status") != "True", "killed too late to matter"
        print(f"kill {number + 1}: {delay:.2f} s after it came to lead, at {progress(seen)}")
        operator.crash(pod)
    operator.ready()
    seen = run.succeeded(within=90)
    assert settled(seen) == settled(expected)
    assert ledger.starts(run.uid) == dict.fromkeys((n for layer in LAYERS for n in layer), 1), (
        as_text(ledger.entries(run.uid))
    )


def progress(seen: Obj) -> str:
    text: str = seen.get("status", {}).get("progress", "0/12")
    return text


def settled(seen: Obj) -> Obj:
    """A run's final state without times, names and uids."""
    kept = ("path", "phase", "reason", "message", "attempt", "output", "outputDigest")
    more = ("inputDigest", "retries", "disruptions")
    nodes = [{k: n.get(k) for k in (*kept, *more)} for n in seen["status"]["nodes"]]
    ends = [[a["reason"] for a in n["attempts"]] for n in seen["status"]["nodes"]]
    conditions = {c["type"]: (c["status"], c["reason"]) for c in seen["status"]["conditions"]}
    summary = {k: seen["status"][k] for k in ("phase", "progress", "outputs")}
    return {"nodes": nodes, "ends": ends, "conditions": conditions, **summary}


def test_operator_deleted_while_it_waits_for_a_human_loses_no_gate(
    space: Space, operator: Operator
) -> None:
    run = space.start(
        workflow("gate").approval("review").wait("after", "1ms", dependsOn=["review"])
    )
    gate = run.opened("review")
    operator.scale(0)
    space.answer(gate, decision="Approved")
    operator.scale()
    run.succeeded()
    assert [a["metadata"]["name"] for a in run.approvals()] == [gate]


FENCE_SECONDS = 10.0
PASSES = "waypost_reconcile_seconds_count"


def test_operator_frozen_over_a_takeover_creates_nothing_when_it_thaws(
    space: Space, ledger: Ledger, operator: Operator, machine: Machine
) -> None:
    # Its write budget makes the moment between the fence and the create seconds long: the status
    # write takes the one permit, and the Job has to wait for the next.
    operator.scale(0)
    slow = operator.twin("frozen", WAYPOST_WRITE_QPS="0.25", WAYPOST_WRITE_BURST="1")
    try:
        run = space.start(workflow("frozen").python("work", ledger.counted("def run(): return 1")))
        run.until(lambda s: node_of(s, "work").get("attempt"), what="the attempt is recorded")
        # The fence counts from the write. launchedAt is earlier: the write waits for a permit too.
        written = time.time()
        operator.send(slow, signal.SIGSTOP)
        assert not run.jobs(), "frozen between the fence and the create"
        operator.scale()
        done = run.succeeded()
        forget(space, run)
        aged = written + FENCE_SECONDS + 0.5
        until(lambda: time.time() > aged, within=20, what="the fence has expired")
        operator.send(slow, signal.SIGCONT)
        until(lambda: passes(operator), within=30, what="the thawed operator has ended its pass")
        assert run.jobs() == [], "the name of the finished attempt was free, and stayed so"
        assert ledger.starts(run.uid) == {"work": 1}
        assert run.read()["status"] == done["status"], "nor has it written anything"
    finally:
        operator.remove(slow)
        operator.scale()


def forget(space: Space, run: Run) -> None:
    """Remove Job and pod of a finished node: nothing but status tells that it has run."""
    for job in run.jobs():
        space.delete("jobs", job["metadata"]["name"])
    until(lambda: not run.jobs() + run.pods(), within=60, what="Job and pod are gone")


def passes(operator: Operator) -> list[str]:
    """The ended passes of the second operator, by outcome."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/frozen:8080/proxy/metrics"
    text: str = operator.kube.request("GET", path)
    return [line for line in text.splitlines() if line.startswith(f"{PASSES}{{")]
