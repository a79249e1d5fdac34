"""What the idempotency key and the journal of an item follow: its identity, and how often
`rerun.from` has named it."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any


def mark_of(content: Mapping[str, Any], index: int) -> str:
    """The mark of an item, as hexadecimal digits.

    Args:
        content: The stored list, as `engine.items.begin` writes it.
        index: Index of the item.
    """
    identity = str(content["identities"][index])
    count = counts_of(content)[index]
    if not count:
        return identity
    return hashlib.sha256(f"{identity}.{count}".encode()).hexdigest()[: len(identity)]


def counts_of(content: Mapping[str, Any]) -> list[int]:
    """How often `rerun.from` has named each item of a stored list."""
    text = content.get("repeats")
    if not text:
        return [0] * len(content.get("identities") or ())
    counts: list[int] = []
    for token in str(text).split():
        value, _, times = token.partition("*")
        counts += [int(value)] * int(times or 1)
    return counts


def format_counts(counts: Iterable[int]) -> str:
    """The counts as a text such as `0*3 1 0*996`; "" if all are zero. `counts_of` reads it."""
    known = list(counts)
    if not any(known):
        return ""
    groups = ((value, sum(1 for _ in group)) for value, group in groupby(known))
    return " ".join(f"{value}*{times}" if times > 1 else str(value) for value, times in groups)
