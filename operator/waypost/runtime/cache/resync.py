"""The truth behind the watch: complete lists that correct the cache, and a sweep for strays.

kopf gives no end-of-list signal and no DELETED for what vanished while it was not looking, so
the operator lists for itself: before the first worker starts, and periodically.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Final, Protocol

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.status import AgentWorkflowStatus
from waypost.kube import jobs, objects
from waypost.kube.approvals import approval_fact
from waypost.kube.pods import pod_fact
from waypost.kube.runs import written_by_newer_engine
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    Busy,
    Cluster,
    ClusterError,
    Conflict,
    Kind,
    Listing,
    NotFound,
    Obj,
    Rejected,
    Unavailable,
)
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.endpoints import PROBED, EndpointCache
from waypost.runtime.cache.runs import Key, RunCache, version_of
from waypost.runtime.writes.actions import ActionExecutor

STRAY_SECONDS = 60.0  # a child younger than this may belong to a status not yet seen
_TRY_AGAIN: Final = (0.2, 0.5, 1.0)  # seconds before a list that failed is tried again
_LONGEST_PAUSE: Final = 5.0

log = logging.getLogger(__name__)


class Wake(Protocol):
    """Says that a run is due; `spare`: it can wait for all others."""

    def __call__(self, key: Key, *, spare: bool = False) -> None: ...


class Resync:
    """Keeps the store equal to the cluster, whatever the watch forgot to say."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        catalog: EndpointCache,
        clock: Clock,
        telemetry: Telemetry,
        namespaces: tuple[str, ...],
        wake: Wake,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._telemetry = telemetry
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self._wake = wake
        self._synced_at = clock.monotonic()
        self._expected_since = self._synced_at

    def expect(self) -> None:
        """From now on lists are due at their interval; a standby makes none."""
        self._expected_since = self._clock.monotonic()

    def since_sync(self) -> float:
        """Seconds since the last complete list."""
        return self._clock.monotonic() - self._synced_at

    def overdue(self, interval: float) -> float:
        """Seconds since the last complete list, if that is far too long; else 0."""
        age = self._clock.monotonic() - max(self._synced_at, self._expected_since)
        return age if age > 3 * interval + 60 else 0.0

    def take(self, kind: Kind, raw: Obj, *, deleted: bool) -> Key | None:
        """Put one object into the store; the run it concerns, if it tells something new. What
        was put there by our own write wakes nobody when the watch repeats it."""
        if kind is Kind.AGENT_WORKFLOW:
            return self._take_run(raw, deleted=deleted)
        if kind is Kind.POD:
            return self._take_pod(raw, deleted=deleted)
        if kind is Kind.APPROVAL:
            return self._take_approval(raw, deleted=deleted)
        return None

    async def sync(self) -> None:
        """List every watched kind, correct the store, wake every run. Raises ClusterError."""
        started = self._clock.monotonic()
        for namespace in self._namespaces:
            runs = await self._list(Kind.AGENT_WORKFLOW, namespace)
            pods = await self._list(Kind.POD, namespace, labels=meta.LABEL_RUN)
            approvals = await self._list(Kind.APPROVAL, namespace)
            self._correct(namespace, runs, pods, approvals)
            for kind in PROBED:
                self._catalog.replace(kind, namespace, await self._list(kind, namespace))
        self._synced_at = started
        self.wake_all()

    async def _list(self, kind: Kind, namespace: str | None, *, labels: str = "") -> Listing:
        """One list, with a few tries of its own: there are some for every namespace, and with one
        refusal in ten they would hardly ever all succeed together."""
        for pause in _TRY_AGAIN:
            try:
                return await self._cluster.list(kind, namespace=namespace, labels=labels)
            except (Busy, Unavailable) as error:
                asked = error.retry_after if isinstance(error, Busy) else 0.0
                await asyncio.sleep(max(pause, min(asked, _LONGEST_PAUSE)))
        return await self._cluster.list(kind, namespace=namespace, labels=labels)

    def wake_all(self) -> None:
        """Every run that is known is due, those that have ended after all others: there are ever
        more of them, and a new leader must first go on with what was under way."""
        for uid in self._store.uids():
            key = self._store.last_key(uid)
            if key is not None:
                self._wake(key, spare=self._store.has_ended(uid))

    async def sweep(self, actor: ActionExecutor) -> None:
        """Delete Jobs that no status names, after a live look; release pods without a run."""
        removed = 0
        for namespace in self._namespaces:
            listing = await self._cluster.list(Kind.JOB, namespace=namespace, labels=meta.LABEL_RUN)
            for body in listing.items:
                removed += await self._sweep_job(body)
        if removed:
            self._telemetry.swept(what="jobs", count=removed)

    async def release_terminating(self, actor: ActionExecutor) -> None:
        """Let go of every pod that is being deleted: nobody may be left to do it later."""
        for uid in self._store.uids():
            key = self._store.last_key(uid)
            for pod in list(self._store.entry(uid).pods.values()):
                if key is None or not (pod.held and pod.deleting):
                    continue
                if await self._namespace_terminating(key.namespace):
                    with contextlib.suppress(ClusterError):  # the next one may be let go
                        await actor.release(key, name=pod.name, uid=pod.uid)

    async def _namespace_terminating(self, namespace: str) -> bool:
        try:
            body = await self._cluster.get(Kind.NAMESPACE, namespace=None, name=namespace)
        except NotFound:
            return True
        return objects.text(objects.section(body, "status"), "phase") == "Terminating"

    def _take_run(self, raw: Obj, *, deleted: bool) -> Key | None:
        metadata = objects.section(raw, "metadata")
        uid = objects.text(metadata, "uid")
        if not uid:
            return None
        if deleted:
            key = self._store.key_of(uid) or self._store.last_key(uid)
            self._store.drop_run(uid)
            return key
        return self._store.key_of(uid) if self._store.put_run(raw) else None

    def _take_pod(self, raw: Obj, *, deleted: bool) -> Key | None:
        fact = pod_fact(raw)
        if fact is None:
            return None
        if deleted:
            self._store.drop_pod(fact.run_uid, fact.uid)
            return self._store.last_key(fact.run_uid)
        key = self._owner_key(raw, fact.run_uid)
        return key if key and self._store.put_pod(fact, version_of(raw)) else None

    def _take_approval(self, raw: Obj, *, deleted: bool) -> Key | None:
        fact = approval_fact(raw)
        uid = objects.text(objects.section(raw, "metadata", "labels"), meta.LABEL_RUN)
        if fact is None or not uid:
            return None
        if deleted:
            self._store.drop_approval(uid, fact.name)
            return self._store.last_key(uid)
        key = self._owner_key(raw, uid)
        return key if key and self._store.put_approval(fact, uid, version_of(raw)) else None

    def _owner_key(self, raw: Obj, uid: str) -> Key | None:
        """The run that a child names. Labels can be forged: what is known of the run comes from
        the run alone, and nobody has children in another namespace."""
        metadata = objects.section(raw, "metadata")
        namespace = objects.text(metadata, "namespace")
        known = self._store.last_key(uid)
        if known is not None:
            return known if known.namespace == namespace else None
        name = objects.text(objects.section(metadata, "annotations"), meta.ANNOTATION_RUN_NAME)
        if not name:
            return None
        key = Key(namespace, name, uid)
        self._store.remember(key)
        return key

    def _correct(
        self, namespace: str | None, runs: Listing, pods: Listing, approvals: Listing
    ) -> None:
        for kind, listing in (
            (Kind.AGENT_WORKFLOW, runs),
            (Kind.POD, pods),
            (Kind.APPROVAL, approvals),
        ):
            for raw in listing.items:
                self.take(kind, raw, deleted=False)
        self._store.retain(
            namespace,
            runs=(_uids(runs.items), _number(runs)),
            pods=(_uids(pods.items), _number(pods)),
            approvals=(_uids(approvals.items), _number(approvals)),
        )

    async def _sweep_job(self, body: Obj) -> int:
        job = jobs.job_fact(body)
        uid = objects.text(objects.section(body, "metadata", "labels"), meta.LABEL_RUN)
        key = self._store.key_of(uid)
        if job is None or key is None or job.deleting:
            return 0  # a run that is gone: its Jobs go by their owner reference
        age = (self._clock.now() - job.created_at).total_seconds()
        if age < STRAY_SECONDS:
            return 0
        try:
            run = await self._named_elsewhere(key, job.path, job.attempt)
            if run:
                return 0
            await self._cluster.delete(
                Kind.JOB, namespace=key.namespace, name=job.name, uid=job.uid
            )
        except (NotFound, Conflict):
            return 0
        except Rejected as error:  # one that may not be deleted must not hold up the others
            log.warning("Job %s cannot be deleted: %s", job.name, error.message)
            return 0
        log.warning(
            "deleted Job %s: no status names it",
            job.name,
            extra={"run": key.name, "node": job.path},
        )
        return 1

    async def _named_elsewhere(self, key: Key, path: str, attempt: int) -> bool:
        """Whether the run's status names this attempt; the cache first, then a live read."""
        cached = self._store.run_body(key)
        if cached is not None and _names(cached, path, attempt):
            return True
        body = await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=key.namespace, name=key.name)
        return _names(body, path, attempt)


def _names(body: Obj, path: str, attempt: int) -> bool:
    if written_by_newer_engine(body):
        return True  # what it names may stand where this release does not look
    try:
        status = AgentWorkflowStatus.model_validate(objects.section(body, "status"))
    except ValidationError:
        return True  # nobody can tell: leave everything of this run alone
    return any(n.path == path and attempt <= (n.attempt or 0) for n in status.nodes)


def _uids(bodies: Iterable[Obj]) -> frozenset[str]:
    return frozenset(objects.text(objects.section(body, "metadata"), "uid") for body in bodies)


def _number(listing: Listing) -> int:
    version = listing.resource_version
    return int(version) if version.isdecimal() else 0
