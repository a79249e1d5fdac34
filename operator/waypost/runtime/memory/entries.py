"""The MemoryEntries of a key: the live list, and the create."""

import asyncio
from typing import Final

from waypost.api import meta
from waypost.api.memory.model import KEPT_FACTS
from waypost.kube.memory.entries import MEMORY_FULL, Entry, entry
from waypost.kube.memory.names import memory_digest
from waypost.kube.memory.phases import forgotten_until, is_full, is_known, standings
from waypost.kube.objects import section
from waypost.ports.clock import Clock
from waypost.ports.cluster import AlreadyExists, Cluster, ClusterError, Kind, Obj, Rejected

_FENCE_SECONDS: Final = 10.0
_ORIGIN: Final = ("runUid", "round", "path", "ordinal")


async def read_entries(cluster: Cluster, namespace: str, scope: str, key: str) -> tuple[Entry, ...]:
    """All entries with the label of this scope and key, read live. Raises ClusterError."""
    labels = f"{meta.LABEL_MEMORY}={memory_digest(scope=scope, key=key)}"
    listing = await cluster.list(Kind.MEMORY_ENTRY, namespace=namespace, labels=labels)
    found = (entry(body) for body in listing.items)
    return tuple(one for one in found if one is not None and one.identity == (scope, key))


class TakenName(ClusterError):
    """Another object has the name of an entry."""


class KeyFull(Rejected):
    """The key of an entry has as many facts as it may have."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=422, reason=MEMORY_FULL)


async def remember(cluster: Cluster, clock: Clock, namespace: str, manifest: Obj) -> None:
    """Create an entry, unless its key was forgotten after its time (S694), or has this fact (S741).

    The list that says so is read before each create, and the create is sent within ten seconds of
    it: an operator that was frozen in between creates nothing.

    Raises:
        TimeoutError: The fence has expired.
        KeyFull: It was created, and no run reads it: the key has as many facts as it may have.
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
    found = standings(known, now=clock.now())
    if is_known(wanted, known, found):
        return
    full = is_full(wanted, known, found)
    if full:
        manifest = {**manifest, "spec": {**manifest["spec"], "full": True}}
    left = begun + _FENCE_SECONDS - clock.monotonic()
    if left <= 0:
        raise TimeoutError
    try:
        async with asyncio.timeout(left):
            await cluster.create(Kind.MEMORY_ENTRY, namespace=namespace, body=manifest)
    except AlreadyExists:
        await _look_at(cluster, namespace, manifest)
    if full:
        raise KeyFull(f"{MEMORY_FULL}: the key has {KEPT_FACTS} facts; accept or delete some")


async def _look_at(cluster: Cluster, namespace: str, manifest: Obj) -> None:
    """A name that is taken is success if the entry comes from the same place."""
    name = manifest["metadata"]["name"]
    found = await cluster.get(Kind.MEMORY_ENTRY, namespace=namespace, name=name)
    mine, theirs = (section(body, "spec", "source") for body in (manifest, found))
    if any(mine.get(key) != theirs.get(key) for key in _ORIGIN):
        text = f"MemoryEntry {name} exists and comes from another run; delete or rename it"
        raise TakenName(text, code=409, reason="AlreadyExists")
