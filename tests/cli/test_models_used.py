"""The sums of a trace for each model."""

from typing import Any

import pytest
from waypost.views.run.models_used import models_used


def call(model: str = "gpt", provider: str | None = "main", **more: Any) -> dict[str, Any]:
    entry = {"type": "model", "start": "s", "end": "e", "model": model, "provider": provider}
    return {**entry, "inputTokens": 10, "cachedTokens": 4, "outputTokens": 2, **more}


def test_each_model_has_its_sums() -> None:
    first, second = models_used(
        [
            call(costUSD="0.1"),
            {"type": "wait", "start": "s", "end": "e", "reason": "RateLimited"},
            call(inputTokens=0, cachedTokens=0, outputTokens=0, error="RateLimited: busy"),
            call("small", "backup", costUSD="0.003", estimated=True),
            call("small", "backup", costUSD="0.0004"),
            call("small", "backup", replayed=True),
        ]
    )
    assert first.model_dump(by_alias=True) == {
        "provider": "main",
        "model": "gpt",
        "calls": 2,
        "errors": 1,
        "inputTokens": 10,
        "cachedTokens": 4,
        "outputTokens": 2,
        "estimatedCalls": 0,
        "costUSD": "0.1",
    }
    assert (second.provider, second.calls, second.estimated_calls) == ("backup", 2, 1)
    assert second.cost_usd == "0.0034"


def test_names_that_providers_invent_are_bounded() -> None:
    found = models_used(call(f"model-{at}") for at in range(100))
    assert len(found) == 21
    assert (found[-1].model, found[-1].calls) == ("(others)", 80)


@pytest.mark.parametrize("cost", [None, 3, "much", "NaN", {"a": 1}])
def test_what_is_no_amount_is_no_cost(cost: Any) -> None:
    (only,) = models_used([call(costUSD=cost, inputTokens="many", outputTokens=-1)])
    assert (only.cost_usd, only.input_tokens, only.output_tokens) == (None, 0, 0)
