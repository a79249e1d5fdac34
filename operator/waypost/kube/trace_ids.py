"""Ids of traces and spans, derived from a run's identity: the same after a restart."""

from hashlib import sha256


def trace_id(run_uid: str) -> str:
    """One trace per run, all rounds of it."""
    return sha256(f"waypost/trace\0{run_uid}".encode()).hexdigest()[:32]


def span_id(run_uid: str, path: str, round_: int, attempt: int) -> str:
    """Id of an attempt's span; attempt 0 is the gate itself, and an empty path the run."""
    return sha256(f"waypost/span\0{run_uid}\0{path}\0{round_}\0{attempt}".encode()).hexdigest()[:16]


def part_id(run_uid: str, path: str, round_: int, attempt: int, part: str) -> str:
    """Id of a span inside an attempt: `part` is what tells it from the others."""
    text = f"waypost/span\0{run_uid}\0{path}\0{round_}\0{attempt}\0{part}"
    return sha256(text.encode()).hexdigest()[:16]


def traceparent(run_uid: str, path: str, round_: int, attempt: int) -> str:
    """W3C traceparent for what an attempt itself traces: its parent is the attempt's span."""
    return f"00-{trace_id(run_uid)}-{span_id(run_uid, path, round_, attempt)}-01"
