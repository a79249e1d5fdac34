"""A watcher of gated calls: judges every change as the API server stores it (VG1 to VG4)."""

from datetime import datetime

from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj

from tests.simulation.calls.plan import RUN, Plan
from tests.simulation.questions.watcher import letters
from tests.simulation.watching.evidence import FINAL, Violation
from tests.support.harness import World

_OVER = ("Succeeded", "Failed")


class Watcher:
    """Receives every change before any operator does, and asks no operator."""

    def __init__(self, world: World, planned: Plan) -> None:
        self.violations: list[Violation] = []
        self.approved: set[tuple[str, str]] = set()  # text that was asked, text that may be sent
        self._said: dict[str, tuple[Obj, float]] = {}  # the last answer that can count, by uid
        self._recorded: dict[str, Obj] = {}  # final status by uid
        self._world, self._plan = world, planned
        self._status: Obj = {}
        self._approvals: dict[str, Obj] = {}
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, invariant: str, text: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text, self._world.clock.monotonic()))

    def may_send(self, asked: str, given: str) -> bool:
        """Whether a person has approved a call with these arguments, and that is recorded."""
        return (asked, given) in self.approved

    @property
    def open(self) -> list[str]:
        """The Approvals whose status is Open."""
        return [name for name, one in self._approvals.items() if _state(one) == "Open"]

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.APPROVAL:
            self._approval(change, body)
        if kind is not Kind.AGENT_WORKFLOW or body["metadata"]["name"] != RUN:
            return
        old, new = self._status, section(body, "status")
        if change == "DELETED" or old == new:
            return
        self._status = new
        self._node(_entry(new))

    # --- the agent -------------------------------------------------------------------------------

    def _node(self, new: Obj) -> None:
        if new.get("phase") == "Waiting" and new.get("parked") is None:
            self.blame("VG3", "it waits, and no attempt has asked")
        for path in filter(self._waits, self._plan.paths):
            if busy := self._pods(path):
                self.blame("VG3", f"pods {busy} have not ended while {path} waits")
        if new.get("retries"):
            self.blame("VG2", "an attempt that asks has used a retry")

    def _waits(self, path: str) -> bool:
        """Whether the status says that an agent waits for decisions."""
        entry = _entry(self._status)
        if self._plan.items is None:
            return bool(entry.get("phase") == "Waiting")
        at = int(path.partition("/")[2])
        return letters(entry)[at : at + 1] == "W"

    def _pods(self, path: str) -> list[str]:
        node = path.replace("/", ".")
        return [
            pod["metadata"]["name"]
            for pod in self._world.all(Kind.POD)
            if pod["metadata"]["labels"].get("waypost.dev/node") == node and _runs(pod)
        ]

    # --- the Approvals ---------------------------------------------------------------------------

    def _approval(self, change: str, body: Obj) -> None:
        name, uid, spec = body["metadata"]["name"], body["metadata"]["uid"], body["spec"]
        if change == "DELETED":
            self._approvals.pop(name, None)
            return
        if name not in self._approvals and not self._waits(spec["path"]):
            self.blame("VG3", f"{name} was asked, and no status says that the agent waits")
        self._approvals[name] = body
        said = {key: spec.get(key) for key in ("decision", "answer")}
        if said["decision"] and _state(body) == "Open":
            last = self._said.get(uid)
            if last is None or last[0] != said:
                self._said[uid] = (said, self._world.clock.now().timestamp())
        status = section(body, "status")
        if _state(body) != "Open" and uid not in self._recorded:
            self._recorded[uid] = dict(status)
            self._judge(body, status)
        was = self._recorded.get(uid, status).get("state")
        if uid in self._recorded and was != _state(body):
            self.blame("VG4", f"{name} was {was} and is {_state(body)}")

    def _judge(self, body: Obj, status: Obj) -> None:
        name, due = body["metadata"]["name"], _due(body)
        said, at = self._said.get(body["metadata"]["uid"], ({}, 0.0))
        if status["state"] == "Withdrawn":
            return
        if status.get("expired"):
            if due is None or self._world.clock.now().timestamp() < due:
                self.blame("VG4", f"{name} expired early")
            if said and due is not None and int(at) + 1 < int(due) and not self._plan.may_miss:
                self.blame("VG4", f"{name} expired, and {said} came in time")
            return
        if status["state"] != said.get("decision"):
            self.blame("VG4", f"{name} is {status['state']}, people said {said!r}")
        if due is not None and int(at) > due:  # the API server keeps whole seconds
            self.blame("VG4", f"{name} is {said}, which came late")
        if status["state"] == "Approved":
            asked = body["spec"]["context"]["arguments"]["text"]
            given = said.get("answer") or body["spec"]["context"]["arguments"]
            self.approved.add((asked, given["text"]))

    def has_ended(self) -> bool:
        """Whether the agent has ended."""
        return _entry(self._status).get("phase") in FINAL


def _runs(pod: Obj) -> bool:
    """Whether a program of a pod runs, or may still start."""
    status = section(pod, "status")
    if status.get("phase") in _OVER:
        return False
    states = [section(one, "state") for one in items(pod, "status", "containerStatuses")]
    return not states or any("terminated" not in state for state in states)


def _entry(status: Obj) -> Obj:
    return next((one for one in items(status, "nodes") if one["path"] == "write"), {})


def _due(approval: Obj) -> float | None:
    expires = approval["spec"].get("expiresAt")
    return datetime.fromisoformat(expires).timestamp() if expires else None


def _state(approval: Obj) -> str:
    return str(section(approval, "status").get("state") or "Open")
