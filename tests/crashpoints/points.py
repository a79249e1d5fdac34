"""One crash point: what happens at the k-th mutation of a run."""

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

from tests.crashpoints import reference
from tests.crashpoints.api import Answer
from tests.crashpoints.lane import Lane
from tests.crashpoints.proxy import Faults, Forward, Request

Mode = Literal["before", "after", "twice"]
MODES: Final[tuple[Mode, ...]] = ("before", "after", "twice")


@dataclass(frozen=True)
class Point:
    """Where a run is disturbed. `number` counts from 1."""

    number: int
    mode: Mode

    @property
    def run(self) -> str:
        # Of one length: what is counted is what names the run.
        return f"{self.mode}-{self.number:03}"


class Counting(Faults):
    """No faults; notes the mutations that concern a run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self.mutations: list[str] = []

    async def request(self, request: Request, forward: Forward) -> Answer | None:
        if request.mutates and request.concerns(self._run):
            self.mutations.append(str(request))
        return await forward()


class Saboteur(Faults):
    """Disturbs one mutation of a run: kills the operator before it reaches the API server, or
    once it is committed and before the operator hears of it; or does it twice and resets the
    connection."""

    def __init__(self, lane: Lane, point: Point) -> None:
        self._lane = lane
        self._point = point
        self._left = point.number
        self.hit = ""
        self.restarting: asyncio.Task[None] | None = None

    async def request(self, request: Request, forward: Forward) -> Answer | None:
        if self.hit or not request.mutates or not request.concerns(self._point.run):
            return await forward()
        self._left -= 1
        if self._left:
            return await forward()
        self.hit = str(request)
        match self._point.mode:
            case "before":
                self._kill()
            case "after":
                await forward()
                self._kill()
            case "twice":
                await forward()
                await forward()
        return None

    def _kill(self) -> None:
        # The death of the client cancels what handles its request: not this.
        self.restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        await self._lane.kill()
        await self._lane.start()


@dataclass(frozen=True)
class Finding:
    """What came of a point."""

    point: Point
    hit: str  # "": the run had fewer mutations
    problems: list[str]

    def __str__(self) -> str:
        return f"{self.point.mode} mutation {self.point.number} ({self.hit}): {self.problems}"


async def disturb(lane: Lane, point: Point, expected: object) -> Finding:
    """Play the run with one disturbance, and check its end."""
    saboteur = Saboteur(lane, point)
    lane.proxy.faults = saboteur
    try:
        end = await lane.play(point.run)
    except AssertionError as error:
        return Finding(point, saboteur.hit, [str(error)])
    finally:
        if saboteur.restarting is not None:
            await saboteur.restarting
        lane.proxy.faults = Faults()
    found = reference.problems(end, lane.machine.ledger, expected)
    await lane.forget(end)
    return Finding(point, saboteur.hit, found)


async def calm(lane: Lane, run: str) -> tuple[object, list[str]]:
    """The masked end of an undisturbed run, and its mutations in order."""
    counting = Counting(run)
    lane.proxy.faults = counting
    end = await lane.play(run)
    await asyncio.sleep(0.5)  # Events and releases that come behind the end
    lane.proxy.faults = Faults()
    found = reference.problems(end, lane.machine.ledger, None)
    assert found == [], found
    await lane.forget(end)
    return reference.masked(end.status), counting.mutations
