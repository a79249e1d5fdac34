"""What a line of `waypost trace` says of one entry."""

from typing import Any

import pytest
from waypost.cli.report.render import said

MODEL = {"type": "model", "model": "m", "inputTokens": 5, "outputTokens": 2, "finish": "stop"}
TOOL = {"type": "tool", "name": "search", "outcome": "ok"}


@pytest.mark.parametrize(
    ("entry", "result"),
    [
        pytest.param(MODEL, "5 in, 2 out · stop", id="model"),
        pytest.param(
            {**MODEL, "firstByteSeconds": 1.24},
            "5 in, 2 out · first byte 1.2s · stop",
            id="first-byte",
        ),
        pytest.param(
            {**MODEL, "firstByteSeconds": "soon"}, "5 in, 2 out · stop", id="no-first-byte"
        ),
        pytest.param({**MODEL, "error": "RateLimited: 429"}, "RateLimited: 429", id="error"),
        pytest.param(TOOL, "ok", id="tool"),
        pytest.param(
            {**TOOL, "arguments": '{"query": "tides"}', "result": '["high\x1b[31m"]'},
            'ok · {"query": "tides"} → ["high [31m"]',
            id="content",
        ),
        pytest.param(
            {**TOOL, "outcome": "error", "error": "no such page", "arguments": "{}"},
            "error: no such page · {}",
            id="content-of-a-call-that-failed",
        ),
    ],
)
def test_a_line(entry: dict[str, Any], result: str) -> None:
    assert said(entry)[1] == result
