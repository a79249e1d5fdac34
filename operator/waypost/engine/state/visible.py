"""What expressions may see of a run: inputs, ended nodes, the node itself, the run.

An output is visible when the node succeeded, or failed with a fallbackOutput (S35);
then the key is there even when the value is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from waypost.api.base import JsonObject, JsonValue
from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.compiler.on_failure import has_fallback
from waypost.expressions.values import Unavailable, declare_numbers
from waypost.kube.node_records import EVALUATED
from waypost.kube.payloads import RecordFact
from waypost.kube.timestamps import timestamp

if TYPE_CHECKING:
    from waypost.engine.state.observed import Observed  # which holds the definition that reads this


def has_output(node: Node, status: NodeStatus) -> bool:
    """Whether nodes.<name>.output exists."""
    return status.phase == "Succeeded" or (status.phase == "Failed" and has_fallback(node))


def record_of(node: Node, status: NodeStatus) -> str | None:
    """The NodeRecord that holds the node's output, if it is not inline."""
    return status.output_record if has_output(node, status) else None


def output_of(node: Node, status: NodeStatus, payloads: Mapping[str, JsonValue]) -> JsonValue:
    """The node's output. KeyError when it is in a NodeRecord that was not loaded."""
    if status.phase == "Failed":
        return node.fallback_output
    if status.output_record:
        return payloads[status.output_record]
    return status.output


def evaluation_context(
    observed: Observed,
    *,
    statuses: Mapping[str, NodeStatus],
    payloads: Mapping[str, JsonValue],
    names: Iterable[str],
) -> JsonObject:
    """The data of expressions that may refer to the nodes `names` (all of them ended).

    `payloads` holds the data of their NodeRecords by name.
    """
    nodes, spec = observed.definition.graph.nodes, observed.spec
    return {
        "inputs": declare_numbers(observed.definition.inputs, spec and spec.input_schema),
        "nodes": {name: _node_view(nodes[name], statuses[name], payloads) for name in names},
        "run": {
            "name": observed.name,
            "namespace": observed.namespace,
            "uid": observed.uid,
            "round": observed.status.round,
            "createdAt": timestamp(observed.created_at),
            "scheduledAt": timestamp(observed.created_at),
        },
    }


def with_self(
    scope: JsonObject, *, name: str, inputs: JsonObject, attempt: int, idempotency_key: str
) -> JsonObject:
    """`scope` with `self`, for the node's own fields (message, args, env, ...)."""
    me = {
        "inputs": inputs,
        "name": name,
        "attempt": attempt,
        "idempotencyKey": idempotency_key,
    }
    return {**scope, "self": me}


def _node_view(node: Node, status: NodeStatus, payloads: Mapping[str, JsonValue]) -> dict[str, Any]:
    seen: dict[str, Any] = {"phase": status.phase}
    if has_output(node, status):
        output = output_of(node, status, payloads)
        seen["output"] = declare_numbers(output, node.output_schema)
    if status.phase in ("Failed", "Skipped", "Cancelled"):
        seen["error"] = _error_view(status)
    return seen


def _error_view(status: NodeStatus) -> JsonObject:
    seen: JsonObject = {"reason": status.reason or "", "message": status.message or ""}
    latest = status.latest_attempt
    if latest is not None and latest.exit_code is not None and latest.reason == status.reason:
        seen["exitCode"] = latest.exit_code
    return seen


def readable(fact: RecordFact) -> JsonValue:
    """The payload of a record for expressions: its value, or why it is not there."""
    payload = fact.payload
    if fact.problem:
        return Unavailable(f"NodeRecord {fact.name}: {fact.problem}")
    if not payload.read:
        return Unavailable(
            f"it has {payload.size} bytes, expressions read outputs up to {EVALUATED}"
        )
    return payload.value


def lost(name: str) -> Unavailable:
    """What stands for the payload of a record that is certainly gone."""
    return Unavailable(f"NodeRecord {name}, which held it, is gone", lost=True)
