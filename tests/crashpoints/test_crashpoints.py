"""Crash points against a real API server (T2, T5): every write of a run is disturbed.

The operator is a real process; the API server, its Job controller and its garbage collection are
real; the pods are played. For each mutation of the reference run the operator is killed before it,
killed after it was committed, or left without an answer though it was made, twice. The end must not
differ from that of an undisturbed run, no program may start twice, and no result may be lost.

`make test` takes every STRIDE-th point; `make crashpoints` takes all, and prints figures.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.crashpoints.api import Api
from tests.crashpoints.lane import Lane
from tests.crashpoints.points import MODES, Finding, Mode, Point, calm, disturb
from tests.support.kubectl import given_kubeconfig

pytestmark = pytest.mark.real_api

ALL = os.environ.get("WAYPOST_CRASHPOINTS") == "all"
# Another slice each time would find more in the long run, and could not be repeated.
STRIDE = 1 if ALL else 4
LANES = int(os.environ.get("WAYPOST_CRASHPOINT_LANES", "3"))
BEYOND = 3  # a run that goes another way may have some mutations more


@dataclass(frozen=True)
class Reference:
    """Namespaces side by side, each with an operator, and how an undisturbed run ends there."""

    lanes: Sequence[Lane]
    end: object
    mutations: list[str]

    @property
    def starts(self) -> int:
        """How many operators were started so far."""
        return sum(lane.starts for lane in self.lanes)

    @property
    def executions(self) -> int:
        """How many programs were started so far."""
        return sum(len(lane.machine.ledger.executions) for lane in self.lanes)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calm_run(
    no_operator: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Reference]:
    """Opened once for all modes; the operators go on from one mode to the next."""
    folder = tmp_path_factory.mktemp("lanes")
    async with Api.connected(given_kubeconfig()) as api, AsyncExitStack() as stack:
        opened = [Lane.opened(api=api, folder=folder) for _ in range(LANES)]
        lanes = [await stack.enter_async_context(lane) for lane in opened]
        end, mutations = await calm(lanes[0], "calm-run-1")
        assert len(mutations) > 30, "the reference run makes enough writes to be worth it"
        yield Reference(lanes, end, mutations)


async def enumerate_points(at: Reference, points: Sequence[Point]) -> list[Finding]:
    """Disturb runs at all points, one run at a time in each lane."""
    left = list(reversed(points))
    found: list[Finding] = []

    async def work(lane: Lane) -> None:
        while left:
            found.append(await disturb(lane, left.pop(), at.end))

    async with asyncio.TaskGroup() as group:
        for lane in at.lanes:
            group.create_task(work(lane))
    return found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.timeout(3600 if ALL else 600)  # a minute, on a machine that is not busy
@pytest.mark.parametrize("mode", MODES)
async def test_every_mutation_disturbed_ends_alike(mode: Mode, calm_run: Reference) -> None:
    began, starts, executions = time.monotonic(), calm_run.starts, calm_run.executions
    count = len(calm_run.mutations)
    first = 1 + MODES.index(mode) * STRIDE // len(MODES)  # the modes share out the numbers
    last = count + (BEYOND if ALL else 0)
    points = [Point(number, mode) for number in range(first, last + 1, STRIDE)]
    found = await enumerate_points(calm_run, points)
    hit = [f for f in found if f.hit]
    print(
        f"{mode}: {len(hit)} of {count} mutations disturbed in {len(found)} runs, "
        f"{calm_run.starts - starts} operators, {calm_run.executions - executions} programs "
        f"started, {time.monotonic() - began:.0f} s"
    )
    print(dict(Counter(f.hit.split("/namespaces/")[1].split("/")[1] for f in hit)))
    assert [code for lane in calm_run.lanes for code in lane.exits] == [], "none ends by itself"
    bad = [str(f) for f in found if f.problems]
    assert bad == []
    missed = [f.point.number for f in found if not f.hit]
    assert all(number > count - BEYOND for number in missed), f"never reached: {missed}"
