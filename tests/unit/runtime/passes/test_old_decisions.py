"""A11: a status is sent soon after it was decided, because its clocks begin with the decision."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from waypost.ports.cluster import Busy, Kind

from tests.fakes.clock import EPOCH
from tests.support.builders import gate, python, spec
from tests.support.harness import Call, Operator, World, gives
from tests.support.virtual import virtual

LARGE = "x" * 3000  # in a NodeRecord, which is written before the status


async def freezes_after_the_record(world: World, operator: Operator) -> None:
    """As by SIGSTOP, between the write of a record and that of the status."""

    written = asyncio.Event()

    async def thaw() -> None:
        await written.wait()
        await asyncio.sleep(180)
        operator.thaw()

    async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        answer = await send()
        if (call.verb, call.kind) == ("create", Kind.NODE_RECORD):
            written.set()
            operator.freeze()
            await asyncio.sleep(0)
        return answer

    world.helper(thaw())
    operator.line.intercept = intercept


async def waits_for_a_permit(world: World, operator: Operator) -> None:
    """The API server asks for a pause, three times."""
    await world.until(lambda: bool(world.node("a")), "a has begun", step=0.01)
    busy = Busy("slow down", retry_after=30.0)
    world.cluster.fail_next("patch_status", Kind.AGENT_WORKFLOW, busy, times=3)


@pytest.mark.parametrize("trouble", [freezes_after_the_record, waits_for_a_permit])
@virtual
async def test_a11_a_gate_has_its_whole_time_after_it_was_stored(
    trouble: Callable[[World, Operator], Awaitable[None]],
) -> None:
    stored: list[float] = []
    async with World(script={"a": [gives(LARGE, seconds=5.0)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a"), gate("ask", timeout="40s", dependsOn=["a"])))
        await trouble(world, operator)
        await world.until(lambda: world.node("ask").get("phase") == "Waiting", "it asks", step=0.01)
        stored.append(world.clock.monotonic())
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked", step=0.01)
        text = world.all(Kind.APPROVAL)[0]["spec"]["expiresAt"]
    expires = (datetime.fromisoformat(text) - EPOCH).total_seconds()
    assert stored[0] > 25, "the trouble lasted"
    assert expires - stored[0] > 29, "at most ten seconds old"
