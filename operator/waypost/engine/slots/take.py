"""How a node gets its slot, waits for it, and gives it back."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.checkpoints import path_of
from waypost.api.modifiers.concurrency import DEFAULT_LIMIT
from waypost.api.status import AgentWorkflowStatus, AttemptStatus, NodeStatus
from waypost.api.wire.memo import Memo
from waypost.engine.slots.choose import Full, choose, wait
from waypost.engine.slots.wanted import wanted_by
from waypost.engine.state.decision import FreeSlot
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.slots import SlotsDecided, Wanted, slot_of
from waypost.engine.state.transition import Transition
from waypost.kube.facts.read_problems import SLOTS
from waypost.kube.facts.slots import Holder
from waypost.kube.manifests.slot import slot_manifest
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_MESSAGE: Final = 512


def take(
    transition: Transition, path: str, inputs: Inputs, attempt: AttemptStatus
) -> str | Invalid | None:
    """The slot for the next attempt of a node; call it last, when all else permits the launch.

    Returns:
        The name of its Lease, or "" if the node needs none; Invalid if its key is; None if the
        attempt cannot be launched now. Then the node waits, or is skipped.
    """
    wanted = wanted_by(transition, path, inputs, attempt)
    if wanted is None:
        return ""
    if isinstance(wanted, Invalid):
        return wanted
    if problem := transition.observed.unread.get(SLOTS):
        transition.wait_to_read(path, problem)
        return None
    slot = choose(transition, wanted)
    if isinstance(slot, Full):
        _wait_or_skip(transition, path, wanted, slot)
        return None
    return slot


def _wait_or_skip(transition: Transition, path: str, wanted: Wanted, full: Full) -> None:
    if wanted.skips and not _has_begun(transition.statuses[path]):
        text = full.message.removeprefix("waits for ").partition("; ")[0]
        transition.end(path, "Skipped", Reason.SLOT_TAKEN, f"whenFull is Skip: {text}")
        return
    wait(transition, wanted, full)
    transition.update(
        path,
        phase="Pending",
        reason=str(Reason.WAITING_FOR_SLOT),
        message=shorten(full.message, _MESSAGE),
        wake_at=None,
    )


def _has_begun(status: NodeStatus) -> bool:
    """Whether an attempt of this round has held a slot: a node that began is not skipped."""
    return any(
        attempt.round == status.round and attempt.reason != Reason.SLOT_TAKEN
        for attempt in status.attempts or []
    )


def lease_of(
    transition: Transition, path: str, inputs: Inputs, attempt: AttemptStatus
) -> JsonObject | None:
    """The Lease of an attempt that has recorded a slot; None if it has none."""
    if attempt.slot is None:
        return None
    # As when the slot was recorded: a round that changes the key launches another attempt.
    wanted = wanted_by(transition, path, inputs, attempt)
    key, limit = (wanted.key, wanted.limit) if isinstance(wanted, Wanted) else ("", DEFAULT_LIMIT)
    return slot_manifest(
        name=attempt.slot,
        owner=transition.owner,
        holder=holder_of(transition, path, attempt),
        key=key,
        limit=limit,
        since=attempt.launched_at,
    )


def holder_of(transition: Transition, path: str, attempt: AttemptStatus) -> Holder:
    """How the Lease names an attempt."""
    return Holder(transition.owner.uid, path_of(path, attempt), attempt.number)


def free(transition: Transition, path: str, attempt: AttemptStatus) -> None:
    """Give back the slot of an attempt that has ended."""
    if attempt.slot is not None:
        holder = holder_of(transition, path, attempt)
        transition.after.append(FreeSlot(name=attempt.slot, holder=holder))


_holds: Final[Memo[NodeStatus, bool]] = Memo(lambda status: slot_of(status) is not None)


_held: Final[Memo[AgentWorkflowStatus, int]] = Memo(lambda status: sum(map(_holds, status.nodes)))


def decided(transition: Transition) -> SlotsDecided:
    """What the pass has decided about slots, once its next status is complete."""
    slots, stored = transition.slots, transition.observed.status
    changed = transition.statuses.changed or not transition.complete
    held = sum(map(_holds, transition.node_statuses)) if changed else _held(stored)
    own = slots.of_run or transition.observed.status.slot
    held += own is not None and bool(own.taken)
    return SlotsDecided(
        unread=frozenset(slots.unread),
        waits=tuple(slots.waits),
        claims=tuple(slots.claims),
        held=held + slots.held_by_items,
    )
