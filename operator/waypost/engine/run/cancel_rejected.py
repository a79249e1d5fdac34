"""A run that is cancelled while its spec, or the round that it asks for, cannot be run.

What its attempts and questions were made from is no longer in the spec. To end them, what stands in
the status is enough: each checkpoint becomes a node that waits for nothing, and such a run is
cancelled as any other. Without this, to stop a run one would first have to correct its spec.
"""

from dataclasses import replace
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.table import kind_of
from waypost.api.status import NodeStatus
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.definition import Definition
from waypost.compiler.graph import Dependencies, Graph
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import is_finished

_ALONE: Final = Dependencies(hard=frozenset(), soft=frozenset())
_GATE: Final[JsonObject] = {"approval": {"message": "?", "approvers": {"users": ["nobody"]}}}
_PROGRAM: Final[JsonObject] = {"python": {"source": "def run(): ..."}}


def with_stand_in_nodes(observed: Observed, *, rejected: str) -> Observed:
    """The run as it can be cancelled; `rejected` says why its spec cannot be run."""
    nodes = {status.path: _stand_in(observed, status) for status in observed.status.nodes}
    graph = Graph(nodes=nodes, dependencies=dict.fromkeys(nodes, _ALONE), order=tuple(nodes))
    definition = Definition(
        spec=_spec(observed, list(nodes.values())),
        graph=graph,
        refused=rejected,
    )
    return replace(observed, definition=definition)


def is_cancelled(observed: Observed) -> bool:
    """Whether the run has checkpoints and is to be, or was, cancelled. One that ended before its
    spec was changed is first told what is wrong with the spec."""
    status = observed.status
    known = not is_finished(status) or status.observed_generation == observed.generation
    asked = observed.definition.cancelled or status.cancelled_at is not None
    return bool(status.nodes) and known and asked


def _spec(observed: Observed, nodes: list[Node]) -> AgentWorkflowSpec:
    spec = AgentWorkflowSpec(nodes=nodes, cancel=True)
    ttl = observed.spec.ttl_seconds_after_finished if observed.spec else None
    return spec.model_copy(update={"ttl_seconds_after_finished": ttl})


def _stand_in(observed: Observed, status: NodeStatus) -> Node:
    """A node of the kind that the spec still says it has. A result is taken as its pod checked it:
    the schema it was made under may be gone."""
    is_gate = status.approval is not None
    for node in observed.spec.nodes if observed.spec else ():
        if node.name == status.path and kind_of(node).is_gate == is_gate:
            return node.model_copy(update={"output_schema": None})
    return Node.model_validate({"name": status.path, **(_GATE if is_gate else _PROGRAM)})
