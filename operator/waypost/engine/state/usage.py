"""Sums of usage."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from waypost.api.state.usage import Usage
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.api.wire.memo import Memo

KEPT_TOOLS: Final = 64
COUNTS: Final = (
    "model_calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "total_tokens",
    "tool_calls",
    "reasks",
    "provider_waits",
    "replayed_model_calls",
    "replayed_tool_calls",
    "estimated_model_calls",
)


def total(parts: Iterable[Usage | None]) -> Usage | None:
    """The sum of `parts`; None if none of them was reported."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    counts = {name: sum(getattr(part, name) or 0 for part in known) or None for name in COUNTS}
    costs = [Decimal(part.cost_usd) for part in known if part.cost_usd is not None]
    tools: dict[str, int] = {}
    for part in known:
        for name, calls in (part.tools or {}).items():
            tools[name] = tools.get(name, 0) + calls
    cost = money(sum(costs, Decimal(0))) if costs else None
    return Usage(**counts, costUSD=cost, tools=most_called(tools))


def of_run(status: AgentWorkflowStatus, nodes: Iterable[NodeStatus]) -> Usage | None:
    """What a run has used whose nodes are these now."""
    return total((status.retired_usage, *(node.usage for node in nodes)))


# The same with the nodes that a stored status has.
of_stored: Final[Memo[AgentWorkflowStatus, Usage | None]] = Memo(
    lambda status: of_run(status, status.nodes)
)


def grown(now: Usage, before: Usage | None) -> Usage | None:
    """What was used since `before`, without calls by tool; None if nothing was."""
    if before is None:
        return now.model_copy(update={"tools": None})
    counts: dict[str, Any] = {
        name: max((getattr(now, name) or 0) - (getattr(before, name) or 0), 0) or None
        for name in COUNTS
    }
    cost = Decimal(now.cost_usd or 0) - Decimal(before.cost_usd or 0)
    if not any(counts.values()) and cost <= 0:
        return None
    return Usage(**counts, costUSD=money(cost) if now.cost_usd is not None else None)


def more_calls(now: Usage, before: Usage | None) -> Usage | None:
    """The calls by tool since `before`; None if there are none."""
    known = (before.tools if before is not None else None) or {}
    calls = {name: count - known.get(name, 0) for name, count in (now.tools or {}).items()}
    more = {name: count for name, count in calls.items() if count > 0}
    return Usage(tools=most_called(more)) if more else None


def money(amount: Decimal) -> str:
    """An amount as text, without an exponent and trailing zeros."""
    text = f"{amount:.9f}".rstrip("0").rstrip(".")
    return text or "0"


def most_called(tools: dict[str, int]) -> dict[str, int] | None:
    """The most used tools with their calls; None if there are none."""
    most = sorted(tools.items(), key=lambda item: (-item[1], item[0]))[:KEPT_TOOLS]
    return dict(most) or None
