"""Limits of an agent that is repeated: they hold over all iterations of the loop."""

from decimal import Decimal
from typing import Final

from waypost.api.kinds.agent import AgentLimits
from waypost.api.status import LoopStatus

DEFAULT_REQUESTS: Final = 50
# Fields of AgentLimits, and of the usage that counts against them, with their names in a manifest.
_COUNTED: Final = (
    ("requests", "model_calls", "requests"),
    ("tool_calls", "tool_calls", "toolCalls"),
    ("tokens", "total_tokens", "tokens"),
)


def left_of(limits: AgentLimits, loop: LoopStatus | None) -> AgentLimits:
    """The limits of the next iteration: those of the node without what earlier iterations used."""
    used = loop.usage if loop is not None else None
    if used is None:
        return limits
    changes: dict[str, object] = {}
    for name, counted, _ in _COUNTED:
        allowed = _allowed(limits, name)
        if allowed is not None:
            changes[name] = max(allowed - (getattr(used, counted) or 0), 0)
    if limits.cost_usd is not None and used.cost_usd is not None:
        left = Decimal(limits.cost_usd) - Decimal(used.cost_usd)
        changes["cost_usd"] = f"{max(left, Decimal(0)):f}"
    return limits.model_copy(update=changes)


def used_up(limits: AgentLimits, loop: LoopStatus | None) -> str:
    """Which limit the earlier iterations have used up, as a message; "" if none is.

    A conversation without tool calls can follow one that has used all of them.
    """
    used = loop.usage if loop is not None else None
    if used is None:
        return ""
    for name, counted, wire in _COUNTED:
        allowed, spent = _allowed(limits, name), getattr(used, counted) or 0
        if allowed is not None and spent >= allowed and name != "tool_calls":
            return f"agent.limits.{wire} is {allowed}, the iterations before used {spent}"
    cost, spent_cost = limits.cost_usd, used.cost_usd
    if cost is not None and spent_cost is not None and Decimal(spent_cost) >= Decimal(cost):
        return f"agent.limits.costUSD is {cost}, the iterations before used {spent_cost}"
    return ""


def _allowed(limits: AgentLimits, name: str) -> int | None:
    value: int | None = getattr(limits, name)
    return DEFAULT_REQUESTS if value is None and name == "requests" else value
