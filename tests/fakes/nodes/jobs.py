"""The Job controller, at the level that one-pod Jobs with backoffLimit 0 need."""

import random
from functools import partial
from typing import Any, Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import ClusterError, Kind, NotFound, Obj

from tests.fakes.api.builtin import JOB_TRACKING
from tests.fakes.api.deletion import Deletion
from tests.fakes.api.server import ApiServer
from tests.fakes.api.wire import copied
from tests.fakes.nodes.podstatus import is_over

_SYNC: Final = (0.02, 0.2)
_COUNT_SECONDS: Final = 1.0  # a pod that ended is counted a second later
_REFUSED_SECONDS: Final = (10.0, 360.0)  # first and longest pause after a refused pod
_BY: Final = "job-controller"


class JobController:
    """Makes pods of Jobs, counts them when they end, and lets go of them."""

    def __init__(self, *, server: ApiServer, seed: int) -> None:
        self.refusal: Any = lambda job: None  # job -> the text its pod is refused with, or None
        self.queued = False  # a queue of others suspends each new Job
        # Job -> containers that a webhook of others puts into its pod.
        self.injected: Any = lambda job: []
        # Job -> the restartPolicy that a webhook of others gives its pod; "" for none.
        self.restarted: Any = lambda job: ""
        self._server = server
        self._random = random.Random(seed)
        self._planned: set[str] = set()
        self._refusals: dict[str, int] = {}
        self._homes: dict[str, tuple[str, str]] = {}  # uid -> namespace, name
        server.storage.listeners.append(self._changed)

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        metadata = body["metadata"]
        if kind is Kind.JOB and change == "ADDED" and self.queued:
            self._server.agenda.after(0.0, partial(self.hold, metadata["uid"], True))
        if kind is Kind.JOB:
            self._homes[metadata["uid"]] = (metadata["namespace"], metadata["name"])
            self._plan(metadata["uid"], self._random.uniform(*_SYNC))
        elif kind is Kind.POD:
            pause = _COUNT_SECONDS if is_over(body) else self._random.uniform(*_SYNC)
            jobs = [owner["uid"] for owner in _owners(body) if owner.get("kind") == "Job"]
            for uid in jobs:
                self._plan(uid, pause)
            if not jobs and change == "MODIFIED" and _tracked(body):  # its Job orphaned it
                self._server.agenda.after(pause, partial(self._disown, metadata["uid"]))

    def hold(self, uid: str, suspended: bool) -> None:
        """Suspend or resume a Job, as a queue of others does."""
        found = self._server.storage.find(uid)
        if found is not None:
            metadata = found[1]["metadata"]
            self._server.update(
                Kind.JOB,
                namespace=metadata["namespace"],
                name=metadata["name"],
                change=lambda job: job["spec"].update(suspend=suspended),
                by="queue",
            )

    def _plan(self, uid: str, seconds: float) -> None:
        if uid not in self._planned:
            self._planned.add(uid)
            self._server.agenda.after(seconds, partial(self._sync, uid))

    def _sync(self, uid: str) -> None:
        self._planned.discard(uid)
        found = self._server.storage.find(uid)
        pods = self._pods(uid)
        if found is None or "deletionTimestamp" in found[1]["metadata"]:
            for pod in pods:
                self._untrack(pod)
            return
        job = found[1]
        for pod in pods:
            if is_over(pod) and _tracked(pod):
                self._count(job, pod)
                return  # the change of the pod brings us back
        if not _finished(job):
            self._conclude_or_run(job, pods)

    def _disown(self, uid: str) -> None:
        found = self._server.storage.find(uid)
        if found is not None:
            self._untrack(found[1])

    def _conclude_or_run(self, job: Obj, pods: list[Obj]) -> None:
        status, spec = section(job, "status"), section(job, "spec")
        # With podReplacementPolicy Failed a pod that is being deleted is not over yet.
        busy = [pod for pod in pods if not is_over(pod) and _tracked(pod)]
        if status.get("failed", 0) > spec["backoffLimit"] and not busy:
            self._finish(job, "FailureTarget", "Failed", "BackoffLimitExceeded")
        elif status.get("succeeded", 0) >= spec["completions"] and not busy:
            self._finish(job, "SuccessCriteriaMet", "Complete", "CompletionsReached")
        elif spec.get("suspend"):
            self._suspend(job, busy)
        elif spec.get("parallelism") == 0:
            self._let_end(busy)
        elif not status.get("failed") and not status.get("succeeded") and all(map(is_over, pods)):
            self._make_pod(job)

    def _count(self, job: Obj, pod: Obj) -> None:
        """Count first, let go afterwards: a crash in between counts nothing twice (KEP-2307);
        here both are one step."""
        field = "succeeded" if pod["status"]["phase"] == "Succeeded" else "failed"

        def change(body: Obj) -> None:
            body["status"][field] = body["status"].get(field, 0) + 1

        if not _finished(job):
            self._update(job, change)
        self._untrack(pod)

    def _suspend(self, job: Obj, busy: list[Obj]) -> None:
        def change(body: Obj) -> None:
            known = [c for c in items(body, "status", "conditions") if c["type"] != "Suspended"]
            body["status"]["conditions"] = [*known, _condition("Suspended", "JobSuspended")]

        if not any(c["type"] == "Suspended" for c in items(job, "status", "conditions")):
            self._update(job, change)
        self._let_end(busy)

    def _let_end(self, busy: list[Obj]) -> None:
        for pod in busy:
            self._untrack(pod)  # so that it never counts as failed
            metadata = pod["metadata"]
            if "deletionTimestamp" not in metadata:
                self._delete_pod(metadata["namespace"], metadata["name"])

    def _finish(self, job: Obj, interim: str, final: str, reason: str) -> None:
        def change(body: Obj) -> None:
            known = items(body, "status", "conditions")
            reported = [_condition(interim, reason), _condition(final, reason)]
            body["status"]["conditions"] = [*known, *reported]

        self._update(job, change)
        ttl = section(job, "spec").get("ttlSecondsAfterFinished")
        if ttl is not None:
            self._server.agenda.after(ttl, partial(self._expire, job["metadata"]["uid"]))

    def _expire(self, uid: str) -> None:
        found = self._server.storage.find(uid)
        if found is not None:
            metadata = found[1]["metadata"]
            self._server.delete(
                Kind.JOB,
                namespace=metadata["namespace"],
                name=metadata["name"],
                options=Deletion(uid=uid, propagation="Foreground"),
            )

    def _make_pod(self, job: Obj) -> None:
        metadata = job["metadata"]
        if refusal := self.refusal(copied(job)):
            self._refused(job, refusal)
            return
        template = copied(section(job, "spec", "template"))
        template["spec"]["containers"] += self.injected(copied(job))
        if policy := self.restarted(copied(job)):
            template["spec"]["restartPolicy"] = policy
        suffix = f"{self._random.randrange(16**5):05x}"
        pod_metadata = {
            **template.get("metadata", {}),
            "name": f"{metadata['name'][:57]}-{suffix}",
            "ownerReferences": [_owner(job)],
        }
        pod_metadata["finalizers"] = [*pod_metadata.get("finalizers", []), JOB_TRACKING]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": pod_metadata,
            "spec": template["spec"],
        }
        try:
            self._server.create(Kind.POD, namespace=metadata["namespace"], body=body, by=_BY)
        except ClusterError as error:
            self._refused(job, error.message)

    def _refused(self, job: Obj, why: str) -> None:
        metadata = job["metadata"]
        count = self._refusals.get(metadata["uid"], 0)
        self._refusals[metadata["uid"]] = count + 1
        first, longest = _REFUSED_SECONDS
        pause = min(first * 2**count, longest)
        self._server.agenda.after(pause, partial(self._sync, metadata["uid"]))
        about = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        }
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{count:x}"},
            "involvedObject": about,
            "reason": "FailedCreate",
            "type": "Warning",
            "message": f"Error creating: {why}",
            "source": {"component": _BY},
        }
        try:
            self._server.create(Kind.EVENT, namespace=metadata["namespace"], body=event, by=_BY)
        except ClusterError:
            return  # an Event that cannot be written is lost

    def _pods(self, uid: str) -> list[Obj]:
        if uid not in self._homes:
            return []
        namespace = self._homes[uid][0]
        pods = list(self._server.storage.scan(Kind.POD, namespace))
        return [p for p in pods if any(o["uid"] == uid for o in _owners(p))]

    def _untrack(self, pod: Obj) -> None:
        def change(body: Obj) -> None:
            kept = [f for f in body["metadata"].get("finalizers", []) if f != JOB_TRACKING]
            body["metadata"]["finalizers"] = kept

        if _tracked(pod):
            metadata = pod["metadata"]
            self._server.update(
                Kind.POD,
                namespace=metadata["namespace"],
                name=metadata["name"],
                change=change,
                by=_BY,
            )

    def _delete_pod(self, namespace: str, name: str) -> None:
        try:
            self._server.delete(Kind.POD, namespace=namespace, name=name, options=Deletion())
        except NotFound:
            return

    def _update(self, job: Obj, change: Any) -> None:
        metadata = job["metadata"]
        self._server.update(
            Kind.JOB,
            namespace=metadata["namespace"],
            name=metadata["name"],
            change=change,
            subresource="status",
            by=_BY,
        )


def _owner(job: Obj) -> Obj:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job["metadata"]["name"],
        "uid": job["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _condition(type_: str, reason: str) -> Obj:
    return {"type": type_, "status": "True", "reason": reason}


def _owners(body: Obj) -> list[Obj]:
    return items(body, "metadata", "ownerReferences")


def _tracked(pod: Obj) -> bool:
    return JOB_TRACKING in pod["metadata"].get("finalizers", [])


def _finished(job: Obj) -> bool:
    conditions = items(job, "status", "conditions")
    return any(c["type"] in ("Complete", "Failed") for c in conditions)
