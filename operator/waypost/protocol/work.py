"""What came of the work of one attempt: its output or why there is none, what it used up, and
what it did when. The program of a kind hands it to the runner, which makes the commit record of it.
"""

from typing import Any, Final, NamedTuple

from waypost.protocol.ijson import MAX_SAFE_INTEGER, Json
from waypost.protocol.reasons import Reason

TRACE_VERSION: Final = 1
TRACE_ENTRIES: Final = 2000
# How the message of an attempt begins that its share of the run's budget ended, and no limit of the
# node's own; `.tokens: `, `.costUSD: ` or `.toolCalls: ` follows.
SHARE: Final = "the attempt's share of spec.budget"
_LONGEST_MONEY: Final = 40
_COUNTS: Final = {
    "modelCalls": "model_calls",
    "inputTokens": "input_tokens",
    "cachedTokens": "cached_tokens",
    "outputTokens": "output_tokens",
    "toolCalls": "tool_calls",
    "reasks": "reasks",
    "providerWaits": "provider_waits",
    "replayedModelCalls": "replayed_model_calls",
    "replayedToolCalls": "replayed_tool_calls",
    "estimatedModelCalls": "estimated_model_calls",
}


# NamedTuples: importing dataclasses would be a sixth of the runner's cold start.
class Usage(NamedTuple):
    """What an attempt used up. `cost_usd` is dollars as decimal text, None where no price is
    known; `tools` are calls by tool name. What was replayed cost nothing, and is in no other
    count. `estimated_model_calls` are those whose provider reported no tokens: their tokens and
    cost are estimates."""

    model_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    tool_calls: int = 0
    reasks: int = 0
    provider_waits: int = 0
    cost_usd: str | None = None
    tools: dict[str, int] | None = None
    replayed_model_calls: int = 0
    replayed_tool_calls: int = 0
    estimated_model_calls: int = 0

    def to_json(self) -> dict[str, Json]:
        """The document; zero and absent are left out."""
        body: dict[str, Json] = {key: getattr(self, name) for key, name in _COUNTS.items()}
        body |= {"costUSD": self.cost_usd, "tools": self.tools}
        return {key: value for key, value in body.items() if value}


def usage_from_json(document: Json) -> Usage:
    """Read a document. Raises ValueError that names the field which is wrong: whoever could
    report less than nothing would be given budget back."""
    if not isinstance(document, dict):
        raise ValueError(f"usage: expected an object, found {document!r:.60}")
    counts = {name: _count(document, key, inside="usage.") for key, name in _COUNTS.items()}
    tools = document.get("tools", {})
    if not isinstance(tools, dict):
        raise ValueError(f"usage.tools: expected an object, found {tools!r:.60}")
    return Usage(
        **counts,
        cost_usd=_money(document),
        tools={name: _count(tools, name, inside="usage.tools.") for name in tools} or None,
    )


def _count(document: dict[str, Any], name: str, *, inside: str) -> int:
    value = document.get(name, 0)
    # An exact type: True is an int to isinstance.
    if type(value) is int and 0 <= value <= MAX_SAFE_INTEGER:
        return value
    raise ValueError(f"{inside}{name}: expected an integer of at least 0, found {value!r:.60}")


def _money(document: dict[str, Any]) -> str | None:
    value = document.get("costUSD")
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= _LONGEST_MONEY and value.isascii():
        whole, point, part = value.partition(".")
        if whole.isdecimal() and (part.isdecimal() or not point):
            return value
    raise ValueError(f'usage.costUSD: expected decimal text such as "0.25", found {value!r:.60}')


class Trace:
    """What an attempt did when: entries as docs/adr/0008-agent-nodes.md has them, without any
    prompt, answer, argument or result. Beyond TRACE_ENTRIES they are only counted."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Json]] = []
        self.dropped = 0

    def add(self, type_: str, *, start: str, end: str, **fields: Json) -> None:
        """Append an entry; `start` and `end` are RFC 3339 times, fields that are None are left
        out."""
        if len(self.entries) >= TRACE_ENTRIES:
            self.dropped += 1
            return
        entry: dict[str, Json] = {"type": type_, "start": start, "end": end}
        self.entries.append(entry | {k: v for k, v in fields.items() if v is not None})

    def to_json(self) -> dict[str, Json]:
        """The document."""
        return {"v": TRACE_VERSION, "entries": self.entries, "dropped": self.dropped}


def trace_from_json(document: Json) -> Trace:
    """Read a document. Raises ValueError that names the field which is wrong."""
    if not isinstance(document, dict) or document.get("v") != TRACE_VERSION:
        raise ValueError(f"trace: expected an object of version {TRACE_VERSION}")
    entries = document.get("entries")
    if not isinstance(entries, list) or len(entries) > TRACE_ENTRIES:
        raise ValueError(f"trace.entries: expected a list of at most {TRACE_ENTRIES}")
    for index, entry in enumerate(entries):
        for key in ("type", "start", "end"):
            if not isinstance(entry, dict) or not isinstance(entry.get(key), str):
                raise ValueError(f"trace.entries[{index}].{key}: expected a string")
    trace = Trace()
    trace.entries = entries
    trace.dropped = _count(document, "dropped", inside="trace.")
    return trace


class WorkResult(NamedTuple):
    """An attempt's output, not yet checked against the node's outputSchema. `carried`: what
    earlier attempts used up that could not report it."""

    output: Json
    usage: Usage | None = None
    trace: Trace | None = None
    carried: Usage | None = None


class WorkFailed(Exception):
    """An attempt without an output. `retry_after` are the seconds of a provider's last refusal,
    `tail` is the end of what a program said about it, `carried` is as in WorkResult."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        usage: Usage | None = None,
        trace: Trace | None = None,
        retry_after: float | None = None,
        tail: str | None = None,
        carried: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.usage = usage
        self.trace = trace
        self.retry_after = retry_after
        self.tail = tail
        self.carried = carried
