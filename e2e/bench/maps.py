"""A map of a thousand items on a simulated machine: what it writes, while the operator is killed.

What it must give is checked, not only measured: the order of the results, the tolerance, one start
of each attempt, and that a new round runs one item again.
"""

import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from e2e.bench import audit
from e2e.bench.figures import Figure
from e2e.bench.simulated import Machine, Outcome, changes
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Obj, path_of
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.waiting import until

ITEMS = 1000
KILLS = 3
EVERY_FAILS = 100  # of so many items one fails
EVERY_RETRIED = 50  # of so many items one fails once
PADDING = "x" * 1000  # of an output
PARALLEL = 20
AGAIN = 7  # the item that a second round runs again
LARGEST_RUN = 256 * 1024
LARGEST_TOTAL = 12.0  # MB of the run and its NodeRecords
WRITES_PER_ITEM = 3.3
SECONDS = 900.0
KEPT = ("agentworkflows", "noderecords")


@dataclass
class Stored:
    """What the API server stored in a namespace, in bytes by kind of object."""

    space: Space
    largest_run: int = 0
    bytes: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Count from now on."""
        for plural in (*KEPT, "jobs", "pods"):
            threading.Thread(target=self._count, args=(plural,), daemon=True).start()

    def _count(self, plural: str) -> None:
        path = path_of(plural, self.space.name)
        for event, size in changes(self.space.kube, path, self.stop):
            if event["type"] == "DELETED":
                continue
            self.bytes[plural] += size
            self.writes[plural] += 1
            if plural == "agentworkflows":
                self.largest_run = max(self.largest_run, size)


def program(inputs: Obj, attempt: int) -> Outcome:
    """One item of a hundred fails, one of fifty fails once; the first of a few ends last."""
    at = int(inputs["at"])
    if at % EVERY_FAILS == EVERY_FAILS - 1:
        return Outcome(1, failure="cannot be read")
    if at % EVERY_RETRIED == 0 and attempt == 1:
        return Outcome(1, failure="busy")
    return Outcome(3 - at % 3, {"at": at, "text": PADDING})


def mapping(name: str, items: int) -> Workflow:
    """A run with one map."""
    made = workflow(name).having(
        inputs={"list": list(range(items))},
        parallelism=PARALLEL,
        outputs={"seen": "${nodes.scan.output.map(x, x == null ? -1 : x.at)}"},
        defaults={"timeout": "5m", "queueTimeout": "10m"},
    )
    return made.python(
        "scan",
        "return at",
        inputs={"at": "${item}"},
        forEach={"items": "${inputs.list}", "maxParallel": PARALLEL, "tolerate": "2%"},
        retry={"limit": 1, "reasons": ["NodeError"], "backoff": {"initial": "1s"}},
        outputSchema=schema(at="integer", text="string"),
    )


def thousand(
    space: Space, operator: Operator, log: audit.AuditLog, *, items: int = ITEMS
) -> list[Figure]:
    """Run it, kill the operator three times, run one item again; what was written."""
    machine = Machine(space.kube, f"simulated-{space.name}", program)
    stored = Stored(space)
    with machine.running():
        stored.begin()
        began = time.monotonic()
        run = space.start(mapping("thousand", items))
        for kill in range(1, KILLS + 1):
            _begun(machine, items * kill // (KILLS + 1))
            operator.send(operator.ready(), signal.SIGKILL)
        judge(run.succeeded(within=SECONDS), machine, items)
        seconds = time.monotonic() - began
        attempts = len(machine.starts)
        writes = audit.operator_writes(log.requests(space.name))
        figures = _figures(stored, writes=len(writes), attempts=attempts, seconds=seconds, of=items)
        one_again(run, machine)
        stored.stop.set()
    return figures


def judge(seen: Obj, machine: Machine, items: int) -> None:
    """The results have the order of the list, and no attempt has started twice."""
    failing = set(range(EVERY_FAILS - 1, items, EVERY_FAILS))
    expected = [-1 if at in failing else at for at in range(items)]
    assert seen["status"]["outputs"]["seen"] == expected, "results are in the order of the list"
    assert condition(seen, "Succeeded")["reason"] == "CompletedWithFailures"
    counts = node_of(seen, "scan")["items"]
    assert (counts["total"], counts["failed"]) == (items, len(failing)), counts
    assert set(Counter(machine.starts).values()) == {1}, "no attempt has started twice"
    assert not machine.problems, machine.problems[:3]


def one_again(run: Run, machine: Machine) -> None:
    """A round that names one item runs it and those that failed, and no other."""
    before = len(machine.starts)
    failed = node_of(run.read(), "scan")["items"]["failed"]
    run.set(rerun={"round": 2, "from": [f"scan/{AGAIN}"]})
    run.until(
        lambda found: (
            found["status"].get("round") == 2
            and condition(found, "Finished").get("status") == "True"
        ),
        what="the second round ends",
        within=120,
    )
    again = {path for path, _ in machine.starts[before:]}
    assert f"scan/{AGAIN}" in again, again
    assert len(again) == failed + 1, again


def _begun(machine: Machine, items: int) -> None:
    until(
        lambda: len({path for path, _ in machine.starts}) >= items,
        within=SECONDS,
        what=f"{items} items have begun",
        poll=0.5,
    )


def _figures(
    stored: Stored, *, writes: int, attempts: int, seconds: float, of: int
) -> list[Figure]:
    kept = sum(stored.bytes[plural] for plural in KEPT) / 1e6
    return [
        Figure("map_items_per_minute", round(of * 60 / seconds), "items"),
        Figure("map_largest_run", stored.largest_run, "bytes", bar=LARGEST_RUN),
        Figure("map_kept_megabytes", round(kept, 2), "MB", bar=LARGEST_TOTAL * of / ITEMS),
        Figure("map_run_writes", stored.writes["agentworkflows"], "writes"),
        Figure(
            "map_writes_per_attempt", round(writes / attempts, 3), "writes", bar=WRITES_PER_ITEM
        ),
        Figure("map_job_megabytes_json", round(stored.bytes["jobs"] / 1e6, 2), "MB"),
        Figure("map_pod_megabytes_json", round(stored.bytes["pods"] / 1e6, 2), "MB"),
    ]
