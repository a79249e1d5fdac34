"""Seeded bugs of loops."""

from typing import Any

import pytest
from waypost.api.base import parse_duration
from waypost.api.changes import changed_loop
from waypost.engine.rounds import begin
from waypost.engine.scheduling import loops

from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded.hunting import bug


def _loops(plan: Scenario) -> bool:
    return any(node.loop is not None and node.loop.max > 1 for node in plan.nodes)


def _loops_over_rounds(plan: Scenario) -> bool:
    named = any(r.again or r.edit or r.given or r.skip for r in plan.rounds)
    return _loops(plan) and bool(plan.rounds) and not named


def _loops_that_retry(plan: Scenario) -> bool:
    """Whether programs of a loop fail more often than its limit allows for one iteration."""
    return any(
        node.loop is not None
        and node.loop.max > 2
        and 0 < node.limit < sum(act.name == "fails" for act in node.acts)
        for node in plan.nodes
    )


@bug("VL1", focus=_loops_over_rounds)
def _a_round_counts_iterations_from_the_start(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(begin, "_continued", lambda status: None)


@bug("VL1", "T11", focus=_loops)
def _until_reads_the_output_before(patch: pytest.MonkeyPatch) -> None:
    until = loops._until

    def stale(transition: Any, path: str, output: Any) -> Any:
        loop = transition.statuses[path].loop
        known = loop.previous if loop is not None else None
        return until(transition, path, transition.payloads[known] if known else output)

    patch.setattr(loops, "_until", stale)


@bug("VL1", focus=lambda plan: any(n.loop and n.loop.pause >= 5 for n in plan.nodes))
def _a_pause_cut_short(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loops, "parse_duration", lambda text: parse_duration(text) / 2)


@bug("T11", focus=_loops_that_retry)
def _retries_counted_over_all_iterations(patch: pytest.MonkeyPatch) -> None:
    after = loops._next

    def keeping(transition: Any, path: str, *how: Any) -> None:
        counted = transition.statuses[path]
        after(transition, path, *how)
        kept = {"retries": counted.retries, "disruptions": counted.disruptions}
        transition.update(path, **kept)

    patch.setattr(loops, "_next", keeping)


@bug("VL1", focus=_loops)
def _previous_is_never_the_last_one(patch: pytest.MonkeyPatch) -> None:

    def forgetful(loop: Any, **changes: Any) -> Any:
        if loop.previous is not None:
            changes.pop("previous", None)
        return changed_loop(loop, **changes)

    patch.setattr(loops, "changed_loop", forgetful)
