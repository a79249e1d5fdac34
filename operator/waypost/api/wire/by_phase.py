"""Statuses by path, and which paths are in a phase: a pass asks for these many times."""

from collections.abc import Iterable

from waypost.api.status import NodeStatus


class Statuses(dict[str, NodeStatus]):
    """Statuses by path. Set and delete entries one by one: other changes are not noticed."""

    def __init__(self, statuses: Iterable[NodeStatus]) -> None:
        super().__init__()
        self._phases: dict[str, dict[str, None]] = {}
        for status in statuses:
            self[status.path] = status

    def __setitem__(self, path: str, status: NodeStatus) -> None:
        before = self.get(path)
        if before is None or before.phase != status.phase:
            if before is not None:
                del self._phases[before.phase][path]
            self._phases.setdefault(status.phase, {})[path] = None
        super().__setitem__(path, status)

    def __delitem__(self, path: str) -> None:
        del self._phases[self[path].phase][path]
        super().__delitem__(path)

    def paths_in(self, phases: Iterable[str]) -> list[str]:
        """The paths in these phases, in no particular order."""
        return [path for phase in phases for path in self._phases.get(phase, ())]
