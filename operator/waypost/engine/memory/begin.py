"""The snapshot of its memory with which a run begins (S690).

It is taken in the pass that starts the first nodes: a run that is suspended, or waits for its key
of `concurrency`, has to see what its predecessor wrote.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.changes import changed_run
from waypost.api.meta import Condition, ConditionReason
from waypost.api.state.memory import MAX_LISTED, MemoryStatus
from waypost.compiler.problems import Problem
from waypost.engine.memory.identity import identity
from waypost.engine.scheduling.remembering import unstored
from waypost.engine.state.decision import PutRecord
from waypost.engine.state.observed import MemoryKey, Observed
from waypost.engine.state.transition import Transition, is_finished
from waypost.kube import node_records
from waypost.kube.conditions import Conditions
from waypost.kube.facts.read_problems import MEMORY
from waypost.kube.manifests.attempt_job import Owner
from waypost.kube.memory.phases import readable
from waypost.kube.memory.snapshot import Snapshot, take
from waypost.kube.timestamps import timestamp

_STORE_AGAIN: Final = timedelta(seconds=10)
_FRESH: Final = timedelta(seconds=10)
_SHOWN: Final = 10


def wanted(observed: Observed) -> frozenset[MemoryKey]:
    """Whose MemoryEntries a pass has to list: those of a run that begins now."""
    if not _is_due(observed) or observed.status.phase == "Rejected":
        return frozenset()
    spec, slot = observed.spec, observed.status.slot
    if spec is None or spec.suspend or MEMORY in observed.unread:
        return frozenset()
    above = observed.lineage
    has_key = spec.concurrency is not None or (above is not None and above.concurrency is not None)
    if has_key and (slot is None or not slot.taken):
        return frozenset()
    found = identity(observed)
    return frozenset({found} - observed.memory.keys()) if isinstance(found, tuple) else frozenset()


def may_start(transition: Transition) -> bool:
    """Whether nodes may start: the run needs no memory, or has its snapshot.

    Changes `transition`: this pass may take the snapshot.
    """
    observed = transition.observed
    if not _is_due(observed):
        return True
    found = identity(observed)
    if isinstance(found, Problem) or found is None or transition.spec.suspend:
        return False
    entries = observed.memory.get(found)
    if entries is None or is_old(observed, transition.now):
        if MEMORY not in observed.unread:  # the run has got its slot in this pass, or it took long
            transition.requeue_at(transition.now)
        return False
    return _store(transition, taken(observed, found, transition.now), found)


def taken(observed: Observed, found: MemoryKey, now: datetime) -> Snapshot:
    """What the run reads of its memory, whose entries were listed."""
    scope, key = found
    seen = readable(observed.memory[found], scope=scope, key=key, now=now)
    memory = observed.spec.memory if observed.spec is not None else None
    assert memory is not None, "the run has memory"
    fits = partial(_fits, observed)
    return take(seen, memory, scope=scope, key=key, fits=fits)


def waits_for(transition: Transition) -> str:
    """Why a run cannot begin without its memory; "" if it does not wait for it."""
    observed = transition.observed
    if not _is_due(observed) or transition.spec.suspend:
        return ""
    if (problem := observed.unread.get(MEMORY)) is not None:
        return problem.text
    stored = unstored(observed, "Memory")
    return f"its memory cannot be stored: {stored.message}" if stored is not None else ""


def _is_due(observed: Observed) -> bool:
    has_block = observed.spec is not None and observed.spec.memory is not None
    return has_block and observed.status.memory is None and not is_finished(observed.status)


def is_old(observed: Observed, now: datetime) -> bool:
    """Whether the list is so old that the key may have been forgotten since."""
    at = observed.memory_at
    return at is None or now - at > _FRESH


def _fits(observed: Observed, key: str, value: JsonValue) -> bool:
    return observed.definition.may_remember(key, value)


def _store(transition: Transition, snapshot: Snapshot, found: MemoryKey) -> bool:
    """Record the snapshot in the status that this pass writes; False if its NodeRecord cannot be
    written."""
    observed = transition.observed
    if unstored(observed, "Memory") is not None:
        transition.requeue_at(transition.now + _STORE_AGAIN)
        return False
    status, record = recorded(observed, snapshot, found, transition.now)
    transition.before.append(PutRecord(record))
    transition.payloads[status.record] = snapshot.value
    conditions = noted(observed, snapshot, transition.now)
    changed = changed_run(observed.status, memory=status, conditions=conditions.items)
    transition.observed = replace(observed, status=changed)
    return True


def recorded(
    observed: Observed, snapshot: Snapshot, found: MemoryKey, now: datetime
) -> tuple[MemoryStatus, JsonObject]:
    """What the status says of a snapshot, and its NodeRecord."""
    owner = Owner(name=observed.name, namespace=observed.namespace, uid=observed.uid)
    record = node_records.memory(
        "Memory", snapshot.value, owner=owner.reference(), namespace=owner.namespace
    )
    assert record is not None, "a snapshot is small"
    status = MemoryStatus(
        scope=found[0],
        key=found[1],
        digest=record["spec"]["digest"],
        record=record["metadata"]["name"],
        episodes=snapshot.episodes,
        facts=snapshot.facts,
        at=timestamp(now),
        entries=list(snapshot.entries[:MAX_LISTED]) or None,
    )
    return status, record


def noted(observed: Observed, snapshot: Snapshot, now: datetime) -> Conditions:
    """The conditions of the run, with those on what its snapshot leaves out."""
    conditions = Conditions(observed.status.conditions, generation=observed.generation, now=now)
    if snapshot.cut:
        text = (
            f"{snapshot.cut} older entries were left out: with them the snapshot would have more "
            "bytes than memory.read.maxBytes"
        )
        reason = ConditionReason.MEMORY_TOO_LARGE
        conditions.set(Condition.MEMORY_TRUNCATED, "True", reason=reason, message=text)
    if snapshot.misfits:
        shown = ", ".join(f"{key} of {name}" for name, key in snapshot.misfits[:_SHOWN])
        text = (
            f"{len(snapshot.misfits)} values were left out, because memory.remember gives another "
            f"type today: {shown}"
        )
        reason = ConditionReason.TYPE_CHANGED
        conditions.set(Condition.MEMORY_MISMATCH, "True", reason=reason, message=text)
    return conditions
