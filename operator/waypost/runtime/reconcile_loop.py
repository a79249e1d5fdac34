"""A loop that reconciles objects other than runs: a queue, workers, and what follows an error."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from waypost.ports.cluster import Cluster, ClusterError, Conflict, Kind, NotFound, Obj, failure_text
from waypost.runtime.queue import KeyedQueue

log = logging.getLogger(__name__)


class ObjectKey(Hashable, Protocol):
    """The key of an object: namespace and name for requests."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def name(self) -> str:
        """Its name."""


K = TypeVar("K", bound=ObjectKey)


@dataclass(frozen=True)
class Reconciler(Generic[K]):
    """What a loop does with its objects.

    Attributes:
        work: What one pass does, for the log: `probe`.
        kind: The kind of the object of a key.
        reconcile: One pass over an object. Raises NotFound if it no longer exists, Conflict if it
            has changed since it was cached, ClusterError if a request failed.
        take: Puts a state that was read into the cache.
        drop: Removes an object that no longer exists from the cache.
    """

    work: str
    kind: Callable[[K], Kind]
    reconcile: Callable[[K], Coroutine[Any, Any, None]]
    take: Callable[[Kind, Obj], object]
    drop: Callable[[K], None]


class ReconcileLoop(Generic[K]):
    """Workers on one queue; one worker at a time handles an object, as with runs."""

    def __init__(
        self,
        reconciler: Reconciler[K],
        *,
        cluster: Cluster,
        queue: KeyedQueue[K],
        workers: int,
    ) -> None:
        self._reconciler = reconciler
        self._cluster = cluster
        self._queue = queue
        self._workers = workers

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._serve(), name=f"{self._reconciler.work}-{number}")

    async def _serve(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._pass(key)
            finally:
                self._queue.done(key)

    async def _pass(self, key: K) -> None:
        """One pass. Never raises: an object whose pass fails is queued with a backoff."""
        kind, work = self._reconciler.kind(key), self._reconciler.work
        about = {"object": f"{kind.kind}/{key.name}", "namespace": key.namespace}
        try:
            await self._reconciler.reconcile(key)
        except Conflict:
            await self._refresh(key, kind)
        except NotFound:
            self._reconciler.drop(key)
        except (ClusterError, OSError) as error:
            log.warning("a %s failed, trying again: %s", work, failure_text(error), extra=about)
            self._queue.retry(key)
        except Exception:
            log.exception("a defect of the operator; the %s is retried", work, extra=about)
            self._queue.retry(key)
        else:
            self._queue.forget(key)

    async def _refresh(self, key: K, kind: Kind) -> None:
        """Read the object after a conflict: the watch may deliver the change later."""
        try:
            body = await self._cluster.get(kind, namespace=key.namespace, name=key.name)
        except NotFound:
            self._reconciler.drop(key)
        except (ClusterError, TimeoutError) as error:
            log.info("cannot read %s yet: %s", key.name, failure_text(error))
            self._queue.retry(key)
        else:
            self._reconciler.take(kind, body)
            self._queue.add(key)
