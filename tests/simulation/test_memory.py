"""Random runs with memory under troubles: no invariant is broken (VY1 to VY5, I11).

`python -m tests.simulation.memory --seeds N --start S` plays others.
"""

import pytest

from tests.simulation.focused.hunting import Bug
from tests.simulation.memory.plan import TROUBLES, Plan, plan
from tests.simulation.memory.play import described, play
from tests.simulation.memory.seeded import BUGS

SEEDS = 48
PART = 4


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_no_invariant_of_memory_is_broken(first: int) -> None:
    for seed in range(first, first + PART):
        violations = play(plan(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(plan(seed))}\n{shown}"


@pytest.mark.parametrize("kind", TROUBLES)
def test_every_trouble_of_memory_is_in_several_seeds(kind: str) -> None:
    found = [s for s in range(SEEDS) if any(t.kind == kind for t in plan(s).troubles)]
    assert len(found) >= 2, found


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_memory_is_caught(bug: Bug[Plan]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
