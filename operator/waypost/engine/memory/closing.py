"""The Episode: what a run remembers at its end (S691).

The result of the run is recorded with the Episode, before the run is Finished, so that both say the
same whatever a person does meanwhile.
"""

from waypost.api.base import JsonObject
from waypost.api.memory.model import MAX_EPISODE_BYTES
from waypost.api.state.memory import RunEnd
from waypost.api.status import RunPhase
from waypost.compiler.memory.marks import without_marks
from waypost.engine.memory import outbox
from waypost.engine.memory.identity import kept_for, origin_of
from waypost.engine.state.decision import EntriesStored
from waypost.engine.state.transition import Transition
from waypost.engine.state.visible import scheduled_at
from waypost.expressions.estimates.cost import Budget
from waypost.expressions.templates import RenderError, references_in, render_json
from waypost.kube.memory.remembered import episode
from waypost.kube.timestamps import timestamp
from waypost.protocol import ijson


def end_of(transition: Transition) -> RunEnd | None:
    """The result that was recorded with the Episode of this round; None if none was."""
    memory = transition.observed.status.memory
    return memory.end if memory is not None else None


def is_written(transition: Transition) -> bool:
    """Whether nothing that the run remembers has to be written any more."""
    return not outbox.reads(transition.observed)


def remembers(transition: Transition, phase: str) -> bool:
    """Whether a run that ends with `phase` has an Episode: it has begun, and is not cancelled."""
    block, memory = transition.spec.memory, transition.observed.status.memory
    has = block is not None and block.remember is not None and memory is not None
    return has and phase in ("Succeeded", "Failed")


def record(transition: Transition, *, phase: RunPhase, reason: str, message: str) -> bool:
    """Put the Episode of a run whose nodes have all ended into the outbox, with its result.

    Changes `transition`.

    Returns:
        Whether the run waits for it, or for facts of its nodes. False if nothing can be kept.
    """
    ended = RunEnd(
        phase=phase if phase in ("Succeeded", "Cancelled") else "Failed",
        reason=reason,
        message=message[:2048],
        at=timestamp(transition.now),
    )
    if remembers(transition, phase) and _record_episode(transition, ended):
        return True
    if is_written(transition):
        return False
    outbox.put(transition, [], end=ended)
    return True


def _record_episode(transition: Transition, ended: RunEnd) -> bool:
    values = remembered(transition)
    size = len(ijson.canonical(values))
    if size > MAX_EPISODE_BYTES:
        text = f"memory.remember has {size} bytes, the limit is {MAX_EPISODE_BYTES}"
        outbox.note(transition, refused=text)
        return False
    manifest = _manifest(transition, values, succeeded=ended.phase == "Succeeded")
    problem = outbox.put(transition, [manifest], end=ended)
    if problem is None:
        stored = EntriesStored("", transition.observed.status.round, 1, transition.now)
        transition.entries_stored.append(stored)
        return True
    if problem.permanent:
        outbox.note(transition, refused=problem.message)
    else:
        outbox.note(transition, waits=problem.message)
    return not problem.permanent


def remembered(transition: Transition) -> JsonObject:
    """`memory.remember`, evaluated as outputs are: a key without a source is left out, and what
    schemas mark as sensitive is replaced (S749)."""
    block = transition.spec.memory
    templates = (block.remember if block is not None else None) or {}
    view = transition.context({one.node for one in references_in(templates)})
    view = without_marks(view, transition.spec, transition.observed.definition.graph.nodes)
    budget, values = Budget.of_many(), {}
    for key, template in templates.items():
        value = render_json({key: template}, view, budget)
        if isinstance(value, dict) and not isinstance(value, RenderError) and key in value:
            values[key] = value[key]
    return values


def _manifest(transition: Transition, values: JsonObject, *, succeeded: bool) -> JsonObject:
    observed, block = transition.observed, transition.spec.memory
    assert block is not None, "the run remembers"
    return episode(
        origin_of(observed, transition.now),
        values,
        succeeded=succeeded,
        scheduled_at=scheduled_at(observed),
        kept=kept_for(block),
    )
