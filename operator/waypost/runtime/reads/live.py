"""The live look at a run: its Jobs, pods, child runs and Approvals, so that what is not read does
not exist."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from waypost.api import meta
from waypost.engine.state.observed import Observed
from waypost.kube import objects
from waypost.kube.facts import approvals
from waypost.kube.facts.copies import own_pods
from waypost.kube.facts.jobs import JobFact, job_fact
from waypost.kube.facts.pods import PodFact, pod_fact
from waypost.kube.facts.read_problems import APPROVALS, OBJECTS, RUN, ReadProblem
from waypost.kube.facts.workloads import WorkloadFact
from waypost.kube.items.child_items import has_children
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj
from waypost.runtime.cache.newest import version_of
from waypost.runtime.cache.runs import Key, RunCache, RunEntry
from waypost.runtime.reads.events import newest_event
from waypost.runtime.reads.parents import Parents
from waypost.runtime.reads.read_problems import ReadProblems, Tries
from waypost.runtime.reads.workloads import workload_of

T = TypeVar("T")


class StaleRun(Exception):
    """The run has changed since it was cached: start the pass again."""


class LiveReads:
    """Lists the children of a run, for one operator process."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        clock: Clock,
        problems: ReadProblems,
        parents: Parents,
    ) -> None:
        self._cluster = cluster
        self._parents = parents
        self._store = store
        self._clock = clock
        self._problems = problems
        self._looked: dict[str, datetime] = {}

    def looked_at(self, uid: str) -> datetime | None:
        """When the Jobs and pods of a run were last read live."""
        return self._looked.get(uid)

    def forget(self, uid: str) -> None:
        """Drop what is cached here of a run that no longer exists."""
        self._looked.pop(uid, None)

    async def look(self, key: Key, observed: Observed) -> Observed:
        """Read Jobs, pods, child runs and Approvals live. A list that fails is in `unread`.

        The order matters. A Job that is deleted meanwhile leaves its pod, and the finalizer keeps
        the pod until a status has closed its attempt; that changes the run, which is read last.

        Raises:
            StaleRun: The run has changed since `observed`.
            NotFound: The run no longer exists.
        """
        moment = self._clock.now()
        calls = any(node.child or has_children(node.items) for node in observed.status.nodes)
        seen = await self._tried(key, OBJECTS, lambda: self._objects(key, calls=calls))
        asked = await self._tried(key, APPROVALS, lambda: self.approvals(key))
        if not isinstance(seen, ReadProblem) or not isinstance(asked, ReadProblem):
            same = await self._tried(
                key, RUN, lambda: self._still_is(key, observed.resource_version)
            )
            if isinstance(same, ReadProblem):  # then nothing proves that the lists are complete
                seen = asked = same
        entry = self._store.entry(key.uid)
        unread = dict(observed.unread)
        if isinstance(asked, ReadProblem):
            unread[APPROVALS] = asked
        if isinstance(seen, ReadProblem):
            unread[OBJECTS] = seen
        observed = replace(
            observed,
            approvals=dict(entry.approvals),
            approvals_live_at=None if isinstance(asked, ReadProblem) else moment,
            unread=unread,
        )
        if isinstance(seen, ReadProblem):
            return observed
        entry.jobs = seen
        self._looked[key.uid] = moment
        return replace(
            observed,
            pods=pods_of(entry),
            jobs=dict(seen),
            children=dict(entry.children),
            live=True,
            live_at=moment,
        )

    async def approvals(self, key: Key) -> None:
        """Read the Approvals of a run into the cache. Raises ClusterError."""
        entry = self._store.entry(key.uid)
        bodies = await self._list(Kind.APPROVAL, key)
        present = {f.name: (f, version_of(b)) for b in bodies if (f := approvals.approval_fact(b))}
        for name in set(entry.approvals) - set(present):
            self._store.drop_approval(key.uid, name)
        for fact, version in present.values():
            self._store.put_approval(fact, key.uid, version, now=self._clock.now())

    async def _tried(
        self, key: Key, what: str, reading: Callable[[], Awaitable[T]]
    ) -> T | ReadProblem:
        return await Tries(self._problems, uid=key.uid, clock=self._clock).read(what, reading)

    async def _objects(self, key: Key, *, calls: bool) -> dict[str, JobFact]:
        """Read Jobs, pods and child runs; pods and child runs go into the cache.

        Args:
            key: The run.
            calls: Its status names child runs.
        """
        if calls or self._store.entry(key.uid).children:
            await self._parents.look_at_children(key)
        jobs = await self._list(Kind.JOB, key)
        entry = self._store.entry(key.uid)
        pods = await self._list(Kind.POD, key)
        found = {f.uid: (f, version_of(b)) for b in pods if (f := pod_fact(b))}
        for uid in set(entry.pods) - set(found):
            self._store.drop_pod(key.uid, uid)
        for fact, version in found.values():
            self._store.put_pod(fact, version)
        return await self._jobs(key, jobs, [fact for fact, _ in found.values()])

    async def _still_is(self, key: Key, version: str) -> None:
        """Raise StaleRun when the run has changed, NotFound when it no longer exists."""
        body = await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=key.namespace, name=key.name)
        metadata = objects.section(body, "metadata")
        if objects.text(metadata, "uid") != key.uid:
            raise NotFound(f"{key.namespace}/{key.name} was replaced by another run", code=404)
        if objects.text(metadata, "resourceVersion") != version:
            self._store.put_run(body)
            raise StaleRun

    async def _list(self, kind: Kind, key: Key) -> tuple[Obj, ...]:
        labels = f"{meta.LABEL_RUN}={key.uid}"
        return (await self._cluster.list(kind, namespace=key.namespace, labels=labels)).items

    async def _jobs(
        self, key: Key, listed: tuple[Obj, ...], pods: list[PodFact]
    ) -> dict[str, JobFact]:
        known: dict[str, JobFact] = {}
        by_attempt: dict[tuple[str, int], list[PodFact]] = {}
        for pod in pods:
            by_attempt.setdefault((pod.path, pod.attempt), []).append(pod)
        for job in (f for b in listed if (f := job_fact(b))):
            made = own_pods(by_attempt.get((job.path, job.attempt), ()), job=job.name)
            podless = not made and not job.ended
            trouble = await self._trouble(key, job) if podless and not job.suspended else ""
            known[job.name] = replace(job, trouble=trouble, workload=await self._workload(key, job))
        return known

    async def _workload(self, key: Key, job: JobFact) -> WorkloadFact | None:
        """What its queue says of a Job that it has not admitted, or preempted."""
        if not job.queue or not job.suspended or job.halted or job.ended:
            return None
        return await workload_of(self._cluster, namespace=key.namespace, uid=job.uid)

    async def _trouble(self, key: Key, job: JobFact) -> str:
        """Why the Job controller makes no pod: the newest FailedCreate, in the cluster's words."""
        return await newest_event(
            self._cluster, namespace=key.namespace, uid=job.uid, reason="FailedCreate"
        )


def pods_of(entry: RunEntry) -> tuple[PodFact, ...]:
    """The pods; those that have not started with what their Events say."""
    return tuple(
        replace(pod, events_read_at=said.read_at, missing=said.missing, event_trouble=said.trouble)
        if pod.started_at is None and (said := entry.events.get(pod.uid))
        else pod
        for pod in entry.pods.values()
    )
