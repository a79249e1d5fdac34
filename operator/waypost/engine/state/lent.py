"""Budget of a run that is lent to its child runs: arithmetic on the status of the parent.

A share is lent when a child run starts or begins a round. `status.nodes[].child.budget` and
`spec.parent.budget` of the child run hold the total that it may use over all its rounds.
"""

from decimal import Decimal
from typing import Final

from waypost.api.kinds.agent import Budget
from waypost.api.state.usage import Allotment, Usage
from waypost.api.status import NodeStatus
from waypost.engine.state.usage import money

# Fields of Budget, and of the usage that counts against them.
FIELDS: Final = (
    ("tokens", "total_tokens"),
    ("cost_usd", "cost_usd"),
    ("tool_calls", "tool_calls"),
)


def reserved(node: NodeStatus) -> Allotment | None:
    """What the child run of a node may still use; None if it has ended, or nothing was lent."""
    child = node.child
    if child is None or child.budget is None or node.phase not in ("Running", "Superseding"):
        return None
    used = _used_by_child(node)
    return _allotment(
        {
            name: max(Decimal(lent) - used[name], Decimal(0))
            for name, _ in FIELDS
            if (lent := getattr(child.budget, name)) is not None
        }
    )


def in_total(share: Allotment | None, node: NodeStatus, *, continues: bool) -> Allotment | None:
    """What a child run may use over all its rounds.

    Args:
        share: What is lent to it for the next round; None if the parent has no budget.
        node: The status of its node.
        continues: It has run before, and what it used then is counted by its own budget too.
    """
    if share is None:
        return None
    used = _used_by_child(node) if continues else {}
    return _allotment(
        {
            name: Decimal(new) + used.get(name, Decimal(0))
            for name, _ in FIELDS
            if (new := getattr(share, name)) is not None
        }
    )


def as_budget(lent: Allotment | None) -> Budget | None:
    """The same as the budget of a child run."""
    if lent is None:
        return None
    return Budget(tokens=lent.tokens, costUSD=lent.cost_usd, tool_calls=lent.tool_calls)


def _used_by_child(node: NodeStatus) -> dict[str, Decimal]:
    """What the present child run of a node has used, as far as it is known."""
    earlier = node.child.earlier if node.child is not None else None
    return {name: _amount(node.usage, field) - _amount(earlier, field) for name, field in FIELDS}


def _allotment(amounts: dict[str, Decimal]) -> Allotment:
    cost = amounts.get("cost_usd")
    return Allotment(
        tokens=int(amounts["tokens"]) if "tokens" in amounts else None,
        tool_calls=int(amounts["tool_calls"]) if "tool_calls" in amounts else None,
        costUSD=None if cost is None else money(cost),
    )


def _amount(usage: Usage | None, field: str) -> Decimal:
    found = getattr(usage, field) if usage is not None else None
    return Decimal(found or 0)
