"""Where watch events go: all that the watch needs of the controller."""

from typing import Protocol

from waypost.ports.cluster import Kind, Obj


class Sink(Protocol):
    """Receives watch events. They are hints: an event may be late, repeated or lost."""

    def on_watch_event(self, kind: Kind, change: str | None, raw: Obj) -> None:
        """Receive one object. Never raises, never blocks.

        Args:
            kind: The object's kind.
            change: ADDED, MODIFIED, DELETED, or None when the object came from a list.
            raw: Its body. The caller may change it later: keep no reference to it.
        """
        ...

    def health(self) -> str | None:
        """What is wrong, as one sentence; None if nothing is. Called for every liveness probe."""
        ...
