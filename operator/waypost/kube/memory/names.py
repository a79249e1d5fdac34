"""Names and labels of MemoryEntries: a function of what they are about and where they come from.

So a repeated create meets AlreadyExists instead of making a second entry. A key may hold the text
of a user, therefore names and labels have only its hash.
"""

import hashlib
import json
from datetime import datetime
from typing import Final

from waypost.api import meta
from waypost.api.memory.model import EntryType
from waypost.protocol.timestamps import timestamp

_NAME_LIMIT: Final = 63
_LETTERS: Final[dict[EntryType, str]] = {"Episode": "e", "Fact": "f", "Forgotten": "x"}


def memory_digest(*, scope: str, key: str) -> str:
    """32 digits that stand for a scope and key: the value of the label waypost.dev/memory."""
    return _hash(scope, key, digits=32)


def entry_name(
    *, scope: str, key: str, type_: EntryType, run_uid: str, path: str, round_: int, ordinal: int
) -> str:
    """Name of an Episode or a Fact.

    Args:
        scope: Its scope.
        key: Its key.
        type_: Its type.
        run_uid: uid of the run that remembers.
        path: Path of the node; "" of an Episode.
        round_: Round of the checkpoint.
        ordinal: Position in what the node remembered; 0 of an Episode.
    """
    parts = (scope, key, type_, run_uid, path, str(round_), str(ordinal))
    return _name(scope=scope, key=key, type_=type_, digits=_hash(*parts, digits=10))


def forgotten_name(*, scope: str, key: str, at: datetime) -> str:
    """Name of the entry that says that everything of the key up to `at` is forgotten."""
    digits = _hash(scope, key, "Forgotten", timestamp(at), digits=10)
    return _name(scope=scope, key=key, type_="Forgotten", digits=digits)


def entry_labels(*, scope: str, key: str, type_: EntryType, run_uid: str = "") -> dict[str, str]:
    """Labels of an entry; one of type Forgotten comes from no run."""
    labels = {
        meta.LABEL_MEMORY: memory_digest(scope=scope, key=key),
        meta.LABEL_MEMORY_TYPE: type_,
    }
    return {**labels, meta.LABEL_SOURCE_RUN: run_uid} if run_uid else labels


def _name(*, scope: str, key: str, type_: EntryType, digits: str) -> str:
    tail = f"-{memory_digest(scope=scope, key=key)[:4]}-{_LETTERS[type_]}-{digits}"
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in scope.lower())
    head = plain[: _NAME_LIMIT - len(tail)].strip("-") or "namespace"
    return head + tail


def _hash(*parts: str, digits: int) -> str:
    # As JSON, two different tuples never have the same text, whatever a user puts into a key.
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:digits]
