"""Seeded bugs of rounds, pauses and deadlines."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.compiler import fingerprints, on_failure
from waypost.engine.rounds import begin, dispositions, leftovers
from waypost.engine.run import pausing
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition

from tests.simulation.scenario.plan import AMPLE, Scenario
from tests.simulation.seeded.hunting import bug


@bug("I7", focus=lambda plan: any(r.moment == "ended" and not r.again for r in plan.rounds))
def _a_kept_node_runs_again(patch: pytest.MonkeyPatch) -> None:
    why_anew = dispositions._rerun_cause
    patch.setattr(
        dispositions, "_rerun_cause", lambda *known, **how: why_anew(*known, **how) or "why not"
    )


def _edits_below_a_gate(plan: Scenario) -> bool:
    gates = [node.name for node in plan.nodes if node.kind == "approval"]
    return any(
        each.moment == "ended" and any(each.edit in plan.downstream(gate) for gate in gates)
        for each in plan.rounds
    )


@bug("I8", focus=_edits_below_a_gate)
def _a_yes_to_something_else(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fingerprints, "downstream", lambda spec, graph, gate: [])


@bug("I6", "I8", focus=lambda plan: any(r.edit and r.moment == "ended" for r in plan.rounds))
def _an_edit_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Transition, "stamp_fingerprint", lambda self, path: None)


@bug("S53", focus=lambda plan: bool(plan.rounds) and any(n.once for n in plan.nodes))
def _once_repeated_by_a_round(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dispositions, "is_once", lambda spec, graph, path: False)


@bug("I5", "T11", focus=lambda plan: any(r.given for r in plan.rounds))
def _a_given_result_forgotten(patch: pytest.MonkeyPatch) -> None:
    fate = dispositions._choose

    def deaf(observed: Any, spec: Any, asked: Any, **how: Any) -> Any:
        return fate(observed, spec, asked.model_copy(update={"outputs": None}), **how)

    patch.setattr(dispositions, "_choose", deaf)


@bug("I2", "I3", focus=lambda plan: any(r.moment == "begun" and r.again for r in plan.rounds))
def _a_running_attempt_forgotten(patch: pytest.MonkeyPatch) -> None:
    begun = begin._begun

    def hasty(observed: Any, status: Any, **how: Any) -> Any:
        made = begun(observed, status, **how)
        return made.model_copy(update={"phase": "Pending"}) if made.phase == "Superseding" else made

    patch.setattr(begin, "_begun", hasty)


@bug("I12", focus=lambda plan: any(r.drop and r.moment == "begun" for r in plan.rounds))
def _pods_of_a_dropped_node_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leftovers, "stop", lambda transition: [])


def _pauses(plan: Scenario) -> bool:
    failing = ("fails", "silent", "oom", "huge")
    return any(
        n.pauses and n.acts and n.acts[0].name in failing and not n.limit for n in plan.nodes
    )


@bug("S42", focus=_pauses)
def _a_pause_taken_for_a_failure(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(on_failure, "pauses", lambda node: False)


@bug("S42", "I11", "I16", focus=_pauses)
def _nothing_waits_for_a_person(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pausing, "paused", lambda transition: [])


# --- deadlines -----------------------------------------------------------------------------------


def _hurried(plan: Scenario) -> bool:
    return plan.is_hurried and not plan.troubles


def _a_slow_node_is_hurried(plan: Scenario) -> bool:
    """A node runs so much longer than its deadline that slow requests do not explain it."""
    return (
        _hurried(plan)
        and plan.latency < 0.1
        and any((node.deadline or AMPLE) <= 5 and node.acts[0].seconds > 8 for node in plan.nodes)
    )


@bug("deadline", focus=_a_slow_node_is_hurried)
def _deadlines_of_nodes_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deadlines, "begin", lambda transition, path: None)


@bug("deadline", focus=lambda plan: _hurried(plan) and (plan.deadline or AMPLE) < AMPLE)
def _a_deadline_that_comes_early(patch: pytest.MonkeyPatch) -> None:
    of_run = deadlines.of_run

    def early(transition: Transition) -> Any:
        at = of_run(transition)
        return at and at - timedelta(seconds=15)

    patch.setattr(deadlines, "of_run", early)


@bug("deadline", focus=lambda plan: _hurried(plan) and (plan.deadline or AMPLE) < AMPLE)
def _the_deadline_of_the_run_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deadlines, "of_run", lambda transition: None)
