"""The loop for probes of ModelProviders and ToolServers.

It has its own queue and workers, so that no run waits for a provider that does not answer.
"""

import contextlib
from typing import Final

from waypost.api import meta
from waypost.api.wire.write import to_wire
from waypost.kube import objects
from waypost.kube.facts.copies import own_pods
from waypost.kube.facts.pods import PodFact, probe_pod_fact
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    AlreadyExists,
    Cluster,
    Kind,
    NotFound,
    Obj,
    Rejected,
)
from waypost.ports.log_end import read_log_end
from waypost.probes.decide import Look, Step, step, underway
from waypost.probes.findings import wants_log
from waypost.probes.job import ProbeSettings
from waypost.probes.permitted import not_permitted
from waypost.probes.subject import Subject
from waypost.runtime.cache.endpoints import EndpointCache, SubjectKey
from waypost.runtime.cache.runs import Key
from waypost.runtime.queue import KeyedQueue, by_namespace
from waypost.runtime.reads.events import newest_event
from waypost.runtime.reads.policies import Policies
from waypost.runtime.reconcile_loop import ReconcileLoop, Reconciler
from waypost.runtime.writes.accounts import NodeAccounts
from waypost.runtime.writes.status_write import write_status

_WORKERS: Final = 4
_LOG_LINES: Final = 400
_LOG_BYTES: Final = 128 * 1024


class ProbeController:
    """Keeps the Ready condition of every ModelProvider and ToolServer up to date."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        catalog: EndpointCache,
        clock: Clock,
        settings: ProbeSettings,
        accounts: NodeAccounts,
        policies: Policies,
    ) -> None:
        self._cluster = cluster
        self._policies = policies
        self._accounts = accounts
        self._catalog = catalog
        self._clock = clock
        self._settings = settings
        self._queue: KeyedQueue[SubjectKey] = by_namespace(clock.monotonic)
        self._refused: dict[SubjectKey, str] = {}  # why the API server refused the Job of a probe

    def notice(self, kind: Kind, raw: Obj, *, deleted: bool, on_duty: bool) -> list[Key]:
        """Put a watch event into the cache, and queue the object if this process works.

        Returns:
            The runs that wait for an object of its namespace.
        """
        key = self._catalog.take(kind, raw, deleted=deleted)
        if key is None or not on_duty:
            return []
        self._queue.add(key)
        return self._catalog.waiting(key.namespace)

    def wake_all(self) -> None:
        """Queue all objects, as after a complete list."""
        for key in self._catalog.known():
            self._queue.add(key)

    async def run(self) -> None:
        """Work until cancelled."""
        reconciler = Reconciler(
            work="probe",
            kind=lambda key: key.kind,
            reconcile=self.reconcile,
            take=self._catalog.take,
            drop=self._catalog.drop,
        )
        loop = ReconcileLoop(reconciler, cluster=self._cluster, queue=self._queue, workers=_WORKERS)
        await loop.run()

    async def reconcile(self, key: SubjectKey) -> None:
        """One pass over one object.

        Raises:
            NotFound: The object no longer exists.
            Conflict: The object has changed since it was cached.
            ClusterError: A request failed.
        """
        subject = self._catalog.subject(key)
        if subject is None:
            self._refused.pop(key, None)
            return
        look = await self._look(key, subject) if underway(subject) else None
        policy = await self._policies.of(key.namespace)
        forbidden = not_permitted(subject, self._settings, policy)
        decision = step(subject, look, self._clock.now(), self._settings, forbidden=forbidden)
        if decision.wake_at is not None:
            wait = (decision.wake_at - self._clock.now()).total_seconds()
            self._queue.add_at(key, self._clock.monotonic() + max(wait, 0.0))
        if to_wire(decision.status) != to_wire(subject.status):
            await self._write(key, subject, decision)
        if decision.stop is not None:
            await self._stop(key, decision.stop)
        if decision.launch is not None:
            await self._launch(key, decision.launch)

    async def _write(self, key: SubjectKey, subject: Subject, decision: Step) -> None:
        landed = await write_status(
            self._cluster,
            key.kind,
            namespace=key.namespace,
            name=key.name,
            body={"status": to_wire(subject.status)} if _has_status(subject) else {},
            resource_version=subject.resource_version,
            status=decision.status,
        )
        self._catalog.take(key.kind, landed)

    async def _launch(self, key: SubjectKey, job: Obj) -> None:
        self._refused.pop(key, None)
        await self._accounts.ensure(key.namespace)
        try:
            await self._cluster.create(Kind.JOB, namespace=key.namespace, body=job)
        except AlreadyExists:
            name = job["metadata"]["name"]
            existing = await self._cluster.get(Kind.JOB, namespace=key.namespace, name=name)
            if objects.controller_uid(existing) != key.uid:
                self._refuse(key, f"Job {name} exists and is not this probe's; delete it")
        except Rejected as error:
            self._refuse(key, f"its Job was refused: {error.message}")

    def _refuse(self, key: SubjectKey, why: str) -> None:
        self._refused[key] = why
        self._queue.add(key)

    async def _stop(self, key: SubjectKey, job: str) -> None:
        with contextlib.suppress(NotFound):
            await self._cluster.delete(Kind.JOB, namespace=key.namespace, name=job)

    async def _look(self, key: SubjectKey, subject: Subject) -> Look:
        """Read the Job and pod of the latest probe live."""
        state = subject.status.probe
        assert state is not None, "called while a probe is running"
        labels = f"{meta.LABEL_PROBE}={key.uid},{meta.LABEL_ATTEMPT}={state.number}"
        listing = await self._cluster.list(Kind.POD, namespace=key.namespace, labels=labels)
        labelled = [pod for body in listing.items if (pod := probe_pod_fact(body))]
        pods = tuple(own_pods(labelled, job=state.job))
        refused = self._refused.get(key, "")
        if not pods:
            job = await self._job(key, state.job)
            trouble = await self._trouble(key, job, "FailedCreate") if job else ""
            return Look(job=job is not None, trouble=trouble, refused=refused)
        pod = pods[-1]
        if pod.over:
            return Look(job=True, pods=pods, log=await self._log(key, pod))
        waits = pod.scheduled and pod.started_at is None
        trouble = await self._pod_trouble(key, pod) if waits else ""
        return Look(job=True, pods=pods, trouble=trouble)

    async def _job(self, key: SubjectKey, name: str) -> Obj | None:
        try:
            body = await self._cluster.get(Kind.JOB, namespace=key.namespace, name=name)
        except NotFound:
            return None
        return body if objects.controller_uid(body) == key.uid else None

    async def _trouble(self, key: SubjectKey, body: Obj, reason: str) -> str:
        uid = objects.text(objects.section(body, "metadata"), "uid")
        return await newest_event(self._cluster, namespace=key.namespace, uid=uid, reason=reason)

    async def _pod_trouble(self, key: SubjectKey, pod: PodFact) -> str:
        return await newest_event(
            self._cluster, namespace=key.namespace, uid=pod.uid, reason="FailedMount"
        )

    async def _log(self, key: SubjectKey, pod: PodFact) -> str | None:
        if not wants_log(pod):
            return None
        try:
            found = await read_log_end(
                self._cluster,
                namespace=key.namespace,
                pod=pod.name,
                container=meta.NODE_CONTAINER,
                lines=_LOG_LINES,
                limit_bytes=_LOG_BYTES,
            )
        except NotFound:
            return None
        return found.text


def _has_status(subject: Subject) -> bool:
    return subject.status.observed_generation > 0
