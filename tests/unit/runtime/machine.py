"""The other half of the cluster: a Job controller, a scheduler and a kubelet for scripted programs.

They know nothing of the operator; they follow the Jobs and pods on the simulated API server as
Kubernetes' own do, as far as the operator can tell the difference. Every program that starts is
entered in the ledger, which no crash of an operator can touch.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from waypost.api import meta
from waypost.engine.facts import items, section
from waypost.ports.cluster import Kind, NotFound, Obj, Rejected
from waypost.protocol.record import Attempt, CommitRecord, encode

from tests.fakes.builtin import JOB_TRACKING
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.deletion import Deletion

JOB_CONTROLLER: Final = "kube-controller-manager"
KUBELET: Final = "kubelet"


@dataclass(frozen=True)
class Program:
    """What one attempt does. `text`: its termination message word for word; otherwise the output
    (or the failure `reason`) in the form that the node's kind asks for."""

    output: Any = None
    seconds: float = 1.0
    reason: str = ""
    text: str | None = None
    code: int | None = None
    stops: float = 0.5  # seconds from SIGTERM to its end


@dataclass(frozen=True)
class Started:
    """One start of a program."""

    run: str
    path: str
    attempt: int
    pod: str
    at: float


Script = Mapping[str, Sequence[Program]]
Place = tuple[str, str]


class Machine:
    """All machines of the cluster. `script[path]` are the programs of a node's attempts, the last
    one for all further ones; a node without a script succeeds with null."""

    def __init__(self, cluster: InMemoryCluster, script: Script | None = None) -> None:
        self._server = cluster.server
        self._agenda = cluster.agenda
        self.script: dict[str, Sequence[Program]] = dict(script or {})
        self.ledger: list[Started] = []
        self.refusal = ""  # why no pod is admitted, as in a FailedCreate event
        self.bind_seconds = 0.1
        self._made: set[str] = set()  # uids of Jobs that have had their pod
        self._stopping: set[str] = set()
        cluster.server.storage.listeners.append(self._changed)

    def starts(self, path: str, attempt: int | None = None) -> list[Started]:
        """The starts of a node's programs, of one attempt or of all."""
        return [s for s in self.ledger if s.path == path and attempt in (None, s.attempt)]

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        metadata = body["metadata"]
        place = (metadata.get("namespace", ""), metadata["name"])
        if kind is Kind.JOB and change != "DELETED":
            self._agenda.after(0.1, lambda: self._sync_job(place))
        if kind is not Kind.POD:
            return
        for owner in items(metadata, "ownerReferences"):
            self._agenda.after(0.05, partial(self._sync_job, (place[0], owner["name"])))
        if change == "ADDED":
            self._agenda.after(self.bind_seconds, lambda: self._bind(place, metadata["uid"]))
        elif change == "MODIFIED" and metadata.get("deletionTimestamp"):
            self._begin_stop(place, body)

    # --- the Job controller ----------------------------------------------------------------------

    def _sync_job(self, place: Place) -> None:
        job = self._server.storage.read(Kind.JOB, *place)
        if job is None or job["metadata"].get("deletionTimestamp"):
            self._untrack_orphans(place)
            return
        uid = job["metadata"]["uid"]
        pods = [p for p in self._server.storage.scan(Kind.POD, place[0]) if _owned(p, uid)]
        for pod in pods:
            if _phase(pod) in ("Succeeded", "Failed"):
                self._untrack(pod)
        ended = any(c["status"] == "True" for c in items(job, "status", "conditions"))
        if ended:
            return
        if job["spec"].get("suspend"):
            for pod in pods:
                if _phase(pod) not in ("Succeeded", "Failed"):
                    self._delete(Kind.POD, pod)
        if pods or uid in self._made:
            active = [pod for pod in pods if _phase(pod) not in ("Succeeded", "Failed")]
            if not active and not job["spec"].get("suspend"):
                good = any(_phase(pod) == "Succeeded" for pod in pods)
                self._conclude(job, "Complete" if good else "Failed")
        elif not job["spec"].get("suspend"):
            self._make_pod(job, place)

    def _make_pod(self, job: Obj, place: Place) -> None:
        template = job["spec"]["template"]
        metadata = {
            **template["metadata"],
            "generateName": f"{place[1]}-",
            "finalizers": [JOB_TRACKING, *template["metadata"].get("finalizers", [])],
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": place[1],
                    "uid": job["metadata"]["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        }
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        if self.refusal:
            self._tell_refusal(job)
            self._agenda.after(10.0, lambda: self._sync_job(place))
            return
        try:
            self._server.create(Kind.POD, namespace=place[0], body=body, by=JOB_CONTROLLER)
        except (Rejected, NotFound):
            return
        self._made.add(job["metadata"]["uid"])

    def _tell_refusal(self, job: Obj) -> None:
        metadata = job["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": "refused-"},
            "involvedObject": {"kind": "Job", "name": metadata["name"], "uid": metadata["uid"]},
            "type": "Warning",
            "reason": "FailedCreate",
            "message": self.refusal,
        }
        self._server.create(
            Kind.EVENT, namespace=metadata["namespace"], body=body, by=JOB_CONTROLLER
        )

    def _conclude(self, job: Obj, type_: str) -> None:
        def change(body: Obj) -> None:
            body["status"] = {"conditions": [{"type": type_, "status": "True"}]}

        self._update(Kind.JOB, job, change, "status", JOB_CONTROLLER)
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is not None:
            self._agenda.after(float(ttl), lambda: self._delete(Kind.JOB, job))

    def _untrack_orphans(self, place: Place) -> None:
        for pod in list(self._server.storage.scan(Kind.POD, place[0])):
            owners = items(pod["metadata"], "ownerReferences")
            if any(owner["name"] == place[1] for owner in owners):
                self._untrack(pod)

    def _untrack(self, pod: Obj) -> None:
        def change(body: Obj) -> None:
            kept = [f for f in body["metadata"].get("finalizers", []) if f != JOB_TRACKING]
            body["metadata"]["finalizers"] = kept

        if JOB_TRACKING in pod["metadata"].get("finalizers", []):
            self._update(Kind.POD, pod, change, "", JOB_CONTROLLER)

    # --- the scheduler and the kubelet -----------------------------------------------------------

    def _bind(self, place: Place, uid: str) -> None:
        pod = self._alive(place, uid)
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            return
        self._update(
            Kind.POD, pod, lambda body: body["spec"].update(nodeName="machine-1"), "", "scheduler"
        )
        self._agenda.after(0.4, lambda: self._start(place, uid))

    def _start(self, place: Place, uid: str) -> None:
        pod = self._alive(place, uid)
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            return
        labels = pod["metadata"]["labels"]
        path, number = _path(pod), int(labels[meta.LABEL_ATTEMPT])
        now = self._agenda.clock.monotonic()
        self.ledger.append(Started(labels[meta.LABEL_RUN], path, number, uid, now))
        self._set_state(pod, "Running", {"running": {"startedAt": self._server.time()}})
        program = self._program(path, number)
        self._agenda.after(program.seconds, lambda: self._end(place, uid, program))

    def _end(self, place: Place, uid: str, program: Program) -> None:
        pod = self._alive(place, uid)
        if pod is None or _phase(pod) != "Running":
            return
        failed = bool(program.reason)
        code = program.code if program.code is not None else int(failed)
        self._terminate(pod, code, self._message(pod, program))

    def _begin_stop(self, place: Place, pod: Obj) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._stopping:
            return
        self._stopping.add(uid)
        bound = bool(pod["spec"].get("nodeName"))
        pause = 20.0 if not bound else self._program(_path(pod), 1).stops
        self._agenda.after(pause, lambda: self._stopped(place, uid))

    def _stopped(self, place: Place, uid: str) -> None:
        pod = self._alive(place, uid)
        if pod is None:
            return
        if _phase(pod) == "Running":
            self._terminate(pod, 143, "")
        elif _phase(pod) == "Pending":
            self._update(
                Kind.POD, pod, lambda body: body["status"].update(phase="Failed"), "status", KUBELET
            )
        pod = self._alive(place, uid)
        if pod is not None:
            options = Deletion(uid=uid, grace=0)
            self._server.delete(Kind.POD, namespace=place[0], name=place[1], options=options)

    def _terminate(self, pod: Obj, code: int, message: str) -> None:
        started = items(pod, "status", "containerStatuses")[0]["state"]["running"]["startedAt"]
        state = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": started,
            "finishedAt": self._server.time(),
            **({"message": message} if message else {}),
        }
        self._set_state(pod, "Succeeded" if code == 0 else "Failed", {"terminated": state})

    def _set_state(self, pod: Obj, phase: str, state: Obj) -> None:
        def change(body: Obj) -> None:
            statuses = [{"name": meta.NODE_CONTAINER, "state": state}]
            body["status"] = {**body["status"], "phase": phase, "containerStatuses": statuses}

        self._update(Kind.POD, pod, change, "status", KUBELET)

    def _program(self, path: str, number: int) -> Program:
        programs = self.script.get(path) or (Program(),)
        return programs[min(number, len(programs)) - 1]

    def _message(self, pod: Obj, program: Program) -> str:
        if program.text is not None:
            return program.text
        if items(pod["spec"], "containers")[0]["image"] != RUNNER_IMAGE:
            return "" if program.reason else json.dumps(program.output)
        labels = pod["metadata"]["labels"]
        whose = Attempt(
            run_uid=labels[meta.LABEL_RUN],
            path=_path(pod),
            round=int(labels[meta.LABEL_ROUND]),
            attempt=int(labels[meta.LABEL_ATTEMPT]),
            pod_uid=pod["metadata"]["uid"],
        )
        if program.reason:
            return encode(CommitRecord(whose, "Failed", None, program.reason, "boom")).decode()
        return encode(CommitRecord(whose, "Succeeded", program.output)).decode()

    # --- small things ----------------------------------------------------------------------------

    def _alive(self, place: Place, uid: str) -> Obj | None:
        pod = self._server.storage.read(Kind.POD, *place)
        return pod if pod is not None and pod["metadata"]["uid"] == uid else None

    def _update(
        self, kind: Kind, body: Obj, change: Callable[[Obj], None], subresource: str, by: str
    ) -> None:
        metadata = body["metadata"]
        self._server.update(
            kind,
            namespace=metadata["namespace"],
            name=metadata["name"],
            change=change,
            subresource=subresource,
            by=by,
        )

    def _delete(self, kind: Kind, body: Obj) -> None:
        metadata = body["metadata"]
        if self._server.storage.find(metadata["uid"]) is None:
            return
        options = Deletion(uid=metadata["uid"])
        self._server.delete(
            kind, namespace=metadata["namespace"], name=metadata["name"], options=options
        )


RUNNER_IMAGE: Final = "runner:test"


def _owned(pod: Obj, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in items(pod["metadata"], "ownerReferences"))


def _phase(pod: Obj) -> str:
    return str(section(pod, "status").get("phase", ""))


def _path(pod: Obj) -> str:
    return str(section(pod, "metadata", "annotations")[meta.ANNOTATION_PATH])
