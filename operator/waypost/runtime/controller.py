"""The loop: observe, decide, write the status, act, sleep until the next timer.

One worker per run at a time; wake-ups are hints that may be late, doubled or lost. Everything
that matters is in the run's status, so any pass may be the last of this process.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field, replace
from typing import Final

from waypost.engine.decide import decide
from waypost.engine.reads import required_reads
from waypost.engine.run.entry import Entry, enter
from waypost.engine.state.decision import Decision
from waypost.engine.state.observed import Observed, Reads
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.objects import section, text
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
    Rejected,
)
from waypost.ports.offload import Offload, inline
from waypost.ports.telemetry import Telemetry
from waypost.probes.job import ProbeSettings
from waypost.runtime.cache.endpoints import PROBED, EndpointCache
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.leader_election import Leadership, NoElection
from waypost.runtime.probe_controller import ProbeController
from waypost.runtime.queue import KeyedQueue
from waypost.runtime.reads.observer import Observer, StaleRun
from waypost.runtime.resync import Resync
from waypost.runtime.resync_loop import ResyncLoop
from waypost.runtime.writes.actions import ActionExecutor, FenceExpired
from waypost.runtime.writes.rate_limit import UPDATES, RateLimitedCluster, TokenBucket
from waypost.runtime.writes.run_events import RunEvents
from waypost.runtime.writes.status_patch import status_patch

_STUCK_SECONDS: Final = 120.0  # runs are due and no worker has taken one up
_READ_ROUNDS: Final = 8  # a run asks for two or three
_BUSY_FACTOR: Final = 8  # of what a busy API server asks for, at most

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ControllerSettings:
    """How the loop runs."""

    pods: PodSettings
    probes: ProbeSettings
    workers: int = 8
    namespaces: tuple[str, ...] = ()  # empty: all
    resync_seconds: float = 300.0
    sweep_seconds: float = 120.0
    shutdown_seconds: float = 15.0
    write_qps: float = 50.0
    write_burst: int = 100
    node_lost_seconds: float = 300.0  # a machine silent for so long is given up; 0: none is


@dataclass
class Controller:
    """One operator process's view of the cluster and its loop."""

    cluster: Cluster
    clock: Clock
    telemetry: Telemetry
    settings: ControllerSettings
    leadership: Leadership = field(default_factory=NoElection)
    store: RunCache = field(default_factory=RunCache)
    offload: Offload = inline
    ready: bool = False

    def __post_init__(self) -> None:
        self.queue: KeyedQueue[Key] = KeyedQueue(monotonic=self.clock.monotonic)
        self._catalog = EndpointCache()
        self._observer = Observer(
            cluster=self.cluster,
            store=self.store,
            catalog=self._catalog,
            clock=self.clock,
            node_lost_seconds=self.settings.node_lost_seconds,
            offload=self.offload,
        )
        self._bucket = TokenBucket(
            qps=self.settings.write_qps,
            burst=self.settings.write_burst,
            monotonic=self.clock.monotonic,
        )
        limited = RateLimitedCluster(cluster=self.cluster, bucket=self._bucket)
        self._actor = ActionExecutor(cluster=limited, store=self.store, clock=self.clock)
        self._notes = RunEvents(cluster=limited, clock=self.clock)
        self._prober = ProbeController(
            cluster=limited, catalog=self._catalog, clock=self.clock, settings=self.settings.probes
        )
        self._syncer = Resync(
            cluster=self.cluster,
            store=self.store,
            catalog=self._catalog,
            clock=self.clock,
            telemetry=self.telemetry,
            namespaces=self.settings.namespaces,
            wake=self._wake,
        )
        self._upkeep = ResyncLoop(
            syncer=self._syncer,
            actor=self._actor,
            clock=self.clock,
            resync_seconds=self.settings.resync_seconds,
            sweep_seconds=self.settings.sweep_seconds,
            synced=self._prober.wake_all,
        )
        self._on_duty = False

    def on_watch_event(self, kind: Kind, change: str | None, raw: Obj) -> None:
        """Take a watch event. Never raises, never blocks."""
        if kind in PROBED:
            self._notice_subject(kind, raw, deleted=change == "DELETED")
            return
        key = self._syncer.take(kind, raw, deleted=change == "DELETED")
        if key is not None:
            self._wake(key)

    def _notice_subject(self, kind: Kind, raw: Obj, *, deleted: bool) -> None:
        key = self._catalog.take(kind, raw, deleted=deleted)
        if key is not None and self._on_duty:
            self._prober.wake(key)
            for run in self._catalog.waiting(key.namespace):
                self._wake(run)

    def _wake(self, key: Key, *, spare: bool = False) -> None:
        # A standby keeps its cache, no more: who comes to lead looks at every run.
        if self._on_duty:
            self.queue.add(key, spare=spare)

    def health(self) -> str | None:
        """What is wrong with this process, if anything; for the liveness probe."""
        if self.ready and not self._on_duty:
            return None  # a standby has nothing to do; if its watch ends, so does the process
        # Not the age of the oldest run: a long queue that moves is no reason to restart.
        stalled = self.queue.stalled_seconds
        if self.ready and stalled > _STUCK_SECONDS:
            return f"runs are due, and none has been taken up for {stalled:.0f} s"
        overdue = self._syncer.overdue(self.settings.resync_seconds)
        return f"the last complete list was {overdue:.0f} s ago" if overdue else None

    @property
    def leading(self) -> bool:
        """Runs are worked on by this process."""
        return self._on_duty and self.leadership.leading

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish the passes under way, let another process lead,
        and release what a terminating namespace waits for."""
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._serve(stop))
            await stop.wait()
            self.ready = False
            await self._drain(self.settings.shutdown_seconds)
            serving.cancel()
        with contextlib.suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(5):
                await self.leadership.release()
                await self._syncer.release_terminating(self._actor)

    async def _serve(self, stop: asyncio.Event) -> None:
        await self._upkeep.list_all()
        self.ready = True
        log.info("synced: %d runs", len(self.store))
        while not stop.is_set():
            await self.leadership.acquire()
            await self._lead()

    async def _lead(self) -> None:
        """Work on every run for as long as this process leads."""
        # Anew each time: timers and backoffs of an earlier lead are of an old state.
        self.queue = KeyedQueue(monotonic=self.clock.monotonic)
        async with asyncio.TaskGroup() as group:
            count = range(self.settings.workers)
            workers = [group.create_task(self._work(), name=f"worker-{n}") for n in count]
            others = [group.create_task(self._prober.run(), name="prober")]
            others.append(group.create_task(self._upkeep.run(), name="upkeep"))
            self._on_duty = True
            self._syncer.expect()
            self._syncer.wake_all()
            self._prober.wake_all()
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
        """One pass that never raises: a run that cannot be served waits, the others go on."""
        about = {"run": key.name, "namespace": key.namespace}
        if not self.leadership.leading:
            return "idle"  # it was frozen, or cannot renew: whoever leads looks at every run
        try:
            written = await self.reconcile(key)
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
        except (ClusterError, TimeoutError) as error:
            text = getattr(error, "message", "") or type(error).__name__
            log.warning("pass failed, trying again: %s", text, extra=about)
            self.queue.retry(key)
            return "error"
        except Exception:
            log.exception("a defect of the operator; the run is retried", extra=about)
            self.queue.retry(key)
            return "bug"
        self.queue.forget(key)
        return "written" if written else "idle"

    async def reconcile(self, key: Key) -> bool:
        """One pass over one run; True when its status was written. Raises ClusterError,
        FenceExpired, Moved."""
        body = self.store.run_body(key)
        if body is None:
            await self._release_run_pods(key)
            return False
        try:
            return await self._reconcile(key, body)
        except Conflict:
            # Someone was faster, and the watch may take its time to tell.
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
        fence = self.clock.monotonic()
        observed = await self._observer.observe(key, body)
        entered = await self.offload(enter, observed, self.clock.now())
        entry = await self._read(key, entered)
        decision = await self.offload(decide, entry, self.clock.now(), self.settings.pods)
        self._catalog.note(key, decision.status)
        settled = await self._actor.prepare(key, decision.before)
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
        finally:
            # Events come last: they are a comfort, and the next Job must not wait for them.
            if written:
                await self._notes.post(key, decision.events)
        return written

    async def _read(self, key: Key, entry: Entry) -> Entry:
        """Load what `decide` needs. One read can show that another is needed."""
        for _ in range(_READ_ROUNDS):
            reads = await self.offload(required_reads, entry, self.clock.now())
            if reads == Reads():
                return entry
            entry = replace(
                entry, observed=await self._observer.satisfy(key, entry.observed, reads)
            )
        raise RuntimeError(f"a pass still needs reads after {_READ_ROUNDS} rounds: {reads}")

    async def _write(self, key: Key, body: Obj, observed: Observed, decision: Decision) -> float:
        """The fence: returns when (monotonic) the write was sent, the latest moment at which
        this process surely still knew the run's state."""
        patch = status_patch(
            body=body, resource_version=observed.resource_version, status=decision.status
        )
        # The wait for a permit must not count against the fence, so it is taken here.
        await self._bucket.permit(lane=UPDATES)
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
            self._bucket.pause(busy.retry_after)
            raise
        except Rejected as error:
            # Of a stale patch an operation may fail before the fence is looked at.
            if await self._is_stale(key, observed):
                raise Conflict(error.message, code=409) from error
            raise
        self.store.put_run(landed)
        self.telemetry.checkpoint(observed, observed.status, decision.status, decision.traces)
        for refusal in decision.refusals:
            self.telemetry.refused(reason=refusal)
        return sent

    async def _is_stale(self, key: Key, observed: Observed) -> bool:
        """Whether the run has certainly changed since it was observed (a live read)."""
        if not await self._observer.refresh(key):
            return True
        metadata = section(self.store.run_body(key), "metadata")
        return text(metadata, "resourceVersion") != observed.resource_version

    async def _release_run_pods(self, key: Key) -> None:
        """A run that is not known: release its pods once it is certainly gone."""
        held = [pod for pod in self.store.entry(key.uid).pods.values() if pod.held]
        if held and await self._observer.gone(key):
            for pod in held:
                await self._actor.release(key, name=pod.name, uid=pod.uid)
            log.info("released %d pods of a run that is gone", len(held), extra={"run": key.name})
        self._observer.forget(key.uid)
        self._catalog.forget(key)
