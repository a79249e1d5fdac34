"""Random runs with compensations under random troubles: no invariant is broken (VF1, VF2, I2, I6,
I11, I12, T11).

The gate plays the seeds that `gate.txt` has (see test_gate.py), `make nightly` all.
`python -m tests.simulation.sagas --seeds N --start S` plays others.
"""

import pytest

from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.sagas.plan import TROUBLES, Saga, saga
from tests.simulation.sagas.play import described, play
from tests.simulation.sagas.seeded import BUGS

SEEDS = SIMULATIONS["sagas"][1]


@pytest.mark.parametrize("part", gate.parts("sagas", range(SEEDS)))
def test_no_invariant_of_a_saga_is_broken(part: tuple[int, ...]) -> None:
    for seed in part:
        violations = play(saga(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(saga(seed))}\n{shown}"


@pytest.mark.parametrize("kind", TROUBLES)
def test_every_trouble_is_in_several_seeds(kind: str) -> None:
    found = [seed for seed in range(SEEDS) if kind in saga(seed).kinds]
    assert len(found) >= 3, found


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_compensations_is_caught(bug: Bug[Saga]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
