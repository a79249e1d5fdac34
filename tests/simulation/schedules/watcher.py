"""A watcher of schedules: judges every change as the API server stores it (VS1, VS2)."""

from datetime import datetime
from typing import Final

from waypost.api import meta
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind, Obj

from tests.simulation.schedules.interpreter import Ran
from tests.simulation.schedules.plan import Plan
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World
from tests.support.schedules import NIGHTLY

_ENDED: Final = frozenset({"Succeeded", "Failed", "Cancelled", "Rejected"})


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.violations: list[Violation] = []
        self.ran: list[Ran] = []
        self.removed: set[str] = set()  # names of runs that a person has deleted
        self._plan = plan
        self._world = world
        self._made: dict[str, int] = {}  # by name: how often a run was created
        self._alive: dict[str, Obj] = {}
        self._ends: dict[str, datetime] = {}
        self._status: Obj = {}
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, text_: str, invariant: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text_, self._world.clock.monotonic()))

    @property
    def status(self) -> Obj:
        """The status of the schedule as stored last."""
        return self._status

    def history(self) -> list[Ran]:
        """The runs that were created, with their ends."""
        return [Ran(one.time, one.created, self._ends.get(str(one.time))) for one in self.ran]

    def active(self) -> list[str]:
        """Names of runs that have not ended."""
        return [name for name, body in self._alive.items() if _phase(body) not in _ENDED]

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        name = text(section(body, "metadata"), "name")
        if kind is Kind.AGENT_WORKFLOW_SCHEDULE and change != "DELETED":
            self._status = section(body, "status")
        elif kind is Kind.AGENT_WORKFLOW and _of_schedule(body):
            if change == "ADDED":
                self._added(name, body)
            elif change == "DELETED":
                self._gone(name)
            else:
                self._alive[name] = body
            if _phase(body) in _ENDED or change == "DELETED":
                time = str(datetime.fromisoformat(body["spec"]["scheduledAt"]))
                self._ends.setdefault(time, self._world.clock.now())

    def _added(self, name: str, body: Obj) -> None:
        self._made[name] = self._made.get(name, 0) + 1
        if self._made[name] > 1 and name not in self.removed:
            self.blame(f"{name} is created a second time", "VS1")
        named = text(section(self._status, "starting"), "name")
        if named != name:
            self.blame(f"{name} is created, and the status names {named or 'no run'}", "VS1")
        others = self.active()
        if others and self._plan.policy != "Allow":
            self.blame(f"{name} is created beside {others}", "VS1")
        self._alive[name] = body
        time = datetime.fromisoformat(body["spec"]["scheduledAt"])
        self.ran.append(Ran(time, self._world.clock.now(), None))

    def _gone(self, name: str) -> None:
        """VS3: only ended runs are deleted, and only when no operator may look for them."""
        body = self._alive.pop(name, {})
        if name in self.removed:
            return
        if _phase(body) not in _ENDED:
            self.blame(f"{name} is deleted while it is {_phase(body)}", "VS3")
        if text(section(self._status, "starting"), "name") == name:
            self.blame(f"{name} is deleted before it is recorded", "VS3")


def _of_schedule(body: Obj) -> bool:
    return section(body, "metadata", "labels").get(meta.LABEL_SCHEDULE) == NIGHTLY


def _phase(body: Obj) -> str:
    return text(section(body, "status"), "phase")
