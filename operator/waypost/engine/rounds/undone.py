"""What a round does with nodes that a compensation has undone: their checkpoints are not reused."""

from collections.abc import Iterable, Iterator, Mapping

from waypost.api.paths import NodePath
from waypost.api.status import NodeStatus
from waypost.compiler.problems import Problem


def compensation_in(known: Mapping[str, NodeStatus], name: str) -> NodeStatus | None:
    """The compensation of a node in the last round; None if it had none, or needed none."""
    return known.get(str(NodePath(name, compensates=True)))


def may_have_undone(known: Mapping[str, NodeStatus], name: str) -> bool:
    """Whether the compensation of a node succeeded, failed, or was stopped while it ran."""
    entry, status = compensation_in(known, name), known.get(name)
    if entry is None or entry.phase == "Pending":
        return False
    launched = (entry.attempt or 0) > ((status.undo_attempts if status else None) or 0)
    return launched or entry.phase != "Cancelled"


def why(known: Mapping[str, NodeStatus], name: str) -> str:
    """Why the checkpoint of a node cannot be reused; empty if no compensation has begun."""
    entry = compensation_in(known, name)
    if entry is None or not may_have_undone(known, name):
        return ""
    return f"undone in round {entry.round or 1}"


def latest_attempt(known: Mapping[str, NodeStatus], name: str) -> int | None:
    """The number of the latest attempt of a node's compensation in all rounds so far."""
    entry, status = compensation_in(known, name), known.get(name)
    if entry is not None and entry.attempt is not None:
        return entry.attempt
    return status.undo_attempts if status is not None else None


def problems(
    known: Mapping[str, NodeStatus], names: Iterable[str], once: Iterable[str]
) -> Iterator[Problem]:
    """A problem for each undone node on which a person must decide.

    Args:
        known: The checkpoints of the last round, by path.
        names: The nodes of the graph that the round does not name.
        once: Those of them with `effect: once`.
    """
    for name in names:
        entry = compensation_in(known, name)
        if entry is None or not may_have_undone(known, name):
            continue
        if entry.phase != "Succeeded":
            how = f"its compensation ended {entry.phase} ({entry.reason}) and may have undone it"
        elif name in once:
            how = f"it has effect: once and was undone in round {entry.round or 1}"
        else:
            continue
        text = (
            f"node {name}: {how}; name it in rerun.from to run it again, give its result in "
            "rerun.outputs if its effect still stands, or leave it out with rerun.skip"
        )
        yield Problem("rerun", text)
