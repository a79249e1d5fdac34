"""The loop: observe, decide, write the status, act, wait for the next timer.

One worker at a time for each run. Wake-ups are hints: they may be late, repeated or lost. All
state is in the status of runs, so this process may end after any request.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from waypost.engine.state.decision import Decision, RunEvent
from waypost.engine.state.observed import Observed
from waypost.kube.objects import section
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    Busy,
    Cluster,
    ClusterError,
    Conflict,
    Kind,
    NotFound,
    Obj,
    PatchType,
    RefusedForNow,
    Rejected,
    failure_text,
)
from waypost.ports.offload import Offload, inline
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.ingest import Ingest
from waypost.runtime.cache.others import OtherCaches
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.cache.slots import SlotBoard
from waypost.runtime.deciding import Decider
from waypost.runtime.leader_election import Leadership, NoElection
from waypost.runtime.other_loops import OtherLoops
from waypost.runtime.pace import Pace
from waypost.runtime.queue import KeyedQueue, by_namespace
from waypost.runtime.reads.live import StaleRun
from waypost.runtime.reads.observer import Observer
from waypost.runtime.reads.span_recovery import SpanRecovery
from waypost.runtime.resync import Resync
from waypost.runtime.resync_loop import ResyncLoop
from waypost.runtime.set_aside import SetAsideRuns
from waypost.runtime.settings import ControllerSettings
from waypost.runtime.shutdown import release_terminating
from waypost.runtime.slots.leases import Slots
from waypost.runtime.sweeps.together import Sweeps
from waypost.runtime.writes.accounts import NodeAccounts
from waypost.runtime.writes.actions import ActionExecutor, ActionRefused, FenceExpired
from waypost.runtime.writes.rate_limit import RateLimitedCluster, TokenBucket
from waypost.runtime.writes.run_events import RunEvents
from waypost.runtime.writes.status_patch import status_patch

_STUCK_SECONDS: Final = 120.0  # for which runs are due and no worker has started a pass
_BUSY_FACTOR: Final = 8  # longest backoff, in multiples of what a busy API server asks for

log = logging.getLogger(__name__)


@dataclass
class Controller:
    """The caches, queue and workers of one operator process."""

    cluster: Cluster
    clock: Clock
    telemetry: Telemetry
    settings: ControllerSettings
    leadership: Leadership = field(default_factory=NoElection)
    store: RunCache = field(default_factory=RunCache)
    offload: Offload = inline
    trust: Callable[[], str] = str  # CA and names of the gateways; "": no TLS
    ready: bool = False

    def __post_init__(self) -> None:
        self.queue: KeyedQueue[Key] = by_namespace(self.clock.monotonic)
        self._caches = caches = OtherCaches()
        self.slots = SlotBoard(monotonic=self.clock.monotonic)
        qps, burst = self.settings.write_qps, self.settings.write_burst
        self.bucket = TokenBucket(qps=qps, burst=burst, monotonic=self.clock.monotonic)
        limited = RateLimitedCluster(cluster=self.cluster, bucket=self.bucket)
        accounts = NodeAccounts(
            cluster=limited,
            monotonic=self.clock.monotonic,
            account=self.settings.pods.node_account,
        )
        slots = Slots(cluster=limited, store=self.store, board=self.slots, wake=self._wake)
        self._observer = Observer(
            cluster=self.cluster,
            store=self.store,
            catalog=caches.endpoints,
            events=caches.events,
            clock=self.clock,
            node_lost_seconds=self.settings.node_lost_seconds,
            suspend_new_runs=self.settings.suspend_new_runs,
            archives=self.settings.archives,
            policies=self.settings.policies,
            approvals=self.settings.approvals,
            slots=slots,
            offload=self.offload,
        )
        self._actor = ActionExecutor(
            cluster=limited,
            store=self.store,
            clock=self.clock,
            wake=self._wake,
            slots=slots,
            accounts=accounts,
            offload=self.offload,
        )
        self._decider = Decider(
            observer=self._observer,
            actor=self._actor,
            board=self.slots,
            bucket=self.bucket,
            clock=self.clock,
            pods=lambda: replace(self.settings.pods, trust=self.trust()),
            offload=self.offload,
        )
        self._notes = RunEvents(cluster=limited, clock=self.clock)
        self.set_aside = SetAsideRuns(
            cluster=limited, store=self.store, clock=self.clock, events=self._notes
        )
        self._others = OtherLoops(
            cluster=limited,
            caches=caches,
            clock=self.clock,
            offload=self.offload,
            settings=self.settings,
            accounts=accounts,
            store=self.store,
            telemetry=self.telemetry,
        )
        self._ingest = Ingest(store=self.store, clock=self.clock)
        self._pace = Pace(store=self.store, monotonic=self.clock.monotonic)
        namespaces: tuple[str | None, ...] = self.settings.namespaces or (None,)
        self.syncer = Resync(
            cluster=self.cluster,
            store=self.store,
            caches=caches,
            ingest=self._ingest,
            clock=self.clock,
            namespaces=namespaces,
            wake=self._wake,
        )
        self._sweeps = Sweeps(
            cluster=limited,
            store=self.store,
            clock=self.clock,
            slots=slots,
            policies=self._actor.policies,
            telemetry=self.telemetry,
            namespaces=namespaces,
        )
        self._upkeep = ResyncLoop(
            syncer=self.syncer,
            sweeper=self._sweeps.jobs,
            clock=self.clock,
            resync_seconds=self.settings.resync_seconds,
            sweep_seconds=self.settings.sweep_seconds,
            synced=self._others.wake_all,
        )
        self._recovery = SpanRecovery(cluster=self.cluster, telemetry=self.telemetry)
        self._on_duty = False

    def on_watch_event(self, kind: Kind, change: str | None, raw: Obj) -> None:
        """Put a watch event into the cache and queue what it concerns, as in `ports.sink.Sink`."""
        deleted = change == "DELETED"
        runs = self._others.notice(kind, raw, deleted=deleted, on_duty=self._on_duty)
        if runs is None:
            runs = self._ingest.take(kind, raw, deleted=deleted)
        for run in runs:
            self._wake(run)

    def _wake(self, key: Key, *, spare: bool = False) -> None:
        if self._on_duty:  # a new leader queues every run
            self.queue.add(key, spare=spare)

    def health(self) -> str | None:
        """What is wrong with this process, as in `ports.sink.Sink`; for the liveness probe."""
        if self.ready and not self._on_duty:
            return None  # a standby has nothing to do; a failed watch ends the process
        # Not the age of the oldest run: a long queue that moves is no reason to restart.
        stalled = self.queue.stalled_seconds
        if self.ready and stalled > _STUCK_SECONDS:
            return f"runs are due, and none has been taken up for {stalled:.0f} s"
        overdue = self.syncer.overdue(self.settings.resync_seconds)
        return f"the last complete list was {overdue:.0f} s ago" if overdue else None

    @property
    def leading(self) -> bool:
        """Whether this process works on runs now."""
        return self._on_duty and self.leadership.leading

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Then finish running passes, give up the lead, and release
        the pods that a terminating namespace waits for."""
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._serve(stop))
            await stop.wait()
            self.ready = False
            await self._drain(self.settings.shutdown_seconds)
            serving.cancel()
        with contextlib.suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(5):
                await self.leadership.release()
                await release_terminating(self.cluster, self.store, self._actor)

    async def _serve(self, stop: asyncio.Event) -> None:
        await self._upkeep.list_all()
        self.ready = True
        log.info("synced: %d runs", len(self.store))
        while not stop.is_set():
            await self.leadership.acquire()
            await self._lead()

    async def _lead(self) -> None:
        """Work on every run for as long as this process leads."""
        self.queue = by_namespace(self.clock.monotonic)  # timers of an old term are stale
        self.set_aside.reset()
        self._recovery.begin(self.leadership.silent_since)
        async with asyncio.TaskGroup() as group:
            count = range(self.settings.workers)
            workers = [group.create_task(self._work(), name=f"worker-{n}") for n in count]
            loops = (self._others, self._upkeep, self._sweeps)
            others = [group.create_task(loop.run(), name=type(loop).__name__) for loop in loops]
            self._on_duty = True
            self.syncer.expect()
            self.syncer.wake_all()
            self._others.wake_all()
            await self.leadership.hold()
            self._on_duty = False
            for task in others:
                task.cancel()
            await self._drain(self.leadership.grace)
            for task in workers:
                task.cancel()

    async def _drain(self, seconds: float) -> None:
        self.queue.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.queue.drain()

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            started = self.clock.monotonic()
            outcome = "error"
            try:
                outcome = await self._pass(key)
            finally:
                self.queue.done(key)
                self.telemetry.reconciled(seconds=self.clock.monotonic() - started, outcome=outcome)
                self.telemetry.queue(
                    depth=self.queue.depth, oldest_seconds=self.queue.oldest_seconds
                )

    async def _pass(self, key: Key) -> str:
        """One pass that never raises; its outcome, as in `Telemetry.reconciled`."""
        about = {"run": key.name, "namespace": key.namespace}
        if not self.leadership.leading:
            return "idle"  # it was frozen, or cannot renew: the leader queues every run
        if rest := max(self.set_aside.rest(key), self._pace.rest(key.uid)):
            self.queue.add_at(key, self.clock.monotonic() + rest)
            return "idle"
        try:
            written = await self.reconcile(key)
            await self.set_aside.succeeded(key)
        except (Conflict, StaleRun):
            self.queue.add(key)  # someone was faster: look again
            return "conflict"
        except FenceExpired:
            self.queue.add(key)
            return "fence"
        except Busy as busy:
            # It has said when to come again: a run must not sleep on when the rush is over.
            log.warning("the API server is busy: %s", busy.message, extra=about)
            self.queue.retry(key, longest=_BUSY_FACTOR * max(busy.retry_after, 1.0))
            return "error"
        except (ClusterError, OSError) as error:
            log.warning("pass failed, trying again: %s", failure_text(error), extra=about)
            await self._try_again(key, error)
            return "error"
        except Exception as error:
            log.exception("a defect of the operator; the run is retried", extra=about)
            await self._try_again(key, error)
            return "bug"
        self.queue.forget(key)
        return "written" if written else "idle"

    async def _try_again(self, key: Key, error: Exception) -> None:
        """After a failure: soon, or rarely once it has become clear that it does not pass."""
        cluster = isinstance(error, ClusterError | TimeoutError)
        passing = cluster and (isinstance(error, RefusedForNow) or not isinstance(error, Rejected))
        if not passing and await self.set_aside.failed(key, error):
            self.queue.add_at(key, self.clock.monotonic() + self.set_aside.rest(key))
        else:
            self.queue.retry(key)

    async def reconcile(self, key: Key) -> bool:
        """One pass; True when it wrote the status. Raises ClusterError, FenceExpired, StaleRun."""
        body = self.store.run_body(key)
        if body is None:
            await self._release_run_pods(key)
            return False
        if await self.set_aside.is_newer(key, body):
            if section(body, "metadata").get("deletionTimestamp"):
                await self._actor.release_held(key)
            return False
        try:
            return await self._reconcile(key, body)
        except Conflict:  # someone was faster, and the watch may be late
            if await self._observer.refresh(key):
                raise
        except NotFound:
            # The run itself, or only something it refers to? The cache cannot tell.
            if not await self._observer.gone(key):
                raise
        self.store.drop_run(key.uid)
        await self._release_run_pods(key)
        return False

    async def _reconcile(self, key: Key, body: Obj) -> bool:
        try:
            return await self._decide_and_act(key, body)
        finally:
            self.slots.settled(key)

    async def _decide_and_act(self, key: Key, body: Obj) -> bool:
        fence = self.clock.monotonic()
        observed = await self._observer.observe(key, body)
        entry, decision, settled = await self._decider.decide(key, observed)
        await self._recovery.look(key, replace(entry.observed, status=observed.status))
        self._caches.note(key, decision)
        written = decision.status != observed.status
        if written:
            fence = await self._write(key, body, observed, decision)
        if decision.requeue_at is not None:
            wait = (decision.requeue_at - self.clock.now()).total_seconds()
            self.queue.add_at(key, self.clock.monotonic() + max(wait, 0.0))
        if settled:
            self.queue.add(key)
        try:
            await self._actor.carry_out(key, entry.observed, decision.after, fence=fence)
        except ActionRefused as refused:
            await self._notes.post(key, [RunEvent("Warning", "ActionRefused", refused.message)])
            raise
        finally:
            # Events come last: they are only for people, and the next Job must not wait for them.
            if written:
                await self._notes.post(key, decision.events)
        return written

    async def _write(self, key: Key, body: Obj, observed: Observed, decision: Decision) -> float:
        """Write the status: the fence. Returns the monotonic time when the write was sent."""
        patch = status_patch(
            body=body, resource_version=observed.resource_version, status=decision.status
        )
        sent = self.clock.monotonic()
        try:
            landed = await self.cluster.patch(
                Kind.AGENT_WORKFLOW,
                namespace=key.namespace,
                name=key.name,
                body=patch,
                patch_type=PatchType.JSON,
                subresource="status",
            )
        except Busy as busy:
            self.bucket.pause(busy.retry_after)
            raise
        except Rejected as error:
            # With a stale patch, an operation may fail before the fence is checked.
            if await self._observer.is_stale(key, observed.resource_version):
                raise Conflict(error.message, code=409) from error
            raise
        for parent in self._ingest.put_own(landed):
            self._wake(parent)
        self._pace.written(key.uid)
        self.telemetry.checkpoint(observed, decision)
        for refusal in decision.refusals:
            self.telemetry.refused(reason=refusal)
        return sent

    async def _release_run_pods(self, key: Key) -> None:
        """A run that is not known: release its pods once it is certainly gone."""
        held = any(pod.held for pod in self.store.entry(key.uid).pods.values())
        if held and await self._observer.gone(key):
            await self._actor.release_held(key)
            log.info("released the pods of a run that is gone", extra={"run": key.name})
        self._observer.forget(key.uid)
        self.set_aside.forget(key.uid)
        self._caches.forget(key)
        self.slots.forget(key)
