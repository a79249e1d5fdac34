"""The checkpoint of a path: whether an attempt is current, closed, or unknown.

The only module that compares paths with the status. Release, seal, sweep, leftovers and the
identity of pods at the gateway use it, so that paths such as `scan/3` have one meaning everywhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from waypost.api.paths import NodePath, parse_path
from waypost.api.status import AttemptStatus, NodeStatus


@dataclass(frozen=True)
class Checkpoint:
    """The status of the node of a path; `index` is that of an iteration."""

    status: NodeStatus
    index: int | None = None

    @property
    def latest_attempt(self) -> AttemptStatus | None:
        """The attempt that was recorded last, whether it has ended or not."""
        return self.status.latest_attempt

    @property
    def is_running(self) -> bool:
        """Whether results of the open attempt still count."""
        attempt = self.status.open_attempt
        return (
            self.status.phase == "Running"
            and attempt is not None
            and attempt.iteration == self.index
        )

    def knows(self, attempt: int) -> bool:
        """Whether the status has recorded an attempt with this number."""
        return attempt <= (self.status.attempt or 0)

    def has_closed(self, attempt: int) -> bool:
        """Whether an attempt has ended. Once true, it stays true, so a stale status may be used."""
        if attempt < (self.status.attempt or 0):
            return True
        entry = next((a for a in self.status.attempts or [] if a.number == attempt), None)
        return entry is not None and entry.finished_at is not None


def checkpoint_of(nodes: Iterable[NodeStatus], path: str) -> Checkpoint | None:
    """The checkpoint of `path`; None if the status has none or `path` is not valid.

    A path with an index is an iteration of a node that is or was repeated. Nodes have no items and
    no compensations yet: such a path has no checkpoint.
    """
    try:
        parsed = parse_path(path)
    except ValueError:
        return None
    if parsed.compensates:
        return None
    status = next((entry for entry in nodes if entry.path == parsed.node), None)
    if status is None or (parsed.index is not None and not _was_repeated(status)):
        return None
    return Checkpoint(status, parsed.index)


def is_left_over(nodes: Sequence[NodeStatus], round_: int, path: str, launched_in: int) -> bool:
    """Whether a round has removed what an attempt belongs to: the node, or its `repeat`.

    Args:
        nodes: The checkpoints of a run in its round `round_`.
        round_: The round of the run.
        path: The path of the attempt.
        launched_in: The round in which the attempt was launched.

    Returns:
        Once true, it stays true, so a stale status may be used. The iteration of a loop that has
        not begun in this status may be newer than this status: the round of its node says so.
    """
    if checkpoint_of(nodes, path) is not None:
        return False
    node = path.partition("/")[0]
    rounds = [status.round or 1 for status in nodes if status.path == node]
    return launched_in < (rounds[0] if rounds else round_)


def path_of(node: str, attempt: AttemptStatus) -> str:
    """The path of an attempt of a node: that of its iteration if it belongs to one."""
    return str(NodePath(node, attempt.iteration))


def _was_repeated(status: NodeStatus) -> bool:
    listed = status.attempts or []
    return status.loop is not None or any(a.iteration is not None for a in listed)
