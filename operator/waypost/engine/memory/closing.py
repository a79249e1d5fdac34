"""The Episode: what a run remembers at its end (S691).

The result of the run is recorded with the Episode, before the run is Finished, so that both say the
same whatever a person does meanwhile.
"""

from datetime import timedelta

from waypost.api.base import JsonObject, parse_duration
from waypost.api.memory.model import MAX_EPISODE_BYTES
from waypost.api.modifiers.memory import DEFAULT_EXPIRY
from waypost.api.state.memory import RunEnd
from waypost.engine.memory import outbox
from waypost.engine.memory.identity import workflow_of
from waypost.engine.state.transition import Transition
from waypost.engine.state.visible import scheduled_at
from waypost.expressions.estimates.cost import Budget
from waypost.expressions.templates import RenderError, references_in, render_json
from waypost.kube.memory.episodes import Origin, episode
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


def record(transition: Transition, *, phase: str, reason: str, message: str) -> bool:
    """Put the Episode of a run whose nodes have all ended into the outbox, with its result.

    Changes `transition`.

    Returns:
        Whether the run waits for it. False if the Episode cannot be kept at all.
    """
    values = remembered(transition)
    size = len(ijson.canonical(values))
    if size > MAX_EPISODE_BYTES:
        text = f"memory.remember has {size} bytes, the limit is {MAX_EPISODE_BYTES}"
        outbox.note(transition, refused=text)
        return False
    good = phase == "Succeeded"
    end = RunEnd(
        phase="Succeeded" if good else "Failed",
        reason=reason,
        message=message[:2048],
        at=timestamp(transition.now),
    )
    manifest = _manifest(transition, values, succeeded=good)
    problem = outbox.put(transition, [manifest], end=end)
    if problem is None:
        return True
    if problem.permanent:
        outbox.note(transition, refused=problem.message)
    else:
        outbox.note(transition, waits=problem.message)
    return not problem.permanent


def remembered(transition: Transition) -> JsonObject:
    """`memory.remember`, evaluated as outputs are: a key without a source is left out."""
    block = transition.spec.memory
    templates = (block.remember if block is not None else None) or {}
    view = transition.context({one.node for one in references_in(templates)})
    budget, values = Budget.of_many(), {}
    for key, template in templates.items():
        value = render_json({key: template}, view, budget)
        if isinstance(value, dict) and not isinstance(value, RenderError) and key in value:
            values[key] = value[key]
    return values


def _manifest(transition: Transition, values: JsonObject, *, succeeded: bool) -> JsonObject:
    observed, memory = transition.observed, transition.observed.status.memory
    assert memory is not None, "the run has begun with it"
    block = transition.spec.memory
    given = block.expire_after if block is not None else None
    origin = Origin(
        scope=memory.scope,
        key=memory.key,
        run=observed.name,
        run_uid=observed.uid,
        workflow=workflow_of(observed),
        round=observed.status.round,
        at=transition.now,
    )
    kept = timedelta(seconds=parse_duration(given) if given else DEFAULT_EXPIRY)
    return episode(
        origin, values, succeeded=succeeded, scheduled_at=scheduled_at(observed), kept=kept
    )
