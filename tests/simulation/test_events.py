"""Random events and nodes that wait for them, under troubles: no invariant is broken (VN1 to VN6).

The gate plays the seeds that `gate.txt` has (see test_gate.py), `make nightly` all.
`python -m tests.simulation.events --seeds N --start S` plays others.
"""

import pytest

from tests.simulation.events.plan import MORE_TROUBLES, TROUBLES, Plan, plan
from tests.simulation.events.play import described, play
from tests.simulation.events.seeded import BUGS
from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS

SEEDS = SIMULATIONS["events"][1]


@pytest.mark.parametrize("part", gate.parts("events", range(SEEDS)))
def test_no_invariant_of_events_is_broken(part: tuple[int, ...]) -> None:
    for seed in part:
        violations = play(plan(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(plan(seed))}\n{shown}"


@pytest.mark.parametrize("kind", [*TROUBLES, *MORE_TROUBLES])
def test_every_trouble_of_events_is_in_several_seeds(kind: str) -> None:
    found = [seed for seed in range(SEEDS) if kind in plan(seed).kinds]
    assert len(found) >= 2, found


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_events_is_caught(bug: Bug[Plan]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
