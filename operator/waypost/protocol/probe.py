"""The request and the result of a probe, for the operator and the probe's pod.

The verdict is the pod's termination message. The tools of a server are lines of the pod's log, one
line each, of at most 8 KiB: the container runtime splits lines above 16 KiB.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from waypost.protocol import ijson

VERSION: Final = 1
REQUEST_FILE: Final = "/waypost/in/probe.json"
MESSAGE_LIMIT: Final = 4095  # bytes of a termination message; the kubelet truncates longer ones
TOOL_PREFIX: Final = "waypost-tool "
MOST_TOOLS: Final = 128
LINE_LIMIT: Final = 8 * 1024  # bytes of one tool
LINES_LIMIT: Final = 64 * 1024  # bytes of all tools: they are stored in a status
_TEXT_LIMIT: Final = 2000  # characters of a verdict's message
_NAMES_LIMIT: Final = 1000  # bytes of the names in a verdict


class ProbeReason(StrEnum):
    """How a probe ended; docs/troubleshooting.md says what to do about each."""

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
    """The result of a probe.

    Attributes:
        reason: How it ended.
        message: The same in a sentence.
        found: Number of models or tools; None if they were not listed.
        unknown: Models of the ModelProvider that the provider does not list.
        lines: Number of tool lines in the log.
        digest: `lines_digest` of those lines; "" when there are none.
    """

    reason: ProbeReason
    message: str
    found: int | None = None
    unknown: tuple[str, ...] = ()
    lines: int = 0
    digest: str = ""

    @property
    def ok(self) -> bool:
        """Whether nodes can use the provider or server."""
        return self.reason in (ProbeReason.ANSWERED, ProbeReason.UNKNOWN_MODELS)


def encode(verdict: Verdict) -> bytes:
    """The verdict as a termination message: names that do not fit are left out, texts are cut."""
    document: dict[str, Any] = {
        "v": VERSION,
        "reason": str(verdict.reason),
        "message": verdict.message[:_TEXT_LIMIT],
        "found": verdict.found,
        "unknown": _fitting(verdict.unknown),
        "lines": verdict.lines,
        "digest": verdict.digest,
    }
    present = {key: value for key, value in document.items() if value not in (None, "", [])}
    encoded = ijson.canonical(present)
    while len(encoded) > MESSAGE_LIMIT:  # characters of more than one byte
        present["message"] = present["message"][: len(present["message"]) // 2]
        encoded = ijson.canonical(present)
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
    """Lines for the log, one for each tool, as many as fit.

    Args:
        tools: As MCP lists them: `name`, `description`, `inputSchema`, `annotations`.

    Returns:
        Lines without their ends. A tool whose schema is too large comes without `inputSchema`.
    """
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
    """A digest of tool lines, with which the operator checks that it read all of them."""
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def tools_in(log: str, verdict: Verdict) -> list[dict[str, Any]] | None:
    """The tools in a log; None when its lines do not match the verdict's count and digest."""
    lines = [line for line in log.splitlines() if line.startswith(TOOL_PREFIX)]
    lines = lines[-verdict.lines :] if verdict.lines else []
    if len(lines) != verdict.lines or lines_digest(lines) != verdict.digest:
        return None
    return [json.loads(line.removeprefix(TOOL_PREFIX)) for line in lines]


def _line(tool: dict[str, Any]) -> str:
    # ASCII: length is size, and no character can be read as a line end.
    return TOOL_PREFIX + json.dumps(tool, separators=(",", ":"), sort_keys=True)


def _fitting(names: Sequence[str]) -> list[str]:
    fitting: list[str] = []
    room = _NAMES_LIMIT
    for name in names:
        room -= len(name.encode()) + 3
        if room < 0:
            break
        fitting.append(name)
    return fitting


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _count(value: object) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise TypeError("not a count")
