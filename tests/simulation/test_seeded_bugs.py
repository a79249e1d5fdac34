"""Each seeded bug is caught, by an invariant that is about it (T12).

The gate plays one seed for each, the smallest plan of those that catch it (`gate.txt`). `make
nightly` plays every pinned seed of each. The focused simulations do the same with their bugs
(test_gate.py).
"""

import pytest

from tests.simulation import pinned
from tests.simulation.seeded.bugs import BUGS
from tests.simulation.seeded.hunting import Bug


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_is_caught(bug: Bug) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"


@pytest.mark.nightly
@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_each_of_its_pinned_seeds_catches_a_seeded_bug(bug: Bug) -> None:
    assert [seed for seed in pinned.catching(bug.name) if not bug.caught(seed)] == []


def test_there_are_many_of_them() -> None:
    assert len(BUGS) >= 50, "a module of bugs is not imported any more"
    assert len({bug.name for bug in BUGS}) == len(BUGS)
