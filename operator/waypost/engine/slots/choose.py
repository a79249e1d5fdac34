"""Which slot of a key is free for an attempt, and what it says while none is.

The slots of a key are numbered from 1 to its limit, and the API server lets each Lease exist once:
that makes the limit strict. The order of those that wait is best effort, as far as this operator
knows them.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Final

from waypost.engine.state.slots import Wanted, slot_of
from waypost.engine.state.transition import Transition
from waypost.kube import names
from waypost.kube.facts.slots import KeySlots, Place, SlotClaim, SlotWait

_SHOWN: Final = 3  # holders that a message names
_EXACT: Final = 10  # a longer queue is rounded, so that its moves are no status writes
# Seconds until the slots are read again: what another operator frees wakes no run of this one. A
# run that is far from its turn reads them less often: there may be thousands.
_LOOK_AGAIN: Final = 10.0
_LOOK_RARELY: Final = 60.0
_FAR: Final = 100
_LOOK_FROM_FAR: Final = 300.0
_BY_PLACE: Final = attrgetter("place")


@dataclass(frozen=True)
class Full:
    """No slot is free.

    Attributes:
        message: For people: the key, who holds it, and the place in the queue.
        ahead: Number of those that come first.
    """

    message: str
    ahead: int

    @property
    def rest(self) -> float:
        """Seconds until the slots are read again."""
        if self.ahead >= _FAR:
            return _LOOK_FROM_FAR
        return min(_LOOK_AGAIN * (1 + self.ahead), _LOOK_RARELY)


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
        full = _from_far(transition, wanted)
        if full is None:
            transition.slots.unread.add(wanted.digest)
        return full
    taken = _taken(transition, wanted, slots)
    free = [k for k in range(1, taken.limit + 1) if k not in taken.numbers]
    # Slots above the limit count too: they were taken under a larger one.
    room = taken.limit - len(taken.numbers)
    if min(room, len(free)) <= taken.ahead:
        return Full(_message(wanted, slots, taken), taken.ahead)
    number = free[taken.ahead]  # those ahead take the lower ones
    transition.slots.claims.append(SlotClaim(wanted.digest, number, wanted.limit))
    return names.slot_name(wanted.digest, number)


def wait(transition: Transition, wanted: Wanted, full: Full) -> None:
    """Note for this operator that an attempt waits for a slot, and requeue to look again."""
    place = place_of(transition)
    waiting = SlotWait(wanted.digest, wanted.limit, place, wanted.replaces, full.rest)
    transition.slots.waits.append(waiting)
    transition.requeue_at(transition.now + timedelta(seconds=full.rest))


def place_of(transition: Transition) -> Place:
    """The place of the run in every queue."""
    return Place(transition.observed.created_at, transition.owner.name)


def _from_far(transition: Transition, wanted: Wanted) -> Full | None:
    """That no slot is free for what has as many before it in a long queue as there are slots: it
    need not read them. None if it must (S635)."""
    waiting = transition.observed.long_queues.get(wanted.digest)
    if waiting is None or wanted.skips or wanted.replaces:
        return None
    taken = _taken(transition, wanted, KeySlots(waiting=waiting))
    if taken.ahead <= max(taken.limit, _EXACT):
        return None
    return Full(_message_from_far(wanted, taken), taken.ahead)


def _taken(transition: Transition, wanted: Wanted, slots: KeySlots) -> _Taken:
    own = place_of(transition)
    before = list(slots.waiting[: bisect_left(slots.waiting, own, key=_BY_PLACE)])
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
    if taken.ahead > _EXACT and not wanted.skips:
        return _message_from_far(wanted, taken)
    holders = sorted(slots.holders, key=lambda holder: holder.number)
    listed = ", ".join(map(str, holders[:_SHOWN]))
    more = f" and {len(holders) - _SHOWN} more" if len(holders) > _SHOWN else ""
    held = f", held by {listed}{more}" if listed else ""
    used = len(taken.numbers)
    text = f"waits for key {wanted.key!r}: {used} of {taken.limit} slots are taken{held}"
    if taken.limit < wanted.limit:
        text += f"; its own limit is {wanted.limit}, the smallest limit of the key counts"
    return f"{text}; {_queue(taken.ahead)}"


def _message_from_far(wanted: Wanted, taken: _Taken) -> str:
    """Without the holders, which change all the time."""
    used = f"{taken.limit} of {taken.limit} slots are taken"
    return f"waits for key {wanted.key!r}: {used}; {_queue(taken.ahead)}"


def _queue(ahead: int) -> str:
    if not ahead:
        return "it is the first in the queue"
    if ahead <= _EXACT:
        return f"{ahead} before it in the queue"
    return f"more than {10 ** (len(str(ahead - 1)) - 1)} before it in the queue"
