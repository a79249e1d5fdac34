"""Seeds of random workflows under random troubles: no invariant is broken. `make simulate` plays
others; docs/simulation.md tells how to read a failure."""

import pytest

from tests.simulation.__main__ import play_seeds
from tests.simulation.shrink import shrunk, told

PARTS = 40
SEEDS = 50  # a part; so that a failure names a part, and none takes long


@pytest.mark.parametrize("part", range(PARTS))
def test_no_invariant_is_broken(part: int) -> None:
    failing, _ = play_seeds(part * SEEDS, (part + 1) * SEEDS)
    if failing:
        cut = shrunk(min(failing))
        story = told(cut) if cut else "the first of them does not fail a second time"
        pytest.fail(f"failing seeds: {failing}\n{story}", pytrace=False)
