"""Many schedules with one time: 150 at ten o'clock."""

import asyncio

from waypost.api import meta
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import spec, wait
from tests.support.harness import World
from tests.support.schedules import create_schedule
from tests.support.templates import create_template
from tests.support.virtual import virtual

MANY = 150
WORKERS = 8  # of a World: so many start beside each other
TEN = 60 * 60.0  # seconds from the beginning of a World to ten o'clock
QPS, BURST = 50.0, 100  # of a World


@virtual
async def test_schedules_with_one_time_start_in_turn_within_the_rate() -> None:
    """Each starts one run; no second has more creates than the rate allows; in the order of the
    names, but for those that run beside each other."""
    created: list[tuple[float, str]] = []
    async with World() as world:
        world.start()
        await create_template(world, spec(wait("a", duration="5h")))
        for number in range(MANY):
            await create_schedule(world, "0 * * * *", name=f"s{number:03}")

        def note(kind: Kind, change: str, body: Obj) -> None:
            if kind is Kind.AGENT_WORKFLOW and change == "ADDED":
                label = body["metadata"]["labels"][meta.LABEL_SCHEDULE]
                created.append((world.clock.monotonic(), label))

        world.cluster.server.storage.listeners.append(note)
        await asyncio.sleep(TEN + 120)
    assert sorted(name for _, name in created) == [f"s{number:03}" for number in range(MANY)]
    began = created[0][0]
    for at, _ in created:
        so_far = sum(other <= at for other, _ in created)
        assert so_far <= BURST + QPS * (at - began + 1)
    for place, (_, name) in enumerate(created):
        assert abs(place - int(name[1:])) <= WORKERS, f"{name} is number {place}"
