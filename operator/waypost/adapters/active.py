"""Counts the runs that are not finished, from what the watch tells on its way to the controller."""

from waypost.ports.cluster import Kind, Obj
from waypost.ports.sink import Sink


class CountingSink:
    """A sink before another. The watch begins with a list, so the count is complete soon after
    the start; a run that was deleted unseen, in a gap of the watch, stays counted until then."""

    def __init__(self, *, sink: Sink) -> None:
        self._sink = sink
        self._active: set[str] = set()

    def notice(self, kind: Kind, change: str | None, raw: Obj) -> None:
        if kind is Kind.AGENT_WORKFLOW:
            self._count(change, raw)
        self._sink.notice(kind, change, raw)

    def health(self) -> str | None:
        return self._sink.health()

    def active(self) -> int:
        """Runs that exist and have no finishedAt."""
        return len(self._active)

    def _count(self, change: str | None, raw: Obj) -> None:
        uid = str(raw.get("metadata", {}).get("uid", ""))
        if change == "DELETED" or (raw.get("status") or {}).get("finishedAt"):
            self._active.discard(uid)
        else:
            self._active.add(uid)
