"""A time has come, or a run waits: start it, let it wait, replace another one, or miss it."""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.meta import ConditionReason, EventReason
from waypost.api.schedule.model import AgentWorkflowScheduleSpec, Pending
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.schedules import conditions, starting
from waypost.schedules.draft import Draft
from waypost.schedules.due import Clockwork, Due
from waypost.schedules.look import Look
from waypost.schedules.subject import ScheduledRun, run_name

_TEMPLATE_AGAIN: Final = timedelta(seconds=15)
_LATE: Final = "no operator could start it within startingDeadlineSeconds"
_OVERTAKEN: Final = "a later time came before a run could start"

Started = tuple[JsonObject | None, tuple[ScheduledRun, ...]]
_NOTHING: Final[Started] = (None, ())


def attend(draft: Draft, spec: AgentWorkflowScheduleSpec, times: Clockwork, look: Look) -> Started:
    """Start what is due. Returns the manifest of the run to create, and the runs to cancel."""
    due = times.due(draft.done, draft.now)
    if due is not None and due.latest is None:
        _done(draft, due, missed=due.others, why=_LATE)
        due = None
    if look.template_read:
        _tell_refusal(draft, look)
    if due is None and draft.queued is None and draft.replacing is None:
        _relieve(draft, look)
        return _NOTHING
    if look.runs is None or not look.template_read:  # it has come since the reads were chosen
        draft.again_at = draft.now
        return _NOTHING
    if look.refusal is not None:
        if due is not None and due.others:
            draft.done = max(draft.done, due.before)
            draft.miss(due.others, due.first, due.before, why=_OVERTAKEN)
        draft.again_at = draft.now + _TEMPLATE_AGAIN
        return _NOTHING
    active = [run for run in look.runs if run.active]
    if draft.replacing is not None:
        return _replace(draft, spec, due, look)
    if draft.queued is not None and not active:
        moment = _moment(draft, draft.queued)
        draft.queued = None
        return _begin(draft, spec, moment, look), ()
    if due is None or due.latest is None:
        draft.blocked_by = active[0].name if active else None
        return _NOTHING
    if active and spec.concurrency_policy != "Allow":
        return _occupied(draft, spec, due, look)
    _done(draft, due, missed=due.others, why=_OVERTAKEN)
    return _begin(draft, spec, due.latest, look), ()


def _occupied(draft: Draft, spec: AgentWorkflowScheduleSpec, due: Due, look: Look) -> Started:
    """A time has come while a run of the schedule has not ended."""
    assert due.latest is not None, "called with a time that may still start a run"
    active = [run for run in look.runs or () if run.active]
    if spec.concurrency_policy == "Replace":
        draft.replacing = _pending(draft, due.latest)
        _done(draft, due, missed=due.others, why=_OVERTAKEN)
        return _replace(draft, spec, None, look)
    if spec.concurrency_policy == "Queue":
        draft.blocked_by = active[0].name
        if draft.queued is None:
            draft.queued = _pending(draft, due.latest)
            _done(draft, due, missed=due.others, why=_OVERTAKEN)
        else:
            why = f"the run of {draft.queued.scheduled_at} waits already"
            _done(draft, due, missed=due.others + 1, why=why)
        return _NOTHING
    _done(draft, due, missed=due.others + 1, why=f"run {active[0].name} has not ended")
    conditions.blocked_by_run(draft, active[0])
    return _NOTHING


def _replace(draft: Draft, spec: AgentWorkflowScheduleSpec, due: Due | None, look: Look) -> Started:
    """Cancel the runs that have not ended; start the new one when they have."""
    pending = draft.replacing
    assert pending is not None, "called while a run replaces others"
    if due is not None and due.latest is not None:
        _done(draft, due, missed=due.others + 1, why=_OVERTAKEN)
        pending = pending.model_copy(update={"scheduled_at": timestamp(due.latest)})
        draft.replacing = pending
    others = [run for run in look.runs or () if run.active and not run.backfill]
    if not others:
        draft.replacing = None
        return _begin(draft, spec, _moment(draft, pending), look), ()
    draft.blocked_by = others[0].name
    cancelled = tuple(run for run in others if not run.cancelled and not run.deleting)
    for run in cancelled:
        text = f"cancelled run {run.name}: the run of {pending.scheduled_at} replaces it"
        draft.note("Normal", EventReason.RUN_REPLACED, text)
    since = parse_timestamp(pending.since) or draft.now
    if draft.now - since > timedelta(seconds=spec.starting_deadline_seconds):
        text = (
            f"run {others[0].name} was cancelled and has not ended since {pending.since}; waypost "
            f"get {others[0].name} says what it waits for"
        )
        conditions.blocked(draft, ConditionReason.RUN_IN_PROGRESS, text, by=others[0].name)
    return None, cancelled


def _begin(
    draft: Draft, spec: AgentWorkflowScheduleSpec, moment: datetime, look: Look
) -> JsonObject | None:
    """Start the run of a time, unless it exists already."""
    name = run_name(draft.name, moment)
    if draft.was_fired(name) or any(run.name == name for run in look.runs or ()):
        draft.fired(name, timestamp(moment))
        conditions.not_blocked(draft, f"run {name} exists")
        draft.again_at = draft.now
        return None
    return starting.begin(draft, spec, moment)


def _done(draft: Draft, due: Due, *, missed: int, why: str) -> None:
    """The times of `due` are done; the first ones of them were missed."""
    draft.done = max(draft.done, due.last)
    draft.miss(missed, due.first, due.last, why=why)


def _tell_refusal(draft: Draft, look: Look) -> None:
    """A run would be rejected, so none is created."""
    if look.refusal is not None:
        reason, message = look.refusal
        conditions.blocked(draft, reason, message)


def _relieve(draft: Draft, look: Look) -> None:
    if look.runs is not None and look.template_read and look.refusal is None:
        conditions.relieve(draft, running=any(run.active for run in look.runs))


def _pending(draft: Draft, moment: datetime) -> Pending:
    return Pending(scheduled_at=timestamp(moment), since=timestamp(draft.now))


def _moment(draft: Draft, pending: Pending) -> datetime:
    return parse_timestamp(pending.scheduled_at) or draft.now
