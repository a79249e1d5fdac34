"""The outbox: what a run remembers goes into a NodeRecord and its name into the status, and only
then the MemoryEntries are created (S692).

So a crash between the two loses nothing, and a later round that remembers something else can still
write the values of this one. The outbox is emptied whatever happens to the run meanwhile.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.changes import changed_memory, changed_run
from waypost.api.meta import Condition, ConditionReason
from waypost.api.record import RecordType
from waypost.api.state.memory import RunEnd
from waypost.engine.state.decision import PutEntry, PutRecord
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.expressions.values import Unavailable
from waypost.kube import names, node_records
from waypost.kube.conditions import Conditions
from waypost.kube.facts.jobs import WriteProblem
from waypost.protocol.text import shorten

_AGAIN: Final = timedelta(seconds=10)
_TEXT: Final = 1024


def reads(observed: Observed) -> frozenset[str]:
    """The NodeRecords whose entries have to be written."""
    memory = observed.status.memory
    return frozenset((memory.outbox if memory is not None else None) or ())


def empty(transition: Transition) -> None:
    """Write the entries in the outbox that the stored status names.

    Changes `transition`: the outbox and its conditions.
    """
    observed = transition.observed
    memory = observed.status.memory
    if memory is None or not memory.outbox:
        return
    left: list[str] = []
    waits, refused = "", ""
    for name in memory.outbox:
        content = transition.payloads.get(name)
        if isinstance(content, Unavailable) and content.lost:
            continue  # a person has deleted it, as `waypost memory forget` does
        if not isinstance(content, dict):
            left.append(name)
            waits = waits or f"{name} cannot be read"
            continue
        for problem in _written(transition, content):
            if problem.permanent:
                refused = refused or problem.message
            else:
                waits = waits or problem.message
                left = [*left, name] if name not in left else left
    if left:
        transition.requeue_at(transition.now + _AGAIN)
    conditions = _conditions(transition, waits=waits, refused=refused)
    status = changed_run(
        observed.status,
        memory=changed_memory(memory, outbox=left or None),
        conditions=conditions.items,
    )
    transition.observed = replace(observed, status=status)


def put(transition: Transition, entries: list[JsonObject], *, end: RunEnd) -> WriteProblem | None:
    """Put entries into the outbox in the status that this pass writes, with the end of the run.

    Changes `transition`.

    Returns:
        Why their NodeRecord cannot be written; None if it can.
    """
    observed, owner = transition.observed, transition.owner
    memory = observed.status.memory
    assert memory is not None, "the run has begun with it"
    if (problem := unstored(transition, "Remember")) is not None:
        transition.requeue_at(transition.now + _AGAIN)
        return problem
    record = node_records.memory(
        "Remember", {"entries": entries}, owner=owner.reference(), namespace=owner.namespace
    )
    assert record is not None, "entries are small"
    name = record["metadata"]["name"]
    transition.before.append(PutRecord(record))
    outbox = [*(one for one in memory.outbox or () if one != name), name]
    changed = changed_run(observed.status, memory=changed_memory(memory, outbox=outbox, end=end))
    transition.observed = replace(observed, status=changed)
    transition.requeue_at(transition.now)
    return None


def unstored(transition: Transition, type_: RecordType) -> WriteProblem | None:
    """Why this pass could not write the NodeRecord of this type. By its type and not by its name:
    the content has the time at which the pass decided, and a pass may decide several times."""
    problems, run = transition.observed.write_problems.items(), transition.owner.name
    found = (p for name, p in problems if names.is_memory_record(name, type_, run=run))
    return next(found, None)


def note(transition: Transition, *, waits: str = "", refused: str = "") -> None:
    """Note that something is not written yet, or is not remembered. Changes `transition`."""
    conditions = _conditions(transition, waits=waits, refused=refused)
    changed = changed_run(transition.observed.status, conditions=conditions.items)
    transition.observed = replace(transition.observed, status=changed)


def _written(transition: Transition, content: JsonObject) -> list[WriteProblem]:
    """The problems of the entries of one NodeRecord, which this pass creates."""
    actions = [PutEntry(manifest) for manifest in content["entries"]]
    transition.before += actions
    problems = (transition.observed.write_problems.get(one.tried_as) for one in actions)
    return [problem for problem in problems if problem is not None]


def _conditions(transition: Transition, *, waits: str, refused: str) -> Conditions:
    observed = transition.observed
    conditions = Conditions(
        observed.status.conditions, generation=observed.generation, now=transition.now
    )
    if waits:
        text = shorten(f"entries are not written yet: {waits}; the operator tries again", _TEXT)
        reason = ConditionReason.CREATE_REFUSED
        conditions.set(Condition.MEMORY_PENDING, "True", reason=reason, message=text)
    elif conditions.has(Condition.MEMORY_PENDING, "True"):
        reason = ConditionReason.MEMORY_WRITTEN
        conditions.set(Condition.MEMORY_PENDING, "False", reason=reason, message="")
    if refused:
        text = shorten(f"not remembered: {refused}", _TEXT)
        reason = ConditionReason.CREATE_REFUSED
        conditions.set(Condition.MEMORY_REJECTED, "True", reason=reason, message=text)
    return conditions
