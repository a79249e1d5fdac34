"""Kueue, at the level that one-pod Jobs need: a queue with a quota, which preempts by priority.

As the real one, it creates a Workload for each Job with its label, resumes a Job that it has
admitted whenever that is suspended, and suspends one that it has not admitted.
"""

import random
from functools import partial
from typing import Any, Final

from waypost.api.meta import LABEL_QUEUE
from waypost.kube.facts.workloads import LABEL_JOB_UID
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, NotFound, Obj

from tests.fakes.api.deletion import Deletion
from tests.fakes.api.server import ApiServer
from tests.fakes.nodes.podstatus import is_over

_SYNC: Final = (0.02, 0.3)
_BY: Final = "kueue"


class Kueue:
    """One ClusterQueue for all LocalQueues. `priorities`: by priorityClassName; 0 for others."""

    def __init__(
        self,
        server: ApiServer,
        *,
        quota: int,
        seed: int = 0,
        priorities: dict[str, int] | None = None,
        served: Kind = Kind.WORKLOAD,
    ) -> None:
        self.admitted: set[str] = set()  # uids of Jobs
        self.evictions: dict[str, int] = {}  # by name of the Job
        self._evicting: set[str] = set()
        self._quota = quota
        self._priorities = priorities or {}
        self._served = served
        self._server = server
        self._random = random.Random(seed)
        self._planned = False
        server.storage.listeners.append(self._changed)

    @property
    def quota(self) -> int:
        """How many Jobs run at a time."""
        return self._quota

    @quota.setter
    def quota(self, quota: int) -> None:
        self._quota = quota
        self._plan()

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind in (Kind.JOB, Kind.POD) or (kind is self._served and change == "DELETED"):
            self._plan()

    def preempt(self, job: Obj) -> None:
        """Take the quota of a Job away, for reasons of another cluster queue."""
        self._evict(job)

    def _plan(self) -> None:
        if not self._planned:
            self._planned = True
            self._server.agenda.after(self._random.uniform(*_SYNC), self._sync)

    def _sync(self) -> None:
        self._planned = False
        jobs = [body for body in self._server.storage.scan(Kind.JOB) if _queue(body)]
        waiting = [job for job in jobs if _competes(job)]
        gone = self.admitted - {job["metadata"]["uid"] for job in waiting}
        self.admitted -= gone
        self._evicting -= gone
        for job in waiting:
            self._keep(job)
        for job in sorted(waiting, key=self._order):
            self._admit(job, waiting)
        for job in jobs:
            self._describe(job)

    def _keep(self, job: Obj) -> None:
        """Bring a Job to the state that the queue wants."""
        uid, suspended = job["metadata"]["uid"], bool(job["spec"].get("suspend"))
        if uid in self._evicting:
            if not suspended:
                self._suspend(job, True)
            elif not self._is_active(uid):  # its quota is free once its pod is gone
                self._evicting.discard(uid)
                self.admitted.discard(uid)
        elif (uid in self.admitted) == suspended:
            self._suspend(job, not suspended)

    def _admit(self, job: Obj, jobs: list[Obj]) -> None:
        uid = job["metadata"]["uid"]
        if uid in self.admitted:
            return
        if len(self.admitted) < self._quota:
            self.admitted.add(uid)
            self._suspend(job, False)
        elif len(self.admitted) == self._quota and not self._evicting:
            mine = self._priority(job)
            lower = [one for one in jobs if self._may_preempt(one, mine)]
            if lower:
                self._evict(max(lower, key=self._order))

    def _may_preempt(self, job: Obj, priority: int) -> bool:
        return job["metadata"]["uid"] in self.admitted and self._priority(job) < priority

    def _evict(self, job: Obj) -> None:
        name = job["metadata"]["name"]
        self._evicting.add(job["metadata"]["uid"])
        self.evictions[name] = self.evictions.get(name, 0) + 1
        self._suspend(job, True)

    def _order(self, job: Obj) -> Any:
        metadata = job["metadata"]
        return -self._priority(job), metadata["creationTimestamp"], metadata["name"]

    def _priority(self, job: Obj) -> int:
        pod = section(job, "spec", "template", "spec")
        return self._priorities.get(text(pod, "priorityClassName"), 0)

    def _is_active(self, uid: str) -> bool:
        return any(
            owner["uid"] == uid and not is_over(pod)
            for pod in self._server.storage.scan(Kind.POD)
            for owner in items(pod, "metadata", "ownerReferences")
        )

    def _suspend(self, job: Obj, suspended: bool) -> None:
        metadata = job["metadata"]
        self._server.agenda.after(0.0, partial(self._set, metadata["uid"], suspended))

    def _set(self, uid: str, suspended: bool) -> None:
        found = self._server.storage.find(uid)
        if found is None or not _competes(found[1]):
            return
        metadata = found[1]["metadata"]
        self._server.update(
            Kind.JOB,
            namespace=metadata["namespace"],
            name=metadata["name"],
            change=lambda job: job["spec"].update(suspend=suspended),
            by=_BY,
        )
        self._server.update(
            Kind.JOB,
            namespace=metadata["namespace"],
            name=metadata["name"],
            change=lambda job: job["status"].update(
                startTime=None if suspended else self._server.time()
            ),
            subresource="status",
            by=_BY,
        )

    def _describe(self, job: Obj) -> None:
        """The Workload of a Job."""
        metadata = job["metadata"]
        name, uid, namespace = f"job-{metadata['name']}", metadata["uid"], metadata["namespace"]
        known = self._server.storage.read(self._served, namespace, name)
        if not _competes(job):
            if known is not None:
                options = Deletion()
                self._server.delete(self._served, namespace=namespace, name=name, options=options)
            return
        conditions = self._conditions(uid)
        if known is None:
            body = {
                "apiVersion": self._served.api_version,
                "kind": self._served.kind,
                "metadata": {
                    "name": name,
                    "labels": {LABEL_JOB_UID: uid},
                    "ownerReferences": [_owner(job)],
                },
                "status": {"conditions": conditions},
            }
            self._server.create(self._served, namespace=namespace, body=body, by=_BY)
        elif known["status"]["conditions"] != conditions:
            self._server.update(
                self._served,
                namespace=namespace,
                name=name,
                change=lambda body: body["status"].update(conditions=conditions),
                by=_BY,
            )

    def _conditions(self, uid: str) -> list[Obj]:
        if uid in self._evicting:
            said = "Preempted to accommodate a workload"
            return [_condition("Evicted", "True", "Preempted", said)]
        if uid in self.admitted:
            return [_condition("Admitted", "True", "Admitted", "The workload is admitted")]
        more = f"insufficient unused quota for pods in flavor default, {self._quota} in use"
        said = f"couldn't assign flavors to pod set main: {more}"
        return [_condition("QuotaReserved", "False", "Pending", said)]


def remove_workload(server: ApiServer, body: Obj) -> None:
    """A person deletes a Workload; the queue makes it again at its next look."""
    metadata = body["metadata"]
    for kind in (Kind.WORKLOAD, Kind.WORKLOAD_V1BETA1):
        try:
            server.delete(
                kind,
                namespace=metadata["namespace"],
                name=metadata["name"],
                options=Deletion(),
            )
        except NotFound:
            continue


def _queue(job: Obj) -> str:
    return text(section(job, "metadata", "labels"), LABEL_QUEUE)


def _competes(job: Obj) -> bool:
    """Whether a Job needs quota: it is not over, and may have a pod."""
    ended = any(one["type"] in ("Complete", "Failed") for one in items(job, "status", "conditions"))
    return not ended and job["spec"].get("parallelism") != 0 and not _deleted(job)


def _deleted(job: Obj) -> bool:
    return "deletionTimestamp" in job["metadata"]


def _owner(job: Obj) -> Obj:
    metadata = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _condition(type_: str, status: str, reason: str, message: str) -> Obj:
    return {"type": type_, "status": status, "reason": reason, "message": message}
