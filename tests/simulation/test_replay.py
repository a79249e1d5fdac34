"""A seed stands for one play and no other, and a failing one shrinks to what matters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from waypost.engine.attempts import retries

from tests.simulation.__main__ import main, play_seeds
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.play.stage import Stage, play
from tests.simulation.scenario.plan import Scenario
from tests.simulation.shrink import Cut, described, shrunk

ROOT = Path(__file__).parents[2]
STORMY = next(seed for seed in range(100) if len(scenario(seed).troubles) > 4)


def test_the_same_seed_is_the_same_play() -> None:
    first, second = play(scenario(STORMY))[1], play(scenario(STORMY))[1]
    assert first.digest == second.digest
    assert first.story == second.story


def test_another_process_plays_it_alike() -> None:
    """Also one that hashes, and so iterates over sets, in another order."""
    command = [sys.executable, "-m", "tests.simulation", "replay", str(STORMY)]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == described(Cut(STORMY))


def test_different_seeds_are_different_plays() -> None:
    assert len({play(scenario(seed))[1].digest for seed in range(5)}) == 5


def test_a_scenario_can_do_without_any_of_its_parts() -> None:
    for seed in range(60):
        whole = scenario(seed)
        for node in whole.nodes[:-1]:
            left = whole.without(nodes={node.name})
            assert all(node.name not in other.upstream for other in left.nodes)
        assert not whole.without(troubles=range(len(whole.troubles))).troubles
        assert not whole.without(rounds=range(len(whole.rounds))).rounds


def failing_seed() -> int:
    for seed in range(200):
        if play(scenario(seed))[0]:
            return seed
    raise AssertionError("no seed finds it")


def test_a_failing_seed_shrinks_to_what_matters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A defect: no retry is ever made.
    def stingy(**how: object) -> retries.GiveUp:
        failure = how["failure"]
        return retries.GiveUp(failure.reason, failure.message)  # type: ignore[attr-defined]

    monkeypatch.setattr(retries, "after_failure", stingy)
    seed = failing_seed()
    cut = shrunk(seed)
    assert cut is not None
    left: Scenario = cut.scenario()
    assert len(left.nodes) == 1, "one node shows it"
    assert len(left.troubles) + len(left.rounds) <= 1
    words = cut.command.removeprefix("python -m tests.simulation ").split()
    assert main(words) == 1, "the command it prints fails alike"
    assert f"replay: {cut.command}" in capsys.readouterr().out


def test_an_exception_of_the_simulation_is_a_violation_of_its_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(stage: Stage) -> None:
        raise KeyError("a defect of the simulation")

    monkeypatch.setattr(Stage, "play", broken)
    failing, _ = play_seeds([0, 1])
    assert sorted(failing) == [0, 1]
    assert "a defect of the simulation" in failing[0]
