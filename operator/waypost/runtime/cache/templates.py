"""The templates that the watch delivered, and the runs that wait for one.

A cache: that a name is not in it proves nothing. No run is accepted with what is cached here.
"""

from waypost.runtime.cache.bodies import BodyCache
from waypost.runtime.cache.runs import Key


class TemplateCache(BodyCache):
    """Templates by key. Not thread-safe: use it on the event loop only."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[tuple[str, str], set[Key]] = {}  # by namespace and name
        self._awaited: dict[Key, tuple[str, str]] = {}  # the reverse

    def note(self, run: Key, awaited: str) -> None:
        """Remember the template that a run waits for; "" if it waits for none."""
        place = (run.namespace, awaited) if awaited else None
        before = self._awaited.get(run)
        if before is not None and before != place:
            self._waiting[before].discard(run)
            if not self._waiting[before]:
                del self._waiting[before]
            del self._awaited[run]
        if place is not None:
            self._waiting.setdefault(place, set()).add(run)
            self._awaited[run] = place

    def waiting(self, namespace: str, name: str) -> list[Key]:
        """The runs that wait for a template."""
        return sorted(self._waiting.get((namespace, name), ()))
