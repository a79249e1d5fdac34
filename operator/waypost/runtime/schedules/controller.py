"""The loop for schedules. It has its own queue and workers, so that no run waits for it."""

import contextlib
from typing import Final

from waypost.api.wire.write import to_wire
from waypost.engine.state.decision import RunEvent
from waypost.kube.objects import section
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    Cluster,
    Conflict,
    Kind,
    NotFound,
    Obj,
    PatchType,
)
from waypost.ports.offload import Offload
from waypost.runtime.cache.runs import Key
from waypost.runtime.cache.schedules import ScheduleCache
from waypost.runtime.queue import KeyedQueue
from waypost.runtime.reconcile_loop import ReconcileLoop, Reconciler
from waypost.runtime.schedules.reads import ScheduleReads
from waypost.runtime.writes.run_events import RunEvents
from waypost.runtime.writes.started_runs import StartedRuns
from waypost.runtime.writes.status_write import write_status
from waypost.schedules.decide import Step, needs, step
from waypost.schedules.subject import Schedule, ScheduledRun, schedule, schedule_of

_WORKERS: Final = 2


class ScheduleController:
    """Starts the runs of every schedule."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        cache: ScheduleCache,
        clock: Clock,
        offload: Offload,
        suspend_new_runs: bool,
        archives: bool,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._clock = clock
        self._queue: KeyedQueue[Key] = KeyedQueue(monotonic=clock.monotonic)
        self._reads = ScheduleReads(
            cluster=cluster,
            clock=clock,
            offload=offload,
            suspend_new_runs=suspend_new_runs,
            archives=archives,
        )
        self._events = RunEvents(
            cluster=cluster, clock=clock, kind=Kind.AGENT_WORKFLOW_SCHEDULE.kind
        )
        self._runs = StartedRuns(cluster=cluster, clock=clock, kind=Kind.AGENT_WORKFLOW_SCHEDULE)
        self._changed: set[Key] = set()  # schedules of which a run may have ended

    def notice(self, raw: Obj, *, deleted: bool, on_duty: bool) -> None:
        """Put a watch event into the cache, and queue the schedule if this process works."""
        key = self._cache.take(raw, deleted=deleted)
        if key is not None and on_duty:
            self._queue.add(key)

    def notice_run(self, raw: Obj, *, deleted: bool, on_duty: bool) -> None:
        """Queue the schedule of a run that has ended or is gone."""
        name = schedule_of(raw)
        if not name or not on_duty or not (deleted or section(raw, "status").get("finishedAt")):
            return
        for key in self._cache.named(str(section(raw, "metadata").get("namespace")), name):
            self._changed.add(key)
            self._queue.add(key)

    def notice_template(self, raw: Obj, *, on_duty: bool) -> None:
        """Queue the schedules of a template that has changed."""
        metadata = section(raw, "metadata")
        if on_duty:
            place = (str(metadata.get("namespace")), str(metadata.get("name")))
            for key in self._cache.of_template(*place):
                self._queue.add(key)

    def wake_all(self) -> None:
        """Queue all schedules, as after a complete list.

        Their runs are listed only if something is due, so history may wait for the next time.
        """
        for key in self._cache.known():
            self._queue.add(key)

    async def run(self) -> None:
        """Work until cancelled."""
        reconciler = Reconciler(
            work="pass over a schedule",
            kind=lambda _key: Kind.AGENT_WORKFLOW_SCHEDULE,
            reconcile=self.reconcile,
            take=lambda _kind, body: self._cache.take(body),
            drop=self._cache.drop,
        )
        loop = ReconcileLoop(reconciler, cluster=self._cluster, queue=self._queue, workers=_WORKERS)
        await loop.run()

    async def reconcile(self, key: Key) -> None:
        """One pass over one schedule.

        Raises:
            NotFound: The schedule no longer exists.
            Conflict: The schedule has changed since it was cached.
            ClusterError: A request failed.
        """
        body = self._cache.body(key)
        subject = schedule(body) if body is not None else None
        if body is None or subject is None:
            self._forget(key)
            return
        changed = key in self._changed
        self._changed.discard(key)
        try:
            decision = await self._decide(key, subject, changed=changed)
            await self._carry_out(key, body, subject, decision)
        except BaseException:
            if changed:
                self._changed.add(key)
            raise

    async def _decide(self, key: Key, subject: Schedule, *, changed: bool) -> Step:
        needed = needs(subject, self._clock.now(), runs_changed=changed)
        if subject.spec is None:
            look = None
        else:
            refused = self._runs.refusal(key)
            look = await self._reads.look(key, subject.spec, needed, create_refused=refused)
        return step(subject, look, self._clock.now())

    async def _carry_out(self, key: Key, body: Obj, subject: Schedule, decision: Step) -> None:
        sent = self._clock.monotonic()
        if to_wire(decision.status) != to_wire(subject.status):
            await self._write(key, body, subject, decision)
        if decision.wake_at is not None:
            wait = (decision.wake_at - self._clock.now()).total_seconds()
            self._queue.add_at(key, self._clock.monotonic() + max(wait, 0.0))
        if decision.create is not None:
            await self._create(key, decision.create, sent)
        for run in decision.cancel:
            await self._cancel(key, run)
        for run in decision.delete:
            await self._delete(key, run)
        events = [RunEvent(note.type, note.reason, note.message) for note in decision.notes]
        await self._events.post(key, events)

    async def _write(self, key: Key, body: Obj, subject: Schedule, decision: Step) -> None:
        landed = await write_status(
            self._cluster,
            Kind.AGENT_WORKFLOW_SCHEDULE,
            namespace=key.namespace,
            name=key.name,
            body=body,
            resource_version=subject.resource_version,
            status=decision.status,
        )
        self._cache.take(landed)

    async def _create(self, key: Key, run: Obj, sent: float) -> None:
        """Create the run that the status names, and look again after."""
        self._queue.add(key)
        await self._runs.create(key, run, sent=sent)

    async def _cancel(self, key: Key, run: ScheduledRun) -> None:
        with contextlib.suppress(NotFound, Conflict):
            await self._cluster.patch(
                Kind.AGENT_WORKFLOW,
                namespace=key.namespace,
                name=run.name,
                body={"metadata": {"uid": run.uid}, "spec": {"cancel": True}},
                patch_type=PatchType.MERGE,
            )

    async def _delete(self, key: Key, run: ScheduledRun) -> None:
        with contextlib.suppress(NotFound, Conflict):
            await self._cluster.delete(
                Kind.AGENT_WORKFLOW,
                namespace=key.namespace,
                name=run.name,
                uid=run.uid,
                resource_version=run.resource_version,
            )

    def _forget(self, key: Key) -> None:
        self._runs.forget(key)
        self._changed.discard(key)
