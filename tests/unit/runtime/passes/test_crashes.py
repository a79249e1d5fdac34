"""Crash points (T2): the operator dies around each of its writes, one after the other.

The mutations of a clean reference run are counted; then, for each of them, the run is played again
and the operator is killed before that write, killed after it was committed but before the answer,
or gets the answer that a write failed that was made, and made twice. The end must not differ.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import pytest
from waypost.ports.cluster import Kind, Unavailable

from tests.fakes.api.watch import DELAYED, IMMEDIATE, ROUGH, Delivery
from tests.support import reference
from tests.support.builders import python, spec
from tests.support.harness import Call, World
from tests.support.virtual import virtual

RESTART_SECONDS = 2.0
PARTS = 4  # so that a failure names a part, and none takes long


class Saboteur:
    """Does one thing to the `number`th write of the first operator; then starts another one."""

    def __init__(self, world: World, *, number: int, mode: str, delivery: Delivery) -> None:
        self._world = world
        self._left = number
        self._mode = mode
        self._delivery = delivery
        self.hit = ""
        self._operator = world.start(delivery=delivery, seed=number)
        self._operator.line.intercept = self._intercept

    async def _intercept(self, call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        if not call.writes:
            return await send()
        self._left -= 1
        if self._left:
            return await send()
        self.hit = f"{call.verb} {call.kind.kind} {call.name}"
        match self._mode:
            case "before":
                self._kill()
                raise asyncio.CancelledError
            case "after":
                await send()
                self._kill()
                raise asyncio.CancelledError
            case _:
                await send()
                try:
                    await send()
                finally:
                    raise Unavailable("the connection was reset")

    def _kill(self) -> None:
        self._operator.die()
        self._world.helper(self._restart())

    async def _restart(self) -> None:
        await asyncio.sleep(RESTART_SECONDS)
        self._world.start(delivery=self._delivery)


@cache
def clean() -> tuple[dict[str, Any], int]:
    """The masked end of an undisturbed run, and its number of writes."""
    found: list[tuple[dict[str, Any], int]] = []

    @virtual
    async def play() -> None:
        async with World(script=reference.SCRIPT) as world:
            operator = world.start()
            status = await reference.play(world)
            await world.quiet(10)
            found.append((reference.masked(status), len(operator.line.writes())))

    play()
    return found[0]


@virtual
async def crash(number: int, mode: str, delivery: Delivery, expected: Any) -> None:
    """Play the run with one crash, and check its end."""
    async with World(script=reference.SCRIPT) as world:
        saboteur = Saboteur(world, number=number, mode=mode, delivery=delivery)
        status = await reference.play(world)
        await world.quiet(30)
        where = f"write {number} ({saboteur.hit}), {mode}"
        assert saboteur.hit, where
        assert expected in (None, reference.masked(status)), where
        reference.check(world, status)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("mode", ["before", "after", "twice"])
def test_every_crash_point_ends_alike(mode: str, part: int) -> None:
    expected, count = clean()
    assert count > 30, "the reference run makes enough writes to be worth it"
    # Before a write and after the one before it are nearly the same moment.
    sparse = 3 if mode == "before" else 1
    for number in range(1 + part, count + 1, PARTS * sparse):
        crash(number, mode, IMMEDIATE, expected)


@pytest.mark.parametrize("delivery", [DELAYED, ROUGH], ids=["delayed", "rough"])
@pytest.mark.parametrize("mode", ["before", "after"])
def test_crashes_while_the_watch_is_bad(mode: str, delivery: Delivery) -> None:
    _, count = clean()
    for number in range(2, count, 9):
        crash(number, mode, delivery, None)


@virtual
async def test_an_outage_longer_than_queue_timeout_fails_nobody() -> None:
    """The attempt is recorded, its Job was never asked for, and then there is no operator."""
    async with World() as world:
        operator = world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.JOB:
                operator.die()
                raise asyncio.CancelledError
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a", queueTimeout="10m")))
        await world.quiet(3600)
        assert operator.line.dead
        assert world.ledger.executions == []
        world.start()
        status = await world.finished(within=120)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 1)
