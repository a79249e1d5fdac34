"""Ids of traces and spans, derived from a run's identity: the same after a restart."""

import re
from hashlib import sha256
from typing import Any, Final

from waypost.api.meta import ANNOTATION_TRACEPARENT
from waypost.kube.objects import section, text

# Later versions may have more fields. Ids of zeros alone are not valid.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.{0,200})?"
)
_LENGTH: Final = 55  # of version 00


def trace_id(run_uid: str) -> str:
    """The id of the trace of a run, with all its rounds: 32 hex digits."""
    return sha256(f"waypost/trace\0{run_uid}".encode()).hexdigest()[:32]


def span_id(run_uid: str, path: str, round_: int, attempt: int) -> str:
    """The id of an attempt's span: 16 hex digits. Attempt 0 is the gate, an empty path the run."""
    return sha256(f"waypost/span\0{run_uid}\0{path}\0{round_}\0{attempt}".encode()).hexdigest()[:16]


def part_id(run_uid: str, path: str, round_: int, attempt: int, part: str) -> str:
    """The id of a span inside an attempt; `part` distinguishes it from the others."""
    text = f"waypost/span\0{run_uid}\0{path}\0{round_}\0{attempt}\0{part}"
    return sha256(text.encode()).hexdigest()[:16]


def traceparent(run_uid: str, path: str, round_: int, attempt: int) -> str:
    """The W3C traceparent for spans of the program: their parent is the attempt's span."""
    return f"00-{trace_id(run_uid)}-{span_id(run_uid, path, round_, attempt)}-01"


def caller(given: str) -> tuple[str, str] | None:
    """The ids of trace and span in a W3C traceparent of others; None if it is none."""
    found = _TRACEPARENT.fullmatch(given.strip())
    if found is None or (given.startswith("00") and len(given.strip()) != _LENGTH):
        return None
    return found[1], found[2]


def caller_of(body: Any) -> str:
    """The traceparent in the annotation of an object; "" if it has none that is valid."""
    given = text(section(body, "metadata", "annotations"), ANNOTATION_TRACEPARENT)
    return given.strip() if caller(given) else ""
