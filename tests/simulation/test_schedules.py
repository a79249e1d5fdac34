"""Random schedules under troubles and clock changes: no invariant is broken (VS1 to VS3, I11).

The gate plays the seeds that `gate.txt` has (see test_gate.py), `make nightly` all.
`python -m tests.simulation.schedules --seeds N --start S` plays others.
"""

import pytest

from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.schedules.plan import BEGINS, TROUBLES, Plan, plan
from tests.simulation.schedules.play import described, play
from tests.simulation.schedules.seeded import BUGS

SEEDS = SIMULATIONS["schedules"][1]


@pytest.mark.parametrize("part", gate.parts("schedules", range(SEEDS)))
def test_no_invariant_of_schedules_is_broken(part: tuple[int, ...]) -> None:
    for seed in part:
        violations = play(plan(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(plan(seed))}\n{shown}"


@pytest.mark.parametrize("kind", TROUBLES)
def test_every_trouble_of_schedules_is_in_several_seeds(kind: str) -> None:
    found = [s for s in range(SEEDS) if any(t.kind == kind for t in plan(s).troubles)]
    assert len(found) >= 2, found


def test_every_beginning_is_in_a_seed() -> None:
    assert {(p.zone, p.begin) for p in map(plan, range(SEEDS))} == set(BEGINS)


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_schedules_is_caught(bug: Bug[Plan]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
