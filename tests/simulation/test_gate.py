"""What the gate plays of the simulations is less than all, and lacks nothing that all have.

`gate.txt` has the seeds. Of each focused simulation they are the fewest and smallest plans that
have every feature (focused/choosing.py); of each seeded bug it is the smallest plan that catches
it. The other seeds are the same tests with the marker `nightly`, which `make nightly` runs
(tests/tools/test_gate.py).
"""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import pinned
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.focused import gate
from tests.simulation.focused.choosing import KEPT, common, cover, features, size
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.seeded.bugs import BUGS

DO = "run `python -m tests.simulation choose --gate`"
FOCUSED = [
    pytest.param(bug, id=f"{name}-{bug.name}")
    for name, (bugs, _) in SIMULATIONS.items()
    for bug in bugs.all
]


@pytest.mark.parametrize("name", SIMULATIONS)
def test_the_gate_has_everything_that_several_seeds_have(name: str) -> None:
    bugs, count = SIMULATIONS[name]
    chosen = gate.seeds(name)
    assert set(chosen) <= set(range(count)), DO
    assert len(chosen) < count / 1.8, "the gate plays a part"
    for feature in common(map(bugs.drawn, range(count))):
        having = [seed for seed in chosen if feature in set(features(bugs.drawn(seed)))]
        assert len(having) >= KEPT, f"{feature}: {having}; {DO}"


def test_the_gate_plays_a_part_of_the_pinned_seeds_that_has_everything() -> None:
    plans = {seed: scenario(seed) for seed in pinned.read()}
    chosen = gate.seeds(gate.MAIN)
    assert set(chosen) <= set(plans), DO
    assert len(chosen) < len(plans) / 2, "the gate plays a part"
    has = Counter(name for seed in chosen for name in set(features(plans[seed])))
    missing = sorted(name for name in common(plans.values()) if has[name] < KEPT)
    assert missing == [], DO


def test_a_seeded_bug_has_one_seed_in_the_gate() -> None:
    """A focused bug without one is hunted in the first seeds that have what it needs."""
    focused = [f"{name}:{bug.name}" for name, (bugs, _) in SIMULATIONS.items() for bug in bugs.all]
    main = [f"{gate.MAIN}:{bug.name}" for bug in BUGS]
    kept = {name: seeds for name, seeds in gate.read().items() if ":" in name}
    assert set(main) <= set(kept) <= {*main, *focused}, DO
    assert {len(seeds) for seeds in kept.values()} == {1}, DO


@pytest.mark.nightly
@pytest.mark.parametrize("bug", FOCUSED)
def test_a_seeded_bug_is_caught_by_the_first_seeds_too(bug: Bug[Any]) -> None:
    """Without the seed that was chosen for it: the others that have what it needs show it too."""
    own = gate.catching(bug.bugs.name, bug.name)
    others = (seed for seed in bug.seeds() if seed not in own)
    assert any(bug.caught(seed) for seed in (*others, *own))


def test_parts_are_those_of_the_gate_and_marked_the_rest() -> None:
    parts = gate.parts("trees", range(60))
    kept = [seed for part in parts if not part.marks for seed in part.values[0]]
    rest = [seed for part in parts if part.marks for seed in part.values[0]]
    assert tuple(kept) == gate.seeds("trees")
    assert sorted(kept + rest) == list(range(60))
    assert {mark.name for part in parts for mark in part.marks} == {"nightly"}


@dataclass(frozen=True)
class Drawn:
    """A plan."""

    seed: int
    kind: str
    times: tuple[int, ...] = ()
    after: float | None = None


def test_features_of_a_plan() -> None:
    assert set(features(Drawn(7, "a", times=(1, 9, 9, 9), after=0.5))) == {
        "Drawn.kind is 'a'",
        "Drawn.times has 3",
        "Drawn.times is 1",
        "Drawn.times is 3",
        "Drawn.after is more",
    }
    assert "Drawn.after is None" in set(features(Drawn(7, "a")))


def test_what_three_seeds_have_is_in_two_chosen_and_the_smallest_come_first() -> None:
    kinds = ["a", "a", "a", "b", "b", "b", "rare"]
    plans = {seed: Drawn(seed, kind) for seed, kind in enumerate(kinds)}
    plans[0] = Drawn(0, "a", times=(5,) * 9)
    assert cover(plans) == [1, 2, 3, 4]


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "gate.txt"
    gate.write({"trees": [3, 5], "main:a-bug": [7]}, path)
    assert gate.read(path) == {"trees": (3, 5), "main:a-bug": (7,)}
    assert gate.read(tmp_path / "none.txt") == {}


def test_seeds_of_a_bug_have_what_it_needs_and_the_smallest_is_tried_first() -> None:
    bugs, _ = SIMULATIONS["trees"]
    bug = bugs.all[0]
    found = list(islice(bug.seeds(), 5))
    assert all(bug.focus(bugs.drawn(seed)) for seed in found)
    assert size(bugs.drawn(found[0])) > 0
