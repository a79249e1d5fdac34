"""Seeded bugs of finally."""

from typing import Any

import pytest
from waypost.engine.run import deferred_round, ending, finalizing, summary
from waypost.engine.run.closing import closing_reason
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition

from tests.simulation.scenario.plan import AMPLE, Scenario
from tests.simulation.seeded.hunting import bug, suffers


def _has_finally(plan: Scenario) -> bool:
    return any(node.last for node in plan.nodes)


def _may_fail(plan: Scenario) -> bool:
    """Whether a main node may fail the run, perhaps while another one runs."""
    main = [node for node in plan.nodes if not node.last]
    fatal = any(a.name == "fails" for n in main if not n.tolerated for a in n.acts)
    return _has_finally(plan) and fatal and len(main) > 3 and plan.parallelism > 2


@bug("VF1", "T11", focus=suffers("cancel_finally"))
def _the_verdict_is_taken_again(patch: pytest.MonkeyPatch) -> None:
    """A cancel during finally makes a cancelled run of one that has succeeded or failed."""
    final_state = summary.final_state

    def again(transition: Transition, result: Any) -> Any:
        if transition.spec.cancel:
            return "Cancelled", "Cancelled", "the run was cancelled"
        return final_state(transition, result)

    patch.setattr(summary, "final_state", again)


@bug("VF1", focus=_may_fail)
def _finally_beside_a_main_program(patch: pytest.MonkeyPatch) -> None:
    """It begins when the run is bound to fail, while other nodes still run."""
    is_over = ending._stage_is_over

    def early(transition: Transition) -> bool:
        bound = not transition.cleans_up and closing_reason(transition) is not None
        return bound or is_over(transition)

    patch.setattr(ending, "_stage_is_over", early)


@bug("VF1", focus=lambda plan: _has_finally(plan) and suffers("cancel", "cancel_finally")(plan))
def _finally_skipped_on_cancel(patch: pytest.MonkeyPatch) -> None:
    def cancelled(transition: Transition) -> bool:
        return bool(transition.spec.cancel or transition.observed.status.cancelled_at)

    patch.setattr(Transition, "is_cancelled", property(cancelled))


def _overtaken(plan: Scenario) -> bool:
    return _has_finally(plan) and (plan.deadline or AMPLE) < 100


@bug("deadline", "VF1", "T11", focus=_overtaken)
def _the_deadline_of_the_run_ends_finally(patch: pytest.MonkeyPatch) -> None:
    of_run = deadlines.of_run

    def of_both(transition: Transition) -> Any:
        cleans_up, transition.cleans_up = transition.cleans_up, False
        try:
            return of_run(transition)
        finally:
            transition.cleans_up = cleans_up

    patch.setattr(deadlines, "of_run", of_both)


@bug(
    "VF1",
    focus=lambda plan: _has_finally(plan) and any(r.moment == "begun" for r in plan.rounds),
)
def _a_round_begins_while_finally_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deferred_round, "is_deferred", lambda observed: False)


@bug("T11", focus=_has_finally)
def _a_failed_clean_up_is_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(finalizing, "failures", lambda transition: [])
