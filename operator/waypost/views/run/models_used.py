"""Sums of the model calls in a trace, for each model."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from waypost.api.base import JsonObject
from waypost.views.models import ModelView

# A node has up to six models, but the name is the one that a provider puts into its answer.
_MODELS: Final = 20
_OTHERS: Final = "(others)"


def models_used(entries: Iterable[JsonObject]) -> list[ModelView]:
    """One report for each provider and model, in the order of their first calls.

    Replayed answers are left out: the attempt that asked for them has counted them.
    """
    found: dict[tuple[str, str], ModelView] = {}
    for entry in entries:
        if entry.get("type") != "model" or entry.get("replayed") is True:
            continue
        key = (str(entry.get("provider") or ""), str(entry.get("model") or ""))
        if key not in found and len(found) >= _MODELS:
            key = ("", _OTHERS)
        sums = found.get(key) or ModelView(provider=key[0] or None, model=key[1])
        found[key] = _with(sums, entry)
    return list(found.values())


def _with(sums: ModelView, entry: JsonObject) -> ModelView:
    cost = _money(entry.get("costUSD"))
    known = sums.cost_usd
    return sums.model_copy(
        update={
            "calls": sums.calls + 1,
            "errors": sums.errors + bool(entry.get("error")),
            "input_tokens": sums.input_tokens + _count(entry.get("inputTokens")),
            "cached_tokens": sums.cached_tokens + _count(entry.get("cachedTokens")),
            "output_tokens": sums.output_tokens + _count(entry.get("outputTokens")),
            "estimated_calls": sums.estimated_calls + (entry.get("estimated") is True),
            "cost_usd": known if cost is None else f"{Decimal(known or 0) + cost:f}",
        }
    )


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


def _money(value: Any) -> Decimal | None:
    """The amount of decimal text; None for anything else."""
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() else None
