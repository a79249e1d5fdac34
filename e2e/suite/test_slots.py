"""`concurrency` on a real cluster: runs that share a key take turns, also while operators die."""

import threading
import time

import pytest

from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space
from e2e.suite.test_children import begin, below, calls
from e2e.suite.test_templates import body, node, template
from e2e.suite.waiting import until

RUNS = 12
LIMIT = 3
KILLS = 2
SECONDS = 300.0
WORK = """
def run():
    held()
    time.sleep(4)
    return 1
"""
SHORT = """
def run():
    time.sleep(2)
    return 1
"""
SLOTS = "waypost.dev/slots"


def sharing(ledger: Ledger, name: str, key: str, *, limit: int, **fields: object) -> Workflow:
    """A run of one node that holds the key."""
    made = workflow(name)
    source = ledger.counted(WORK)
    return made.python("call", source, concurrency={"key": key, "limit": limit, **fields})


class Watch(threading.Thread):
    """Looks again and again how many programs of these runs work at the same time."""

    def __init__(self, space: Space) -> None:
        super().__init__(daemon=True)
        self.most = self.leases = 0
        self._space = space
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            working = [p for p in self._space.all("pods") if _works(p)]
            self.most = max(self.most, len(working))
            self.leases = max(self.leases, len(self._space.all("leases", SLOTS)))
            time.sleep(0.3)

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join()


@pytest.mark.alone
def test_s251_s260_twelve_runs_share_three_slots_while_the_operator_is_killed_twice(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    watch = Watch(space)
    watch.start()
    runs = [space.start(sharing(ledger, f"share-{n}", "crm", limit=LIMIT)) for n in range(RUNS)]
    until(
        lambda: watch.most >= LIMIT,
        within=SECONDS,
        what="the slots are in use",
        seen=runs[-1].shown,
    )
    for run in runs:
        ledger.release(run.uid)
    for kill in range(1, KILLS + 1):
        until(
            lambda kill=kill: _started(ledger, runs) >= RUNS * kill // (KILLS + 1),  # type: ignore[misc]
            within=SECONDS,
            what=f"the programs before kill {kill} have begun",
            seen=runs[-1].shown,
        )
        operator.crash(operator.ready())
    for run in runs:
        run.succeeded(within=SECONDS)
    watch.stop()
    assert all(ledger.starts(run.uid) == {"call": 1} for run in runs)
    assert watch.most == LIMIT, "the limit is reached, and never exceeded"
    assert watch.leases == LIMIT
    until(
        lambda: not space.all("leases", SLOTS), within=60, what="no slot is left", seen=lambda: ""
    )


def test_s255_s256_one_run_waits_and_another_is_skipped(space: Space, ledger: Ledger) -> None:
    first = space.start(sharing(ledger, "holds", "desk", limit=1))
    first.reaches("call", "Running")
    second = space.start(sharing(ledger, "waits", "desk", limit=1))
    third = space.start(sharing(ledger, "skips", "desk", limit=1, whenFull="Skip"))
    assert third.finished()["status"]["nodes"][0]["reason"] == "SlotTaken"
    second.troubled("call", "WaitingForSlot", within=30)
    message = second.read()["status"]["nodes"][0]["message"]
    assert "held by run holds (node call); it is the first in the queue" in message
    for run in (first, second):
        ledger.release(run.uid)
        run.succeeded()
    assert ledger.starts(third.uid) == {}


def _works(pod: Obj) -> bool:
    """Whether the program of a node runs. The phase of the pod follows its end later."""
    containers = pod["status"].get("containerStatuses", [])
    of_a_run = "waypost.dev/run" in pod["metadata"].get("labels", {})
    return of_a_run and any("running" in container["state"] for container in containers)


def _started(ledger: Ledger, runs: list[Run]) -> int:
    return sum(len(ledger.starts(run.uid)) for run in runs)


@pytest.mark.alone
def test_s531_child_runs_hold_a_slot_from_their_first_to_their_last_program(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    """Four child runs of two runs share one slot, and the operator is killed meanwhile."""
    first, last = (node(name, ledger.counted(SHORT)) for name in ("first", "last"))
    template(space, "pair", body(first, {**last, "dependsOn": ["first"]}))
    both = [calls(name, "pair", concurrency={"key": "crm-pair"}) for name in ("one", "two")]
    runs = [begin(space, f"tree-{number}", *both) for number in range(2)]
    until(lambda: ledger_of(ledger, space, runs), within=60, what="a program has begun")
    operator.crash(operator.ready())
    for run in runs:
        run.succeeded(within=SECONDS)
    order = ledger_of(ledger, space, runs)
    assert len(order) == 8, "two programs of each child run, each once"
    pairs = list(zip(order[::2], order[1::2], strict=True))
    assert all(a == b for a, b in pairs), f"one child run came into another: {order}"
    assert len(set(order)) == 4
    until(lambda: not space.all("leases", SLOTS), within=60, what="no slot is left")


def ledger_of(ledger: Ledger, space: Space, runs: list[Run]) -> list[str]:
    """The child run of each program that has begun, in order."""
    uids = {child.uid for run in runs for child in below(space, run)}
    return [entry["run"] for entry in ledger.all() if entry["run"] in uids]
