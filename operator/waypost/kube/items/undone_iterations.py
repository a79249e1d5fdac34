"""What the compensation of a loop undoes: its iterations that succeeded, the newest one first.

The compensation is a map over the numbers of the iterations. All else follows from the status of
the loop: the NodeRecord of an output from its attempt.
"""

from collections.abc import Mapping

from waypost.api.base import JsonValue
from waypost.api.paths import NodePath
from waypost.api.status import NodeStatus
from waypost.kube.items.undone import due
from waypost.kube.loops import iterations
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason

_MARK = 16  # digits, as an identity has


def took_effect(status: NodeStatus) -> bool:
    """Whether a node with repeat that has ended has an iteration that succeeded, or whose effect is
    unknown; also if it ran before it had repeat. Not if a person gave its output."""
    if status.loop is None:
        return status.phase == "Succeeded" and status.input_digest is not None
    return bool(status.loop.done) or _is_unknown(status)


def listed(status: NodeStatus, *, run: str, run_uid: str) -> list[tuple[int, str]] | str:
    """Number and mark of each iteration that must be undone, the newest one first; a text says why
    they are not known.

    Args:
        status: The status of the loop.
        run: The name of its run.
        run_uid: The uid of the run.
    """
    numbers = _effective(status, run=run, run_uid=run_uid)
    if not numbers:
        return f"the iterations of {status.path} are not known, because its status has none"
    if min(numbers) > 0:
        text = f"status keeps the last {len(numbers)} iterations of {status.path}"
        return f"{text}; those before {status.path}/{min(numbers)} are not known"
    return [(number, _mark(status.path, number)) for number in numbers]


def reads(
    of_loop: NodeStatus,
    of_undo: NodeStatus,
    payloads: Mapping[str, JsonValue],
    *,
    run: str,
    run_uid: str,
) -> set[str]:
    """The names of the NodeRecords that the compensation of a loop needs, as far as they are known.

    Args:
        of_loop: The status of the loop.
        of_undo: That of its compensation.
        payloads: The NodeRecords that were loaded, by name.
        run: The name of the run.
        run_uid: Its uid.
    """
    if of_undo.phase not in ("Pending", "Running"):
        return set()
    begun = of_undo.items is not None and of_undo.items.states is not None
    effective = _effective(of_loop, run=run, run_uid=run_uid)
    numbers = due(of_undo.items, payloads) if begun else effective[:1]
    return records_of(of_loop, numbers, run=run, run_uid=run_uid)


def records_of(status: NodeStatus, numbers: list[int], *, run: str, run_uid: str) -> set[str]:
    """The NodeRecords with the outputs of iterations of a loop, and with those that their inputs
    read; and with what the inputs of the latest one read, whose digest the status has."""
    known = {one.number: one.record for one in iterations(status, run=run, run_uid=run_uid)}
    last = max(known, default=0)
    read = {at for number in numbers for at in (number, number - 1)} | {last, last - 1}
    return {known[at] for at in read if at in known}


def _effective(status: NodeStatus, *, run: str, run_uid: str) -> list[int]:
    """The numbers of the iterations whose effect stands, the newest one first."""
    done = [one.number for one in iterations(status, run=run, run_uid=run_uid)]
    unknown = [status.loop.number] if status.loop is not None and _is_unknown(status) else []
    return [*unknown, *reversed(done)]


def _is_unknown(status: NodeStatus) -> bool:
    return status.phase == "Failed" and status.reason == Reason.UNKNOWN_EFFECT


def _mark(path: str, number: int) -> str:
    """What the idempotency key of the compensation of an iteration follows."""
    return ijson.digest(str(NodePath(path, number))).removeprefix("sha256:")[:_MARK]
