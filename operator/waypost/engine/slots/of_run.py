"""The slot that a run holds from its start to its end: for `spec.concurrency`, or for the node of
its parent that has `concurrency`.

The status records the slot, then the Lease is created. Nodes start in a later pass, once a live
list has shown that the Lease names this run: it stays as long as the status names it.
"""

from datetime import timedelta
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.state.slot import RunSlot
from waypost.engine.slots.choose import Full, choose, place_of, wait
from waypost.engine.slots.keys import run_has_key, wanted_by_run
from waypost.engine.state.decision import FreeSlot, PatchChild, TakeSlot
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.slots import Wanted
from waypost.engine.state.transition import Transition
from waypost.kube import names, timestamps
from waypost.kube.facts.read_problems import SLOTS
from waypost.kube.facts.slots import OF_RUN, Holder
from waypost.kube.manifests.slot import slot_manifest
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_CREATE_AGAIN: Final = timedelta(seconds=2)
_REFUSED_AGAIN: Final = timedelta(seconds=10)
_MESSAGE: Final = 512


def may_start(transition: Transition) -> bool:
    """Whether nodes of the run may start: it needs no slot, or holds one.

    Changes `transition`: it takes a slot, waits for one, or refuses to begin.
    """
    held = transition.observed.status.slot
    if not run_has_key(transition) or (held is not None and held.taken):
        return True
    if transition.spec.suspend:
        return False
    verdict = transition.observed.status.verdict
    if verdict is not None and verdict.reason == Reason.SLOT_TAKEN:  # nothing to clean up
        transition.slots.refusal = (Reason.SLOT_TAKEN, verdict.message)
        return False
    wanted = wanted_by_run(transition)
    if isinstance(wanted, Invalid):
        transition.slots.refusal = (Reason.INPUT_INVALID, wanted.message)
        return False
    if wanted is None:
        return True
    if problem := transition.observed.unread.get(SLOTS):
        transition.slots.message = problem.text
        transition.needs_right = problem.text if problem.permanent else ""
        return False
    if held is not None and held.name is not None and _follow(transition, wanted, held):
        return bool(transition.slots.of_run and transition.slots.of_run.taken)
    if transition.slots.unread:
        return False
    _choose(transition, wanted, (held.number if held is not None else 0) + 1)
    return False


def _follow(transition: Transition, wanted: Wanted, held: RunSlot) -> bool:
    """Continue with a slot that the status names; False if another run has taken it."""
    assert held.name is not None, "called for slots with a name"
    slots = transition.slots.known.get(names.slot_key_digest(held.name))
    if slots is None:
        transition.slots.unread.add(names.slot_key_digest(held.name))
        return False
    found = next((fact for fact in slots.holders if fact.name == held.name), None)
    holder = Holder(transition.owner.uid, OF_RUN, held.number)
    if found is not None and found.holder != holder:
        return False
    if found is not None:
        transition.slots.of_run = held.model_copy(update={"taken": True})
    else:
        _create(transition, wanted, held)
    return True


def _choose(transition: Transition, wanted: Wanted, number: int) -> None:
    if younger := _younger(transition, wanted):
        text = f"whenFull is Replace: run {younger} with the same key replaces it"
        transition.slots.refusal = (Reason.SLOT_TAKEN, text)
        return
    slot = choose(transition, wanted)
    if isinstance(slot, Full) and wanted.skips:
        text = slot.message.removeprefix("waits for ").partition("; ")[0]
        transition.slots.refusal = (Reason.SLOT_TAKEN, f"whenFull is Skip: {text}")
    elif isinstance(slot, Full):
        _replace(transition, wanted)
        wait(transition, wanted, slot)
        transition.slots.message = shorten(slot.message, _MESSAGE)
    elif slot is not None:
        agrees = True if wanted.replaces else None
        _create(transition, wanted, RunSlot(name=slot, number=number, replaceable=agrees))


def _younger(transition: Transition, wanted: Wanted) -> str:
    """A younger run that waits for the same key and replaces older ones; "" if none is known."""
    slots, own = transition.slots.known.get(wanted.digest), place_of(transition)
    waiting = slots.waiting if slots is not None and wanted.replaces else ()
    found = [one.place for one in waiting if one.replaces and one.place > own]
    return max(found).run if found else ""


def _replace(transition: Transition, wanted: Wanted) -> None:
    """Cancel older runs that hold the key and have agreed to it. Repeated until they have ended."""
    slots, own = transition.slots.known.get(wanted.digest), place_of(transition)
    for fact in slots.holders if slots is not None and wanted.replaces else ():
        if fact.replaceable is not None and fact.replaceable < own:
            body: JsonObject = {
                "metadata": {"uid": fact.holder.run_uid},
                "spec": {"cancel": True},
            }
            name, uid = fact.run_name, fact.holder.run_uid
            transition.after.append(PatchChild(name=name, uid=uid, body=body))


def _create(transition: Transition, wanted: Wanted, slot: RunSlot) -> None:
    assert slot.name is not None, "it was chosen"
    transition.slots.of_run = slot
    lease = slot_manifest(
        name=slot.name,
        owner=transition.owner,
        holder=Holder(transition.owner.uid, OF_RUN, slot.number),
        key=wanted.key,
        limit=wanted.limit,
        since=timestamps.timestamp(transition.now),
    )
    transition.after.append(TakeSlot(lease))
    problem = transition.observed.child_problems.get(slot.name)
    if problem is None:
        transition.requeue_at(transition.now + _CREATE_AGAIN)
        return
    text = f"Lease {slot.name} of its slot cannot be created: {problem.message}"
    transition.slots.message = shorten(text, _MESSAGE)
    transition.slots.rejected = problem.permanent
    transition.requeue_at(transition.now + _REFUSED_AGAIN)


def freed(transition: Transition) -> RunSlot | None:
    """The slot of a run that ends, as its status keeps it; its Lease is deleted."""
    held = transition.slots.of_run or transition.observed.status.slot
    if held is None or held.name is None:
        return held
    holder = Holder(transition.owner.uid, OF_RUN, held.number)
    transition.after.append(FreeSlot(name=held.name, holder=holder))
    return RunSlot(number=held.number)
