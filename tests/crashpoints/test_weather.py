"""A run behind a network that fails at random: it ends as ever, and nothing starts twice."""

import os
import random
from pathlib import Path

import pytest

from tests.crashpoints import reference
from tests.crashpoints.api import Api
from tests.crashpoints.lane import Lane
from tests.crashpoints.proxy import Faults
from tests.crashpoints.weather import EVERYTHING, KINDS, Weather
from tests.support.kubectl import given_kubeconfig

pytestmark = [
    pytest.mark.real_api,
    pytest.mark.usefixtures("no_operator"),
    pytest.mark.timeout(600),  # ten seconds to a minute, on a machine that is not busy
]

ALL = os.environ.get("WAYPOST_CRASHPOINTS") == "all"
RESYNC = {"WAYPOST_RESYNC_SECONDS": "5"}  # what helps against a watch that says nothing


async def weathered(folder: Path, weather: Weather, name: str) -> list[str]:
    """What is wrong after a run in this weather."""
    async with (
        Api.connected(given_kubeconfig()) as api,
        Lane.opened(api=api, folder=folder, **RESYNC) as lane,
    ):
        lane.proxy.faults = weather
        end = await lane.play(name)
        lane.proxy.faults = Faults()
        print(f"{name}: {dict(weather.met)}, {lane.starts} operators, exits {lane.exits}")
        return reference.problems(end, lane.machine.ledger, None)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_ends_as_ever_in_bad_weather(kind: str, tmp_path: Path) -> None:
    weather = KINDS[kind]()
    assert await weathered(tmp_path, weather, kind) == []
    assert sum(weather.met.values()) > 2, "there was weather"


@pytest.mark.skipif(not ALL, reason="more seeds of the same: make crashpoints")
@pytest.mark.parametrize("seed", range(100, 110))
async def test_more_of_everything(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed).uniform(0.1, 0.5)
    weather = Weather(*EVERYTHING, chance=chance, watch_delay=(0.0, 0.5), seed=seed)
    assert await weathered(tmp_path, weather, f"seed-{seed}") == []
