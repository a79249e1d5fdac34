"""Seeded bugs of compensations in the main simulation; `sagas` has more of them."""

import pytest
from waypost.engine.run import compensating
from waypost.engine.scheduling import undo_order
from waypost.engine.state.transition import Transition

from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.seeded.hunting import bug


def _fails_late(plan: Scenario) -> bool:
    return any(node.name == "fall" for node in plan.nodes) and not plan.is_hurried


def _undoes(plan: Scenario) -> bool:
    return _fails_late(plan) and any(_succeeds(node) for node in plan.nodes)


def _undoes_several(plan: Scenario) -> bool:
    """Whether two nodes are undone of which one waits for the other."""
    able = {node.name for node in plan.nodes if _succeeds(node)}
    return _fails_late(plan) and any(plan.downstream(name) & able for name in able)


def _succeeds(node: Node) -> bool:
    """Whether a node with a compensation succeeds unless something goes wrong."""
    return node.undo is not None and node.acts[0].name == "gives" and node.when is None


def _fails_to_undo(plan: Scenario) -> bool:
    return _fails_late(plan) and any(
        _succeeds(n) and n.undo is not None and {a.name for a in n.undo.acts} == {"fails"}
        for n in plan.nodes
    )


def _is_cancelled_after_a_success(plan: Scenario) -> bool:
    """Whether a person cancels the run once a node with a compensation may have succeeded."""
    cancels = [trouble.at for trouble in plan.troubles if trouble.kind == "cancel"]
    return any(
        _succeeds(node) and not node.upstream and node.acts[0].seconds + 3 < at
        for at in cancels
        for node in plan.nodes
    )


@bug("VF2", focus=_undoes_several)
def _the_oldest_node_is_undone_first(patch: pytest.MonkeyPatch) -> None:
    def oldest(transition: Transition) -> str | None:
        open_ = [path for path in transition.of_stage() if not transition.ended(path)]
        return open_[0] if open_ else None

    patch.setattr(undo_order, "next_path", oldest)


@bug("VF1", "VF2", focus=_undoes_several)
def _compensations_run_beside_each_other(patch: pytest.MonkeyPatch) -> None:
    class Any_:
        def __eq__(self, other: object) -> bool:
            return True

    patch.setattr(undo_order, "next_path", lambda transition: Any_())


@bug("T11", focus=_fails_to_undo)
def _a_failed_compensation_is_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compensating, "_has_failed", lambda status: False)
    patch.setattr(compensating, "not_undone", lambda transition: [])


@bug("VF2", focus=_is_cancelled_after_a_success)
def _nothing_is_undone_after_a_cancel(patch: pytest.MonkeyPatch) -> None:
    needed = compensating.needed

    def failed_only(transition: Transition) -> list[str]:
        return [] if transition.spec.cancel else needed(transition)

    patch.setattr(compensating, "needed", failed_only)
