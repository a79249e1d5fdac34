"""Cancel a run whose spec, or the round that it requests, cannot be run.

The definitions of its attempts and approvals are no longer in the spec, but the status is enough to
end them: each checkpoint becomes a node without dependencies, and the run is cancelled like any
other. Without this, a person would have to correct the spec before the run can be stopped.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from waypost.api.base import JsonObject, parse_duration
from waypost.api.kinds.table import kind_of
from waypost.api.status import NodeStatus
from waypost.api.workflow import AgentWorkflowSpec, CompensationNode, Node
from waypost.compiler.definition import Definition
from waypost.compiler.graph import Dependencies, Graph
from waypost.compiler.origin import Settled
from waypost.engine.scheduling.deadlines import of_clean_up
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import cleans_up, is_finished
from waypost.kube.items.child_items import has_children
from waypost.kube.items.open_items import asks
from waypost.kube.timestamps import parse_timestamp

_ALONE: Final = Dependencies(hard=frozenset(), soft=frozenset())
_GATE: Final[JsonObject] = {"approval": {"message": "?", "approvers": {"users": ["nobody"]}}}
_CHILD: Final[JsonObject] = {"workflow": {"templateRef": {"name": "unknown"}}}
_AGENT: Final[JsonObject] = {"agent": {"prompt": "?", "model": {"provider": "?", "name": "?"}}}
_PROGRAM: Final[JsonObject] = {"python": {"source": "def run(): ..."}}


def with_stand_in_nodes(observed: Observed, *, rejected: str, late: bool = False) -> Observed:
    """The run with a stand-in node for each checkpoint.

    Args:
        observed: The run.
        rejected: Why its spec cannot be run, for the condition Accepted.
        late: It is not cancelled, but its deadline (`deadline`) has passed.
    """
    nodes = {status.path: stand_in(observed, status) for status in observed.status.nodes}
    stages = {
        status.path: status.stage for status in observed.status.nodes if cleans_up(observed.status)
    }
    last = frozenset(path for path, stage in stages.items() if stage == "Finalizing")
    undoing = frozenset(path for path, stage in stages.items() if stage == "Compensating")
    order = tuple(sorted(nodes, key=lambda path: (path in last, path in undoing)))
    graph = Graph(nodes, dict.fromkeys(nodes, _ALONE), order, last, undoing)
    definition = Definition(
        spec=_spec(observed, list(nodes.values()), late=late),
        graph=graph,
        stand_ins=frozenset(nodes),
        refused=rejected,
    )
    return replace(observed, definition=definition, origin=Settled())


def is_cancelled(observed: Observed) -> bool:
    """Whether the run has checkpoints and is, or was, cancelled.

    False for a run that ended before its spec was changed: its status must show the problems of the
    spec first.
    """
    status = observed.status
    known = not is_finished(status) or status.observed_generation == observed.generation
    requested = observed.definition.cancelled or status.cancelled_at is not None
    return bool(status.nodes) and known and requested


def deadline(observed: Observed) -> datetime | None:
    """When the stage of a run must have ended whose definition is not there: that of compensations
    or finally, or the deadline that stands in the run itself; None if neither is known."""
    status, spec = observed.status, observed.spec
    if cleans_up(status):
        return of_clean_up(status)
    if spec is None or spec.deadline is None:
        return None
    began = parse_timestamp(status.round_started_at or status.started_at)
    return began and began + timedelta(seconds=parse_duration(spec.deadline))


def _spec(observed: Observed, nodes: list[Node], *, late: bool) -> AgentWorkflowSpec:
    # Without the definitions of its nodes, finally can only be stopped.
    ttl = observed.spec.ttl_seconds_after_finished if observed.spec else None
    spec = AgentWorkflowSpec(
        cancel=not late,
        skip_finally=True,
        ttl_seconds_after_finished=ttl,
        deadline=observed.spec.deadline if late and observed.spec else None,
    )
    return spec.model_copy(update={"nodes": nodes})  # none of a run that was never accepted


def stand_in(observed: Observed, status: NodeStatus) -> Node:
    """A node of the kind that the spec still has for it, or of one that fits its checkpoint.

    It has no output schema, because the schema of its attempt may be gone. Its pods are judged by
    their requests (`attempts.launched_as`).
    """
    is_parked = status.phase == "Waiting" and status.parked is not None
    is_gate = (status.approval is not None and not is_parked) or asks(status.items)
    is_child = status.child is not None or has_children(status.items)
    runs = bool(status.items and status.items.open) and not is_child and not is_gate
    runs = runs or status.open_attempt is not None
    for node in observed.spec.all_nodes if observed.spec else ():
        kind = kind_of(node)
        fits = kind.is_gate == is_gate and (kind.has_pod or not runs)
        fits = fits and (node.workflow is not None) == is_child
        fits = fits and (node.agent is not None or not is_parked)
        if node.name == status.path and fits:
            return node.model_copy(update={"output_schema": None})
    if status.stage == "Compensating":
        block = _CHILD if is_child else _PROGRAM
        made = Node.model_validate({"name": "undo", **block})
        return CompensationNode.model_construct(
            name=status.path, python=made.python, workflow=made.workflow
        )
    block = _GATE if is_gate else _CHILD if is_child else _PROGRAM
    block = _AGENT if is_parked else block
    return Node.model_validate({"name": status.path, **block})
