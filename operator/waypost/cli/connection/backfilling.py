"""Finds the times of a schedule that have passed, and creates their runs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Final

from waypost.api import meta
from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.cli.connection.cluster import Session
from waypost.cli.connection.pages import read_list
from waypost.cli.connection.people import user_name
from waypost.cli.errors import CommandError, Exit
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import AlreadyExists, Kind, NotFound, Obj, Rejected
from waypost.schedules.cron import InvalidTiming
from waypost.schedules.due import Clockwork, clockwork
from waypost.schedules.manifest import run_manifest, template_problem
from waypost.schedules.subject import Schedule, ScheduledRun, run_name, scheduled_run
from waypost.schedules.subject import schedule as read_schedule

_LOOK_EVERY: Final = 2.0  # seconds between looks at the runs in progress
_COUNTED: Final = 10_000


@dataclass(frozen=True)
class Plan:
    """What a backfill would start.

    Attributes:
        schedule: Name of the schedule.
        spec: Its spec.
        moments: The times.
        times: Each time as text, and the name of its run.
        existing: Names of runs that exist.
    """

    schedule: str
    spec: AgentWorkflowScheduleSpec
    moments: tuple[datetime, ...]
    times: tuple[tuple[str, str], ...]
    existing: frozenset[str]


async def plan(session: Session, name: str, *, begin: str, end: str) -> Plan:
    """The times of a schedule between two times, and which of their runs exist.

    Raises:
        CommandError: There is no such schedule, it cannot be used, or a time cannot be read.
        ClusterError: A request failed.
    """
    found, spec = await _schedule(session, name)
    try:
        times = clockwork(spec, namespace=found.namespace, name=found.name)
    except InvalidTiming as error:
        raise CommandError(f"schedule {name} is not valid: {error}") from error
    now = datetime.now(UTC)
    first, last = _moment(begin, "--from", times), _moment(end, "--to", times) if end else now
    if last > now:
        text = f"--to {end} has not come yet; the schedule starts the runs of later times"
        raise CommandError(text, code=Exit.USAGE)
    before = datetime.fromtimestamp(first.timestamp() - 0.001, UTC)
    moments = tuple(
        islice(takewhile(lambda one: one <= last, times.timing.after(before)), _COUNTED)
    )
    named = tuple((timestamp(one), run_name(name, one)) for one in moments)
    known = {run.name for run in await _runs(session, name)}
    return Plan(name, spec, moments, named, frozenset(known & {run for _, run in named}))


async def carry_out(
    session: Session, found: Plan, *, parallel: int, say: Callable[[str], None]
) -> int:
    """Create the runs that are missing, oldest first.

    Args:
        session: Where.
        found: The plan.
        parallel: Runs of the schedule in progress at the same time; 0 for no limit.
        say: Prints a line.

    Returns:
        How many were created.

    Raises:
        CommandError: A run would be rejected, or the API server refuses one.
        ClusterError: A request failed.
    """
    await _check_template(session, found)
    user, made = await user_name(session), 0
    for moment, (text, name) in zip(found.moments, found.times, strict=True):
        if name in found.existing:
            continue
        await _wait_for_room(session, found.schedule, parallel=parallel, say=say)
        body = run_manifest(found.spec, schedule=found.schedule, scheduled_at=moment)
        if user:
            body["spec"]["requestedBy"] = user
        try:
            await session.cluster.create(
                Kind.AGENT_WORKFLOW, namespace=session.namespace, body=body
            )
        except AlreadyExists:
            say(f"{text}  {name} exists")
            continue
        except Rejected as error:
            if error.code == 403:
                raise
            raise CommandError(f"{name}: {error.message}") from error
        say(f"{text}  {name} started")
        made += 1
    return made


async def _schedule(session: Session, name: str) -> tuple[Schedule, AgentWorkflowScheduleSpec]:
    try:
        body = await session.cluster.get(
            Kind.AGENT_WORKFLOW_SCHEDULE, namespace=session.namespace, name=name
        )
    except NotFound as error:
        if "could not find the requested resource" in error.message:
            raise
        text = f"no AgentWorkflowSchedule {name!r} in {session.namespace}"
        raise CommandError(text, code=Exit.NOT_FOUND) from error
    found = read_schedule(body)
    if found is None or found.spec is None:
        problem = found.problem if found is not None else "it has no uid"
        raise CommandError(f"this release cannot read schedule {name}: {problem}")
    return found, found.spec


async def _check_template(session: Session, found: Plan) -> None:
    template: Obj | None
    try:
        template = await session.cluster.get(
            Kind.AGENT_WORKFLOW_TEMPLATE,
            namespace=session.namespace,
            name=found.spec.template.spec.template_ref.name,
        )
    except NotFound:
        template = None
    problem = template_problem(found.spec, template, datetime.now(UTC))
    if problem is not None:
        raise CommandError(f"{problem[0]}: {problem[1]}")


async def _wait_for_room(
    session: Session, schedule: str, *, parallel: int, say: Callable[[str], None]
) -> None:
    waiting = ""
    while parallel:
        active = [run.name for run in await _runs(session, schedule) if run.active]
        if len(active) < parallel:
            return
        if waiting != active[0]:
            waiting = active[0]
            say(f"waiting for {waiting} to end")
        await asyncio.sleep(_LOOK_EVERY)


async def _runs(session: Session, schedule: str) -> list[ScheduledRun]:
    labels = f"{meta.LABEL_SCHEDULE}={schedule}"
    found, _ = await read_list(session, Kind.AGENT_WORKFLOW, scheduled_run, labels=labels)
    return found


def _moment(text: str, option: str, times: Clockwork) -> datetime:
    """A time that a person has typed, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = (
            f"{option} {text}: expected a date or a time such as 2026-03-01, 2026-03-01T02:30 or "
            "2026-03-01T01:30:00Z"
        )
        raise CommandError(message, code=Exit.USAGE) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=times.timing.zone)
    return moment.astimezone(UTC)
