"""Whose memory a run has: its scope and its key; and what entries say of the run."""

from dataclasses import replace
from datetime import datetime, timedelta

from waypost.api.base import parse_duration
from waypost.api.changes import changed_run
from waypost.api.memory.model import SCOPE_NAMESPACE
from waypost.api.modifiers.memory import DEFAULT_EXPIRY, RunMemory, key_problem
from waypost.compiler.origin import Fresh, Pinned
from waypost.compiler.problems import Problem
from waypost.engine.slots.keys import evaluated_key
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.observed import MemoryKey, Observed
from waypost.engine.state.visible import evaluation_context
from waypost.kube.memory.remembered import Origin
from waypost.protocol.reasons import Reason

_NO_NAME = (
    "memory needs a name that outlives this run: use a template, or the label waypost.dev/workflow"
)


def workflow_of(observed: Observed) -> str:
    """The name that runs of one workflow share; "" if the run has none."""
    origin = observed.origin
    if isinstance(origin, Fresh | Pinned) and not _is_local(observed):
        return origin.pin.name
    return observed.workflow


def identity(observed: Observed) -> MemoryKey | Problem | None:
    """The scope and the key of a run; None without memory; a Problem if it cannot have one."""
    memory = observed.spec.memory if observed.spec is not None else None
    if memory is None:
        return None
    scope = SCOPE_NAMESPACE if memory.scope == "Namespace" else workflow_of(observed)
    if not scope:
        return Problem("memory", _NO_NAME)
    # No node precedes it, and a round that begins has no verdict.
    begun = replace(observed, status=changed_run(observed.status, verdict=None))
    view = evaluation_context(begun, statuses={}, payloads={}, names=())
    key = evaluated_key(memory.key, view, place="memory.key")
    if isinstance(key, Invalid):
        place, _, found = key.message.partition(": ")
        return Problem(place, f"{Reason.INPUT_INVALID}: {found}")
    if problem := key_problem(key):
        return Problem("memory.key", f"{Reason.INPUT_INVALID}: {problem}")
    return scope, key


def origin_of(observed: Observed, now: datetime) -> Origin:
    """Where an entry comes from that the run leaves now. It has begun with its memory."""
    memory = observed.status.memory
    assert memory is not None, "the run has begun with it"
    return Origin(
        scope=memory.scope,
        key=memory.key,
        run=observed.name,
        run_uid=observed.uid,
        workflow=workflow_of(observed),
        round=observed.status.round,
        at=now,
    )


def kept_for(memory: RunMemory) -> timedelta:
    """How long entries of a run are kept."""
    given = memory.expire_after
    return timedelta(seconds=parse_duration(given) if given else DEFAULT_EXPIRY)


def problems(observed: Observed) -> tuple[Problem, ...]:
    """Why a run, or a round of it, cannot begin with its memory."""
    found, known = identity(observed), observed.status.memory
    if isinstance(found, Problem):
        return (found,)
    if found is None or known is None or found == (known.scope, known.key):
        return ()
    text = (
        f"is {found[1]!r} in scope {found[0]}, and this run has read the memory of {known.key!r} "
        f"in scope {known.scope}; for another memory create a new run"
    )
    return (Problem("memory.key", text),)


def _is_local(observed: Observed) -> bool:
    above = observed.lineage
    return above is not None and above.local is True
