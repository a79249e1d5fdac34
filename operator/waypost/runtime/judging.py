"""The loop that keeps the condition Accepted of every object of a kind up to date.

It has its own queue and worker, so that an object whose check fails again and again delays no run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from waypost.api.base import StatusModel
from waypost.api.wire.write import to_wire
from waypost.kube.objects import section, text
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Kind, Obj
from waypost.ports.offload import Offload
from waypost.runtime.cache.bodies import BodyCache
from waypost.runtime.cache.runs import Key
from waypost.runtime.queue import KeyedQueue, by_namespace
from waypost.runtime.reconcile_loop import ReconcileLoop, Reconciler
from waypost.runtime.writes.status_write import write_status

_JUDGED: Final = 10_000  # objects that are remembered as judged by this process


@dataclass(frozen=True)
class Judge:
    """How the objects of a kind are checked.

    Attributes:
        kind: The kind.
        work: What a pass is called in logs.
        status: The next status of a body at a time.
        known: The status that a body has.
    """

    kind: Kind
    work: str
    status: Callable[[Any, datetime], StatusModel]
    known: Callable[[Any], Any]


class JudgingLoop:
    """Judges the objects of one kind. Nothing waits for it: who uses one makes the check itself."""

    def __init__(
        self, judge: Judge, *, cluster: Cluster, cache: BodyCache, clock: Clock, offload: Offload
    ) -> None:
        self._judge = judge
        self._cluster = cluster
        self._cache = cache
        self._clock = clock
        self._offload = offload
        self._queue: KeyedQueue[Key] = by_namespace(clock.monotonic)
        self._judged: dict[Key, object] = {}  # the generation that this process has judged

    def notice(self, raw: Obj, *, deleted: bool, on_duty: bool) -> Key | None:
        """Put a watch event into the cache, and queue the object if this process works.

        Returns:
            Its key, if it was queued.
        """
        key = self._cache.take(raw, deleted=deleted)
        if key is None or not on_duty:
            return None
        self._queue.add(key)
        return key

    def wake_all(self) -> None:
        """Queue all objects, as after a complete list."""
        for key in self._cache.known():
            self._queue.add(key)

    async def run(self) -> None:
        """Work until cancelled."""
        reconciler = Reconciler(
            work=self._judge.work,
            kind=lambda _key: self._judge.kind,
            reconcile=self.reconcile,
            take=lambda _kind, body: self._cache.take(body),
            drop=self._cache.drop,
        )
        loop = ReconcileLoop(reconciler, cluster=self._cluster, queue=self._queue, workers=1)
        await loop.run()

    async def reconcile(self, key: Key) -> None:
        """Judge one object and write its status if it has changed.

        Raises:
            NotFound: The object no longer exists.
            Conflict: The object has changed since it was cached.
            ClusterError: The request failed.
        """
        body = self._cache.body(key)
        if body is None or section(body, "metadata").get("deletionTimestamp"):
            self._judged.pop(key, None)
            return
        generation = section(body, "metadata").get("generation")
        known = self._judge.known(body)
        if self._judged.get(key) == generation == known.observed_generation:
            return
        status = await self._offload(self._judge.status, body, self._clock.now())
        if to_wire(status) != to_wire(known):
            landed = await write_status(
                self._cluster,
                self._judge.kind,
                namespace=key.namespace,
                name=key.name,
                body=body,
                resource_version=text(section(body, "metadata"), "resourceVersion"),
                status=status,
            )
            self._cache.take(landed)
        if len(self._judged) >= _JUDGED:
            self._judged.clear()
        self._judged[key] = generation
