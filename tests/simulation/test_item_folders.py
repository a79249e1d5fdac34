"""Random maps whose items make folders, under random troubles: VA1 and VA2 hold, and each folder
is taken by whom the list says. The gate plays the seeds that `gate.txt` has (see test_gate.py),
`make nightly` all. `python -m tests.simulation.item_folders --seeds N --start S` plays others."""

import pytest

from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.item_folders.plan import AGAIN, TAKERS, TROUBLES, Plan, plan
from tests.simulation.item_folders.play import described, play
from tests.simulation.item_folders.seeded import BUGS

SEEDS = SIMULATIONS["item_folders"][1]


@pytest.mark.parametrize("part", gate.parts("item_folders", range(SEEDS)))
def test_va2_holds_for_items(part: tuple[int, ...]) -> None:
    reads = 0
    for seed in part:
        violations, given = play(plan(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(plan(seed))}\n{shown}"
        reads += given
    assert reads > 0, "something was taken"


@pytest.mark.parametrize("kind", TROUBLES)
def test_every_trouble_is_in_several_seeds(kind: str) -> None:
    found = [s for s in range(SEEDS) if any(t.kind == kind for t in plan(s).troubles)]
    assert len(found) >= 3, found


def test_all_ways_of_taking_and_of_repeating_are_drawn() -> None:
    plans = [plan(seed) for seed in range(SEEDS)]
    assert {one.again for one in plans} == set(AGAIN)
    for taker in TAKERS:
        assert sum(taker in one.takers for one in plans) > SEEDS / 4
    assert sum(bool(one.failing) for one in plans) > SEEDS / 8
    assert sum(one.swept and bool(one.slow) for one in plans) >= 2


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_folders_of_items_is_caught(bug: Bug[Plan]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
