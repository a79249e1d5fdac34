"""What happens next to a schedule: a pure function of what was observed.

The status is the log and the fence: `starting` is written before a run is created, and the run has
a name that follows from schedule and minute. So two operators, or one that was restarted, create
one run.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.schedule.model import AgentWorkflowScheduleSpec, AgentWorkflowScheduleStatus
from waypost.schedules import conditions, fires, starting
from waypost.schedules.cron import InvalidTiming
from waypost.schedules.draft import Draft, Note
from waypost.schedules.due import Clockwork, clockwork, timing_digest
from waypost.schedules.history import expendable
from waypost.schedules.look import Look, Needs
from waypost.schedules.subject import Schedule, ScheduledRun

SKEW: Final = timedelta(hours=1)
_MAY_BE_GONE: Final = timedelta(seconds=30)  # until a run that blocks is looked at again


@dataclass(frozen=True)
class Step:
    """The next status, and what to do once it is written.

    Attributes:
        status: The status to write, if it differs.
        create: A run to create.
        cancel: Runs to cancel.
        delete: Runs to delete.
        notes: Events to post.
        wake_at: When the next step is due; None for after the next change.
    """

    status: AgentWorkflowScheduleStatus
    create: JsonObject | None = None
    cancel: tuple[ScheduledRun, ...] = ()
    delete: tuple[ScheduledRun, ...] = ()
    notes: tuple[Note, ...] = field(default_factory=tuple)
    wake_at: datetime | None = None


def needs(schedule: Schedule, now: datetime, *, runs_changed: bool = False) -> Needs:
    """What a step must read live before it may decide.

    Args:
        schedule: The schedule as it was observed.
        now: The time of the pass.
        runs_changed: A run of the schedule may have ended since the last step.
    """
    spec, status = schedule.spec, schedule.status
    if spec is None or schedule.deleting:
        return Needs()
    try:
        times = _times(schedule, spec)
    except InvalidTiming:
        return Needs(named=_name(status))
    draft = Draft(schedule, now)
    _edited(draft, spec)
    waits = draft.queued is not None or draft.replacing is not None
    due = not spec.suspend and (waits or times.due(draft.done, now) is not None)
    blocked = conditions.is_blocked(status)
    changed = schedule.generation != status.observed_generation
    return Needs(
        named=_name(status),
        runs=due or blocked or runs_changed,
        template=spec.template.spec.template_ref.name if due or blocked or changed else "",
    )


def step(schedule: Schedule, look: Look | None, now: datetime) -> Step:
    """Decide what to do for one schedule now.

    Args:
        schedule: The schedule as it was observed.
        look: Live reads of what `needs` asked for; None if the spec is invalid.
        now: The time of the pass.
    """
    if schedule.deleting:
        return Step(schedule.status)
    draft, look = Draft(schedule, now), look or Look()
    spec = schedule.spec
    if spec is None:
        conditions.invalid(draft, schedule.problem)
        return Step(draft.status())
    try:
        times = _times(schedule, spec)
    except InvalidTiming as error:
        draft.timing = timing_digest(spec)
        conditions.invalid(draft, f"spec.{error}")
        return Step(draft.status())
    conditions.valid(draft)
    _edited(draft, spec)
    _mind_the_clock(draft)
    create, cancel = _run(draft, spec, times, look)
    delete = expendable(spec, draft, look) if look.runs is not None else ()
    wake = _next(draft, spec, times)
    return Step(draft.status(), create, cancel, delete, tuple(draft.notes), wake)


def _run(
    draft: Draft, spec: AgentWorkflowScheduleSpec, times: Clockwork, look: Look
) -> tuple[JsonObject | None, tuple[ScheduledRun, ...]]:
    """Resolve the run that is starting, or start what is due. Returns what to create and cancel."""
    if draft.starting is not None:
        create = starting.resolve(draft, spec, look)
        if draft.starting is not None:
            return create, ()
    if spec.suspend:
        conditions.not_blocked(draft, "the schedule is suspended")
        return None, ()
    return fires.attend(draft, spec, times, look)


def _times(schedule: Schedule, spec: AgentWorkflowScheduleSpec) -> Clockwork:
    return clockwork(spec, namespace=schedule.namespace, name=schedule.name)


def _name(status: AgentWorkflowScheduleStatus) -> str:
    return status.starting.name if status.starting is not None else ""


def _edited(draft: Draft, spec: AgentWorkflowScheduleSpec) -> None:
    """After an edit of the times, those that have passed are done."""
    digest = timing_digest(spec)
    if draft.timing == digest:
        return
    if draft.timing is not None:
        draft.done = draft.now
        for pending in (draft.queued, draft.replacing):
            draft.missed += 1 if pending is not None else 0
        draft.queued = draft.replacing = None
    draft.timing = digest


def _mind_the_clock(draft: Draft) -> None:
    if draft.done > draft.now + SKEW:
        conditions.clock_set_back(draft)
        draft.done = draft.now


def _next(draft: Draft, spec: AgentWorkflowScheduleSpec, times: Clockwork) -> datetime | None:
    """Set what the status says of the next run; returns when the next step is due."""
    following = None if spec.suspend else times.following(max(draft.done, draft.now - times.delay))
    draft.next_scheduled_at = following
    draft.next_at = following + times.delay if following is not None else None
    soon = [draft.next_at, draft.again_at]
    if draft.blocked or draft.queued is not None or draft.replacing is not None:
        soon.append(draft.now + _MAY_BE_GONE)
    known = [moment for moment in soon if moment is not None]
    return min(known) if known else None
