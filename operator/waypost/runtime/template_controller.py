"""The loop that keeps the condition Accepted of every template up to date.

It has its own queue and worker, so that a template whose check fails again and again delays no run.
"""

from typing import Final

from waypost.engine.template import judged, status_of
from waypost.kube.objects import section, text
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Kind, Obj
from waypost.ports.offload import Offload
from waypost.runtime.cache.runs import Key
from waypost.runtime.cache.templates import TemplateCache
from waypost.runtime.queue import KeyedQueue, by_namespace
from waypost.runtime.reconcile_loop import ReconcileLoop, Reconciler
from waypost.runtime.writes.status_patch import to_wire
from waypost.runtime.writes.status_write import write_status

_JUDGED: Final = 10_000  # templates that are remembered as judged by this process


class TemplateController:
    """Judges templates. Runs never wait for it: each run makes the check itself."""

    def __init__(
        self, *, cluster: Cluster, cache: TemplateCache, clock: Clock, offload: Offload
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._clock = clock
        self._offload = offload
        self._queue: KeyedQueue[Key] = by_namespace(clock.monotonic)
        self._judged: dict[Key, object] = {}  # the generation that this process has judged

    def notice(self, raw: Obj, *, deleted: bool, on_duty: bool) -> list[Key]:
        """Put a watch event into the cache, and queue the template if this process works.

        Returns:
            The runs that wait for the template.
        """
        key = self._cache.take(raw, deleted=deleted)
        if key is None or not on_duty:
            return []
        self._queue.add(key)
        return self._cache.waiting(key.namespace, key.name)

    def wake_all(self) -> None:
        """Queue all templates, as after a complete list."""
        for key in self._cache.known():
            self._queue.add(key)

    async def run(self) -> None:
        """Work until cancelled."""
        reconciler = Reconciler(
            work="check of a template",
            kind=lambda _key: Kind.AGENT_WORKFLOW_TEMPLATE,
            reconcile=self.reconcile,
            take=lambda _kind, body: self._cache.take(body),
            drop=self._cache.drop,
        )
        loop = ReconcileLoop(reconciler, cluster=self._cluster, queue=self._queue, workers=1)
        await loop.run()

    async def reconcile(self, key: Key) -> None:
        """Judge one template and write its status if it has changed.

        Raises:
            NotFound: The template no longer exists.
            Conflict: The template has changed since it was cached.
            ClusterError: The request failed.
        """
        body = self._cache.body(key)
        if body is None or section(body, "metadata").get("deletionTimestamp"):
            self._judged.pop(key, None)
            return
        generation = section(body, "metadata").get("generation")
        known = status_of(body)
        if self._judged.get(key) == generation == known.observed_generation:
            return
        status = await self._offload(judged, body, self._clock.now())
        if to_wire(status) != to_wire(known):
            landed = await write_status(
                self._cluster,
                Kind.AGENT_WORKFLOW_TEMPLATE,
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
