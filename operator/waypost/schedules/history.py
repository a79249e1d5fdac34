"""Which ended runs of a schedule the history limits delete."""

from datetime import UTC, datetime
from typing import Final

from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.schedules.draft import Draft
from waypost.schedules.look import Look
from waypost.schedules.subject import ScheduledRun

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def expendable(
    spec: AgentWorkflowScheduleSpec, draft: Draft, look: Look
) -> tuple[ScheduledRun, ...]:
    """The runs to delete: beyond the limits, oldest times first.

    Never a run that has not ended, that Argo CD or Flux track, that a person made by a backfill, or
    whose name could start again.
    """
    ended = [run for run in look.runs or () if _may_go(run, draft)]
    ended.sort(key=lambda run: (run.scheduled_at or _FIRST, run.name), reverse=True)
    good = [run for run in ended if run.phase == "Succeeded"]
    bad = [run for run in ended if run.phase != "Succeeded"]
    beyond = good[spec.successful_runs_history_limit :] + bad[spec.failed_runs_history_limit :]
    return tuple(reversed(beyond))


def _may_go(run: ScheduledRun, draft: Draft) -> bool:
    if run.active or run.backfill or run.tracked or run.deleting or run.held:
        return False
    if draft.starting is not None and draft.starting.name == run.name:
        return False
    return run.scheduled_at is not None and run.scheduled_at <= draft.done
