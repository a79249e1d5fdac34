"""Where watch events go: the one thing the watch shell knows of the controller."""

from typing import Protocol

from waypost.ports.cluster import Kind, Obj


class Sink(Protocol):
    """Takes what the watch delivers. Events are hints: they may be late, doubled or lost."""

    def on_watch_event(self, kind: Kind, change: str | None, raw: Obj) -> None:
        """An object was seen. `change` is ADDED, MODIFIED, DELETED, or None when it came from a
        list. `raw` is lent, not given: keep no reference to it. Never raises, never blocks."""
        ...

    def health(self) -> str | None:
        """What is wrong, in a sentence; None while all is well. Cheap enough for every probe."""
        ...
