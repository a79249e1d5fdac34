"""Random graphs of folders under random troubles: VA1 holds, and each folder is what the reference
says. The gate plays the seeds that `gate.txt` has (see test_gate.py), `make nightly` all. `python
-m tests.simulation.folders --seeds N --start S` plays others."""

import pytest

from tests.simulation.focused import gate
from tests.simulation.focused.hunting import Bug
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.folders.plan import TROUBLES, Plan, plan
from tests.simulation.folders.play import described, play
from tests.simulation.folders.seeded import BUGS

SEEDS = SIMULATIONS["folders"][1]


@pytest.mark.parametrize("part", gate.parts("folders", range(SEEDS)))
def test_va1_holds(part: tuple[int, ...]) -> None:
    reads = 0
    for seed in part:
        violations, given = play(plan(seed))
        shown = "\n".join(map(str, violations))
        assert not violations, f"{described(plan(seed))}\n{shown}"
        reads += given
    assert reads > 0, "something was taken"


@pytest.mark.parametrize("kind", [*TROUBLES, "delete_ended"])
def test_every_trouble_is_in_several_seeds(kind: str) -> None:
    found = [s for s in range(SEEDS) if any(t.kind == kind for t in plan(s).troubles)]
    assert len(found) >= 3, found


def test_agents_take_folders_as_attachments() -> None:
    attached = [step for seed in range(SEEDS) for step in plan(seed).steps if step.attached]
    assert sum(bool(step.takes) for step in attached) > SEEDS / 2


def test_questions_are_about_folders() -> None:
    """S498"""
    plans = [plan(seed) for seed in range(SEEDS)]
    assert sum(bool(one.asked) for one in plans) > SEEDS / 3
    assert any(set(one.asked) & set(one.again) for one in plans), "a round asks again"


def test_loops_pass_folders_on() -> None:
    times = [step.times for seed in range(SEEDS) for step in plan(seed).steps]
    assert min(times.count(2), times.count(3)) > SEEDS / 8


def test_child_runs_take_and_make_folders() -> None:
    called = [step for seed in range(SEEDS) for step in plan(seed).steps if step.called]
    assert len(called) > SEEDS
    assert sum(bool(step.takes) for step in called) > SEEDS / 2


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_of_artifacts_is_caught(bug: Bug[Plan]) -> None:
    assert bug.hunt() is not None, f"none of {sorted(bug.caught_by)} notices"
