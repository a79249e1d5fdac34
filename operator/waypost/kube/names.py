"""Deterministic names of children, and the two kinds of time the engine writes.

A name is a function of run uid, path and number, so that a repeated create meets
AlreadyExists instead of starting work twice; the readable part is for people.
"""

import hashlib
import re
from typing import Final

from waypost.api.record import RecordType

SLOT_PREFIX: Final = "waypost-slot-"
_NAME_LIMIT: Final = 63  # a Job's name becomes a label value of its pod


def _short_hash(*parts: str, digits: int = 8) -> str:
    # No part can contain the separator, so two tuples never have the same text.
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:digits]


def _digits(run: str, path: str, *, beside: int) -> int:
    """How many digits the hash of a name has.

    Parts of nodes are many, so they get more. So does a name that does not hold the whole name of
    its run: then only the hash distinguishes it from those of thousands of other runs.

    Args:
        run: The name of the run.
        path: The path of the node.
        beside: How many characters the name has beside them and the digits.
    """
    whole = len(run) + 1 + len(path) + beside + 8 <= _NAME_LIMIT
    return 8 if whole and "/" not in path else 10


def _readable(run: str, path: str, limit: int) -> str:
    node, _, part = path.replace("_", "-").partition("/")
    end = f"-{part.replace('/', '-')}" if part else ""  # never cut
    room = max(limit - len(node) - len(end) - 1, 8)
    head = run.replace(".", "-")[:room].strip("-")
    return f"{head}-{node}"[: limit - len(end)].strip("-") + end


def job_name(*, run: str, run_uid: str, path: str, attempt: int) -> str:
    """Name of the Job (and ConfigMap) of one attempt: at most 63 characters."""
    before = f"-{attempt}-"
    digits = _digits(run, path, beside=len(before))
    tail = before + _short_hash(run_uid, path, str(attempt), digits=digits)
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def approval_name(*, run: str, run_uid: str, path: str, round_: int, level: int = 0) -> str:
    """Name of the Approval of a gate in one round, and at one level of escalation.

    People type it, so its hash is short if the name of the run fits completely. If that is cut,
    only the hash distinguishes runs, and it is longer.
    """
    marks = (run_uid, path, str(round_), *([f"level {level}"] if level else []))
    number = f"{round_}-{level}" if level else f"{round_}"
    short, long = (f"-{number}-{_short_hash(*marks, digits=digits)}" for digits in (4, 10))
    whole = len(run) + 1 + len(path) + len(short) <= _NAME_LIMIT
    tail = short if whole else long
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def call_approval_name(*, run: str, run_uid: str, path: str, round_: int, digest: str) -> str:
    """Name of the Approval of a tool call in one round; `digest` is that of the question."""
    tail = f"-{round_}-{_short_hash('Call', run_uid, path, str(round_), digest, digits=10)}"
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def started_name(*, template: str, event_uid: str) -> str:
    """Name of the run that an event starts."""
    head = template.replace(".", "-")[: _NAME_LIMIT - 11].strip("-")
    return f"{head}-{_short_hash('Event', event_uid, digits=10)}"


def claim_name(*, run: str, run_uid: str, claim: str, digest: str) -> str:
    """Name of the object for a claim of a run; `digest` is that of what the claim declares."""
    tail = f"-{_short_hash('Claim', run_uid, claim, digest, digits=10)}"
    return _readable(run, claim, _NAME_LIMIT - len(tail)) + tail


def child_name(*, run: str, run_uid: str, path: str, generation: int) -> str:
    """Name of a child run of a node; `generation` counts the child runs of the node."""
    digits = _digits(run, path, beside=1)
    tail = f"-{_short_hash('Child', run_uid, path, str(generation), digits=digits)}"
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def record_name(
    type_: RecordType, *, run: str, run_uid: str, path: str, round_: int, attempt: int
) -> str:
    """Name of the NodeRecord with a payload of one attempt, so that no reference is needed to find
    it. A node without a pod has attempt 1."""
    marks = (run_uid, path, str(round_), str(attempt))
    before = f"-{attempt}-{type_.lower()}-"
    digits = _digits(run, path, beside=len(before))
    tail = before + _short_hash(type_, *marks, digits=digits)
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def artifact_name(
    *, run: str, run_uid: str, path: str, round_: int, attempt: int, artifact: str
) -> str:
    """Name of the NodeRecord of an artifact that one attempt made."""
    marks = (run_uid, path, str(round_), str(attempt), artifact)
    tail = f"-{attempt}-artifact-{_short_hash('Artifact', *marks, digits=10)}"
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


_ARTIFACT_TAIL: Final = re.compile(r"-artifact-[0-9a-f]{10}(?![0-9a-z])")
_ITEMS_TAIL: Final = re.compile(r"-items-[0-9a-f]{10}(?![0-9a-z])")
_HEAD: Final = re.compile(r"[a-z0-9-]+\Z")


def artifact_names_in(text: str) -> set[str]:
    """The names of NodeRecords of artifacts anywhere in a text, such as a run as JSON."""
    return _names_in(text, _ARTIFACT_TAIL)


def items_names_in(text: str) -> set[str]:
    """The same of NodeRecords with items of maps."""
    return _names_in(text, _ITEMS_TAIL)


def _names_in(text: str, ending: re.Pattern[str]) -> set[str]:
    found = set()
    for tail in ending.finditer(text):
        # Only what a name can have: a user's text may be long and without any blank.
        head = _HEAD.search(text, max(tail.start() - _NAME_LIMIT, 0), tail.start())
        if head is not None:
            found.add(head[0] + tail[0])
    return found


def items_name(*, run: str, run_uid: str, path: str, digest: str) -> str:
    """Name of a NodeRecord with items of a map. It follows from the content, so operators that
    decide differently do not write the same name."""
    return items_prefix(run=run, path=path) + _short_hash(run_uid, path, digest, digits=10)


def items_prefix(*, run: str, path: str) -> str:
    """What the names of all NodeRecords with items of a map begin with."""
    tail = "-items-"
    return _readable(run, path, _NAME_LIMIT - len(tail) - 10) + tail


def segment_name(
    *, run: str, run_uid: str, path: str, fingerprint: str, generation: int, number: int
) -> str:
    """Name of the NodeRecord with a segment of a node's journal."""
    marks = (run_uid, path, fingerprint, str(generation), str(number))
    before = f"-{number}-journal-"
    digits = _digits(run, path, beside=len(before))
    tail = before + _short_hash("Journal", *marks, digits=digits)
    return _readable(run, path, _NAME_LIMIT - len(tail)) + tail


def definition_name(*, run: str, run_uid: str, digest: str) -> str:
    """Name of the NodeRecord with the definition of a run that has this digest."""
    tail = f"-definition-{_short_hash('Definition', run_uid, digest, digits=10)}"
    return _readable(run, "", _NAME_LIMIT - len(tail)) + tail


def memory_record_name(type_: RecordType, *, run: str, run_uid: str, digest: str) -> str:
    """Name of a NodeRecord of type Memory or Remember. It follows from the content, so operators
    that have read something else do not write the same name."""
    return _memory_head(type_, run) + _short_hash(type_, run_uid, digest, digits=10)


def is_memory_record(name: str, type_: RecordType, *, run: str) -> bool:
    """Whether a NodeRecord of this run has the name of one of this type, whatever its content."""
    head = _memory_head(type_, run)
    return name.startswith(head) and "-" not in name.removeprefix(head)


def _memory_head(type_: RecordType, run: str) -> str:
    tail = f"-{type_.lower()}-"
    return _readable(run, "", _NAME_LIMIT - len(tail) - 10) + tail


def slot_digest(key: str) -> str:
    """Digest of a key of `concurrency`: the label of its slots, and a part of their names."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def slot_name(digest: str, number: int) -> str:
    """Name of the Lease of a slot, from the digest of its key; slots are numbered from 1."""
    return f"{SLOT_PREFIX}{digest}-{number}"


def slot_key_digest(name: str) -> str:
    """The digest of the key in the name of a slot."""
    return name.removeprefix(SLOT_PREFIX).rpartition("-")[0]


def idempotency_key(*, run_uid: str, path: str, input_digest: str, repeats: int) -> str:
    """The idempotency key of a node: the same for all its attempts with the same input (S59).

    `repeats` is how often rerun.from has named the node: a repetition that a person requests has
    another key.
    """
    text = "\0".join((run_uid, path, input_digest, str(repeats)))
    return hashlib.sha256(text.encode()).hexdigest()[:40]
