"""The conditions of a schedule: Accepted, Blocked and ClockSkew."""

from waypost.api.meta import Condition, ConditionReason
from waypost.api.schedule.model import AgentWorkflowScheduleStatus
from waypost.kube.timestamps import timestamp
from waypost.schedules.draft import Draft
from waypost.schedules.subject import ScheduledRun

# These stay until a run was created.
_UNTIL_THE_NEXT_RUN = (ConditionReason.CREATE_REFUSED, ConditionReason.NAME_TAKEN)
_GATES = "waypost approvals lists the questions that are open"
_PAUSED = "waypost get {run} says what it needs"


def invalid(draft: Draft, problem: str) -> None:
    """The spec cannot be used: nothing starts."""
    draft.conditions.set(
        Condition.ACCEPTED, False, reason=ConditionReason.INVALID_SPEC, message=problem
    )


def valid(draft: Draft) -> None:
    """The spec can be used."""
    draft.conditions.set(
        Condition.ACCEPTED,
        True,
        reason=ConditionReason.ACCEPTED,
        message="the cron lines and the time zone are valid",
    )


def blocked(draft: Draft, reason: str, message: str, *, by: str | None = None) -> None:
    """The next run cannot start."""
    draft.conditions.set(Condition.BLOCKED, True, reason=reason, message=message)
    draft.blocked_by = by


def blocked_by_run(draft: Draft, run: ScheduledRun) -> None:
    """A time was missed because a run of the schedule has not ended."""
    help_ = _PAUSED.format(run=run.name) if run.phase == "Paused" else ""
    help_ = _GATES if run.phase == "Waiting" else help_
    phase = run.phase or "not accepted yet"
    message = (
        f"run {run.name} of this schedule has not ended (it is {phase}), and concurrencyPolicy is "
        f"Forbid. To end it: waypost cancel {run.name}"
    )
    blocked(
        draft,
        ConditionReason.RUN_IN_PROGRESS,
        f"{message}; {help_}" if help_ else message,
        by=run.name,
    )


def not_blocked(draft: Draft, message: str) -> None:
    """The next run can start. Nothing is written for a schedule that never was blocked."""
    draft.blocked_by = None
    if draft.conditions.has(Condition.BLOCKED):
        draft.conditions.set(
            Condition.BLOCKED, False, reason=ConditionReason.NOT_BLOCKED, message=message
        )


def clock_set_back(draft: Draft) -> None:
    """The clock of the operator was far ahead, or it is behind now."""
    draft.conditions.set(
        Condition.CLOCK_SKEW,
        True,
        reason=ConditionReason.CLOCK_SET_BACK,
        message=f"times up to {timestamp(draft.done)} are done, and the clock of the operator says "
        f"{timestamp(draft.now)}: it was set back by more than an hour. The schedule continues "
        "from now. Check the clocks of the machines",
    )


def clock_steady(draft: Draft) -> None:
    """A run was started after the clock was set back."""
    if draft.conditions.has(Condition.CLOCK_SKEW, "True"):
        draft.conditions.set(
            Condition.CLOCK_SKEW,
            False,
            reason=ConditionReason.CLOCK_STEADY,
            message="a run was started since the clock was set back",
        )


def relieve(draft: Draft, *, running: bool) -> None:
    """Take Blocked back if its cause is over: a run that has ended, or a template that fits."""
    known = next((c for c in draft.conditions.items if c.type == Condition.BLOCKED), None)
    if known is None or known.status != "True" or known.reason in _UNTIL_THE_NEXT_RUN:
        return
    if known.reason == ConditionReason.RUN_IN_PROGRESS and running:
        return
    not_blocked(draft, "the next run can start")


def is_blocked(status: AgentWorkflowScheduleStatus) -> bool:
    """Whether the condition Blocked of a status is True."""
    return any(c.type == Condition.BLOCKED and c.status == "True" for c in status.conditions)
