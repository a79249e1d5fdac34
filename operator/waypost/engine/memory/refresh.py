"""`rerun.memory: Refresh`: a round that reads the memory again (S748).

The snapshot is taken in the write that begins the round, so what the round needs is read first.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from waypost.api.base import JsonObject, JsonValue
from waypost.api.changes import changed_memory, changed_run
from waypost.compiler.graph import evaluated_fields
from waypost.compiler.memory.rules import notes_of
from waypost.compiler.problems import Problem
from waypost.engine.memory import begin
from waypost.engine.memory.identity import identity
from waypost.engine.scheduling.remembering import unstored
from waypost.engine.state.observed import MemoryKey, Observed
from waypost.expressions.templates import paths_in
from waypost.kube.facts.read_problems import MEMORY, of_record
from waypost.kube.memory import snapshot
from waypost.kube.memory.notes import notes
from waypost.protocol import ijson


def reads_again(observed: Observed) -> bool:
    """Whether the round that the spec requests reads the memory again. One of a run that has not
    read it yet reads it in any case."""
    spec = observed.spec
    if spec is None or spec.rerun is None or spec.memory is None:
        return False
    return spec.rerun.memory == "Refresh" and observed.status.memory is not None


def wanted(observed: Observed) -> frozenset[MemoryKey]:
    """Whose MemoryEntries the round needs."""
    found = identity(observed)
    if isinstance(found, Problem) or found is None or MEMORY in observed.unread:
        return frozenset()
    return frozenset({found} - observed.memory.keys())


def payloads(observed: Observed) -> frozenset[str]:
    """The NodeRecord of the snapshot before, with which the new one is compared."""
    memory = observed.status.memory
    names = {memory.record} if memory is not None else set()
    return frozenset(
        name for name in names - observed.payloads.keys() if of_record(name) not in observed.unread
    )


def why_not(observed: Observed, now: datetime) -> str | None:
    """Why the round cannot begin in this pass: "" if it only has to look again; None if it can."""
    memory = observed.status.memory
    for what in (MEMORY, of_record(memory.record if memory is not None else "")):
        if (problem := observed.unread.get(what)) is not None:
            return problem.text
    if (refused := unstored(observed, "Memory")) is not None:
        return f"its memory cannot be stored: {refused.message}"
    lacks = wanted(observed) or payloads(observed) or begin.is_old(observed, now)
    return "" if lacks else None


def refreshed(observed: Observed, now: datetime) -> tuple[Observed, JsonObject]:
    """The run with a new snapshot and with the nodes that read something else in it, and the
    NodeRecord of the snapshot. `why_not` must be None."""
    known, found = observed.status.memory, identity(observed)
    assert known is not None, "it reads again"
    assert isinstance(found, tuple), "asked before"
    taken = begin.taken(observed, found, now)
    status, record = begin.recorded(observed, taken, found, now)
    before = observed.payloads.get(known.record)
    status = changed_memory(status, outbox=known.outbox)
    run = changed_run(
        observed.status, memory=status, conditions=begin.noted(observed, taken, now).items
    )
    kept = {**observed.payloads, status.record: taken.value}
    others = frozenset(_readers(observed, before, taken.value))
    return replace(observed, status=run, payloads=kept, refreshed=others), record


def _readers(observed: Observed, before: JsonValue, after: JsonValue) -> Iterator[str]:
    """The nodes that read something else in the second snapshot."""
    spec = observed.spec
    assert spec is not None, "it is accepted"
    old, new = snapshot.view(before), snapshot.view(after)
    for path, node in observed.definition.graph.nodes.items():
        used = [one for _, value in evaluated_fields(node) for one in paths_in(value)]
        steps = [one.fields for one in used if one.root == "memory"]
        if any(_at(old, one) != _at(new, one) for one in steps):
            yield path
            continue
        given = notes_of(spec, node)
        if given is None:
            continue
        shown = "Both" if given.recall else given.inject
        if notes(before, shown) != notes(after, shown):
            yield path


def _at(value: JsonValue, steps: tuple[str, ...]) -> str | None:
    """The digest of the value at a path: of a list all of it; None if there is none."""
    for step in steps:
        if isinstance(value, list):
            break
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return ijson.digest(value) if isinstance(value, dict | list | str | int | float) else None
