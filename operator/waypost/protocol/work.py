"""The result of one attempt: its output or why there is none, its usage and its trace.

The program of a node kind returns it to the runner, which writes the commit record.
"""

from typing import Any, Final, NamedTuple

from waypost.protocol.ijson import MAX_SAFE_INTEGER, Json
from waypost.protocol.reasons import Reason

TRACE_VERSION: Final = 1
TRACE_ENTRIES: Final = 2000
# Begins the message of an attempt that reached its share of the run's budget, not a limit of its
# node; `.tokens: `, `.costUSD: ` or `.toolCalls: ` follows.
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
    """What an attempt used.

    Attributes:
        model_calls: Calls of the model.
        input_tokens: Tokens sent, `cached_tokens` included.
        cached_tokens: Tokens that the provider read from its cache.
        output_tokens: Tokens received.
        tool_calls: Calls of tools.
        reasks: Answers that the model had to repeat, because they did not fit the schema.
        provider_waits: Pauses that the provider asked for.
        cost_usd: US dollars as decimal text, such as "0.25"; None when no price is known.
        tools: Number of calls by tool name.
        replayed_model_calls: Calls taken from the journal: they cost nothing, and no other
            count includes them.
        replayed_tool_calls: The same for tools.
        estimated_model_calls: Calls without reported tokens: their tokens and cost are estimates.
    """

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
        """The document, without fields that are zero or None."""
        body: dict[str, Json] = {key: getattr(self, name) for key, name in _COUNTS.items()}
        body |= {"costUSD": self.cost_usd, "tools": self.tools}
        return {key: value for key, value in body.items() if value}


def usage_from_json(document: Json) -> Usage:
    """Read a document. Negative counts are refused: they would increase the run's budget.

    Raises:
        ValueError: A field is wrong; the message names it.
    """
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
    """What an attempt did, and when, without prompts, answers, arguments and results.

    Attributes:
        entries: Documents as in docs/adr/0008-agent-nodes.md, at most TRACE_ENTRIES.
        dropped: Number of entries beyond that.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Json]] = []
        self.dropped = 0

    def add(self, type_: str, *, start: str, end: str, **fields: Json) -> None:
        """Append an entry.

        Args:
            type_: model, tool, reask or wait.
            start: RFC 3339 time.
            end: RFC 3339 time.
            **fields: Further fields; those that are None are left out.
        """
        if len(self.entries) >= TRACE_ENTRIES:
            self.dropped += 1
            return
        entry: dict[str, Json] = {"type": type_, "start": start, "end": end}
        self.entries.append(entry | {k: v for k, v in fields.items() if v is not None})

    def to_json(self) -> dict[str, Json]:
        """The document."""
        return {"v": TRACE_VERSION, "entries": self.entries, "dropped": self.dropped}


def trace_from_json(document: Json) -> Trace:
    """Read a document.

    Raises:
        ValueError: A field is wrong; the message names it.
    """
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
    """An attempt with an output, which is not yet checked against the node's outputSchema.

    `carried` is what earlier attempts used and could not report.
    """

    output: Json
    usage: Usage | None = None
    trace: Trace | None = None
    carried: Usage | None = None


class WorkParked(Exception):
    """An attempt that ends because people have to decide on tool calls of its model.

    Attributes:
        calls: The calls, as `protocol.gated_calls` writes them.
        usage: What it used.
        trace: What it did.
        carried: As in WorkResult.
    """

    def __init__(
        self,
        calls: Json,
        *,
        usage: Usage | None = None,
        trace: Trace | None = None,
        carried: Usage | None = None,
    ) -> None:
        super().__init__("people have to decide on tool calls")
        self.calls = calls
        self.usage = usage
        self.trace = trace
        self.carried = carried


class WorkFailed(Exception):
    """An attempt without an output.

    Attributes:
        reason: Why.
        message: The same in a sentence.
        usage: What it used.
        trace: What it did.
        retry_after: Seconds that the provider asked to wait with its last refusal.
        tail: The end of what the program printed.
        carried: As in WorkResult.
    """

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
