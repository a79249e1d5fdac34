"""Compensations of nodes: what undoes a node, and each of them as a node that has its programs."""

from dataclasses import dataclass
from typing import Literal

from waypost.ports.cluster import Obj

from tests.simulation.scenario.plan import Act, Node, Scenario


@dataclass(frozen=True)
class Undo:
    """A compensation. `acts` by attempt, the last one for all more."""

    kind: Literal["python", "container"] = "python"
    acts: tuple[Act, ...] = ()
    limit: int = 5
    once: bool = False
    timeout: float = 600.0
    keyed: bool = True  # it gets the key of the program that it undoes


def path_of(name: str) -> str:
    """The path of the compensation of a node."""
    return f"{name}/compensate"


def undoing(node: Node, undo: Undo) -> Node:
    """The compensation of a node as a node."""
    return Node(
        name=path_of(node.name),
        kind=undo.kind,
        last=True,
        limit=undo.limit,
        once=undo.once,
        timeout=undo.timeout,
        acts=undo.acts,
    )


def compensations(scenario: Scenario) -> tuple[Node, ...]:
    """The compensations of all nodes, as nodes."""
    return tuple(undoing(node, node.undo) for node in scenario.nodes if node.undo is not None)


def compensate_of(node: Node, undo: Undo) -> Obj:
    """`compensate` of an entry of spec.nodes."""
    source = "def run(**inputs):\n    return None\n"
    kind = {"python": {"source": source}, "container": {"image": "undo:1"}}[undo.kind]
    inputs = {
        "was": "${self.inputs}",
        "gave": "${self.?output}" if node.never_twice else "${self.output}",
        "key": "${self.idempotencyKey}" if undo.keyed else "none",
    }
    return {
        undo.kind: kind,
        "inputs": inputs,
        "timeout": f"{undo.timeout:.0f}s",
        "retry": {"limit": undo.limit, "backoff": {"initial": "1s"}},
        **({"effect": "once"} if undo.once else {}),
    }
