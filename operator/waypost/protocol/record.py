"""The commit record: what an attempt leaves in its termination message.

The kubelet truncates a message of more than 4096 bytes, so a text of that size is never parsed.
It also attests that the message is of this pod; the record itself names its attempt.
"""

import json
import re
from typing import Any, Final, Literal, NamedTuple

from waypost.protocol import ijson
from waypost.protocol.artifacts.request import Content, content_from_json
from waypost.protocol.ijson import MAX_SAFE_INTEGER, Json
from waypost.protocol.text import shorten
from waypost.protocol.work import Trace, Usage, trace_from_json, usage_from_json

VERSION: Final = 1
LIMIT: Final = 4096
_REPLACEMENT: Final = "\ufffd"  # replaces bytes that are not UTF-8
_ESCAPED: Final = "\\ufffd"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_IDENTITY: Final = ("run", "path", "round", "attempt", "podUID")  # the keys of an Attempt
_TOOLS: Final = 1024  # bytes of tool names and counts; the trace has the others
_CARRIED_TOOLS: Final = 256


class TooLarge(ValueError):
    """A result does not fit: the record has `size` bytes, `limit` are allowed."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the result takes {size} bytes with its envelope, the limit is {limit}")
        self.size = size
        self.limit = limit


class Attempt(NamedTuple):
    """The attempt that a record belongs to."""

    run_uid: str
    path: str
    round: int
    attempt: int
    pod_uid: str


class Stored(NamedTuple):
    """An output that the gateway stores: digest, and size in bytes, of its canonical form."""

    digest: str
    size: int


class CommitRecord(NamedTuple):
    """How an attempt ended, as its pod reports it.

    Attributes:
        attempt: Whose record it is.
        outcome: Succeeded, Failed, or Parked: people have to decide on tool calls, which are
            `stored`.
        output: Of a Succeeded record, unless it is `stored`.
        reason: Of a Failed record; `protocol.reasons.Reason`, not checked.
        message: Of a Failed record: the reason in a sentence.
        tail: The end of what a failed program printed.
        stored: Set when the gateway stores the output, because it does not fit, or the calls.
        usage: What the attempt used; `tools` has the most called tools, as many as fit.
        carried: What earlier attempts used and could not report.
        retry_after_seconds: How long a provider asked to wait.
        trace: The trace if it fits; True when the gateway stores it, False when it is lost.
        artifacts: Of a Succeeded record: what the gateway has stored, by name.
    """

    attempt: Attempt
    outcome: Literal["Succeeded", "Failed", "Parked"]
    output: Json = None
    reason: str | None = None
    message: str | None = None
    tail: str | None = None
    stored: Stored | None = None
    usage: Usage | None = None
    carried: Usage | None = None
    retry_after_seconds: float | None = None
    trace: Trace | bool | None = None
    artifacts: dict[str, Content] | None = None


class RecordProblem(NamedTuple):
    """Why there is no usable record. `plain_text` is the message, if it may be plain text."""

    reason: Literal["Missing", "TooLarge", "Malformed", "Foreign"]
    message: str
    plain_text: str | None = None


def encode(record: CommitRecord) -> bytes:
    """The record as UTF-8, always shorter than LIMIT bytes.

    A failure that does not fit keeps the head of its message and the end of its tail.

    Raises:
        TooLarge: An output does not fit; outputs are never cut.
    """
    body = _body(record)
    encoded = _dump(body)
    if len(encoded) < LIMIT:
        return encoded
    if len(_dump(body | {"message": "", "tail": ""})) >= LIMIT:
        raise TooLarge(len(encoded), LIMIT - 1)
    message, tail = record.message or "", record.tail or ""
    while len(encoded) >= LIMIT:
        if len(tail) >= len(message):
            tail = tail[max(len(tail) // 4, 1) :]
        else:
            message = message[: len(message) * 3 // 4]
        encoded = _dump(body | {"message": message, "tail": tail})
    return encoded


def uncut_size(record: CommitRecord) -> int:
    """The size of the record in bytes, before anything is cut."""
    return len(_dump(_body(record)))


def _body(record: CommitRecord) -> dict[str, Json]:
    ref = record.attempt
    body: dict[str, Json] = {
        "v": VERSION,
        "run": ref.run_uid,
        "path": ref.path,
        "round": ref.round,
        "attempt": ref.attempt,
        "podUID": ref.pod_uid,
        "outcome": record.outcome,
    }
    if record.stored is not None:
        body |= {"digest": record.stored.digest, "size": record.stored.size, "stored": True}
    elif record.outcome == "Succeeded":
        canonical = ijson.canonical(record.output)
        body |= {
            "digest": ijson.digest(record.output),
            "size": len(canonical),
            "output": record.output,
        }
    optional = {
        "reason": record.reason,
        "message": record.message,
        "tail": record.tail,
        "usage": _usage_body(record.usage, _TOOLS) if record.usage else None,
        "carried": _usage_body(record.carried, _CARRIED_TOOLS) if record.carried else None,
        "retryAfterSeconds": record.retry_after_seconds,
        "trace": record.trace.to_json() if isinstance(record.trace, Trace) else record.trace,
        "artifacts": {name: one.to_json() for name, one in (record.artifacts or {}).items()}
        or None,
    }
    return body | {key: value for key, value in optional.items() if value is not None}


def _usage_body(usage: Usage, room: int) -> dict[str, Json] | None:
    tools: dict[str, int] = {}
    for name, calls in sorted((usage.tools or {}).items(), key=lambda each: (-each[1], each[0])):
        room -= len(_dump({name: calls}))
        if room < 0:
            break
        tools[name] = calls
    return usage._replace(tools=tools).to_json() or None


def _dump(body: dict[str, Json]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Escaped, the program wrote the character; unescaped, it replaces bytes that were cut.
    return text.replace(_REPLACEMENT, _ESCAPED).encode("utf-8", "replace")


def decode(message: str, *, expect: Attempt) -> CommitRecord | RecordProblem:
    """Parse a termination message and check that the record is of the attempt `expect`."""
    return belonging_to(parse(message), expect=expect)


def parse(message: str) -> CommitRecord | RecordProblem:
    """Parse a termination message and check the digest of its output.

    Returns:
        The record, whose `attempt` is what the message claims: check it with `belonging_to`
        before use. A RecordProblem for anything else.
    """
    problem = _unusable(message)
    if problem is not None:
        return problem
    try:
        body = ijson.parse(message)
    except ijson.IJsonError as error:
        return RecordProblem("Malformed", str(error))
    if not isinstance(body, dict) or body.get("v") != VERSION:
        return RecordProblem("Malformed", "not a commit record of version 1")
    claimed: Any = [body.get(key) for key in _IDENTITY]
    return _judged(body, Attempt(*claimed))


def belonging_to(
    record: CommitRecord | RecordProblem, *, expect: Attempt
) -> CommitRecord | RecordProblem:
    """`record` if it is of the attempt `expect`, else the problem Foreign; problems unchanged."""
    if isinstance(record, RecordProblem) or record.attempt == expect:
        return record
    pairs = zip(_IDENTITY, record.attempt, expect, strict=True)
    odd = ", ".join(key for key, claimed, expected in pairs if claimed != expected)
    return RecordProblem("Foreign", f"the record is another attempt's: {odd} differ")


def _judged(body: dict[str, Any], claimed: Attempt) -> CommitRecord | RecordProblem:
    outcome = body.get("outcome")
    if outcome not in ("Succeeded", "Failed", "Parked"):
        text = f"outcome: expected Succeeded, Failed or Parked, found {outcome!r:.60}"
        return RecordProblem("Malformed", text)
    trace = body.get("trace")
    try:
        record = CommitRecord(
            claimed,
            outcome,
            usage=usage_from_json(body["usage"]) if "usage" in body else None,
            carried=usage_from_json(body["carried"]) if "carried" in body else None,
            retry_after_seconds=_seconds(body.get("retryAfterSeconds")),
            trace=trace if trace is None or isinstance(trace, bool) else trace_from_json(trace),
        )
        if outcome == "Succeeded":
            return _with_result(record._replace(artifacts=_artifacts(body)), body)
        if outcome == "Parked":
            if body.get("stored") is not True:
                raise ValueError("a Parked record without stored calls")
            return _with_result(record, body)
    except ValueError as error:
        return RecordProblem("Malformed", str(error))
    reason, message, tail = (_text(body.get(key)) for key in ("reason", "message", "tail"))
    return record._replace(reason=reason, message=message, tail=tail)


def _with_result(record: CommitRecord, body: dict[str, Any]) -> CommitRecord:
    digest = body.get("digest")
    if body.get("stored") is True:
        size = body.get("size")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ValueError(f"digest: expected sha256:<64 hex digits>, found {digest!r:.80}")
        if type(size) is not int or not 0 <= size <= MAX_SAFE_INTEGER:
            raise ValueError(f"size: expected an integer of at least 0, found {size!r:.60}")
        return record._replace(stored=Stored(digest, size))
    if "output" not in body:
        raise ValueError("a Succeeded record without a result")
    if digest != ijson.digest(body["output"]):
        raise ValueError("the output does not match its digest")
    return record._replace(output=body["output"])


def _artifacts(body: dict[str, Any]) -> dict[str, Content] | None:
    listed = body.get("artifacts")
    if listed is None:
        return None
    if not isinstance(listed, dict):
        raise ValueError(f"artifacts: expected an object, found {listed!r:.60}")
    return {name: content_from_json(one) for name, one in listed.items()}


def _seconds(value: object) -> float | None:
    # An exact type: True is an int to isinstance.
    if value is None or (type(value) in (int, float) and value >= 0):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    raise ValueError(f"retryAfterSeconds: expected a number of at least 0, found {value!r:.60}")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _unusable(message: str) -> RecordProblem | None:
    if not message:
        return RecordProblem("Missing", "no record was written")
    size = len(message.encode("utf-8", "replace"))
    # A truncated character is read back as three bytes, so the text may be longer than 4096 bytes.
    if size >= LIMIT:
        text = f"the termination message has {size} bytes or more, the limit is {LIMIT - 1}"
        return RecordProblem("TooLarge", text)
    if _REPLACEMENT in message:
        return RecordProblem("Malformed", "the termination message is not valid UTF-8")
    return None


def decode_plain(message: str) -> Json | RecordProblem:
    """The output of a `container` node, from its termination message.

    Returns:
        null for no text, else the I-JSON value. A RecordProblem otherwise: with `plain_text` if
        the text is not JSON, so that a schema may take it as a string; without it if the text is
        JSON that is refused (a duplicate key, an unsafe integer).
    """
    problem = _unusable(message)
    if problem is not None:
        return None if problem.reason == "Missing" else problem
    if not message.strip():
        return None
    try:
        return ijson.parse(message)
    except ijson.IJsonError as error:
        shown = shorten(message, 80)
        text = message if isinstance(error, ijson.NotJsonError) else None
        return RecordProblem("Malformed", f"{error}; found {shown!r}", plain_text=text)
