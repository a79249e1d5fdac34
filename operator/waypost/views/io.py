"""Inputs and output of one node, beside their schemas.

The inputs of a node are not stored: status has their digest. They are evaluated again from the
definition and the outputs that they read, with the engine's own function.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from waypost.api.base import JsonObject, JsonValue
from waypost.api.kinds.table import kind_of
from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.compiler.definition import Definition
from waypost.engine.scheduling.inputs import resolve
from waypost.engine.state import visible
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.expressions.values import Unavailable
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.node_records import LARGEST, record_fact
from waypost.protocol import schema
from waypost.views.documents import NodeIo
from waypost.views.errors import CannotShow
from waypost.views.observed import observed_run
from waypost.views.run.describe import status_of


def needed_records(run: JsonObject, definition: Definition, path: str) -> frozenset[str]:
    """The names of the NodeRecords that `node_io` shows or evaluates. Raises CannotShow."""
    known = {status.path: status for status in status_of(run).nodes}
    graph, names = definition.graph, set()
    status = known.get(path)
    if status is not None and status.output_record:
        names.add(status.output_record)
    if status is not None and status.loop is not None and status.loop.previous:
        names.add(status.loop.previous)
    for name in graph.dependencies[path].all if path in graph.nodes else ():
        if name in known:
            names |= visible.records_of(graph.nodes[name], known[name])
    return frozenset(names)


def node_io(
    run: JsonObject,
    definition: Definition,
    path: str,
    *,
    records: Mapping[str, JsonObject],
    now: datetime,
) -> NodeIo:
    """The inputs and the output of a node.

    Args:
        run: The AgentWorkflow object.
        definition: Its definition.
        path: The node.
        records: The NodeRecords of `needed_records`, by name, as far as they could be read.
        now: The time.

    Raises:
        CannotShow: The run has no such node, or its status cannot be read.
    """
    observed = observed_run(run, definition, now=now)
    node = definition.graph.nodes.get(path)
    status = next((one for one in observed.status.nodes if one.path == path), None)
    if node is None:
        raise CannotShow(f"no node {path!r} in {observed.name}")
    shown = NodeIo(
        name=observed.name,
        namespace=observed.namespace,
        path=path,
        kind=kind_of(node).name,
        phase=status.phase if status is not None else "Pending",
        reason=status.reason if status is not None else None,
        message=status.message if status is not None else None,
        input_schema=node.input_schema,
        output_schema=node.output_schema,
        tail=status.tail if status is not None else None,
    )
    if status is None or status.phase == "Pending":
        note = "the node has not started"
        return shown.model_copy(update={"inputs_note": note, "output_note": note})
    payloads = {name: _value(name, records) for name in needed_records(run, definition, path)}
    transition = Transition(observed, now=now, settings=PodSettings(runner_image=""))
    transition.payloads.update(payloads)
    changes = _inputs(transition, node, status) | _output(node, status, payloads)
    return shown.model_copy(update=changes)


def _value(name: str, records: Mapping[str, JsonObject]) -> JsonValue:
    body = records.get(name)
    if body is None:
        return Unavailable(f"NodeRecord {name} cannot be read")
    fact = record_fact(body, limit=LARGEST)
    return visible.readable(fact)


def _inputs(transition: Transition, node: Node, status: NodeStatus) -> dict[str, Any]:
    if node.for_each is not None:
        return {"inputs_note": "each item of a map has its own inputs"}
    if status.input_digest is None:
        return {"inputs_note": "the node has ended without inputs"}
    found = resolve(transition, status.path)
    if isinstance(found, Invalid):
        return {"inputs_note": found.message}
    return {"inputs": found.values, "same": found.digest == status.input_digest}


def _output(node: Node, status: NodeStatus, payloads: Mapping[str, JsonValue]) -> dict[str, Any]:
    if not visible.has_output(node, status):
        return {"output_note": f"the node is {status.phase} and has no output"}
    value = visible.output_of(node, status, payloads)
    if isinstance(value, Unavailable):
        return {"output_note": value.why}
    found: dict[str, Any] = {"output": value, "has_output": True}
    if node.output_schema is not None and node.for_each is None:
        listed = schema.validate(node.output_schema, value)
        found["violations"] = [str(violation) for violation in listed]
    return found
