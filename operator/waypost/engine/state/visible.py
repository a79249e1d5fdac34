"""The evaluation context: what expressions can read of inputs, ended nodes, the node and the run.

An output is visible if the node succeeded, or failed with a fallbackOutput (S35); then its key
exists even if the value is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.nodes.artifacts import ArtifactStatus
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.api.wire.memo import Memo
from waypost.api.workflow import Node
from waypost.compiler.node_output import with_numbers
from waypost.compiler.on_failure import has_fallback
from waypost.expressions.values import Unavailable, declare_numbers
from waypost.kube.items import artifacts as item_artifacts
from waypost.kube.memory import snapshot
from waypost.kube.node_records import EVALUATED
from waypost.kube.payloads import RecordFact
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.protocol import ijson

FAILURES_SHOWN = 20  # of run.failures
_COUNTED = ("total", "succeeded", "failed")

if TYPE_CHECKING:
    from waypost.engine.state.observed import Observed  # which holds the definition that reads this


def has_output(node: Node, status: NodeStatus) -> bool:
    """Whether nodes.<name>.output exists."""
    return status.phase == "Succeeded" or (status.phase == "Failed" and has_fallback(node))


def record_of(node: Node, status: NodeStatus) -> str | None:
    """The NodeRecord that holds the node's output, if it is not inline."""
    return status.output_record if has_output(node, status) else None


def records_of(node: Node, status: NodeStatus) -> set[str]:
    """The names of the NodeRecords that expressions about an ended node may read: its output,
    the last output of a loop that failed (`error.last`), and the artifacts of items."""
    found = (record_of(node, status), last_record(status), item_artifacts.record_of(node, status))
    return {name for name in found if name is not None}


def last_record(status: NodeStatus) -> str | None:
    """The NodeRecord with the last output of a loop that failed; None if there is none."""
    return status.loop.previous if status.phase == "Failed" and status.loop is not None else None


def output_of(node: Node, status: NodeStatus, payloads: Mapping[str, JsonValue]) -> JsonValue:
    """The node's output.

    Args:
        node: The definition of the node.
        status: Its status; it must have an output (`has_output`).
        payloads: The values of the loaded NodeRecords, by name.

    Raises:
        KeyError: The output is in a NodeRecord that is not in `payloads`.
    """
    if status.phase == "Failed":
        return node.fallback_output
    if status.output_record:
        return payloads[status.output_record]
    return status.output


def _output_size(status: NodeStatus) -> int:
    return len(ijson.canonical(status.output)) if status.output is not None else 0


# Bytes of the output in a status, as canonical JSON; 0 for one in a NodeRecord.
output_size: Final[Memo[NodeStatus, int]] = Memo(_output_size)


def _inline_size(status: AgentWorkflowStatus) -> int:
    return sum(map(output_size, status.nodes))


# The same of all nodes of a stored status.
inline_size: Final[Memo[AgentWorkflowStatus, int]] = Memo(_inline_size)


def evaluation_context(
    observed: Observed,
    *,
    statuses: Mapping[str, NodeStatus],
    payloads: Mapping[str, JsonValue],
    names: Iterable[str],
) -> JsonObject:
    """The values that expressions can read.

    Args:
        observed: The run.
        statuses: The status of each node, by path.
        payloads: The values of the loaded NodeRecords, by name.
        names: The nodes that the expressions may refer to; all of them must have ended.

    Returns:
        A dict with the keys `inputs` (the run's inputs by name), `nodes` (by name; each with
        `phase`, and with `output` and `error` if it has them) and `run` (`name`, `namespace`,
        `uid`, `round`, `createdAt`, `scheduledAt`, and in finally `phase`, `reason`, `message` and
        `failures`), and `memory` if the run reads it.

    Raises:
        KeyError: An output is in a NodeRecord that is not in `payloads`.
    """
    nodes, spec = observed.definition.graph.nodes, observed.spec
    return {
        "inputs": declare_numbers(observed.definition.inputs, spec and spec.input_schema),
        "nodes": {name: _node_view(nodes, statuses[name], payloads) for name in names},
        "run": {
            "name": observed.name,
            "namespace": observed.namespace,
            "uid": observed.uid,
            "round": observed.status.round,
            "createdAt": timestamp(observed.created_at),
            "scheduledAt": scheduled_at(observed),
            **_verdict_view(observed, statuses),
        },
        **_memory_view(observed, payloads),
    }


def _memory_view(observed: Observed, payloads: Mapping[str, JsonValue]) -> JsonObject:
    """`memory`, once the run has its snapshot and if something reads it."""
    status = observed.status.memory
    if status is None or status.record not in payloads or not observed.definition.memory_readers:
        return {}
    seen = snapshot.view(payloads[status.record])
    return {"memory": declare_numbers(seen, observed.definition.memory_schema)}


def scheduled_at(observed: Observed) -> str:
    """`run.scheduledAt`: the time that the run is for (S563), in UTC."""
    given = observed.spec.scheduled_at if observed.spec is not None else None
    return timestamp(parse_timestamp(given) or observed.created_at)


def _verdict_view(observed: Observed, statuses: Mapping[str, NodeStatus]) -> JsonObject:
    """What `run` also has in nodes of finally; empty before all other nodes have ended."""
    verdict, graph = observed.status.verdict, observed.definition.graph
    if verdict is None:
        return {}
    failed = [
        statuses[name]
        for name in graph.order
        if name not in graph.finally_nodes and statuses[name].phase == "Failed"
    ]
    return {
        "phase": verdict.phase,
        "reason": verdict.reason,
        "message": verdict.message,
        "failures": [{"node": one.path, **_failure(one)} for one in failed[:FAILURES_SHOWN]],
    }


def _failure(status: NodeStatus) -> JsonObject:
    return {"reason": status.reason or "", "message": status.message or ""}


def with_self(
    context: JsonObject, *, name: str, inputs: JsonObject, attempt: int, idempotency_key: str
) -> JsonObject:
    """`context` with the key `self`, for the node's own fields (message, args, env, ...).

    `self` has the keys `inputs`, `name`, `attempt` and `idempotencyKey`.
    """
    me = {
        "inputs": inputs,
        "name": name,
        "attempt": attempt,
        "idempotencyKey": idempotency_key,
    }
    return {**context, "self": me}


def chosen_by(status: NodeStatus) -> str | None:
    """The candidate whose output a first node has; None for other nodes."""
    return status.first.chosen if status.first is not None else None


def candidate_view(node: Node, status: NodeStatus, payloads: Mapping[str, JsonValue]) -> JsonObject:
    """`candidate` in `first.accept`, of a candidate that succeeded."""
    output = with_numbers(node, output_of(node, status, payloads))
    return {"name": status.path, "output": output}


def _node_view(
    nodes: Mapping[str, Node], status: NodeStatus, payloads: Mapping[str, JsonValue]
) -> dict[str, Any]:
    node = nodes[status.path]
    source = nodes.get(chosen_by(status) or "", node)
    node_context: dict[str, Any] = {"phase": status.phase}
    if has_output(node, status):
        output = output_of(node, status, payloads)
        node_context["output"] = with_numbers(source, output)
        if node.for_each is not None:
            node_context["items"] = items_view(status, output)
    if status.phase == "Succeeded" and status.artifacts:
        node_context["artifacts"] = {one.name: artifact_value(one) for one in status.artifacts}
    if (listed := item_artifacts.record_of(node, status)) is not None:
        node_context["artifacts"] = _lists(payloads[listed])
    if status.phase in ("Failed", "Skipped", "Cancelled"):
        node_context["error"] = _error_view(status)
        last = last_record(status)
        if last is not None:
            node_context["error"]["last"] = declare_numbers(payloads[last], node.output_schema)
        if node.for_each is not None and _has_counts(status):
            node_context["error"]["items"] = items_view(status, None)
    return node_context


def _has_counts(status: NodeStatus) -> bool:
    """Whether a map has ended with a list, whose items are counted."""
    return status.items is not None and status.items.succeeded is not None


def items_view(status: NodeStatus, output: JsonValue) -> JsonObject:
    """`nodes.x.items` of a map: the counts of its items, and the failures that its status has.

    Args:
        status: The status of the map.
        output: Its output. A person gave it if the map has no counts; then it is counted.
    """
    if status.items is not None and _has_counts(status):
        items = status.items
        failures = [
            {"index": one.index, "reason": one.reason, "message": one.message or ""}
            for one in items.failures or ()
        ]
        counts = {"succeeded": items.succeeded or 0, "failed": items.failed or 0}
        return {"total": items.total, **counts, "failures": failures}
    if isinstance(output, dict):  # collect: None
        return {**{key: output.get(key, 0) for key in _COUNTED}, "failures": []}
    total = len(output) if isinstance(output, list) else 0
    return {"total": total, "succeeded": total, "failed": 0, "failures": []}


def _lists(payload: JsonValue) -> JsonValue:
    """`nodes.x.artifacts` of a map: a list for each name, with null where an item failed."""
    if isinstance(payload, Unavailable):
        return payload
    return {
        name: [artifact_value(one) if one is not None else None for one in made]
        for name, made in item_artifacts.lists_in(payload).items()
    }


def artifact_value(made: ArtifactStatus) -> JsonObject:
    """An artifact as expressions see it, of the schema `#/schemas/Artifact`."""
    return {
        "name": made.name,
        "digest": made.digest,
        "bytes": made.bytes,
        "files": made.files,
    }


def _error_view(status: NodeStatus) -> JsonObject:
    seen = _failure(status)
    latest = status.latest_attempt
    if latest is not None and latest.exit_code is not None and latest.reason == status.reason:
        seen["exitCode"] = latest.exit_code
    if status.tail:
        seen["tail"] = status.tail
    return seen


def readable(fact: RecordFact) -> JsonValue:
    """The value of a NodeRecord for expressions; an Unavailable if they cannot read it."""
    payload = fact.payload
    if fact.problem:
        return Unavailable(f"NodeRecord {fact.name}: {fact.problem}")
    if not payload.read:
        return Unavailable(f"it has {payload.size} bytes, the limit for expressions is {EVALUATED}")
    return payload.value


def replaced(name: str, digest: str) -> Unavailable:
    """The replacement for the value of a NodeRecord with another payload than the status names."""
    text = f"NodeRecord {name} does not hold the result that was recorded ({digest[:19]})"
    return Unavailable(f"{text}: it was replaced", lost=True)


def lost(name: str) -> Unavailable:
    """The replacement for the value of a NodeRecord that no longer exists."""
    return Unavailable(f"NodeRecord {name}, which held it, no longer exists", lost=True)
