"""A watcher of slots: judges every change as the API server stores it (VK1).

It knows from the plan which key each node holds. It counts the programs that run, and asks no
operator.
"""

from typing import Final

from waypost.api import meta
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.simulation.slots.plan import Plan, Run, Step
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

OF_RUN: Final = "-"  # in place of a path
LEAK: Final = 60.0  # seconds after the troubles within which every slot has a holder

Attempt = tuple[str, str, int]  # uid of the run, path, number


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.violations: list[Violation] = []
        self.runs: dict[str, Obj] = {}  # by uid, as stored last
        self.slots: dict[str, Attempt] = {}  # by name of the Lease: what holds it
        self.running: dict[str, Attempt] = {}  # by uid of the pod
        self.excused: set[Attempt] = set()  # a person has deleted its slot
        self.named: set[tuple[Attempt, str]] = set()  # attempts with slots that a status has named
        self.cancelled: set[str] = set()  # names of runs that a person has cancelled
        self._world = world
        self._runs = {run.name: run for run in plan.runs}
        self._steps = {run.name: {s.name: s for s in run.steps} for run in plan.runs}
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, text_: str, invariant: str = "VK1") -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text_, self._world.clock.monotonic()))

    def step(self, uid: str, path: str) -> Step:
        """The step of the plan that a path belongs to."""
        parent = _parent(self.runs[uid])
        if parent:  # the program of a child run belongs to the node that has started it
            return self._steps[parent["run"]][parent["path"].partition("/")[0]]
        name = text(section(self.runs[uid], "metadata"), "name")
        return self._steps[name][path.partition("/")[0]]

    def root(self, uid: str) -> str:
        """The uid of the run of the plan."""
        return str(_parent(self.runs[uid]).get("uid", uid))

    def plan_of(self, uid: str) -> Run:
        """The run of the plan."""
        parent = _parent(self.runs[uid])
        return self._runs[parent.get("run") or text(section(self.runs[uid], "metadata"), "name")]

    def excuse(self, lease: str) -> None:
        """A person deletes this slot."""
        if lease in self.slots:
            self.excused.add(self.slots[lease])

    def leaked(self) -> list[str]:
        """The slots whose holder has ended or is gone."""
        return [name for name, holder in self.slots.items() if not self._is_open(holder)]

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.AGENT_WORKFLOW:
            self._run(change, body)
        elif kind is Kind.LEASE and text(section(body, "metadata", "labels"), meta.LABEL_SLOTS):
            self._lease(change, body)
        elif kind is Kind.JOB and change == "ADDED":
            self._job(body)
        elif kind is Kind.POD:
            self._pod(change, body)

    def _run(self, change: str, body: Obj) -> None:
        uid = text(section(body, "metadata"), "uid")
        if change == "DELETED":
            self.runs.pop(uid, None)
            return
        before = self.runs.get(uid, {})
        self.runs[uid] = body
        if section(body, "spec").get("cancel") and not section(before, "spec").get("cancel"):
            self._replaced(body)

    def _replaced(self, body: Obj) -> None:
        """VK2: a run is cancelled for another only if both replace, and the other is younger."""
        metadata = section(body, "metadata")
        name = text(metadata, "name")
        if name in self.cancelled:
            return
        if not self._runs[name].replaces or not self.replaced_by(body):
            self.blame(f"{name} is cancelled, and no younger run may replace it", "VK2")

    def replaced_by(self, body: Obj) -> list[str]:
        """The names of the younger runs that may replace a run."""
        own = _age(body)
        key = self._runs[own[1]].key
        runs = [run for run in self.runs.values() if not _parent(run)]
        younger = [_age(run)[1] for run in runs if _age(run) > own]
        return [n for n in younger if self._runs[n].replaces and self._runs[n].key == key]

    def _lease(self, change: str, body: Obj) -> None:
        name = text(section(body, "metadata"), "name")
        if change == "DELETED":
            self.slots.pop(name, None)
        elif change == "ADDED":
            uid, _, rest = text(section(body, "spec"), "holderIdentity").partition("/")
            path, _, number = rest.rpartition("/")
            self.slots[name] = (uid, path, int(number))
            if self._recorded(self.slots[name]) == name:
                self.named.add((self.slots[name], name))
            # An operator that was frozen may create it once more, after its attempt has ended.
            elif (self.slots[name], name) not in self.named:
                self.blame(f"{name} is created for {path}, and the status does not name it")

    def _job(self, body: Obj) -> None:
        metadata = section(body, "metadata")
        attempt = _attempt(metadata)
        if attempt[0] in self.runs and self.plan_of(attempt[0]).key:
            holders = {*self.slots.values(), *self.excused}
            root = self.root(attempt[0])
            if not any((uid, path) == (root, OF_RUN) for uid, path, _ in holders):
                self.blame(f"Job {text(metadata, 'name')} is created before its run has a slot")
        if attempt[0] not in self.runs or not self.step(attempt[0], attempt[1]).key:
            return
        if not self._is_among(attempt, {*self.slots.values(), *self.excused}):
            self.blame(f"Job {text(metadata, 'name')} is created without a slot")

    def _is_among(self, attempt: Attempt, holders: set[Attempt]) -> bool:
        """Whether an attempt holds one of these slots, or its child run for it."""
        if _parent(self.runs[attempt[0]]):
            return any((uid, path) == (attempt[0], OF_RUN) for uid, path, _ in holders)
        return attempt in holders

    def _pod(self, change: str, body: Obj) -> None:
        uid = text(section(body, "metadata"), "uid")
        state: Obj = {}
        for status in items(body, "status", "containerStatuses"):
            state = section(status, "state") if status.get("name") == "node" else state
        if change == "DELETED" or "terminated" in state:
            self.running.pop(uid, None)
        elif "running" in state and uid not in self.running:
            self.running[uid] = _attempt(section(body, "metadata"))
            self._started(self.running[uid])

    def _started(self, attempt: Attempt) -> None:
        if attempt[0] not in self.runs:
            return  # its run was deleted, and its slot with it
        self._run_started(attempt[0])
        step = self.step(attempt[0], attempt[1])
        if not step.key:
            return
        same = [a for a in self.running.values() if self._counts(a, step.key)]
        most = max(self.step(a[0], a[1]).limit for a in same) if same else 0
        if len(same) > most:
            self.blame(f"{len(same)} programs hold key {step.key}, its limit is {most}: {same}")

    def _run_started(self, uid: str) -> None:
        """A program of a run has started: as many runs as its limit may have programs."""
        own = self.plan_of(uid)
        if not own.key:
            return
        known = (attempt[0] for attempt in self.running.values() if attempt[0] in self.runs)
        lost = {holder[0] for holder in self.excused if holder[1] == OF_RUN}
        # A run that is deleted frees its slot before its child runs are gone.
        busy = {root for one in known if (root := self.root(one)) in self.runs} - lost
        same = [uid for uid in busy if self.plan_of(uid).key == own.key]
        if len(same) > own.limit:
            self.blame(f"{len(same)} runs hold key {own.key}, its limit is {own.limit}")

    def _counts(self, attempt: Attempt, key: str) -> bool:
        if attempt[0] not in self.runs or self._is_among(attempt, self.excused):
            return False
        return self.step(attempt[0], attempt[1]).key == key

    def _node(self, attempt: Attempt) -> Obj:
        name = attempt[1].partition("/")[0]
        nodes = items(self.runs.get(attempt[0], {}), "status", "nodes")
        return next((n for n in nodes if n["path"] == name), {})

    def _recorded(self, attempt: Attempt) -> str:
        """The slot that the status names for an attempt that has not ended, or for the run; "" if
        it names none."""
        if attempt[1] == OF_RUN:
            own = section(self.runs.get(attempt[0], {}), "status", "slot")
            return str(own.get("name", "")) if own.get("number") == attempt[2] else ""
        node = self._node(attempt)
        index = attempt[1].partition("/")[2]
        for opened in section(node, "items").get("open") or ():
            words = str(opened).split(" ")
            slot = next((w[1:] for w in words if w.startswith("^")), "")
            if words[0] == index and slot:
                return f"waypost-slot-{slot}"
        for listed in items(node, "attempts"):
            if listed["number"] == attempt[2] and not listed.get("finishedAt"):
                return str(listed.get("slot", ""))
        return ""

    def _is_open(self, attempt: Attempt) -> bool:
        return attempt[0] in self.runs and bool(self._recorded(attempt))


def _parent(body: Obj) -> Obj:
    """Of which node a run is the child; empty if of none."""
    return section(body, "spec", "parent")


def _age(body: Obj) -> tuple[str, str]:
    """The place of a run in every queue."""
    metadata = section(body, "metadata")
    return text(metadata, "creationTimestamp"), text(metadata, "name")


def _attempt(metadata: Obj) -> Attempt:
    labels, notes = section(metadata, "labels"), section(metadata, "annotations")
    number = int(text(labels, meta.LABEL_ATTEMPT) or 0)
    return text(labels, meta.LABEL_RUN), text(notes, meta.ANNOTATION_PATH), number
