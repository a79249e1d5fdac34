"""The checkpoint of a path: whether an attempt is current, closed, or unknown.

The only module that compares paths with the status. Release, seal, sweep, leftovers and the
identity of pods at the gateway use it, so that paths such as `scan/3` have one meaning everywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waypost.api.items.states import IN_POD
from waypost.api.items.status import IDENTITY, ItemsStatus
from waypost.api.paths import NodePath, parse_path
from waypost.api.status import AttemptStatus, NodeStatus


@dataclass(frozen=True)
class Checkpoint:
    """What the status says of the attempts of a node, of one of its iterations, or of one item of
    a map.

    Attributes:
        status: The status of the node.
        number: Number of the latest attempt of the path; None before the first one.
        is_running: Whether results of that attempt still count.
    """

    status: NodeStatus
    number: int | None
    is_running: bool

    @property
    def job(self) -> str | None:
        """The Job of the latest attempt; None if its name follows from the path."""
        attempt = self.status.latest_attempt
        return attempt.job if attempt is not None else None

    @property
    def round(self) -> int:
        """The round in which the latest attempt was launched."""
        attempt = self.status.latest_attempt
        return (attempt.round if attempt is not None else self.status.round) or 1

    @property
    def identity(self) -> str | None:
        """The identity of an open item, "" if it has none; None for a node."""
        return None

    def knows(self, attempt: int) -> bool:
        """Whether the status has recorded an attempt with this number."""
        return attempt <= (self.number or 0)

    def has_closed(self, attempt: int) -> bool:
        """Whether an attempt has ended. Once true, it stays true, so a stale status may be used."""
        if attempt < (self.number or 0):
            return True
        entry = next((a for a in self.status.attempts or [] if a.number == attempt), None)
        if entry is None:  # that of an item if the node was a map before
            return self.status.items is not None and self.knows(attempt)
        return entry.finished_at is not None


@dataclass(frozen=True)
class _ItemCheckpoint(Checkpoint):
    """The checkpoint of one item: it is derived from the states of all items."""

    open: bool = False
    text: str = ""

    @property
    def identity(self) -> str:
        """As its text in the status has it."""
        found = IDENTITY.search(self.text)
        return found[1] if found is not None else ""

    @property
    def job(self) -> str | None:
        """Not stored: the name follows from the path."""
        return None

    @property
    def round(self) -> int:
        """The round of the node: a round that replaces its list begins its attempts again."""
        return self.status.round or 1

    def has_closed(self, attempt: int) -> bool:
        """Whether an attempt has ended, as for a node."""
        number = self.number or 0
        return attempt < number or (attempt == number and not self.open)


Nodes = Iterable[NodeStatus] | Mapping[str, NodeStatus]  # a mapping has them by path


def checkpoint_of(nodes: Nodes, path: str) -> Checkpoint | None:
    """The checkpoint of `path`.

    Args:
        nodes: The checkpoints of a run. Who asks for many paths gives them by path.
        path: The path of an attempt.

    Returns:
        None if the status has none, or if `path` is not valid. A path with an index is an item of
        a map, or an iteration of a node that is or was repeated. A compensation has an entry only
        while the run has to undo its node.
    """
    try:
        parsed = parse_path(path)
    except ValueError:
        return None
    status = _entry_at(nodes, parsed.entry)
    if status is None:
        return None
    if parsed.index is not None and _has_items(status):
        return _of_item(status, parsed.index)
    if parsed.index is not None and not _was_repeated(status):
        return None
    return _of_attempts(status, parsed.index)


def is_left_over(nodes: Mapping[str, NodeStatus], round_: int, path: str, launched_in: int) -> bool:
    """Whether a round has removed what an attempt belongs to: the node, or its `repeat`.

    Args:
        nodes: The checkpoints of a run in its round `round_`, by path.
        round_: The round of the run.
        path: The path of the attempt.
        launched_in: The round in which the attempt was launched.

    Returns:
        Once true, it stays true, so a stale status may be used. The iteration of a loop that has
        not begun in this status may be newer than this status: the round of its node says so.
    """
    if checkpoint_of(nodes, path) is not None:
        return False
    status = nodes.get(_entry_of(path))
    return launched_in < (round_ if status is None else status.round or 1)


def by_path(nodes: Iterable[NodeStatus]) -> dict[str, NodeStatus]:
    """Checkpoints by their path; the first one if a path occurs twice."""
    found: dict[str, NodeStatus] = {}
    for status in nodes:
        found.setdefault(status.path, status)
    return found


def _entry_at(nodes: Nodes, path: str) -> NodeStatus | None:
    if isinstance(nodes, Mapping):
        return nodes.get(path)
    return next((entry for entry in nodes if entry.path == path), None)


def path_of(node: str, attempt: AttemptStatus) -> str:
    """The path of an attempt of a node: that of its iteration if it belongs to one."""
    return node if attempt.iteration is None else str(NodePath(node, attempt.iteration))


def _entry_of(path: str) -> str:
    try:
        return parse_path(path).entry
    except ValueError:
        return path.partition("/")[0]


def _was_repeated(status: NodeStatus) -> bool:
    listed = status.attempts or []
    return status.loop is not None or any(a.iteration is not None for a in listed)


def _has_items(status: NodeStatus) -> bool:
    """Whether an index is that of an item: rounds can make a loop of a map, and a map of a loop."""
    items = status.items
    return items is not None and (items.states is not None or not _was_repeated(status))


def _of_attempts(status: NodeStatus, iteration: int | None) -> Checkpoint:
    current, latest = status.open_attempt, status.latest_attempt
    running = current is not None and current.iteration == iteration
    numbers = (status.attempt or 0, latest.number if latest is not None else 0)
    return Checkpoint(status, max(numbers) or None, running and status.phase == "Running")


def _of_item(status: NodeStatus, index: int) -> Checkpoint:
    items = status.items
    assert items is not None, "asked for nodes with items only"
    state = items.state_of(index)
    if state is None:
        return _ItemCheckpoint(status, _latest_before(status, items), is_running=False)
    is_open = state.letter in IN_POD
    running = state.letter == "R" and status.phase == "Running"
    number = (items.before or 0) + state.number
    text = next((t for t in items.open or () if t.startswith(f"{index} ")), "")
    return _ItemCheckpoint(status, number, running, is_open, text)


def _latest_before(status: NodeStatus, items: ItemsStatus) -> int:
    """The latest attempt of an item that has no state.

    After the end of the map no attempt is open. An item beyond the end of the list has only the
    attempts of earlier lists.
    """
    return (status.attempt or 0) if items.states is None else (items.before or 0)
