"""examples/nightly-report: a night at the end of winter, and one that no operator saw."""

import asyncio
from typing import Any

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import NAMESPACE, World
from tests.support.schedules import SCHEDULE, schedule_status, scheduled_runs
from tests.support.virtual import virtual

FOLDER = EXAMPLES / "nightly-report"
HOUR = 3600.0


def manifest(name: str) -> Any:
    """One file of the example."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def own_program(pod: PodView) -> Outcome:
    """What the source of a python node does with its inputs."""
    names: dict[str, Any] = {}
    exec(pod.request["python"]["source"], names)
    return pod.succeeds(names["run"](**pod.inputs), seconds=5)


@virtual
async def test_two_nights() -> None:
    """It begins on Sunday, 2026-03-01, at 10:00 in Berlin."""
    async with World(script={path: [own_program] for path in ("orders", "report")}) as world:
        first = world.start()
        kinds = {"template.yaml": Kind.AGENT_WORKFLOW_TEMPLATE, "schedule.yaml": SCHEDULE}
        for name, kind in kinds.items():
            await world.user.create(kind, namespace=NAMESPACE, body=manifest(name))
        await asyncio.sleep(17 * HOUR)  # Monday, 03:00
        first.die()
        await asyncio.sleep(25 * HOUR)  # Tuesday, 04:00
        world.start()
        await asyncio.sleep(HOUR)
        runs = scheduled_runs(world, "nightly-report")
        assert [run["status"]["outputs"]["report"] for run in runs] == [
            "2026-03-01: 3 orders",
            "2026-03-02: 3 orders",
        ]
        assert [run["spec"]["scheduledAt"] for run in runs] == [
            "2026-03-02T01:30:00.000Z",
            "2026-03-03T01:30:00.000Z",
        ]
        assert all(run["metadata"]["labels"]["team"] == "shop" for run in runs)
        assert schedule_status(world, "nightly-report")["missed"] == 0
