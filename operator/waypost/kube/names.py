"""Deterministic names of children, and the two kinds of time the engine writes.

A name is a function of run uid, path and number, so that a repeated create meets
AlreadyExists instead of starting work twice; the readable part is for people.
"""

import hashlib
from typing import Final

from waypost.api.record import RecordType

_NAME_LIMIT: Final = 63  # a Job's name becomes a label value of its pod


def _short_hash(*parts: str, digits: int = 8) -> str:
    # The separator cannot stand in a part, so no two tuples share a text.
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:digits]


def _readable(run: str, path: str, limit: int) -> str:
    node = path.replace("_", "-").replace("/", "-")
    room = max(limit - len(node) - 1, 8)
    head = run.replace(".", "-")[:room].strip("-")
    return f"{head}-{node}"[:limit].strip("-")


def job_name(*, run: str, run_uid: str, path: str, attempt: int) -> str:
    """Name of the Job (and ConfigMap) of one attempt: at most 63 characters."""
    tail = f"-{attempt}-{_short_hash(run_uid, path, str(attempt))}"
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def approval_name(*, run: str, run_uid: str, path: str, round_: int) -> str:
    """Name of the Approval of a gate in one round. People type it, so its hash is short while the
    run's whole name stands before it; of a name that is cut the hash alone tells runs apart."""
    marks = (run_uid, path, str(round_))
    short, long = (f"-{round_}-{_short_hash(*marks, digits=digits)}" for digits in (4, 10))
    whole = len(run) + 1 + len(path) + len(short) <= _NAME_LIMIT
    tail = short if whole else long
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def record_name(
    type_: RecordType, *, run: str, run_uid: str, path: str, round_: int, attempt: int
) -> str:
    """Name of the NodeRecord with a payload of one attempt (1: also of a node without a pod), so
    that it is found without being told."""
    marks = (run_uid, path, str(round_), str(attempt))
    tail = f"-{attempt}-{type_.lower()}-{_short_hash(type_, *marks)}"
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def segment_name(
    *, run: str, run_uid: str, path: str, fingerprint: str, generation: int, number: int
) -> str:
    """Name of the NodeRecord with a segment of a node's journal."""
    marks = (run_uid, path, fingerprint, str(generation), str(number))
    tail = f"-{number}-journal-{_short_hash('Journal', *marks)}"
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def idempotency_key(*, run_uid: str, path: str, input_digest: str, repeats: int) -> str:
    """Equal over all attempts of a node with the same input, until a person asks for a repetition:
    `repeats`, how often rerun.from named the node (S59)."""
    text = "\0".join((run_uid, path, input_digest, str(repeats)))
    return hashlib.sha256(text.encode()).hexdigest()[:40]
