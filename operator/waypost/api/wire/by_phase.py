"""Statuses by path, and which paths are in a phase, have ended, or need a look in every pass.

A pass asks for these many times, and most passes change nothing. So what follows from a stored
status is found once for it (`of_status`), and a pass works on a copy.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Self

from waypost.api.status import FINAL_PHASES, AgentWorkflowStatus, NodeStatus
from waypost.api.wire.memo import Memo


class Statuses(dict[str, NodeStatus]):
    """Statuses by path. Set and delete entries one by one: other changes are not noticed.

    Attributes:
        ended: Paths in a final phase.
        troubled: Paths that have not ended and have a reason.
        timed: Paths that have not ended and have a deadline.
        changed: Paths whose status was set or deleted since the copy was made.
    """

    def __init__(self, statuses: Iterable[NodeStatus]) -> None:
        super().__init__()
        self._phases: dict[str, dict[str, None]] = {}
        self.ended: set[str] = set()
        self.troubled: set[str] = set()
        self.timed: set[str] = set()
        self.changed: set[str] = set()
        self._lists: dict[object, list[str]] = {}  # of `_places`; until a phase changes
        self._places: Mapping[str, int] = {}
        for status in statuses:
            self[status.path] = status
        self.changed.clear()

    def copy(self) -> Self:
        """A copy that can be changed."""
        made = type(self)(())
        dict.update(made, self)
        made._phases = {phase: paths.copy() for phase, paths in self._phases.items()}
        made.ended, made.troubled = self.ended.copy(), self.troubled.copy()
        made.timed = self.timed.copy()
        made._lists, made._places = self._lists, self._places
        return made

    def __setitem__(self, path: str, status: NodeStatus) -> None:
        before = self.get(path)
        if before is status:
            return
        self.changed.add(path)
        if before is None or before.phase != status.phase:
            if before is not None:
                del self._phases[before.phase][path]
            self._phases.setdefault(status.phase, {})[path] = None
            self._lists = {}
            (self.ended.add if status.phase in FINAL_PHASES else self.ended.discard)(path)
        over = path in self.ended
        (self.troubled.add if status.reason and not over else self.troubled.discard)(path)
        (self.timed.add if status.deadline_at and not over else self.timed.discard)(path)
        super().__setitem__(path, status)

    def __delitem__(self, path: str) -> None:
        del self._phases[self[path].phase][path]
        super().__delitem__(path)
        self.changed.add(path)
        self._lists = {}
        for marked in (self.ended, self.troubled, self.timed):
            marked.discard(path)

    def paths_in(self, phases: Iterable[str]) -> list[str]:
        """The paths in these phases, in no particular order."""
        return [path for phase in phases for path in self._phases.get(phase, ())]

    def in_order(self, places: Mapping[str, int], phases: tuple[str, ...]) -> list[str]:
        """The paths in these phases that have a place, by it.

        Args:
            places: The place of each path in an order. It is compared by identity.
            phases: The phases.
        """

        def found() -> list[str]:
            listed = (path for path in self.paths_in(phases) if path in places)
            return sorted(listed, key=places.__getitem__)

        return self.kept(places, phases, found)

    def kept(
        self, places: Mapping[str, int], name: object, compute: Callable[[], list[str]]
    ) -> list[str]:
        """What `compute` returns, a list that depends on the phases and on `places` alone; computed
        once until a phase changes. The result is a copy."""
        if places is not self._places:
            self._places, self._lists = places, {}
        listed = self._lists.get(name)
        if listed is None:
            listed = self._lists[name] = compute()
        return listed.copy()


def _by_path(status: AgentWorkflowStatus) -> Statuses:
    return Statuses(status.nodes)


# The checkpoints of a stored status. Nobody may change them: take a copy.
of_status: Final[Memo[AgentWorkflowStatus, Statuses]] = Memo(_by_path)
