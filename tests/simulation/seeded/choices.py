"""Seeded bugs of first nodes."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.state.first import FirstStatus
from waypost.engine.attempts import stop
from waypost.engine.nodes import first, table
from waypost.engine.run import closing, losers
from waypost.engine.state.inputs import Invalid
from waypost.protocol.reasons import Reason

from tests.simulation.scenario.plan import NOTHING, Node, Scenario
from tests.simulation.seeded.hunting import bug


def _chooser(plan: Scenario) -> Node | None:
    return next((node for node in plan.nodes if node.kind == "first"), None)


def _chooses(plan: Scenario) -> bool:
    return _chooser(plan) is not None


def _stops(plan: Scenario) -> bool:
    chooser = _chooser(plan)
    return chooser is not None and not chooser.finishes


def _begins_late(plan: Scenario) -> bool:
    chooser = _chooser(plan)
    return chooser is not None and bool(chooser.after) and chooser.accepts == "any"


def _judges(plan: Scenario) -> bool:
    chooser = _chooser(plan)
    return chooser is not None and chooser.accepts == "large"


def _falls_back(plan: Scenario) -> bool:
    return _chooses(plan) and any(n.candidate and n.fallback != NOTHING for n in plan.nodes)


@bug("VC1", focus=_begins_late)
def _the_list_decides_and_not_the_order_of_ends(patch: pytest.MonkeyPatch) -> None:
    def listed(transition: Any, names: list[str]) -> list[str]:
        return [name for name in names if transition.statuses[name].phase == "Succeeded"]

    patch.setattr(first, "_in_order_of_end", listed)


@bug("VC1", focus=_stops)
def _losers_are_left_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(losers, "drop", lambda transition: None)


@bug("VC1", focus=lambda plan: _chooses(plan) and not _stops(plan))
def _others_that_finish_are_stopped(patch: pytest.MonkeyPatch) -> None:
    def all_of(transition: Any) -> Any:
        for path in transition.graph.choosers:
            status = transition.statuses[path]
            if status.phase in ("Succeeded", "Failed") and status.first is not None:
                yield path

    patch.setattr(losers, "_choosers", all_of)


@bug("T11", focus=_stops)
def _losers_are_stopped_as_if_the_run_was_cancelled(patch: pytest.MonkeyPatch) -> None:
    plain = stop.stop

    def cancelling(transition: Any, path: str, reason: Reason) -> None:
        plain(transition, path, Reason.CANCELLED if reason is Reason.NOT_CHOSEN else reason)

    patch.setattr(stop, "stop", cancelling)


@bug("VC1", "T11", focus=_judges)
def _an_error_in_accept_is_taken_for_false(patch: pytest.MonkeyPatch) -> None:
    plain = first._accepts

    def lenient(transition: Any, path: str, name: str) -> bool:
        accepted = plain(transition, path, name)
        return False if isinstance(accepted, Invalid) else accepted

    patch.setattr(first, "_accepts", lenient)


@bug("VC1", focus=_judges)
def _every_success_is_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(first, "_accepts", lambda transition, path, name: True)


@bug("VC1", "T11", focus=_chooses)
def _the_choice_waits_for_all_candidates(patch: pytest.MonkeyPatch) -> None:
    plain = first.advance

    def patient(transition: Any, path: str, *, withdraw: bool) -> None:
        if all(transition.ended(name) for name in transition.node(path).first.of):
            plain(transition, path, withdraw=withdraw)

    patch.setattr(first, "advance", patient)
    patch.setitem(table.KINDS, "first", replace(first.KIND, advance=patient))


@bug("VC1", focus=_chooses)
def _the_choice_is_not_recorded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(first, "_state_with", lambda chosen, rejected: FirstStatus(rejected=rejected))


@bug("VC1", "T11", focus=_falls_back)
def _a_fallback_is_accepted(patch: pytest.MonkeyPatch) -> None:
    plain = first._in_order_of_end

    def with_fallbacks(transition: Any, names: list[str]) -> list[str]:
        failed = [
            name
            for name in names
            if transition.statuses[name].phase == "Failed"
            and "fallback_output" in transition.node(name).model_fields_set
        ]
        return [*plain(transition, names), *failed]

    patch.setattr(first, "_in_order_of_end", with_fallbacks)


def _chooses_beside_failures(plan: Scenario) -> bool:
    """A candidate waits for a node that may fail the run, and not all nodes run at once."""
    fatal = {n.name for n in plan.nodes if not (n.tolerated or n.pauses or n.last)}
    waits = any(node.candidate and fatal.intersection(node.upstream) for node in plan.nodes)
    return waits and plan.parallelism < 4 and not plan.rounds


@bug("T11", focus=_chooses_beside_failures)
def _a_failure_skips_what_has_its_result(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(closing, "_waits", lambda transition, path: True)
