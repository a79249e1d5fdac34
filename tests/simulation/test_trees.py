"""Random trees of runs under random troubles: no invariant is broken (VW1, VW2, VW3, I2, I7, I11).

The gate plays the seeds that `gate.txt` has (see test_gate.py), `make nightly` all.
`python -m tests.simulation.trees --seeds N --start S` plays others.
"""

import pytest

from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.trees.plan import REFUSED_BELOW, REFUSED_ONCE, TROUBLES, Tree, tree
from tests.simulation.trees.play import described, play
from tests.simulation.trees.seeded import BUGS

SEEDS = SIMULATIONS["trees"][1]


@pytest.mark.parametrize("part", gate.parts("trees", range(SEEDS)))
def test_no_invariant_of_a_tree_is_broken(part: tuple[int, ...]) -> None:
    for seed in part:
        violations = play(tree(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(tree(seed))}\n{shown}"


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(422, id="a round repeats a tolerated failure and what comes after it"),
        pytest.param(459, id="eight requests in a row fail, so the cancel takes two minutes"),
        pytest.param(1100004, id="an item waits to continue its child run, which has ended"),
        pytest.param(1100270, id="a child run continues for an item that a new list has moved"),
    ],
)
def test_what_the_judge_must_allow(seed: int) -> None:
    assert play(tree(seed)) == []


@pytest.mark.parametrize("kind", TROUBLES)
def test_every_trouble_is_in_several_seeds(kind: str) -> None:
    found = [s for s in range(SEEDS) if any(t.kind == kind for t in tree(s).troubles)]
    assert len(found) >= 3, found


def test_child_runs_are_refused_once_in_several_seeds() -> None:
    found = [s for s in range(SEEDS) if tree(s).troubles == REFUSED_ONCE]
    assert len(found) >= 3, found


def test_each_kind_is_refused_for_long_in_a_seed() -> None:
    found = {t.number for s in range(SEEDS) for t in tree(s).troubles if t.kind == "refuse_long"}
    assert found == set(range(len(REFUSED_BELOW)))


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_trees_is_caught(bug: Bug[Tree]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
