"""Formats durations, counts, usage and foreign text for people."""

import re
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from waypost.api.state.usage import Usage
from waypost.kube.timestamps import parse_timestamp
from waypost.protocol.text import UNSAFE, printable, shorten

# Text written by a model must not control the reader's terminal.
_CONTROLS: Final = re.compile(rf"(?:[\t\n]|{UNSAFE.pattern})+")


def tame(text: str, *, limit: int = 300) -> str:
    """Foreign text on one line, without control characters, cut to `limit` characters."""
    flat = _CONTROLS.sub(" ", text).strip()
    return shorten(flat, limit)


def write(text: str, *, raw: bool = False) -> None:
    """Print foreign text of any length: safe on a terminal unless it is wanted `raw`, and as it is
    for a program in a pipe. click would remove colours there."""
    sys.stdout.write(text if raw or not sys.stdout.isatty() else printable(text))
    sys.stdout.flush()


def duration(seconds: float | None) -> str:
    """0.4s, 12.1s, 2m05s, 1h03m, 2d04h; a dash for None."""
    if seconds is None:
        return "-"
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02}m"
    return f"{hours // 24}d{hours % 24:02}h"


def age(moment: str | None, *, now: datetime) -> str:
    """Time since `moment` (RFC 3339) as in `duration`; a dash for None."""
    then = parse_timestamp(moment)
    return duration(None if then is None else max((now - then).total_seconds(), 0.0))


def count(number: int, noun: str) -> str:
    """`1 tool call`, `3 tool calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def entries(number: int) -> str:
    """`1 entry`, `3 entries`."""
    return f"{number:,} entry" if number == 1 else f"{number:,} entries"


def tokens(input_: int | None, cached: int | None, output: int | None) -> str:
    """`1,200 in (400 cached), 90 out`; empty when nothing is known."""
    if not input_ and not output:
        return ""
    part = f" ({cached:,} cached)" if cached else ""
    return f"{input_ or 0:,} in{part}, {output or 0:,} out"


def usage(used: Usage | None) -> str:
    """A usage in one line; empty for None."""
    if used is None:
        return ""
    parts = [
        count(used.model_calls, "model call") if used.model_calls else "",
        tokens(used.input_tokens, used.cached_tokens, used.output_tokens),
        count(used.tool_calls, "tool call") if used.tool_calls else "",
        count(used.reasks, "re-ask") if used.reasks else "",
        count(used.provider_waits, "wait") if used.provider_waits else "",
        replayed(used.replayed_model_calls, used.replayed_tool_calls),
        cost(used.cost_usd, estimated=bool(used.estimated_model_calls)),
    ]
    return joined(parts)


def replayed(model_calls: int | None, tool_calls: int | None) -> str:
    """`replayed 2 model calls, 1 tool call`; empty for none."""
    parts = [
        count(model_calls, "model call") if model_calls else "",
        count(tool_calls, "tool call") if tool_calls else "",
    ]
    text = ", ".join(part for part in parts if part)
    return f"replayed {text}" if text else ""


def cost(dollars: str | None, *, estimated: bool = False) -> str:
    """`$0.0042`, `~$0.0042` for an estimate; empty for none."""
    return f"{'~' if estimated else ''}${dollars}" if dollars else ""


def joined(parts: Iterable[str]) -> str:
    """The parts that are not empty, separated by dots."""
    return " · ".join(part for part in parts if part)
