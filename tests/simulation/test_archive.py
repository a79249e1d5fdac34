"""Random runs that end, and their archive, under troubles: no invariant is broken (VH1 to VH4).

The gate plays the seeds that `gate.txt` has (see test_gate.py), `make nightly` all.
`python -m tests.simulation.archive --seeds N --start S` plays others.
"""

import pytest

from tests.simulation.archive.plan import TROUBLES, Plan, plan
from tests.simulation.archive.play import described, play
from tests.simulation.archive.seeded import BUGS
from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS

SEEDS = SIMULATIONS["archive"][1]


@pytest.mark.parametrize("part", gate.parts("archive", range(SEEDS)))
def test_no_invariant_of_the_archive_is_broken(part: tuple[int, ...]) -> None:
    for seed in part:
        violations = play(plan(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(plan(seed))}\n{shown}"


@pytest.mark.parametrize("kind", TROUBLES)
def test_every_trouble_of_the_archive_is_in_several_seeds(kind: str) -> None:
    found = [s for s in range(SEEDS) if any(t.kind == kind for t in plan(s).troubles)]
    assert len(found) >= 2, found


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_the_archive_is_caught(bug: Bug[Plan]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
