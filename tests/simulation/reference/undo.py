"""Compensations of a simulated run, by docs/semantics.md: what is undone, in which order, and what
a compensation gets. Written from S270 to S278, and independent of the engine."""

from collections.abc import Mapping
from typing import Any

from tests.simulation.reference.interpreter import End
from tests.simulation.scenario.plan import Node, Scenario


def must_be_undone(node: Node, end: End) -> bool:
    """Whether a node is undone when the run has failed or was cancelled (S270)."""
    unknown = end.phase == "Failed" and end.reason == "UnknownEffect"
    return node.undo is not None and (end.phase == "Succeeded" or unknown)


def may_begin(scenario: Scenario, name: str, left: Mapping[str, str]) -> bool:
    """Whether it is the turn of the compensation of a node (S272).

    Args:
        scenario: The scenario.
        name: The node.
        left: When they ended, of the nodes that are to be undone and are not yet, by name.
    """
    free = [other for other in left if not scenario.downstream(other) & left.keys()]
    newest = max(left[other] for other in free)
    return name == min(other for other in free if left[other] == newest)


def inputs_of_undo(node: Node, end: End, inputs: Any, key: str) -> dict[str, Any]:
    """What the compensation of a node gets (S273), whose program had these inputs."""
    undo = node.undo
    assert undo is not None
    gave = {"gave": end.output} if end.phase == "Succeeded" else {}
    return {"was": inputs, "key": key if undo.keyed else "none", **gave}
