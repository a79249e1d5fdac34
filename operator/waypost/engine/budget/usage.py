"""What was used up, added from attempts to nodes to the run, and the run's budget over it.

An attempt is given its share at the fence and gives back at the checkpoint what it did not use,
so nodes that run side by side cannot overspend together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from waypost.api.kinds.agent import AgentLimits, Budget
from waypost.api.status import Allotment, AttemptStatus, NodeStatus, Usage
from waypost.protocol import work

KEPT_TOOLS: Final = 64
_WIRE: Final = {"tokens": "tokens", "cost_usd": "costUSD", "tool_calls": "toolCalls"}
_COUNTS: Final = (
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


@dataclass(frozen=True)
class Exhausted:
    """The run's budget leaves nothing. `held`: attempts under way may still give some back."""

    message: str
    held: bool


def as_status_usage(usage: work.Usage) -> Usage:
    """What a commit record reports, as it stands in status; zero is left out."""
    counts = {name: getattr(usage, name, 0) or None for name in _COUNTS}
    counts["total_tokens"] = (usage.input_tokens + usage.output_tokens) or None
    return Usage(**counts, costUSD=usage.cost_usd, tools=_kept(usage.tools or {}))


def total(parts: Iterable[Usage | None]) -> Usage | None:
    """The sum; None when nothing was reported."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    counts = {name: sum(getattr(part, name) or 0 for part in known) or None for name in _COUNTS}
    costs = [Decimal(part.cost_usd) for part in known if part.cost_usd is not None]
    tools: dict[str, int] = {}
    for part in known:
        for name, calls in (part.tools or {}).items():
            tools[name] = tools.get(name, 0) + calls
    cost = _money(sum(costs, Decimal(0))) if costs else None
    return Usage(**counts, costUSD=cost, tools=_kept(tools))


def allot(
    budget: Budget,
    nodes: Iterable[NodeStatus],
    *,
    sharers: int,
    limits: AgentLimits,
    retired: Usage | None = None,
) -> Allotment | Exhausted:
    """The share of one attempt: what is left of the budget, parted among `sharers` attempts that
    may start now, and never more than its own limits. `retired`: used by nodes that are gone."""
    known = list(nodes)
    spent = total((retired, *(node.usage for node in known))) or Usage()
    held = [share for node in known for share in _held(node)]
    shares: dict[str, Decimal] = {}
    for name, used in (
        ("tokens", spent.total_tokens),
        ("cost_usd", spent.cost_usd),
        ("tool_calls", spent.tool_calls),
    ):
        allowed = getattr(budget, name)
        if allowed is None:
            continue
        lent = sum((Decimal(getattr(share, name) or 0) for share in held), Decimal(0))
        left = Decimal(allowed) - Decimal(used or 0) - lent
        if left <= 0:
            return Exhausted(_exhausted(name, allowed, used), held=lent > 0)
        own = getattr(limits, name)
        share = left / max(sharers, 1)
        shares[name] = share if own is None else min(share, Decimal(own))
    return Allotment(
        tokens=_whole(shares.get("tokens")),
        tool_calls=_whole(shares.get("tool_calls")),
        costUSD=_money(shares["cost_usd"]) if "cost_usd" in shares else None,
    )


def short_of(attempt: AttemptStatus) -> str | None:
    """Of what an attempt that ended with BudgetExceeded had too little, only because of its share;
    None where a limit of the node's own ended it."""
    for name, wire in _WIRE.items():
        told = (attempt.message or "").startswith(f"{work.SHARE}.{wire}: ")
        if told and getattr(attempt.allotment, name, None) is not None:
            return name
    return None


def enlarged(
    share: Allotment | Exhausted,
    before: AttemptStatus,
    *,
    name: str,
    nodes: Iterable[NodeStatus],
    goes_on: bool,
) -> Allotment | Exhausted:
    """The share of another attempt, if that can get further than the one `before`: by any share
    where it `goes_on` with the conversation, else by a larger one. Tool calls are refused before
    they are made, so as many as before would end it the same way in any case."""
    had = getattr(before.allotment, name)
    if isinstance(share, Allotment):
        goes_on = goes_on and name != "tool_calls"
        if goes_on or Decimal(getattr(share, name)) > Decimal(had):
            return share
    held = isinstance(share, Exhausted) and share.held
    lent = any(getattr(each, name) for node in nodes for each in _held(node))
    left = "nothing" if goes_on else "no larger share"
    return Exhausted(f"{before.message}; {left} is left", held=held or lent)


def _held(node: NodeStatus) -> list[Allotment]:
    return [a.allotment for a in node.attempts or [] if a.allotment and a.finished_at is None]


def _exhausted(name: str, allowed: object, used: object) -> str:
    return f"spec.budget.{_WIRE[name]} is {allowed}, and {used or 0} are used up"


def _whole(share: Decimal | None) -> int | None:
    # A share of a fraction still lets one through; the next attempt is then stopped.
    return None if share is None else max(int(share), 1)


def _money(amount: Decimal) -> str:
    text = f"{amount:.9f}".rstrip("0").rstrip(".")
    return text or "0"


def _kept(tools: dict[str, int]) -> dict[str, int] | None:
    most = sorted(tools.items(), key=lambda item: (-item[1], item[0]))[:KEPT_TOOLS]
    return dict(most) or None
