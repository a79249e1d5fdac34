"""What a run used: by node, by model, and what is left of its budget."""

from collections.abc import Iterable
from decimal import Decimal

from waypost.api.base import JsonObject
from waypost.api.state.usage import Usage
from waypost.views.documents import NodeCost, RunCost
from waypost.views.models import NodeView, RunView
from waypost.views.run.models_used import models_used


def run_cost(run: RunView) -> RunCost:
    """The usage of a run whose traces were read as far as possible."""
    traces = [
        attempt.trace for node in run.nodes for attempt in node.attempts if attempt.trace_record
    ]
    entries = [entry for trace in traces if trace is not None for entry in trace.entries]
    return RunCost(
        name=run.name,
        namespace=run.namespace,
        phase=run.phase,
        usage=run.usage,
        budget=run.budget,
        left=_left(run),
        nodes=[_node(node) for node in run.nodes if node.usage is not None],
        models=models_used(entries),
        unread=sum(1 for trace in traces if trace is None or trace.note is not None),
    )


def _node(node: NodeView) -> NodeCost:
    lost = [
        attempt.usage
        for attempt in node.attempts
        if attempt.usage is not None and attempt.reason not in (None, "Succeeded")
    ]
    return NodeCost(
        path=node.path,
        kind=node.kind,
        usage=node.usage or Usage(),
        attempts=node.attempt,
        retried=_sum(lost) if lost else None,
    )


def _sum(parts: Iterable[Usage]) -> Usage:
    """The main figures of several usages together."""
    found = list(parts)
    dollars = sum((Decimal(part.cost_usd or 0) for part in found), Decimal(0))
    return Usage(
        model_calls=sum(part.model_calls or 0 for part in found),
        input_tokens=sum(part.input_tokens or 0 for part in found),
        output_tokens=sum(part.output_tokens or 0 for part in found),
        tool_calls=sum(part.tool_calls or 0 for part in found),
        costUSD=f"{dollars:f}" if dollars else None,
    )


def _left(run: RunView) -> JsonObject | None:
    """What remains of each limit of the budget, not below 0."""
    if not run.budget:
        return None
    used = run.usage or Usage()
    total = used.total_tokens or (used.input_tokens or 0) + (used.output_tokens or 0)
    spent = {
        "tokens": Decimal(total),
        "costUSD": Decimal(used.cost_usd or 0),
        "toolCalls": Decimal(used.tool_calls or 0),
    }
    left: JsonObject = {}
    for key, limit in run.budget.items():
        if key in spent and limit is not None:
            rest = max(Decimal(str(limit)) - spent[key], Decimal(0))
            left[key] = f"{rest:f}" if key == "costUSD" else int(rest)
    return left
