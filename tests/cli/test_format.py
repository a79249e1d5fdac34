"""Figures and foreign text for people."""

from datetime import UTC, datetime

import pytest
from waypost.api.state.usage import Usage
from waypost.cli.report import format


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0.0s"),
        (12.34, "12.3s"),
        (99.96, "1m40s"),
        (125, "2m05s"),
        (3599.6, "1h00m"),
        (47 * 3600 + 59, "47h00m"),
        (52 * 3600, "2d04h"),
    ],
    ids=str,
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format.duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "tamed"),
    [
        pytest.param("a\nb\tc", "a b c", id="one-line"),
        pytest.param("\x1b[2Jgone\x07", "[2Jgone", id="terminal-controls"),
        pytest.param("\u202egnp.exe", "gnp.exe", id="turned-text"),
        pytest.param("x" * 400, "x" * 299 + "…", id="long"),
    ],
)
def test_foreign_text_is_tamed(text: str, tamed: str) -> None:
    assert format.tame(text) == tamed


def test_usage() -> None:
    assert format.usage(None) == ""
    assert format.usage(Usage(model_calls=1, output_tokens=5)) == "1 model call · 0 in, 5 out"
    estimated = Usage(estimated_model_calls=1, costUSD="0.01")
    assert format.usage(estimated) == "~$0.01"
    replayed = Usage(replayed_model_calls=2, replayed_tool_calls=1)
    assert format.usage(replayed) == "replayed 2 model calls, 1 tool call"


def test_age() -> None:
    now = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
    assert format.age("2026-11-23T03:08:00Z", now=now) == "2m00s"
    assert format.age(None, now=now) == "-"
