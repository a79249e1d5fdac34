"""The iterations of a loop that have succeeded, from the status of the node (`loop.done`).

The output of each is in a NodeRecord whose name follows from its path, its attempt and its round.
"""

from dataclasses import dataclass

from waypost.api.paths import NodePath
from waypost.api.status import LoopStatus, NodeStatus
from waypost.kube.payloads import AttemptRef


@dataclass(frozen=True)
class EndedBy:
    """The attempt whose output is that of an iteration."""

    attempt: int
    round: int


@dataclass(frozen=True)
class Iteration:
    """An iteration that succeeded. `record`: the NodeRecord of its output."""

    number: int
    record: str


def as_text(ended: EndedBy) -> str:
    """One entry of `loop.done`: `7`, or `7/2` for an attempt of round 2."""
    return str(ended.attempt) if ended.round == 1 else f"{ended.attempt}/{ended.round}"


def ended_in(loop: LoopStatus) -> tuple[EndedBy, ...]:
    """The entries of `loop.done`, the first iteration that is kept first."""
    found = []
    for text in (loop.done or "").split():
        attempt, _, round_ = text.partition("/")
        found.append(EndedBy(int(attempt), int(round_ or 1)))
    return tuple(found)


def iterations(status: NodeStatus, *, run: str, run_uid: str) -> tuple[Iteration, ...]:
    """The iterations of a node with repeat that succeeded, at most the last 100, the first one
    first; none if the status does not fit together.

    Args:
        status: The status of the node.
        run: The name of its run.
        run_uid: The uid of the run.
    """
    loop = status.loop
    ended = ended_in(loop) if loop is not None else ()
    if loop is None or not ended:
        return ()

    def record(number: int, by: EndedBy) -> str:
        path = str(NodePath(status.path, number))
        return AttemptRef(run, run_uid, path, by.round, by.attempt).record_name("Result")

    # The current iteration is the last one that succeeded, or the one after it.
    candidates = (loop.number, loop.number - 1)
    last = next((at for at in candidates if record(at, ended[-1]) == loop.previous), None)
    if last is None:
        return ()
    first = last - len(ended) + 1
    return tuple(
        Iteration(number, record(number, by)) for number, by in enumerate(ended, start=first)
    )
