"""The run that is about to be created: begun once, created under one name, then recorded."""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.meta import ConditionReason, EventReason
from waypost.api.schedule.model import AgentWorkflowScheduleSpec, Starting
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.schedules import conditions
from waypost.schedules.draft import Draft
from waypost.schedules.look import Look, Named
from waypost.schedules.manifest import run_manifest
from waypost.schedules.subject import run_name

# An operator creates a run within 10 s of its write, so after this none does.
SETTLED: Final = timedelta(seconds=12)
_REFUSED_AGAIN: Final = timedelta(seconds=15)


def begin(draft: Draft, spec: AgentWorkflowScheduleSpec, scheduled_at: datetime) -> JsonObject:
    """Record that the run of a time starts. Returns its manifest."""
    now = timestamp(draft.now)
    draft.starting = Starting(
        name=run_name(draft.name, scheduled_at),
        scheduled_at=timestamp(scheduled_at),
        at=now,
        begun_at=now,
    )
    return _manifest(draft, spec, draft.starting)


def resolve(draft: Draft, spec: AgentWorkflowScheduleSpec, look: Look) -> JsonObject | None:
    """Look for the run that is starting.

    Returns:
        Its manifest, if it is to be created; None if it is not. `draft.starting` is None once it
        is settled.
    """
    starting = draft.starting
    assert starting is not None, "called while a run is starting"
    if look.named is None:
        draft.again_at = draft.now
        return None
    if look.named.exists:
        _settle(draft, starting, look.named)
        return None
    at = min(parse_timestamp(starting.at) or draft.now, draft.now)
    if spec.suspend or draft.now >= _given_up_at(draft, spec, starting):
        if draft.now < at + SETTLED:
            draft.again_at = at + SETTLED
        else:
            _give_up(draft, starting, look)
        return None
    if look.create_refused:
        message = f"run {starting.name} was refused: {look.create_refused}"
        conditions.blocked(draft, ConditionReason.CREATE_REFUSED, message)
        if draft.now < at + _REFUSED_AGAIN:
            draft.again_at = at + _REFUSED_AGAIN
            return None
    draft.starting = starting.model_copy(update={"at": timestamp(draft.now)})
    return _manifest(draft, spec, draft.starting)


def _settle(draft: Draft, starting: Starting, named: Named) -> None:
    draft.starting = None
    if named.ours:
        draft.fired(starting.name, starting.scheduled_at)
        conditions.not_blocked(draft, f"run {starting.name} was started")
        conditions.clock_steady(draft)
        text = f"created run {starting.name} for {starting.scheduled_at}"
        draft.note("Normal", EventReason.RUN_CREATED, text)
        return
    moment = _scheduled(draft, starting)
    why = f"a run {starting.name} exists that is not of this schedule; delete it or rename it"
    conditions.blocked(draft, ConditionReason.NAME_TAKEN, why, by=starting.name)
    draft.miss(1, moment, moment, why=why)


def _give_up(draft: Draft, starting: Starting, look: Look) -> None:
    draft.starting = None
    moment = _scheduled(draft, starting)
    why = look.create_refused or "it could not be created within startingDeadlineSeconds"
    draft.miss(1, moment, moment, why=f"run {starting.name}: {why}")


def _given_up_at(draft: Draft, spec: AgentWorkflowScheduleSpec, starting: Starting) -> datetime:
    begun = min(parse_timestamp(starting.begun_at) or draft.now, draft.now)
    return begun + timedelta(seconds=spec.starting_deadline_seconds)


def _scheduled(draft: Draft, starting: Starting) -> datetime:
    return parse_timestamp(starting.scheduled_at) or draft.now


def _manifest(draft: Draft, spec: AgentWorkflowScheduleSpec, starting: Starting) -> JsonObject:
    return run_manifest(
        spec,
        schedule=draft.name,
        scheduled_at=_scheduled(draft, starting),
        keep_until=_given_up_at(draft, spec, starting),
    )
