"""Usage, summed from attempts to nodes to the run, and the run's budget.

An attempt reserves its share at the fence, and the checkpoint returns what it did not use. So nodes
that run in parallel cannot exceed the budget together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from waypost.api.kinds.agent import AgentLimits, Budget
from waypost.api.state.usage import Allotment, Usage
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.engine.state.lent import reserved
from waypost.engine.state.usage import COUNTS, money, most_called, total
from waypost.protocol import work

_WIRE: Final = {"tokens": "tokens", "cost_usd": "costUSD", "tool_calls": "toolCalls"}


@dataclass(frozen=True)
class Exhausted:
    """Nothing is left of the run's budget."""

    message: str
    held: bool  # running attempts have reserved some, and may return it


def as_status_usage(usage: work.Usage) -> Usage:
    """The usage of a commit record in the form of the status; zero is left out."""
    counts = {name: getattr(usage, name, 0) or None for name in COUNTS}
    counts["total_tokens"] = (usage.input_tokens + usage.output_tokens) or None
    return Usage(**counts, costUSD=usage.cost_usd, tools=most_called(usage.tools or {}))


def allot(
    budget: Budget,
    nodes: Iterable[NodeStatus],
    *,
    sharers: int,
    limits: AgentLimits,
    items: Iterable[NodeStatus] = (),
    retired: Usage | None = None,
    from_parent: frozenset[str] = frozenset(),
) -> Allotment | Exhausted:
    """The share of one attempt: the remaining budget, split among the attempts that may start now.

    Args:
        budget: The budget of the run.
        nodes: The statuses of all nodes.
        sharers: The number of attempts that may start now.
        limits: The node's own limits, which the share never exceeds.
        items: The open items of maps. Their usage is that of their maps too.
        retired: The usage of nodes that are no longer in the spec.
        from_parent: The limits of the budget that the parent run has set.
    """
    known = list(nodes)
    spent = total((retired, *(node.usage for node in known))) or Usage()
    held = [share for node in (*known, *items) for share in _held(node)]
    shares: dict[str, Decimal] = {}
    for name, used in (
        ("tokens", spent.total_tokens),
        ("cost_usd", spent.cost_usd),
        ("tool_calls", spent.tool_calls),
    ):
        allowed = getattr(budget, name)
        if allowed is None:
            continue
        held_back = sum((Decimal(getattr(share, name) or 0) for share in held), Decimal(0))
        left = Decimal(allowed) - Decimal(used or 0) - held_back
        if left <= 0:
            return Exhausted(
                _exhausted(name, allowed, used, lent=name in from_parent), held=held_back > 0
            )
        own = getattr(limits, name)
        share = left / max(sharers, 1)
        shares[name] = share if own is None else min(share, Decimal(own))
    return Allotment(
        tokens=_whole(shares.get("tokens")),
        tool_calls=_whole(shares.get("tool_calls")),
        costUSD=money(shares["cost_usd"]) if "cost_usd" in shares else None,
    )


def short_of(attempt: AttemptStatus) -> str | None:
    """The field of Allotment that was too small for an attempt that ended with BudgetExceeded.

    None if the node's own limits ended it.
    """
    for name, wire in _WIRE.items():
        was_share = (attempt.message or "").startswith(f"{work.SHARE}.{wire}: ")
        if was_share and getattr(attempt.allotment, name, None) is not None:
            return name
    return None


def enlarged(
    share: Allotment | Exhausted,
    before: AttemptStatus,
    *,
    name: str,
    nodes: Iterable[NodeStatus],
    resumes: bool,
) -> Allotment | Exhausted:
    """`share`, if an attempt with it can get further than the attempt `before`, else Exhausted.

    An attempt that resumes the conversation gets further with any share, another one only with a
    larger share. Tool calls are refused before they are made, so they always need a larger share.

    Args:
        share: The share that is available now.
        before: The attempt that ended with BudgetExceeded.
        name: The field of Allotment that was too small (`short_of`).
        nodes: The statuses of all nodes.
        resumes: Whether the next attempt resumes the conversation from the journal.
    """
    had = getattr(before.allotment, name)
    if isinstance(share, Allotment):
        resumes = resumes and name != "tool_calls"
        if resumes or Decimal(getattr(share, name)) > Decimal(had):
            return share
    held = isinstance(share, Exhausted) and share.held
    others = any(getattr(each, name) for node in nodes for each in _held(node))
    left = "nothing" if resumes else "no larger share"
    return Exhausted(f"{before.message}; {left} is left", held=held or others)


def _held(node: NodeStatus) -> list[Allotment]:
    held = [a.allotment for a in node.attempts or [] if a.allotment and a.finished_at is None]
    lent = reserved(node)
    return [*held, lent] if lent is not None else held


def _exhausted(name: str, allowed: object, used: object, *, lent: bool) -> str:
    if lent:
        return f"the parent run lends {allowed} of budget.{_WIRE[name]}, {used or 0} are used"
    return f"spec.budget.{_WIRE[name]} is {allowed}, {used or 0} are used"


def _whole(share: Decimal | None) -> int | None:
    # A share below one still allows one; the next attempt is then stopped.
    return None if share is None else max(int(share), 1)
