"""Which slot of a key is free for an attempt, and what it says while none is.

The slots of a key are numbered from 1 to its limit, and the API server lets each Lease exist once:
that makes the limit strict. The order of those that wait is best effort, as far as this operator
knows them.
"""

from dataclasses import dataclass
from typing import Final

from waypost.engine.state.slots import Wanted, slot_of
from waypost.engine.state.transition import Transition
from waypost.kube import names
from waypost.kube.facts.slots import KeySlots, Place, SlotClaim, SlotWait

_SHOWN: Final = 3  # holders that a message names
_EXACT: Final = 10  # a longer queue is rounded, so that its moves are no status writes


@dataclass(frozen=True)
class Full:
    """No slot is free.

    Attributes:
        message: For people: the key, who holds it, and the place in the queue.
        ahead: Number of those that come first.
    """

    message: str
    ahead: int


@dataclass(frozen=True)
class _Taken:
    numbers: frozenset[int]
    limit: int  # the smallest of those that hold a slot, wait before this one, and its own
    ahead: int


def choose(transition: Transition, wanted: Wanted) -> str | Full | None:
    """The name of the slot that an attempt takes in this pass.

    Returns:
        The name of its Lease; Full if none is free for it; None if the slots of the key were not
        read yet: the pass is decided on again once they are.
    """
    slots = transition.slots.known.get(wanted.digest)
    if slots is None:
        transition.slots.unread.add(wanted.digest)
        return None
    taken = _taken(transition, wanted, slots)
    free = [k for k in range(1, taken.limit + 1) if k not in taken.numbers]
    # Slots above the limit count too: they were taken under a larger one.
    room = taken.limit - len(taken.numbers)
    if min(room, len(free)) <= taken.ahead:
        return Full(_message(wanted, slots, taken), taken.ahead)
    number = free[taken.ahead]  # those ahead take the lower ones
    transition.slots.claims.append(SlotClaim(wanted.digest, number, wanted.limit))
    return names.slot_name(wanted.digest, number)


def wait(transition: Transition, wanted: Wanted) -> None:
    """Note for this operator that an attempt waits for a slot."""
    place = place_of(transition)
    waiting = SlotWait(wanted.digest, wanted.limit, place, wanted.replaces)
    transition.slots.waits.append(waiting)


def place_of(transition: Transition) -> Place:
    """The place of the run in every queue."""
    return Place(transition.observed.created_at, transition.owner.name)


def _taken(transition: Transition, wanted: Wanted, slots: KeySlots) -> _Taken:
    own = place_of(transition)
    before = [w for w in slots.waiting if w.place < own]
    # Of this run, nodes come in the order in which a pass starts them.
    before += [w for w in transition.slots.waits if w.digest == wanted.digest]
    claims = [*slots.claims, *transition.slots.claims]
    claims = [claim for claim in claims if claim.digest == wanted.digest]
    limits = [holder.limit for holder in slots.holders]
    limits += [claim.limit for claim in claims] + [waiting.limit for waiting in before]
    numbers = {holder.number for holder in slots.holders} | {claim.number for claim in claims}
    numbers |= _recorded(transition, wanted.digest)
    return _Taken(frozenset(numbers), min([wanted.limit, *limits]), len(before))


def _recorded(transition: Transition, digest: str) -> set[int]:
    """Slots that attempts of this run have recorded and perhaps not created yet."""
    prefix = names.slot_name(digest, 0).removesuffix("0")
    found = (slot_of(status) for status in transition.statuses.values())
    return {int(slot.removeprefix(prefix)) for slot in found if slot and slot.startswith(prefix)}


def _message(wanted: Wanted, slots: KeySlots, taken: _Taken) -> str:
    holders = sorted(slots.holders, key=lambda holder: holder.number)
    listed = ", ".join(map(str, holders[:_SHOWN]))
    more = f" and {len(holders) - _SHOWN} more" if len(holders) > _SHOWN else ""
    held = f", held by {listed}{more}" if listed else ""
    used = len(taken.numbers)
    text = f"waits for key {wanted.key!r}: {used} of {taken.limit} slots are taken{held}"
    if taken.limit < wanted.limit:
        text += f"; its own limit is {wanted.limit}, the smallest limit of the key counts"
    return f"{text}; {_queue(taken.ahead)}"


def _queue(ahead: int) -> str:
    if not ahead:
        return "it is the first in the queue"
    if ahead <= _EXACT:
        return f"{ahead} before it in the queue"
    return f"more than {ahead - 1 - (ahead - 1) % _EXACT} before it in the queue"
