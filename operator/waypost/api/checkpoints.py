"""Which checkpoint speaks for a path: whether an attempt is current, closed, or unknown.

The one place that compares paths with status. Release, seal, sweep, leftovers and the identity of
pods at the gateway ask here, so that paths such as `scan/3` have one meaning everywhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from waypost.api.paths import parse_path
from waypost.api.status import AttemptStatus, NodeStatus


@dataclass(frozen=True)
class Checkpoint:
    """What status says of a path."""

    status: NodeStatus

    @property
    def latest_attempt(self) -> AttemptStatus | None:
        """The attempt that was recorded last, ended or not."""
        return self.status.latest_attempt

    @property
    def is_running(self) -> bool:
        """Whether results of the open attempt still count."""
        return self.status.phase == "Running" and self.status.open_attempt is not None

    def knows(self, attempt: int) -> bool:
        """Whether status has recorded an attempt with this number."""
        return attempt <= (self.status.attempt or 0)

    def has_closed(self, attempt: int) -> bool:
        """Whether an attempt has ended. Once true it stays so, and may be acted on whatever the
        age of the status."""
        if attempt < (self.status.attempt or 0):
            return True
        entry = next((a for a in self.status.attempts or [] if a.number == attempt), None)
        return entry is not None and entry.finished_at is not None


def checkpoint_of(nodes: Iterable[NodeStatus], path: str) -> Checkpoint | None:
    """The checkpoint that speaks for `path`; None where status has none, or `path` is no path.

    Nodes have no items, iterations or compensations yet: such a path has no checkpoint.
    """
    try:
        wanted = parse_path(path)
    except ValueError:
        return None
    if not wanted.is_node:
        return None
    found = next((status for status in nodes if status.path == wanted.node), None)
    return Checkpoint(found) if found is not None else None
