"""Schedules in a World, and the runs that they start."""

from datetime import UTC, datetime
from typing import Any, Final

from waypost.api import meta
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, World
from tests.support.templates import REVIEW, create_template

NIGHTLY: Final = "nightly"
SCHEDULE: Final = Kind.AGENT_WORKFLOW_SCHEDULE


def schedule_spec(*lines: str, template: str = REVIEW, **fields: Any) -> Obj:
    """`spec` of a schedule of these cron lines."""
    run = {"templateRef": {"name": template}, **fields.pop("run", {})}
    return {"schedules": list(lines), "template": {"spec": run}, **fields}


async def create_schedule(world: World, *lines: str, name: str = NIGHTLY, **fields: Any) -> Obj:
    """Create a schedule."""
    body = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflowSchedule",
        "metadata": {"name": name},
        "spec": schedule_spec(*lines, **fields),
    }
    return await world.user.create(SCHEDULE, namespace=NAMESPACE, body=body)


async def nightly(world: World, *lines: str, **fields: Any) -> None:
    """A template with one node `a`, and a schedule of it."""
    await create_template(world, spec(python("a", timeout="5h")))
    await create_schedule(world, *(lines or ("*/10 * * * *",)), **fields)


def schedule_status(world: World, name: str = NIGHTLY) -> Obj:
    """The status of a schedule; empty when it has none."""
    return section(world.cluster.server.storage.read(SCHEDULE, NAMESPACE, name) or {}, "status")


def schedule_condition(world: World, type_: str, name: str = NIGHTLY) -> Obj:
    """A condition of a schedule; empty if it has none of the type."""
    found = items(schedule_status(world, name), "conditions")
    return next((one for one in found if one["type"] == type_), {})


def scheduled_runs(world: World, name: str = NIGHTLY) -> list[Obj]:
    """The runs of a schedule that exist, in the order of their times."""
    found = [
        run
        for run in world.all(Kind.AGENT_WORKFLOW)
        if section(run, "metadata", "labels").get(meta.LABEL_SCHEDULE) == name
    ]
    return sorted(found, key=lambda run: str(run["spec"]["scheduledAt"]))


def times(world: World, name: str = NIGHTLY) -> list[str]:
    """The times of its runs, as `09:10`."""
    return [str(run["spec"]["scheduledAt"])[11:16] for run in scheduled_runs(world, name)]


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
