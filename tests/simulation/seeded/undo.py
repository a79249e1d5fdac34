"""Seeded bugs of compensations in the main simulation; `sagas` has more of them."""

from tests.simulation.sagas import plants
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


bug("VF2", focus=_undoes_several)(plants.the_oldest_node_is_undone_first)


bug("VF1", "VF2", focus=_undoes_several)(plants.compensations_run_beside_each_other)


bug("T11", focus=_fails_to_undo)(plants.a_failed_compensation_is_overlooked)


bug("VF2", focus=_is_cancelled_after_a_success)(plants.nothing_is_undone_after_a_cancel)
