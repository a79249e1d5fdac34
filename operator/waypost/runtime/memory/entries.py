"""The MemoryEntries of a key: the live list, and the create."""

import asyncio
from typing import Final

from waypost.api import meta
from waypost.kube.memory.entries import Entry, entry
from waypost.kube.memory.names import memory_digest
from waypost.kube.memory.phases import forgotten_until
from waypost.kube.objects import section
from waypost.ports.clock import Clock
from waypost.ports.cluster import AlreadyExists, Cluster, ClusterError, Kind, Obj

_FENCE_SECONDS: Final = 10.0


async def read_entries(cluster: Cluster, namespace: str, scope: str, key: str) -> tuple[Entry, ...]:
    """All entries with the label of this scope and key, read live. Raises ClusterError."""
    labels = f"{meta.LABEL_MEMORY}={memory_digest(scope=scope, key=key)}"
    listing = await cluster.list(Kind.MEMORY_ENTRY, namespace=namespace, labels=labels)
    found = (entry(body) for body in listing.items)
    return tuple(one for one in found if one is not None and one.identity == (scope, key))


class TakenName(ClusterError):
    """Another object has the name of an entry."""


async def remember(cluster: Cluster, clock: Clock, namespace: str, manifest: Obj) -> None:
    """Create an entry, unless its key was forgotten after its time (S694).

    The list that says so is read before each create, and the create is sent within ten seconds of
    it: an operator that was frozen in between creates nothing.

    Raises:
        TimeoutError: The fence has expired.
        ClusterError: It could not be created.
    """
    wanted = entry(manifest)
    assert wanted is not None, "the operator has made it"
    begun = clock.monotonic()
    scope, key = wanted.identity
    known = await read_entries(cluster, namespace, scope, key)
    forgotten = forgotten_until(known, scope=scope, key=key)
    if forgotten is not None and wanted.at <= forgotten:
        return
    left = begun + _FENCE_SECONDS - clock.monotonic()
    if left <= 0:
        raise TimeoutError
    try:
        async with asyncio.timeout(left):
            await cluster.create(Kind.MEMORY_ENTRY, namespace=namespace, body=manifest)
    except AlreadyExists:
        await _look_at(cluster, namespace, manifest)


async def _look_at(cluster: Cluster, namespace: str, manifest: Obj) -> None:
    """A name that is taken is success if the entry comes from the same run and round."""
    name = manifest["metadata"]["name"]
    found = await cluster.get(Kind.MEMORY_ENTRY, namespace=namespace, name=name)
    mine, theirs = (section(body, "spec", "source") for body in (manifest, found))
    if any(mine.get(key) != theirs.get(key) for key in ("runUid", "round")):
        text = f"MemoryEntry {name} exists and comes from another run; delete or rename it"
        raise TakenName(text, code=409, reason="AlreadyExists")
