"""The sweep: deletes Jobs that no status names.

Such a Job is left when an operator that had lost its lead, or was frozen, created it too late.
"""

import logging
from typing import Final

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.checkpoints import checkpoint_of
from waypost.kube import objects
from waypost.kube.facts import jobs
from waypost.kube.facts.jobs import JobFact
from waypost.kube.facts.runs import written_by_newer_engine
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Conflict, Kind, NotFound, Obj, Rejected
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.cache.statuses import Statuses

STRAY_SECONDS: Final = 60.0  # a younger Job may belong to a status that is not yet in the cache

log = logging.getLogger(__name__)


class Sweeper:
    """Looks for Jobs without a run in all namespaces that the operator serves."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        clock: Clock,
        telemetry: Telemetry,
        namespaces: tuple[str | None, ...],
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._namespaces = namespaces
        self._statuses = Statuses()

    async def sweep(self) -> None:
        """Delete every Job that no status names, after a live read of its run.

        Jobs of runs that no longer exist are left to the garbage collector. A namespace whose list
        the API server refuses is left out.

        Raises:
            ClusterError: A request failed; what was deleted so far is not reported.
        """
        removed = 0
        self._statuses = Statuses()
        for namespace in self._namespaces:
            for body in await self._jobs_in(namespace):
                removed += await self._sweep_job(body)
        if removed:
            self._telemetry.swept(what="jobs", count=removed)

    async def _jobs_in(self, namespace: str | None) -> tuple[Obj, ...]:
        try:
            return (
                await self._cluster.list(Kind.JOB, namespace=namespace, labels=meta.LABEL_RUN)
            ).items
        except Rejected as error:
            about = {"namespace": namespace or ""}
            log.warning("Jobs cannot be listed: %s", error.message, extra=about)
            return ()

    async def _sweep_job(self, body: Obj) -> int:
        job = jobs.job_fact(body)
        uid = objects.text(objects.section(body, "metadata", "labels"), meta.LABEL_RUN)
        key = self._store.key_of(uid)
        if job is None or key is None or job.deleting:
            return 0  # Jobs of a deleted run are deleted by their owner reference
        age = (self._clock.now() - job.created_at).total_seconds()
        if age < STRAY_SECONDS:
            return 0
        try:
            if await self._is_named(key, job):
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

    async def _is_named(self, key: Key, job: JobFact) -> bool:
        """Whether the run's status names this attempt: the cache first, then a live read."""
        cached = self._store.run_body(key)
        if cached is not None and self._names(key, cached, job):
            return True
        body = await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=key.namespace, name=key.name)
        return self._names(key, body, job)

    def _names(self, key: Key, body: Obj, job: JobFact) -> bool:
        if written_by_newer_engine(body):
            return True  # what it names may stand where this release does not look
        try:
            status = self._statuses.of(key.uid, body)
        except ValidationError:
            return True  # an unreadable status may name it: delete nothing of this run
        checkpoint = checkpoint_of(status.nodes, job.path)
        return checkpoint is not None and checkpoint.knows(job.attempt)
