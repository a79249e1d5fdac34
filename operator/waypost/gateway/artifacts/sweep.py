"""Finds parts of artifacts that no record names: an upload broke off, or its attempt was closed.

The name of the record follows from the key, so a live read of one object decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from waypost.kube import objects
from waypost.kube.payloads import AttemptRef
from waypost.ports.cluster import Cluster, Kind, NotFound

# Longer than any upload lasts: its record is created after its last part.
UPLOAD: Final = timedelta(hours=24)
_MARK: Final = "-artifact-"


@dataclass(frozen=True)
class ArtifactKey:
    """What the key of a part says."""

    namespace: str
    ref: AttemptRef
    name: str
    prefix: str  # as the record has it in `object`


def parse(key: str) -> ArtifactKey | None:
    """The artifact that an object is a part of; None for other objects."""
    steps = key.split("/")
    if len(steps) < 7 or _MARK not in steps[-3]:
        return None
    numbers, _, rest = steps[-3].partition(_MARK)
    round_, _, attempt = numbers.partition("-")
    name, _, digest = rest.rpartition("-")
    if not (round_.isdecimal() and attempt.isdecimal() and name and digest):
        return None
    namespace, run, uid = steps[:3]
    ref = AttemptRef(run, uid, "/".join(steps[3:-3]), int(round_), int(attempt))
    return ArtifactKey(namespace, ref, name, "/".join(steps[:-1]))


async def unnamed(cluster: Cluster, keys: Iterable[str]) -> list[str]:
    """The keys of parts of artifacts that no NodeRecord names.

    Raises:
        ClusterError: It is not certain.
    """
    named: dict[str, bool] = {}
    found = []
    for key in keys:
        part = parse(key)
        if part is None:
            continue
        if part.prefix not in named:
            named[part.prefix] = await _is_named(cluster, part)
        if not named[part.prefix]:
            found.append(key)
    return found


async def _is_named(cluster: Cluster, part: ArtifactKey) -> bool:
    name = part.ref.artifact_name(part.name)
    try:
        body = await cluster.get(Kind.NODE_RECORD, namespace=part.namespace, name=name)
    except NotFound:
        return False
    return objects.text(objects.section(body, "spec"), "object") == part.prefix
