"""The pinned seeds of random workflows under random troubles: no invariant is broken.

The gate plays the part of them that `gate.txt` names: every trouble, kind of node and whatever else
several plans have, in the smallest plans (`focused/choosing.py`). `make nightly` plays all. `make
simulate` plays others; docs/simulation.md says how to read a failure.
"""

import pytest

from tests.simulation import pinned
from tests.simulation.__main__ import play_seeds
from tests.simulation.choose import CATCHES
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.focused import gate
from tests.simulation.play.troubles import KINDS
from tests.simulation.seeded.bugs import BUGS
from tests.simulation.shrink import described, shrunk

SEEDS = list(pinned.read())


@pytest.mark.parametrize("part", gate.parts(gate.MAIN, SEEDS))
def test_no_invariant_is_broken(part: tuple[int, ...]) -> None:
    failing, _ = play_seeds(part)
    if failing:
        cut = shrunk(min(failing))
        story = described(cut) if cut else "the first of them does not fail a second time"
        pytest.fail(f"failing seeds: {failing}\n{story}", pytrace=False)


def test_the_pinned_seeds_are_enough() -> None:
    assert len(SEEDS) >= 250


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_trouble_is_in_several_pinned_seeds(kind: str) -> None:
    found = [s for s in SEEDS if any(each.kind == kind for each in scenario(s).troubles)]
    do = "run `python -m tests.simulation choose`"
    assert len(found) >= 5, f"{found}; {do}"
    assert len(set(found) & set(gate.seeds(gate.MAIN))) >= 2, f"of the gate; {do} --gate"


@pytest.mark.parametrize("name", [bug.name for bug in BUGS])
def test_each_seeded_bug_has_its_pinned_seeds(name: str) -> None:
    found = pinned.catching(name)
    do = "run `python -m tests.simulation choose --bugs`"
    assert len(found) >= CATCHES, f"pinned seeds that catch {name}: {found}; {do}"


def test_no_pinned_seed_names_a_bug_that_is_gone() -> None:
    named = {name for names in pinned.read().values() for name in names}
    assert named <= {bug.name for bug in BUGS}, "run `python -m tests.simulation choose --bugs`"
