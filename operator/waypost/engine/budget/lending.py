"""What a run may use, and what it lends to its child runs."""

from decimal import Decimal

from waypost.api.kinds.agent import Budget
from waypost.engine.state.lent import FIELDS
from waypost.engine.state.transition import Transition


def budget_of(transition: Transition) -> Budget | None:
    """What a run may use: its own budget, and not more than its parent has lent it."""
    own, lent = transition.spec.budget, _lent(transition)
    if own is None or lent is None:
        return own or lent
    lower = {
        name: getattr(lent if name in from_parent(transition) else own, name) for name, _ in FIELDS
    }
    return Budget.model_validate(lower)


def from_parent(transition: Transition) -> frozenset[str]:
    """The limits that are those of the parent, because the run has no lower one."""
    own, lent = transition.spec.budget, _lent(transition)
    return frozenset(
        name
        for name, _ in FIELDS
        if (most := getattr(lent, name, None)) is not None
        if (mine := getattr(own, name, None)) is None or Decimal(most) < Decimal(mine)
    )


def _lent(transition: Transition) -> Budget | None:
    above = transition.observed.lineage
    return above.budget if above is not None else None
