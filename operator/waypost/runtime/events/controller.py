"""The loop for WorkflowEvents. It has its own queue and workers, so that no run waits for it."""

import contextlib
from typing import Final

from waypost.api.event.model import SETTLED, WorkflowEventStatus
from waypost.engine.events.lifecycle import Step, step
from waypost.kube.objects import section, text
from waypost.kube.workflow_events import EventFact
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Conflict, Kind, NotFound, Obj
from waypost.ports.offload import Offload
from waypost.runtime.cache.events import EventCache
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.events.starter import Starter
from waypost.runtime.queue import KeyedQueue, by_namespace
from waypost.runtime.reconcile_loop import ReconcileLoop, Reconciler
from waypost.runtime.writes.status_write import write_status

_WORKERS: Final = 2


class EventController:
    """Ends what nobody takes, gives back claims that were not used, starts the runs of events, and
    deletes what is over."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        cache: EventCache,
        store: RunCache,
        clock: Clock,
        offload: Offload,
        suspend_new_runs: bool,
        strict: bool,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._store = store
        self._clock = clock
        self._queue: KeyedQueue[Key] = by_namespace(clock.monotonic)
        self._starter = Starter(
            cluster=cluster,
            clock=clock,
            offload=offload,
            suspend_new_runs=suspend_new_runs,
            strict=strict,
        )
        self._looked: set[Key] = set()  # events whose run was read, and had not ended

    def notice(self, raw: Obj, *, deleted: bool, on_duty: bool) -> list[Key]:
        """Put a watch event into the cache, and queue the event if this process works.

        Returns:
            The runs that may wait for it.
        """
        key = self._cache.take(raw, deleted=deleted)
        if key is None or not on_duty:
            return []
        self._queue.add(key)
        return self._cache.waiting(key)

    def notice_run(self, raw: Obj, *, on_duty: bool) -> None:
        """Queue the events for a run that has ended."""
        if on_duty and section(raw, "status").get("finishedAt"):
            metadata = section(raw, "metadata")
            for key in self._cache.of_run(text(metadata, "namespace"), text(metadata, "name")):
                self._looked.discard(key)
                self._queue.add(key)

    def notice_template(self, raw: Obj, *, on_duty: bool) -> None:
        """Queue the events that start runs of a template that has changed."""
        if on_duty:
            metadata = section(raw, "metadata")
            place = text(metadata, "namespace"), text(metadata, "name")
            for key in self._starter.waiting(*place):
                self._queue.add(key)

    def wake_all(self) -> None:
        """Queue all events, as after a complete list."""
        for key in self._cache.known():
            self._queue.add(key)

    async def run(self) -> None:
        """Work until cancelled."""
        reconciler = Reconciler(
            work="pass over a WorkflowEvent",
            kind=lambda _key: Kind.WORKFLOW_EVENT,
            reconcile=self.reconcile,
            take=lambda _kind, body: self._cache.take(body),
            drop=self._cache.drop,
        )
        loop = ReconcileLoop(reconciler, cluster=self._cluster, queue=self._queue, workers=_WORKERS)
        await loop.run()

    async def reconcile(self, key: Key) -> None:
        """One pass over one event.

        Raises:
            NotFound: The event no longer exists.
            Conflict: The event has changed since it was cached.
            ClusterError: A request failed.
        """
        event = self._cache.fact(key)
        if event is None or event.deleting:
            self._looked.discard(key)
            self._starter.forget(key)
            return
        if event.start is not None and event.phase not in SETTLED and not event.problem:
            decision = await self._starter.step(key, event)
        else:
            decision = await self._decide(key, event)
        sent = self._clock.monotonic()
        if decision.status is not None and decision.status != event.status:
            await self._write(key, event, decision.status)
        if decision.create is not None:
            await self._starter.create(key, decision.create, sent=sent)
        if decision.delete:
            await self._delete(key, event)
        if decision.wake_at is not None:
            wait = (decision.wake_at - self._clock.now()).total_seconds()
            self._queue.add_at(key, self._clock.monotonic() + max(wait, 0.0))

    async def _write(self, key: Key, event: EventFact, status: WorkflowEventStatus) -> None:
        landed = await write_status(
            self._cluster,
            Kind.WORKFLOW_EVENT,
            namespace=key.namespace,
            name=key.name,
            body={},
            resource_version=event.resource_version,
            status=status,
        )
        self._cache.take(landed)
        self._queue.add(key)

    async def _delete(self, key: Key, event: EventFact) -> None:
        with contextlib.suppress(NotFound, Conflict):
            await self._cluster.delete(
                Kind.WORKFLOW_EVENT,
                namespace=key.namespace,
                name=key.name,
                uid=key.uid,
                resource_version=event.resource_version,
            )
        self._cache.drop(key)
        self._looked.discard(key)
        self._starter.forget(key)

    async def _decide(self, key: Key, event: EventFact) -> Step:
        now = self._clock.now
        if event.claim is not None:
            cached = self._store.run_body(Key(key.namespace, event.claim.run, event.claim.run_uid))
            if (decision := step(event, cached, now(), live=False)) is not None:
                return decision
            run, live = await self._run(key.namespace, event.claim.run), True
        elif event.phase == "Pending" and event.addressed and key not in self._looked:
            run, live = await self._run(key.namespace, event.addressed), True
            self._looked.add(key)
        else:
            run, live = None, False
        decision = step(event, run, now(), live=live)
        assert decision is not None, "a live read is enough"
        return decision

    async def _run(self, namespace: str, name: str) -> Obj | None:
        try:
            return await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=namespace, name=name)
        except NotFound:
            return None
