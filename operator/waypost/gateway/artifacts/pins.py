"""What the operator allows a pod: the annotation that it wrote into the template of the pod's Job.

A pod says a name or a position, never a digest or a key.
"""

import json
from dataclasses import dataclass

from waypost.gateway.refusals import RefusalReason, Refused


@dataclass(frozen=True)
class Pinned:
    """An artifact that the pod may read."""

    record: str
    digest: str


def readable(annotation: str, number: int) -> Pinned:
    """The artifact at a position of artifacts.in. Raises Refused if there is none."""
    listed = _section(annotation, "in")
    if isinstance(listed, list) and 0 <= number < len(listed) and isinstance(listed[number], dict):
        record, digest = listed[number].get("record"), listed[number].get("digest")
        if isinstance(record, str) and isinstance(digest, str):
            return Pinned(record, digest)
    text = f"the operator pinned no artifact {number} for this attempt"
    raise Refused(RefusalReason.NOT_FOUND, text)


def largest(annotation: str, name: str) -> int:
    """Maximum bytes of an artifact that the pod may store. Raises Refused if it may not."""
    listed = _section(annotation, "out")
    limit = listed.get(name) if isinstance(listed, dict) else None
    if type(limit) is not int:
        text = f"the node has no artifact {name!r:.60} in artifacts.out"
        raise Refused(RefusalReason.NOT_FOUND, text)
    return limit


def _section(annotation: str, key: str) -> object:
    try:
        document = json.loads(annotation or "{}")
    except ValueError:
        return None
    return document.get(key) if isinstance(document, dict) else None
