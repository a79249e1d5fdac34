"""The document of a kept log, and the NodeRecord that holds it.

    {"pod": name, "readAt": time, "text": "...", "cut": true, "partial": why, "problem": why}

`cut`: older lines are missing. `partial`: why the end is missing. `problem`: why there is no text.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.kube import node_records, objects
from waypost.kube.logs.redaction import redacted
from waypost.kube.payloads import AttemptRef
from waypost.kube.timestamps import timestamp
from waypost.protocol import ijson

# Read before it is cut to the limit: a secret that is cut in two is not recognized.
_MARGIN: Final = 8 * 1024
_PROBLEM: Final = 500  # characters
_NO_CHARACTER: Final = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "]"
)


@dataclass(frozen=True)
class KeptLog:
    """A log as it is kept. `read_at` is a time of RFC 3339."""

    pod: str
    read_at: str
    text: str = ""
    cut: bool = False
    partial: str = ""
    problem: str = ""

    def to_json(self) -> JsonObject:
        """The document, without fields that say nothing."""
        more = {"cut": self.cut, "partial": self.partial, "problem": self.problem}
        found = {"pod": self.pod, "readAt": self.read_at, "text": self.text}
        return {**found, **{key: value for key, value in more.items() if value}}


def kept(
    text: str, *, pod: str, now: datetime, limit: int, more: bool = False, partial: str = ""
) -> KeptLog:
    """What is kept of a log: its end, in whole lines if possible, without secrets.

    Args:
        text: The end of the log.
        pod: The name of the pod.
        now: When it was read.
        limit: Maximum bytes of UTF-8.
        more: There are older lines that `text` does not have.
        partial: Why the end is missing, "" if it is not.
    """
    end, cut = _end(text, limit)
    return KeptLog(pod, timestamp(now), end, more or cut, partial)


def tail(text: str, *, limit: int) -> str:
    """The end of a log of at most `limit` bytes, in whole lines if possible, without secrets."""
    return _end(text, limit)[0]


def _end(text: str, limit: int) -> tuple[str, bool]:
    """The end of a log, and whether something before it is left out."""
    encoded = text.encode("utf-8", "replace")
    near = encoded[-limit - _MARGIN :].decode("utf-8", "ignore")
    clean = _storable(redacted(near)).encode()
    cut = len(clean) > limit or len(near.encode()) < len(encoded)
    end = clean[-limit:]
    if len(clean) > limit and (start := end.find(b"\n") + 1) and start < len(end):
        end = end[start:]
    return end.decode("utf-8", "ignore"), cut


def unreadable(problem: str, *, pod: str, now: datetime) -> KeptLog:
    """The document of a log that could not be read; `problem` says why."""
    return KeptLog(pod, timestamp(now), problem=_storable(problem)[:_PROBLEM])


def _storable(text: str) -> str:
    """The text without code points that I-JSON forbids."""
    return _NO_CHARACTER.sub("\ufffd", text)


def manifest(log: KeptLog, ref: AttemptRef, *, namespace: str) -> tuple[JsonObject, int]:
    """The NodeRecord of a kept log, and the bytes that its payload takes in the storage."""
    while True:
        document = log.to_json()
        canonical = ijson.canonical(document)
        form = node_records.form_of(document, canonical)
        if form is not None:
            break
        half = log.text[len(log.text) // 2 :]  # cannot be compressed enough
        log = KeptLog(log.pod, log.read_at, half, cut=True, partial=log.partial)
    body = node_records.manifest(
        "Log",
        ref,
        digest=ijson.digest(document),
        size=len(canonical),
        form=form,
        owner=_owner(ref),
        namespace=namespace,
    )
    # So that all logs of a node can be listed without the other records of the run.
    body["metadata"]["labels"][meta.LABEL_NODE] = ref.path.replace("/", ".")
    compressed = form.get("compressed")
    return body, len(compressed) if isinstance(compressed, str) else len(canonical)


def _owner(ref: AttemptRef) -> JsonObject:
    return {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "name": ref.run,
        "uid": ref.run_uid,
        "controller": True,
    }


def read(body: object) -> KeptLog | None:
    """The log in a NodeRecord; None if it is no Log, or damaged."""
    fact = node_records.record_fact(body, limit=node_records.LARGEST)
    value = fact.payload.value
    if fact.type != "Log" or fact.problem or not isinstance(value, dict):
        return None
    return KeptLog(
        pod=objects.text(value, "pod"),
        read_at=objects.text(value, "readAt"),
        text=objects.text(value, "text"),
        cut=value.get("cut") is True,
        partial=objects.text(value, "partial"),
        problem=objects.text(value, "problem"),
    )
