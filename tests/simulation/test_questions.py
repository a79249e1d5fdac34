"""Random maps that ask people under random troubles: no invariant is broken (VQ1 to VQ5, VM4, I6,
I8, I9, I11, I12, T11).

The gate plays the seeds that `gate.txt` has (see test_gate.py), `make nightly` all.
`python -m tests.simulation.questions --seeds N --start S` plays others.
"""

import pytest

from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.questions.plan import TROUBLES, UNGUARD, Plan, plan
from tests.simulation.questions.play import described, play
from tests.simulation.questions.seeded import BUGS

SEEDS = SIMULATIONS["questions"][1]


@pytest.mark.parametrize("part", gate.parts("questions", range(SEEDS)))
def test_no_invariant_of_questions_is_broken(part: tuple[int, ...]) -> None:
    for seed in part:
        violations = play(plan(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(plan(seed))}\n{shown}"


@pytest.mark.parametrize("kind", [*TROUBLES, UNGUARD])
def test_every_trouble_is_in_several_seeds(kind: str) -> None:
    found = [seed for seed in range(SEEDS) if kind in plan(seed).kinds]
    assert len(found) >= 3, found


def test_questions_are_escalated_in_several_seeds() -> None:
    assert sum(bool(plan(seed).levels) for seed in range(SEEDS)) >= 20


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_questions_is_caught(bug: Bug[Plan]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
