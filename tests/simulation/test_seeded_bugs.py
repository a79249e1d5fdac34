"""Each seeded bug is caught, by an invariant that is about it (T12)."""

import pytest

from tests.simulation.seeded.bugs import BUGS
from tests.simulation.seeded.hunting import Bug


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_is_caught(bug: Bug) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"


def test_there_are_many_of_them() -> None:
    assert len(BUGS) >= 50, "a module of bugs is not imported any more"
    assert len({bug.name for bug in BUGS}) == len(BUGS)
