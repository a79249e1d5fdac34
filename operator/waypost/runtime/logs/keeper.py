"""Reads the logs of pods that have ended, and stores them as NodeRecords (ADR 0043).

It has its own queue and workers, so that no run waits for a kubelet. What it cannot read is
recorded as such. The names of the records follow from the attempt: a second operator, or the next
leader, finds what the first one has stored.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from waypost.api import meta
from waypost.kube.facts.pods import PodFact, pod_fact
from waypost.kube.logs import document, policy
from waypost.kube.logs.document import KeptLog
from waypost.kube.logs.policy import LogSettings
from waypost.kube.objects import items, named, section, text
from waypost.kube.payloads import AttemptRef
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    AlreadyExists,
    Busy,
    Cluster,
    ClusterError,
    Kind,
    NotFound,
    Obj,
    Rejected,
    Unavailable,
    failure_text,
)
from waypost.ports.log_end import read_log_end
from waypost.ports.offload import Offload
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.logs.memory import Recent
from waypost.runtime.queue import KeyedQueue

RUN_BYTES: Final = 8 * 1024 * 1024  # stored for one run; beyond it only failures leave a note
READ_BYTES: Final = 4 * 1024 * 1024
READ_LINES: Final = 16384
MOST_TRIES: Final = 6  # of a read that fails, about half a minute
RECENT: Final = timedelta(minutes=15)  # a new leader looks at pods that ended since then
_WORKERS: Final = 2
_PODS: Final = 50_000
_SNAPSHOTS: Final = 32
_RUNS: Final = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ended:
    """A pod to look at: its run, its state, and whether the API server has it no more."""

    run: Key
    pod: PodFact
    gone: bool


class LogKeeper:
    """Keeps the logs of pods. `offload` does what takes long."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        clock: Clock,
        telemetry: Telemetry,
        settings: LogSettings,
        offload: Offload,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._settings = settings
        self._offload = offload
        self._queue: KeyedQueue[str] = KeyedQueue(monotonic=clock.monotonic)
        self._pending: dict[str, _Ended] = {}  # by uid of the pod
        self._tries: dict[str, int] = {}
        self._done: Recent[str, None] = Recent(_PODS)
        self._snapshots: Recent[str, str] = Recent(_SNAPSHOTS)
        self._stored: Recent[str, int] = Recent(_RUNS)  # bytes, by uid of the run

    def notice(self, raw: Obj, *, deleted: bool) -> None:
        """Take a state of a pod from the watch."""
        if not self._settings.max_bytes or not (deleted or _may_end(raw)):
            return
        fact, metadata = pod_fact(raw), section(raw, "metadata")
        name = text(section(metadata, "annotations"), meta.ANNOTATION_RUN_NAME)
        if fact is not None and name:
            self._take(_Ended(Key(text(metadata, "namespace"), name, fact.run_uid), fact, deleted))

    def wake_all(self) -> None:
        """Look at the cached pods: those that an earlier leader may not have looked at."""
        if not self._settings.max_bytes:
            return
        since = self._clock.now() - RECENT
        for uid in self._store.uids():
            run = self._store.last_key(uid)
            for pod in self._store.entry(uid).pods.values() if run is not None else ():
                late = pod.finished_at is None or pod.finished_at >= since
                if run is not None and (pod.held or pod.deleting or late):
                    self._take(_Ended(run, pod, gone=False))

    def _take(self, ended: _Ended) -> None:
        uid = ended.pod.uid
        before = self._pending.get(uid)
        if uid in self._done or (before is not None and before.gone):
            return
        match self._verdict(ended):
            case policy.NOTHING:
                self._forget(uid)
            case policy.KEEP:
                self._pending[uid] = ended
                known = before is not None and self._verdict(before) == policy.KEEP
                if ended.gone or not known:  # else it is queued, and its backoff counts
                    self._queue.add(uid)
            case policy.SNAPSHOT if uid not in self._snapshots and before is None:
                self._pending[uid] = ended
                self._queue.add(uid)

    def _verdict(self, ended: _Ended) -> str:
        return policy.verdict(ended.pod, self._policy(ended.pod), gone=ended.gone)

    def _policy(self, pod: PodFact) -> LogSettings:
        return policy.effective(pod.logs, self._settings)

    def _forget(self, uid: str) -> None:
        self._done.put(uid, None)
        self._snapshots.drop(uid)
        self._pending.pop(uid, None)
        self._tries.pop(uid, None)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_WORKERS):
                group.create_task(self._work(), name=f"logs-{number}")

    async def _work(self) -> None:
        while True:
            uid = await self._queue.get()
            try:
                ended = self._pending.get(uid)
                if ended is None or await self._look(ended):
                    self._queue.forget(uid)
            except (ClusterError, OSError) as error:
                self._try_again(uid, error)
            except Exception:
                log.exception("a defect of the operator; a log was not kept")
                self._forget(uid)
            finally:
                self._queue.done(uid)

    def _try_again(self, uid: str, error: Exception) -> None:
        """After a failed write. A log is no reason to try without limit."""
        self._tries[uid] = tries = self._tries.get(uid, 0) + 1
        passing = isinstance(error, Busy | Unavailable | OSError)
        if passing and tries < 2 * MOST_TRIES:
            self._queue.retry(uid)
            return
        log.warning("a log was not kept: %s", failure_text(error))
        self._telemetry.log_kept(outcome="Refused")
        self._forget(uid)

    async def _look(self, ended: _Ended) -> bool:
        """Read a log and store it; False if it is to be read again later."""
        pod, limits = ended.pod, self._policy(ended.pod)
        if self._verdict(ended) == policy.SNAPSHOT:
            await self._take_snapshot(ended)
            return True
        found = await self._read(ended, limits.max_bytes)
        if found is None:
            self._tries[pod.uid] = self._tries.get(pod.uid, 0) + 1
            self._queue.retry(pod.uid)
            return False
        if self._store.key_of(ended.run.uid) is not None:  # else the run was deleted
            await self._store_log(ended, found)
        self._forget(pod.uid)
        return True

    async def _take_snapshot(self, ended: _Ended) -> None:
        """Read the log of a pod that is being stopped, in case that its end cannot be read."""
        uid = ended.pod.uid
        try:
            found, _ = await self._tail(ended)
            self._snapshots.put(uid, found[-self._policy(ended.pod).max_bytes :])
        except (ClusterError, OSError):
            self._snapshots.put(uid, "")  # the read after its end says what is wrong
        if self._pending.get(uid) is ended:
            del self._pending[uid]

    async def _read(self, ended: _Ended, limit: int) -> KeptLog | None:
        """What is kept of a log; None to try again later."""
        pod, now = ended.pod, self._clock.now()
        problem = "the pod was removed before its log was read"
        if not ended.gone:
            try:
                found, more = await self._tail(ended)
                return await self._offload(
                    document.kept, found, pod=pod.name, now=now, limit=limit, more=more
                )
            except NotFound as error:
                problem = f"its machine or the API server has no log of it: {error.message}"
            except (ClusterError, OSError) as error:
                final = isinstance(error, Rejected) and not isinstance(error, Busy)
                if not final and self._tries.get(pod.uid, 0) < MOST_TRIES:
                    return None
                problem = f"the log cannot be read: {failure_text(error)}"
        if snapshot := self._snapshots.get(pod.uid, ""):
            partial = f"the log was read when the pod was asked to stop; later, {problem}"
            return await self._offload(
                document.kept, snapshot, pod=pod.name, now=now, limit=limit, partial=partial
            )
        return document.unreadable(problem, pod=pod.name, now=now)

    async def _tail(self, ended: _Ended) -> tuple[str, bool]:
        """The end of a log, and whether there may be older lines."""
        found = await read_log_end(
            self._cluster,
            namespace=ended.run.namespace,
            pod=ended.pod.name,
            container=meta.NODE_CONTAINER,
            lines=READ_LINES,
            limit_bytes=READ_BYTES,
        )
        return found.text, found.more

    async def _store_log(self, ended: _Ended, found: KeptLog) -> None:
        run, pod = ended.run, ended.pod
        failed = pod.exit_code != 0
        if not found.text and not found.problem and not failed:
            self._telemetry.log_kept(outcome="Empty")
            return
        outcome = "Unreadable" if found.problem else "Partial" if found.partial else "Kept"
        if not found.text and not found.problem:
            outcome = "Empty"
        so_far = self._stored.get(run.uid, 0)
        ref = AttemptRef(run.name, run.uid, pod.path, pod.round, pod.attempt)
        body, size = await self._offload(document.manifest, found, ref, namespace=run.namespace)
        if so_far + size > RUN_BYTES:
            outcome = "OverLimit"
            if not failed:
                self._telemetry.log_kept(outcome=outcome)
                return
            problem = f"the kept logs of the run have reached {RUN_BYTES} bytes, the limit"
            note = document.unreadable(problem, pod=pod.name, now=self._clock.now())
            body, size = document.manifest(note, ref, namespace=run.namespace)
        try:
            await self._cluster.create(Kind.NODE_RECORD, namespace=run.namespace, body=body)
        except AlreadyExists:
            return
        self._stored.put(run.uid, so_far + size)
        self._telemetry.log_kept(outcome=outcome)


def _may_end(raw: Obj) -> bool:
    """Whether it is worth looking at a pod: most states of pods are of pods that run."""
    status = section(raw, "status")
    container = named(items(status, "containerStatuses"), meta.NODE_CONTAINER)
    ended = bool(section(container, "state", "terminated"))
    stops = bool(section(raw, "metadata").get("deletionTimestamp"))
    return ended or stops or text(status, "phase") in ("Succeeded", "Failed")
