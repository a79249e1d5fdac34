"""Stops attempts: suspends their Jobs, or deletes their pods."""

import logging

from waypost.engine.state.decision import StopAttempt
from waypost.kube.facts import jobs
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    Cluster,
    ClusterError,
    Conflict,
    Kind,
    NotFound,
    PatchType,
    RefusedForNow,
    Rejected,
    Unavailable,
)
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.writes import child_problems

log = logging.getLogger(__name__)


class Stops:
    """For one operator process."""

    def __init__(self, *, cluster: Cluster, store: RunCache, clock: Clock) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock

    async def stop(self, key: Key, action: StopAttempt) -> None:
        """Suspend the Job of an attempt, or delete its pods if that is not possible.

        What is refused is kept for the next pass to report.

        Raises:
            ClusterError: It was refused, or not answered.
        """
        entry = self._store.entry(key.uid)
        try:
            job = await self._cluster.patch(
                Kind.JOB,
                namespace=key.namespace,
                name=action.job,
                # Nothing starts either when a queue, which takes it for its own, resumes it.
                body={"spec": {"suspend": True, "parallelism": 0}},
                patch_type=PatchType.MERGE,
            )
        except RefusedForNow as error:
            child_problems.note_refused_stop(entry, action.job, error, self._clock.now())
            raise
        except Unavailable as error:
            child_problems.note_no_answer(entry, action.job, error, self._clock.now())
            raise
        except (NotFound, Rejected) as error:
            await self._stop_pods(key, action, error)
            return
        child_problems.forget(entry, action.job)
        fact = jobs.job_fact(job)
        if fact is not None:
            entry.jobs[action.job] = fact

    async def _stop_pods(self, key: Key, action: StopAttempt, why: ClusterError) -> None:
        """Stop an attempt whose Job cannot be suspended (`why`) by the deletion of its pods."""
        entry, now = self._store.entry(key.uid), self._clock.now()
        try:
            for pod in action.pods:
                await self._delete_pod(key, pod.name, pod.uid)
        except Unavailable as error:
            child_problems.note_no_answer(entry, action.job, error, now)
            raise
        except ClusterError as error:
            child_problems.note_refused_stop(entry, action.job, error, now)
            raise
        if isinstance(why, NotFound) or action.pods:
            child_problems.forget(entry, action.job)
        else:  # its pod may still be created
            child_problems.note_refused_stop(entry, action.job, why, now)
        if isinstance(why, Rejected):
            log.warning("Job %s cannot be suspended: %s", action.job, why.message)

    async def _delete_pod(self, key: Key, name: str, uid: str) -> None:
        try:
            await self._cluster.delete(Kind.POD, namespace=key.namespace, name=name, uid=uid)
        except (NotFound, Conflict):
            self._store.drop_pod(key.uid, uid)  # the watch may report it late
