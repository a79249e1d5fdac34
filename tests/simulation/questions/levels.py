"""Escalation in plays of questions: which level may be asked when (VQ5)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from waypost.kube.objects import section
from waypost.ports.cluster import Obj

from tests.simulation.questions.plan import Plan
from tests.support.harness import World

_TO_SEE: Final = 1.0  # seconds; Kubernetes stamps whole ones


def level_of(approval: Obj) -> int:
    """The level of an Approval; 0 for the people whom the node itself names."""
    return int(approval["spec"].get("level") or 0)


class LevelWatch:
    """Knows each question that was withdrawn because others are asked."""

    def __init__(self, world: World, planned: Plan) -> None:
        self._world, self._plan = world, planned
        self._names: dict[tuple[str, str, int], str] = {}  # by path, round and level
        self._open: dict[str, Obj] = {}  # by name
        self._since: dict[str, float] = {}  # when one was escalated
        self._escalated: dict[str, str] = {}  # the name of the next, by that of the one before

    def asked(self, body: Obj) -> Iterator[str]:
        """What is wrong with a question that is asked now."""
        name, level, spec = body["metadata"]["name"], level_of(body), body["spec"]
        key = (spec["path"], body["metadata"]["labels"]["waypost.dev/round"])
        before = self._names.get((*key, level - 1))
        self._names[(*key, level)] = name
        if level > len(self._plan.levels):
            yield f"{name} asks level {level} of {len(self._plan.levels)}"
            return
        expected = self._plan.levels[level - 1].user if level else "ann"
        if spec["approvers"] != {"users": [expected]}:
            yield f"{name} asks {spec['approvers']}, not {expected}"
        if not level:
            return
        if before is None or not self._may_follow(before, name):
            yield f"{name} was asked, and {before} does not say that it was escalated to it"
        timeout = self._plan.timeout_of(level) or 0
        if _due(body) > self._now() + timeout + _TO_SEE:
            yield f"{name} has more time than its level"
        if _due(body) < self._since.get(before or "", 0.0) + timeout - _TO_SEE:
            yield f"{name} has less time than its level"

    def changed(self, body: Obj) -> Iterator[str]:
        """What is wrong with a new state of a question."""
        name, status = body["metadata"]["name"], section(body, "status")
        open_ = (status.get("state") or "Open") == "Open"
        if open_:
            self._open[name] = body
        else:
            self._open.pop(name, None)
        next_ = status.get("escalatedTo")
        if not next_ or name in self._escalated:
            return
        self._escalated[name] = next_
        self._since[name] = self._now()
        if status.get("state") != "Withdrawn" or status.get("expired"):
            yield f"{name} was escalated, and is {status}"
        if self._now() < _due(body):
            yield f"{name} was escalated before its time"
        if level_of(body) >= len(self._plan.levels):
            yield f"{name} was escalated, and is the last level"

    def _may_follow(self, before: str, name: str) -> bool:
        """Whether the last level was withdrawn; or cannot show it, and its time is over (S762)."""
        if self._escalated.get(before) == name:
            return True
        shown = self._open.get(before)
        refused = "lost_answer" in self._plan.kinds
        return refused and (shown is None or self._now() >= _due(shown))

    def _now(self) -> float:
        return self._world.clock.now().timestamp()


def _due(approval: Obj) -> float:
    expires = approval["spec"].get("expiresAt")
    return datetime.fromisoformat(expires).timestamp() if expires else float("inf")
