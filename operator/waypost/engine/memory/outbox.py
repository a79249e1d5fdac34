"""The outbox: what a run remembers goes into a NodeRecord and its name into the status, and only
then the MemoryEntries are created (S692).

So a crash between the two loses nothing, and a later round that remembers something else can still
write the values of this one. The outbox is emptied whatever happens to the run meanwhile.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.changes import MemoryChanges, changed_memory, changed_run
from waypost.api.meta import Condition, ConditionReason
from waypost.api.state.memory import RunEnd
from waypost.engine.scheduling.remembering import unstored
from waypost.engine.state.decision import PutEntry, PutRecord
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.expressions.values import Unavailable
from waypost.kube import node_records
from waypost.kube.conditions import Conditions
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.memory.entries import MEMORY_FULL
from waypost.protocol.text import shorten

_AGAIN: Final = timedelta(seconds=10)
_TEXT: Final = 1024
_OF_RECORD: Final = 20  # entries; the record must be small enough for expressions
# Entries: a decision that takes more than ten seconds to prepare is made again.
_OF_PASS: Final = 40


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
    waits, refused, written = "", "", 0
    for name in memory.outbox:
        if written >= _OF_PASS:
            left.append(name)
            continue
        content = transition.payloads.get(name)
        if isinstance(content, Unavailable) and content.lost:
            continue  # a person has deleted it, as `waypost memory forget` does
        if not isinstance(content, dict):
            left.append(name)
            waits = waits or f"{name} cannot be read"
            continue
        written += len(content["entries"])
        for problem in _written(transition, content):
            if problem.permanent:
                refused = refused or problem.message
            else:
                waits = waits or problem.message
                left = [*left, name] if name not in left else left
    if left:
        transition.requeue_at(transition.now + (_AGAIN if waits else timedelta()))
    conditions = _conditions(transition, waits=waits, refused=refused)
    status = changed_run(
        observed.status,
        memory=changed_memory(memory, outbox=left or None),
        conditions=conditions.items,
    )
    transition.observed = replace(observed, status=status)


def put(
    transition: Transition, entries: list[JsonObject], *, end: RunEnd | None = None
) -> WriteProblem | None:
    """Put entries into the outbox in the status that this pass writes, at the end of the run with
    its result.

    Changes `transition`.

    Returns:
        Why their NodeRecords cannot be written; None if they can.
    """
    observed, owner = transition.observed, transition.owner
    memory = observed.status.memory
    assert memory is not None, "the run has begun with it"
    if entries and (problem := unstored(observed, "Remember")) is not None:
        transition.requeue_at(transition.now + _AGAIN)
        return problem
    outbox = list(memory.outbox or ())
    for at in range(0, len(entries), _OF_RECORD):
        content: JsonObject = {"entries": entries[at : at + _OF_RECORD]}
        record = node_records.memory(
            "Remember", content, owner=owner.reference(), namespace=owner.namespace
        )
        assert record is not None, "entries are small"
        name = record["metadata"]["name"]
        transition.before.append(PutRecord(record))
        outbox = [*(one for one in outbox if one != name), name]
    changes: MemoryChanges = {"outbox": outbox or None}
    if end is not None:
        changes["end"] = end
    changed = changed_run(observed.status, memory=changed_memory(memory, **changes))
    transition.observed = replace(observed, status=changed)
    transition.requeue_at(transition.now)
    return None


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
        full = refused.startswith(MEMORY_FULL)
        reason = ConditionReason.MEMORY_FULL if full else ConditionReason.CREATE_REFUSED
        conditions.set(Condition.MEMORY_REJECTED, "True", reason=reason, message=text)
    return conditions
