"""Chains of trivial nodes: against Jobs chained by hand, and counted write by write."""

import time
from collections.abc import Sequence

from e2e.bench import audit
from e2e.bench.figures import Figure, spread
from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import Obj
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, condition
from e2e.suite.waiting import until

CHAIN = 10
LONG_CHAIN = 100
RATIO_BAR = 0.45
SOURCE = "return n + 1"


def chain(name: str, length: int) -> Workflow:
    """Nodes n0..., each of which adds one to what the one before gave."""
    made = workflow(name).having(defaults={"timeout": "5m", "queueTimeout": "10m"})
    for index in range(length):
        before = f"${{nodes.n{index - 1}.output}}" if index else 0
        made.python(f"n{index}", SOURCE, inputs={"n": before})
    return made


def ratio(space: Space, runner: str) -> list[Figure]:
    """Makespan of a chain of ten against the same ten Jobs, each made when the last one is
    Complete; the two alternate with a warm-up of each."""
    _by_hand(space, runner, "warm", 1)
    _run(space, chain("warm", 1), 1)
    ours, theirs = [], []
    for turn in range(2):
        ours.append(_run(space, chain(f"chain-{turn}", CHAIN), CHAIN))
        theirs.append(_by_hand(space, runner, f"hand-{turn}", CHAIN))
    mine, hand = min(ours), min(theirs)
    return [
        Figure("chain_seconds", round(mine, 2), "s", baseline=round(hand, 2)),
        Figure("chain_ratio", round(mine / hand, 3), "ratio", baseline=1.0, bar=RATIO_BAR),
    ]


def writes(space: Space, operator: Operator, log: audit.AuditLog) -> list[Figure]:
    """A chain of a hundred: writes, CPU, and the time from node end to next Job."""
    before = operator.metrics()["process_cpu_seconds_total"]
    _run(space, chain("long", LONG_CHAIN), LONG_CHAIN)
    spent = operator.metrics()["process_cpu_seconds_total"] - before
    requests = log.requests(space.name)
    made = audit.operator_writes(requests)
    bar = (3 * LONG_CHAIN + 1) / LONG_CHAIN
    return [
        Figure("api_writes_per_node", round(len(made) / LONG_CHAIN, 3), "writes", bar=bar),
        Figure("operator_cpu_per_100_nodes", round(spent, 2), "s"),
        *spread("node_end_to_next_job", audit.pod_to_job(requests), bar=1.0),
    ]


def approvals(space: Space, log: audit.AuditLog, *, count: int = 20) -> list[Figure]:
    """Gates answered one after another: the time from the patch to the next Job."""
    for index in range(count):
        made = workflow(f"gate-{index}").approval("ok").python("go", "return 1", dependsOn=["ok"])
        run = space.start(made)
        name = until(lambda run=run: _approval(run), within=30, what="an Approval")  # type: ignore[misc]
        space.answer(name, decision="Approved")
        _finished(run, within=60)
    return spread("approval_to_next_job", audit.answer_to_job(log.requests(space.name)), bar=1.0)


def memory(space: Space, operator: Operator, *, runs: int = 200) -> list[Figure]:
    """Resident memory with no live run, and with many that wait for a human."""
    idle = _megabytes(operator)
    for index in range(runs):
        space.start(workflow(f"live-{index}").approval("ok"))
    until(
        lambda: len(space.all("approvals")) >= runs, within=180, what=f"{runs} runs wait", poll=1.0
    )
    live = _megabytes(operator)
    grown = round((live - idle) * 1000 / runs, 1)
    return [
        Figure("operator_rss_idle", idle, "MB"),
        Figure(f"operator_rss_{runs}_live_runs", live, "MB", baseline=idle),
        Figure("operator_rss_per_1000_runs", grown, "MB", bar=20.0),
    ]


def _megabytes(operator: Operator) -> float:
    return round(operator.metrics()["process_resident_memory_bytes"] / 1e6, 1)


def _run(space: Space, made: Workflow, length: int) -> float:
    began = time.monotonic()
    run = space.start(made)
    _finished(run, within=30 + 10 * length)
    return time.monotonic() - began


def _finished(run: Run, *, within: float) -> Obj:
    def look() -> Obj | None:
        body = run.read()
        return body if body.get("status", {}).get("finishedAt") else None

    body = until(look, within=within, what=f"{run.name} finishes", poll=0.05)
    phase = body["status"]["phase"]
    if phase != "Succeeded":
        raise AssertionError(f"{run.name} ended {phase}: {body['status']['conditions']}")
    return body


def _approval(run: Run) -> str | None:
    nodes: Sequence[Obj] = run.read().get("status", {}).get("nodes", ())
    name = next((str(n["approval"]) for n in nodes if n.get("approval")), None)
    return name if name and run.space.get("approvals", name) else None


def _by_hand(space: Space, runner: str, name: str, length: int) -> float:
    """Seconds for `length` Jobs with the same image and limits, chained on Complete."""
    began = time.monotonic()
    for index in range(length):
        job = f"{name}-{index}"
        space.create("jobs", raw_job(job, runner))
        until(lambda job=job: _complete(space, job), within=60, what=job, poll=0.05)  # type: ignore[misc]
    return time.monotonic() - began


def _complete(space: Space, job: str) -> bool:
    return is_true(space.get("jobs", job) or {}, "Complete")


def is_true(body: Obj, type_: str) -> bool:
    """Whether a condition of an object is True."""
    return condition(body, type_).get("status") == "True"


def raw_job(name: str, image: str) -> Obj:
    """A Job with one pod, with the limits of a node."""
    container = {
        "name": "node",
        "image": image,
        "command": ["python3", "-c", "print(1)"],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "50m"}},
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
