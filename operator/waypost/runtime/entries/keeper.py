"""Writes the phases of MemoryEntries, and deletes those that are over.

Nothing waits for it: runs read specs. A watch event wakes a key, and each resync wakes all, so that
what has expired goes. The cache says that something may be due, a live list of the key decides. An
object is deleted only as it was read, so one that a person has accepted since stays.
"""

from typing import Final

from waypost.api import meta
from waypost.kube.memory.entries import Entry, entry
from waypost.kube.memory.names import memory_digest
from waypost.kube.memory.upkeep import Upkeep, upkeep
from waypost.kube.objects import section, text
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Conflict, Kind, NotFound, Obj
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.newest import Newest, version_of
from waypost.runtime.cache.runs import Key
from waypost.runtime.queue import KeyedQueue, by_namespace
from waypost.runtime.reconcile_loop import ReconcileLoop, Reconciler
from waypost.runtime.writes.removal import remove_as_read
from waypost.runtime.writes.status_write import write_status

_WORKERS: Final = 2


class EntryKeeper:
    """One pass looks at all entries of a scope and key. Not thread-safe."""

    def __init__(self, *, cluster: Cluster, clock: Clock, telemetry: Telemetry) -> None:
        self._cluster = cluster
        self._clock = clock
        self._telemetry = telemetry
        self._queue: KeyedQueue[Key] = by_namespace(clock.monotonic)
        self._entries: Newest[tuple[str, str], Entry] = Newest()  # by namespace and name
        self._of_key: dict[Key, set[str]] = {}  # names

    def notice(self, raw: Obj, *, deleted: bool, on_duty: bool) -> None:
        """Put a watch event into the cache, and queue its key if this process works."""
        namespace, name = _place(raw)
        known = self._entries.get((namespace, name))
        if deleted:
            key = _key(namespace, known) if known is not None else None
            self._drop(namespace, name)
        else:
            found = entry(raw)
            key = _key(namespace, found) if found is not None else None
            if found is None or not self._entries.put(
                (namespace, name), found.slim(), version_of(raw)
            ):
                return
            self._of_key.setdefault(_key(namespace, found), set()).add(name)
        if key is not None and on_duty:
            self._queue.add(key)

    def wake_all(self) -> None:
        """Queue all keys, as after a complete list."""
        for key in self._of_key:
            self._queue.add(key)

    async def run(self) -> None:
        """Work until cancelled."""
        reconciler = Reconciler(
            work="pass over the MemoryEntries of a key",
            kind=lambda _key: Kind.MEMORY_ENTRY,
            reconcile=self.reconcile,
            take=lambda _kind, _body: None,
            drop=lambda _key: None,
        )
        loop = ReconcileLoop(reconciler, cluster=self._cluster, queue=self._queue, workers=_WORKERS)
        await loop.run()

    async def reconcile(self, key: Key) -> None:
        """One pass over the entries of a key.

        Raises:
            ClusterError: A request failed.
        """
        cached = [self._entries[key.namespace, name] for name in self._of_key.get(key, ())]
        due = upkeep(cached, now=self._clock.now())
        if not due.idle:
            due = await self._live(key)
            await self._carry_out(key, due)

    async def _live(self, key: Key) -> Upkeep:
        listed = await self._cluster.list(
            Kind.MEMORY_ENTRY,
            namespace=key.namespace,
            labels=f"{meta.LABEL_MEMORY}={key.name}",
        )
        now = self._clock.now()
        found = [one for body in listed.items if (one := entry(body)) is not None]
        own = [one for one in found if _key(key.namespace, one) == key]
        for name in self._of_key.get(key, set()) - {one.name for one in own}:
            self._drop(key.namespace, name)
        return upkeep(own, now=now)

    async def _carry_out(self, key: Key, due: Upkeep) -> None:
        removed = 0
        for one in due.delete:
            removed += await self._remove(key.namespace, one)
        if removed:
            self._telemetry.swept(what="memory", count=removed)
        for one, status in due.statuses:
            try:
                await write_status(
                    self._cluster,
                    Kind.MEMORY_ENTRY,
                    namespace=key.namespace,
                    name=one.name,
                    body={},
                    resource_version=one.resource_version,
                    status=status,
                )
            except NotFound:
                self._drop(key.namespace, one.name)
            except Conflict:
                continue  # the watch delivers the change, and queues the key

    async def _remove(self, namespace: str, one: Entry) -> bool:
        metadata = {
            "namespace": namespace,
            "name": one.name,
            "uid": one.uid,
            "resourceVersion": one.resource_version,
        }
        removed = await remove_as_read(self._cluster, Kind.MEMORY_ENTRY, {"metadata": metadata})
        if removed:
            self._drop(namespace, one.name)
        return removed

    def _drop(self, namespace: str, name: str) -> None:
        known = self._entries.get((namespace, name))
        if known is None:
            return
        self._entries.drop((namespace, name))
        key = _key(namespace, known)
        left = self._of_key.get(key, set())
        left.discard(name)
        if not left:
            self._of_key.pop(key, None)


def _place(raw: Obj) -> tuple[str, str]:
    metadata = section(raw, "metadata")
    return text(metadata, "namespace"), text(metadata, "name")


def _key(namespace: str, one: Entry) -> Key:
    """The key of the queue: the label stands in for the name of an object."""
    scope, key = one.identity
    return Key(namespace, memory_digest(scope=scope, key=key), "")
