"""The identity of an item: what another round recognizes it by, wherever it is in the list.

A path and a Job follow the index. The idempotency key follows the identity, so a moved item is not
executed twice.
"""

from collections import Counter
from collections.abc import Iterable

from waypost.protocol import ijson


def identities(contents: Iterable[object | None]) -> list[str]:
    """The identity of each item: a digest of its content and of its occurrence.

    Args:
        contents: What determines the work of each item, as JSON, in the order of the list; None
            for an item that cannot run.

    Returns:
        16 hexadecimal digits for each item; "" for one that cannot run.
    """
    seen: Counter[str] = Counter()
    found = []
    for content in contents:
        if content is None:
            found.append("")
            continue
        digest = ijson.digest(content)
        found.append(_identity(digest, seen[digest]))
        seen[digest] += 1
    return found


def possible_identities(content: object, index: int) -> set[str]:
    """The identities that an item with this content can have at this index of a list."""
    digest = ijson.digest(content)
    return {_identity(digest, occurrence) for occurrence in range(index + 1)}


def _identity(digest: str, occurrence: int) -> str:
    return ijson.digest([digest, occurrence]).removeprefix("sha256:")[:16]
