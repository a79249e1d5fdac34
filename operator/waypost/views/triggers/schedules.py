"""Schedules: the rows of their list, with the next times."""

from datetime import datetime
from itertools import islice

from pydantic import Field

from waypost.api.base import JsonObject
from waypost.api.meta import Condition
from waypost.api.schedule.model import AgentWorkflowScheduleStatus
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.schedules.cron import InvalidTiming
from waypost.schedules.due import clockwork
from waypost.schedules.subject import schedule
from waypost.views.errors import CannotShow
from waypost.views.models import View

_MESSAGE = 300  # characters of why a schedule does not start


class ScheduleRow(View):
    """One line of the list of schedules. `next`: the next starts, computed from the spec, with
    spread. `problem`: why no run starts."""

    name: str
    namespace: str
    schedules: list[str] = Field(default_factory=list)
    time_zone: str
    policy: str
    template: str
    suspended: bool
    next: list[str] = Field(default_factory=list)
    last_scheduled_at: str | None = None
    missed: int
    waiting: str | None = None
    problem: str | None = None


def schedule_row(body: JsonObject, *, now: datetime, count: int) -> ScheduleRow:
    """One line of the list.

    Args:
        body: The schedule.
        now: The time after which the next starts are.
        count: How many of them.

    Raises:
        CannotShow: The object does not have the known form.
    """
    found = schedule(body)
    if found is None or found.spec is None:
        problem = found.problem if found is not None else "no uid"
        raise CannotShow(f"this release cannot read the schedule: {problem}")
    spec, status = found.spec, found.status
    starts: list[str] = []
    try:
        times = clockwork(spec, namespace=found.namespace, name=found.name)
    except InvalidTiming:
        pass  # the condition Accepted says it
    else:
        done = max(parse_timestamp(status.checked_until) or now, now - times.delay)
        if not spec.suspend:
            starts = [timestamp(t + times.delay) for t in islice(times.timing.after(done), count)]
    waiting = status.queued or status.replacing
    return ScheduleRow(
        name=found.name,
        namespace=found.namespace,
        schedules=list(spec.schedules),
        time_zone=spec.time_zone,
        policy=spec.concurrency_policy,
        template=spec.template.spec.template_ref.name,
        suspended=bool(spec.suspend),
        next=starts,
        last_scheduled_at=status.last_scheduled_at,
        missed=status.missed,
        waiting=waiting.scheduled_at if waiting is not None else None,
        problem=_problem(status)[:_MESSAGE] or None,
    )


def _problem(status: AgentWorkflowScheduleStatus) -> str:
    for type_, bad in ((Condition.ACCEPTED, "False"), (Condition.BLOCKED, "True")):
        for condition in status.conditions:
            if condition.type == type_ and condition.status == bad:
                return f"{condition.reason}: {condition.message}"
    return ""
