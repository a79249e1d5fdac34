"""A round that a person requests while compensations or finally run: it begins after them.

A clean-up never runs beside what it cleans up. But the spec is already that of the next round, so
it continues with the nodes of the status: attempts that run are completed, nodes that have not
started get their definition from the new spec, and nodes that it no longer has are cancelled.
"""

from dataclasses import replace
from datetime import datetime

from waypost.api.changes import changed_node, changed_run
from waypost.api.status import NodeStatus
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.graph import Dependencies, Graph
from waypost.engine.rounds.begin import is_requested
from waypost.engine.run.cancel_rejected import stand_in
from waypost.engine.run.compensating import with_recorded
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import cleans_up, is_finished
from waypost.kube import timestamps
from waypost.kube.items.child_items import has_children
from waypost.protocol.reasons import Reason


def is_deferred(observed: Observed) -> bool:
    """Whether the spec requests a round that has to wait for the end of compensations and
    finally."""
    status = observed.status
    waits = is_requested(observed) and cleans_up(status) and not is_finished(status)
    return waits and bool(observed.definition.graph.order)


def with_recorded_nodes(observed: Observed, now: datetime) -> Observed:
    """The run with the nodes of its status, as far as the spec of the next round defines them."""
    observed = with_recorded(observed)
    spec, graph = observed.spec, observed.definition.graph
    assert spec is not None, "a round is requested by a spec"
    statuses = [_without_removed(observed, status, now) for status in observed.status.nodes]
    known = {status.path for status in statuses}
    last = frozenset(status.path for status in statuses if status.stage == "Finalizing")
    undoing = frozenset(status.path for status in statuses if status.stage == "Compensating")
    nodes = {status.path: _node(observed, status) for status in statuses}
    dependencies = {path: _among(graph, path, known) for path in nodes}
    places = {path: place for place, path in enumerate(graph.order)}

    def place(path: str) -> tuple[bool, bool, int]:
        return path in last, path in undoing, places.get(path, len(places))

    order = sorted(nodes, key=place)
    definition = replace(
        observed.definition,
        spec=_spec(spec),
        graph=Graph(nodes, dependencies, tuple(order), last, undoing),
        stand_ins=frozenset(s.path for s in statuses if _is_open(s)),
        problems=(),
    )
    status = changed_run(observed.status, nodes=statuses)
    # What is written until the round begins is not about its generation yet.
    generation = observed.status.observed_generation
    return replace(observed, definition=definition, status=status, generation=generation)


def _is_open(status: NodeStatus) -> bool:
    """Whether an attempt or a child run of the node has not ended."""
    running = status.phase in ("Running", "Superseding")
    calls = status.child is not None or has_children(status.items)
    return status.open_attempt is not None or (running and calls)


def _spec(spec: AgentWorkflowSpec) -> AgentWorkflowSpec:
    """The spec without what is meant for the end of the next round."""
    changes = {"outputs": None, "output_schema": None, "ttl_seconds_after_finished": None}
    return spec.model_copy(update=changes)


def _node(observed: Observed, status: NodeStatus) -> Node:
    graph = observed.definition.graph
    node = graph.nodes.get(status.path)
    if node is None or graph.stage_of(status.path) != status.stage:
        return stand_in(observed, status)
    # A pod that runs is judged by the schema with which it was launched.
    running = status.open_attempt is not None
    return node.model_copy(update={"output_schema": None}) if running else node


def _among(graph: Graph, path: str, known: set[str]) -> Dependencies:
    declared = graph.dependencies.get(path)
    if declared is None:
        return Dependencies(hard=frozenset(), soft=frozenset())
    return Dependencies(hard=declared.hard & known, soft=declared.soft & known)


def _without_removed(observed: Observed, status: NodeStatus, now: datetime) -> NodeStatus:
    graph = observed.definition.graph
    waits = status.stage is not None and status.phase in ("Pending", "Backoff")
    if not waits or graph.stage_of(status.path) is not None:
        return status
    what = "finally" if status.stage == "Finalizing" else "the compensations"
    return changed_node(
        status,
        phase="Cancelled",
        reason=str(Reason.CANCELLED),
        message=f"the update that requests the next round removed it from {what}",
        wake_at=None,
        finished_at=timestamps.timestamp(now),
    )
