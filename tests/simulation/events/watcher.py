"""A watcher of events: judges every change as the API server stores it (VN1 to VN6).

It reads what nodes and events say, and the plan; it shares no rule with the operator.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from waypost.kube.objects import items, section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Kind, Obj

from tests.simulation.events.plan import Plan, Wait, called_wait
from tests.simulation.watching.evidence import Violation
from tests.support.events import EVENT
from tests.support.harness import World

Waiting = tuple[str, str, int]  # uid of the run, path, number of the wait
_SETTLED: Final = ("Consumed", "Expired", "Refused")


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.violations: list[Violation] = []
        self.events: dict[str, Obj] = {}  # by id, as stored last; not those that are gone
        self.taken: dict[str, Waiting] = {}  # by uid of the event: by which wait
        self.claims: list[str] = []  # the run of each claim
        self._world = world
        self._created: dict[str, datetime] = {}  # by id, to the millisecond
        self._waits = {(run.name, wait.name): wait for run in plan.runs for wait in run.waits}
        self._timeout = plan.callers[0].timeout if plan.callers else 0
        self._undisturbed = plan.is_undisturbed
        self._orderly = plan.is_orderly
        self._before: dict[str, Obj] = {}  # runs, as stored last
        self._starts = {start.id: start for start in plan.starts}
        self._started: dict[str, str] = {}  # by what the run says of its event: name of the run
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, text_: str, invariant: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text_, self._world.clock.monotonic()))

    def unserved(self) -> Iterator[str]:
        """Pending events for which a node waits."""
        for run, path, _ in self._waiting():
            wait = self._wait(run, path)
            for id_ in self._pending():
                if wait is not None and self._fits(self.events[id_], wait, run):
                    yield f"{run}/{path} waits, and {id_} is pending"

    def unstarted(self) -> Iterator[str]:
        """Events that start runs and are not what their plan says: with a run, or refused."""
        for id_, start in self._starts.items():
            event = self.events.get(id_)
            if event is None:
                continue  # a person has deleted it
            run = self._started.get(_mark(event))
            phase = self.phase(id_)
            expected = ("Consumed", True) if start.allowed else ("Refused", False)
            if (phase, run is not None) != expected:
                yield f"{start} is {phase}, and its run is {run}"

    def phase(self, id_: str) -> str:
        """The phase of an event that exists."""
        return text(section(self.events[id_], "status"), "phase") or "Pending"

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        name = text(section(body, "metadata"), "name")
        if kind is EVENT:
            self._event(name, change, body)
        elif kind is Kind.AGENT_WORKFLOW and change != "DELETED":
            if change == "ADDED":
                self._run(name, body)
                self._before.setdefault(name, body)
            for node in items(body, "status", "nodes"):
                self._node(name, body, node)
            self._before[name] = body
        elif kind is Kind.AGENT_WORKFLOW:
            self._before.pop(name, None)  # nobody waits there any more

    def _wait(self, run: str, path: str) -> Wait | None:
        """The wait of a node; that of a child run has the key that its parent gave it."""
        body = self._before.get(run, {})
        if path == "w" and section(body, "spec", "parent"):
            return called_wait(str(body["spec"]["inputs"]["key"]), self._timeout)
        return self._waits.get((run, path))

    def alive(self) -> list[Obj]:
        """The runs that exist, as stored last."""
        return list(self._before.values())

    def twice(self) -> Iterator[str]:
        """Events that a caller has got more than once."""
        for name, body in self._before.items():
            got = section(body, "status", "outputs").get("got")
            ids = [one["id"] for one in got or () if isinstance(one, dict) and one.get("id")]
            if isinstance(got, list) and len(ids) != len(set(ids)):
                yield f"{name} has got {ids}"

    def _run(self, name: str, body: Obj) -> None:
        """VN5: one run for one event, and only from the source that the template lists."""
        mark = text(section(body, "metadata", "annotations"), "waypost.dev/event")
        if not mark:
            return
        if mark in self._started:
            self.blame(f"{mark} starts {name}, and started {self._started[mark]}", "VN5")
        self._started[mark] = name
        start = self._starts[mark.split()[0]]
        if not start.allowed:
            self.blame(f"{start} starts {name}", "VN5")

    def _event(self, id_: str, change: str, body: Obj) -> None:
        if change == "DELETED":
            self.events.pop(id_, None)
            return
        if change == "ADDED":
            self._created[id_] = self._world.clock.now()
        known = self.phase(id_) if id_ in self.events else "Pending"
        self.events[id_] = body
        phase = self.phase(id_)
        uid = str(body["metadata"]["uid"])
        if known in _SETTLED and phase != known:
            self.blame(f"{id_} was {known} and is {phase}", "VN1")
        if phase == "Pending" and uid in self.taken:
            self.blame(f"{id_} is pending, and {self.taken[uid]} took it", "VN1")
        if phase == "Consumed" and known != phase and id_ not in self._starts:
            self._consumed(id_, uid, body)
        if phase == "Claimed" and known == "Pending" and id_ not in self._starts:
            self._claimed(id_, body)

    def _consumed(self, id_: str, uid: str, body: Obj) -> None:
        """VN2: only what a wait took is consumed."""
        claim = section(body, "status", "claim")
        by = (claim.get("runUid"), claim.get("path"), claim.get("wait"))
        if self.taken.get(uid) != by:
            self.blame(f"{id_} is consumed by {by}, and {self.taken.get(uid)} took it", "VN2")

    def _claimed(self, id_: str, body: Obj) -> None:
        """VN4: the oldest, while nothing disturbs the operator."""
        claim = section(body, "status", "claim")
        self.claims.append(text(claim, "run"))
        wait = self._wait(text(claim, "run"), text(claim, "path"))
        if wait is None or not self._fits(body, wait, str(claim["run"]), claimed=True):
            self.blame(f"{id_} is claimed by {claim}, which does not wait for it", "VN4")
            return
        older = [
            other
            for other in self._pending()
            if self._age(other) < self._age(id_)
            and self._fits(self.events[other], wait, str(claim["run"]))
        ]
        if older and self._undisturbed:
            self.blame(f"{id_} is claimed before {older}", "VN4")
        longest = self._longest(id_, str(claim["run"])) if self._orderly else None
        if longest is not None and longest != claim["path"]:
            self.blame(f"{id_} is claimed by {claim}, and {longest} waits for longer", "VN4")

    def _longest(self, id_: str, run: str) -> str | None:
        """The node of a run that gets an event: each, from the longest wait on, takes the oldest
        one that fits. None if timeouts could decide."""
        free = sorted([id_, *self._pending()], key=self._age)
        waiting = [(node["startedAt"], path) for name, path, node in self._waiting() if name == run]
        for _, path in sorted(waiting):
            wait = self._wait(run, path)
            if wait is None or wait.timeout:
                return None
            if self._has_claimed(run, path, id_):
                continue
            first = next((one for one in free if self._fits(self.events[one], wait, run)), None)
            if first == id_:
                return path
            free = [one for one in free if one != first]
        return None

    def _has_claimed(self, run: str, path: str, but: str) -> bool:
        claims = (
            section(body, "status", "claim")
            for id_, body in self.events.items()
            if id_ != but and self.phase(id_) == "Claimed"
        )
        return any((one.get("run"), one.get("path")) == (run, path) for one in claims)

    def _node(self, run: str, body: Obj, node: Obj) -> None:
        before = next(
            (
                n
                for n in items(self._before.get(run), "status", "nodes")
                if n["path"] == node["path"]
            ),
            {},
        )
        if node["phase"] == before.get("phase") or "event" not in node:
            return
        if (wait := self._wait(run, node["path"])) is None:
            return
        output = section(node, "output")
        if node["phase"] == "Succeeded" and "id" in output:
            self._took(run, body, node, str(output["id"]))
        elif node.get("reason") == "EventTimeout" or output.get("expired") is True:
            self._timed_out(run, node, wait)

    def _took(self, run: str, body: Obj, node: Obj, id_: str) -> None:
        """VN1: by one wait, and by the one that the event names."""
        by = (str(body["metadata"]["uid"]), str(node["path"]), int(node["event"]["wait"]))
        uid = str(node["event"]["taken"][-1])
        if uid in self.taken:
            self.blame(f"{id_} is taken by {by} and by {self.taken[uid]}", "VN1")
        self.taken.setdefault(uid, by)
        stored = self.events.get(id_)
        if stored is None or stored["metadata"]["uid"] != uid:
            return  # a person has deleted it since
        claim = section(stored, "status", "claim")
        if (claim.get("runUid"), claim.get("path"), claim.get("wait")) != by:
            self.blame(f"{by} takes {id_}, whose claim is {claim}", "VN1")

    def _timed_out(self, run: str, node: Obj, wait: Wait) -> None:
        """VN3: no fitting event is older than the timeout."""
        started = parse_timestamp(node["startedAt"])
        assert started is not None
        until = started + timedelta(seconds=wait.timeout)
        for id_ in self._pending():
            early = self._created[id_] <= until
            if early and self._fits(self.events[id_], wait, run):
                self.blame(f"{run}/{node['path']} timed out, and {id_} had come", "VN3")

    def _fits(self, event: Obj, wait: Wait, run: str, *, claimed: bool = False) -> bool:
        spec = event["spec"]
        ours = spec.get("key") == wait.key if wait.key else spec.get("workflow") == run
        typed = not wait.typed or isinstance(spec.get("payload"), int)
        return ours and typed and spec["name"] in wait.names

    def _pending(self) -> list[str]:
        waiting = (id_ for id_ in self.events if id_ not in self._starts)
        return [id_ for id_ in waiting if self.phase(id_) == "Pending"]

    def _age(self, id_: str) -> tuple[str, str]:
        return str(self.events[id_]["metadata"]["creationTimestamp"]), id_

    def _waiting(self) -> Iterator[tuple[str, str, Obj]]:
        for run, body in self._before.items():
            for node in items(body, "status", "nodes"):
                if node["phase"] == "Waiting" and "event" in node:
                    yield run, str(node["path"]), node


def _mark(event: Obj) -> str:
    """What a run says of its event."""
    return f"{event['metadata']['name']} {event['metadata']['uid']}"
