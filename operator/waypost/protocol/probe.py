"""What a probe is asked, and what it tells: shared by the operator and the probe's pod.

The verdict is the pod's termination message. The tools of a server are lines of its log, one
each: a log line above 16 KiB is torn into several by the container runtime.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from waypost.protocol import ijson

VERSION: Final = 1
REQUEST_FILE: Final = "/waypost/in/probe.json"
MESSAGE_LIMIT: Final = 4095  # bytes of a termination message; the kubelet cuts longer ones
TOOL_PREFIX: Final = "waypost-tool "
MOST_TOOLS: Final = 128
LINE_LIMIT: Final = 8 * 1024  # bytes of one tool
LINES_LIMIT: Final = 64 * 1024  # bytes of all tools: they are stored in a status
_TEXT_LIMIT: Final = 2000  # characters of a verdict's message
_NAMES_LIMIT: Final = 1000  # bytes of the names in a verdict


class ProbeReason(StrEnum):
    """How a probe ended; docs/troubleshooting.md tells what to do about each."""

    ANSWERED = "Answered"
    UNKNOWN_MODELS = "UnknownModels"
    BAD_URL = "BadURL"
    UNREACHABLE = "Unreachable"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    UNEXPECTED_ANSWER = "UnexpectedAnswer"
    PROBE_FAILED = "ProbeFailed"


class Verdict(NamedTuple):
    """What a probe found. `found` counts models or tools, `unknown` names models that the
    provider does not list, `lines` and `digest` are of the tools in the log."""

    reason: ProbeReason
    message: str
    found: int | None = None
    unknown: tuple[str, ...] = ()
    lines: int = 0
    digest: str = ""

    @property
    def ok(self) -> bool:
        """Whether nodes can use it."""
        return self.reason in (ProbeReason.ANSWERED, ProbeReason.UNKNOWN_MODELS)


def encode(verdict: Verdict) -> bytes:
    """The termination message. What does not fit is left out: the message says how many."""
    document: dict[str, Any] = {
        "v": VERSION,
        "reason": str(verdict.reason),
        "message": verdict.message[:_TEXT_LIMIT],
        "found": verdict.found,
        "unknown": _fitting(verdict.unknown),
        "lines": verdict.lines,
        "digest": verdict.digest,
    }
    told = {key: value for key, value in document.items() if value not in (None, "", [])}
    encoded = ijson.canonical(told)
    while len(encoded) > MESSAGE_LIMIT:  # characters of more than one byte
        told["message"] = told["message"][: len(told["message"]) // 2]
        encoded = ijson.canonical(told)
    return encoded


def decode(text: str) -> Verdict | None:
    """The verdict in a termination message; None for anything else."""
    try:
        document = json.loads(text)
        if document["v"] != VERSION:
            return None
        return Verdict(
            reason=ProbeReason(document["reason"]),
            message=_text(document.get("message", "")),
            found=_count(document.get("found")),
            unknown=tuple(map(_text, document.get("unknown", ()))),
            lines=_count(document.get("lines")) or 0,
            digest=_text(document.get("digest", "")),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def tool_lines(tools: Iterable[dict[str, Any]]) -> list[str]:
    """Lines for the log: one tool each, the first that fit. A schema that is too big is left
    out of its tool."""
    lines: list[str] = []
    room = LINES_LIMIT
    for tool in tools:
        line = _line(tool)
        if len(line) > min(LINE_LIMIT, room):
            line = _line({key: value for key, value in tool.items() if key != "inputSchema"})
        if len(lines) == MOST_TOOLS or len(line) > min(LINE_LIMIT, room):
            break
        lines.append(line)
        room -= len(line)
    return lines


def lines_digest(lines: Sequence[str]) -> str:
    """By which the operator knows that it has read the lines that were written."""
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def tools_in(log: str, verdict: Verdict) -> list[dict[str, Any]] | None:
    """The tools that a log tells; None when they are not those of the verdict."""
    lines = [line for line in log.splitlines() if line.startswith(TOOL_PREFIX)]
    lines = lines[-verdict.lines :] if verdict.lines else []
    if len(lines) != verdict.lines or lines_digest(lines) != verdict.digest:
        return None
    return [json.loads(line.removeprefix(TOOL_PREFIX)) for line in lines]


def _line(tool: dict[str, Any]) -> str:
    # ASCII: characters and bytes are one, and no reader of logs can take it for two lines.
    return TOOL_PREFIX + json.dumps(tool, separators=(",", ":"), sort_keys=True)


def _fitting(names: Sequence[str]) -> list[str]:
    kept: list[str] = []
    room = _NAMES_LIMIT
    for name in names:
        room -= len(name.encode()) + 3
        if room < 0:
            break
        kept.append(name)
    return kept


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _count(value: object) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise TypeError("not a count")
