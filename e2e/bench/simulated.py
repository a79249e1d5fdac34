"""A machine without containers: a thread of this process reports what its pods do.

The API server, scheduler and Job controller are real, and so are the pods as objects. Only the
kubelet is replaced: it says Running, and after some seconds that the container has ended, with the
termination message that the program would have left.
"""

import heapq
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from urllib.parse import urlencode

from waypost.api import meta
from waypost.protocol.record import Attempt, CommitRecord, encode

from e2e.suite.kube import MERGE, ApiError, Kube, Obj, path_of

NODES = "/api/v1/nodes"
HEARTBEAT = 10.0  # seconds; a machine that is silent for 40 is not ready
PODS = 500
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program does: an output, or a failure, after some seconds."""

    seconds: float
    output: object = None
    failure: str = ""


Program = Callable[[Obj, int], Outcome]  # of the inputs and the number of the attempt


def changes(
    kube: Kube, path: str, stop: threading.Event, **query: str
) -> Iterator[tuple[Obj, int]]:
    """The events of a watch, with the bytes of each object, until `stop` is set."""
    version = ""
    while not stop.is_set():
        link = http.client.HTTPConnection("127.0.0.1", kube.port, timeout=60)
        asked = {**query, "watch": "1", "timeoutSeconds": "30", "resourceVersion": version or "0"}
        try:
            link.request("GET", f"{path}?{urlencode(asked)}")
            answer = link.getresponse()
            while not stop.is_set() and (line := answer.readline()):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    version = ""
                    break
                version = event["object"]["metadata"]["resourceVersion"]
                yield event, len(line) - len('{"type":"MODIFIED","object":}')
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            link.close()


@dataclass
class Machine:
    """A simulated machine and what its pods have run."""

    kube: Kube
    name: str
    program: Program
    starts: list[tuple[str, int]] = field(default_factory=list)  # path and attempt
    problems: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _number: Iterator[int] = field(default_factory=count)
    _known: set[str] = field(default_factory=set)  # uids of pods that were started

    @contextmanager
    def running(self) -> Iterator["Machine"]:
        """The machine is there and ready, and all others take no new pods."""
        others = [node["metadata"]["name"] for node in self.kube.request("GET", NODES)["items"]]
        self.kube.request("POST", NODES, {"kind": "Node", "metadata": {"name": self.name}})
        threads = [threading.Thread(target=work, daemon=True) for work in (self._watch, self._work)]
        try:
            self._beat()
            for thread in threads:
                thread.start()
            with cordoned(self.kube, others):
                yield self
        finally:
            self._stop.set()
            with self._wake:
                self._wake.notify()
            self.kube.request("DELETE", f"{NODES}/{self.name}")

    def _beat(self) -> None:
        room = {"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": str(PODS)}
        ready = {"type": "Ready", "status": "True", "reason": "Simulated", "message": "ready"}
        ready["lastHeartbeatTime"] = _now()
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        target = f"{NODES}/{self.name}/status"
        self.kube.request("PATCH", target, {"status": status}, content_type=STRATEGIC)
        self._after(HEARTBEAT, self._beat)

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        with self._wake:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._number), step))
            self._wake.notify()

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._wake:
                pause = self._due[0][0] - time.monotonic() if self._due else 1.0
                if pause > 0:
                    self._wake.wait(min(pause, 1.0))
                    continue
                _, _, step = heapq.heappop(self._due)
            try:
                step()
            except ApiError as error:
                if error.code not in (404, 409):
                    self.problems.append(str(error))

    def _watch(self) -> None:
        selector = f"spec.nodeName={self.name}"
        for event, _ in changes(self.kube, "/api/v1/pods", self._stop, fieldSelector=selector):
            pod = event["object"]
            if event["type"] == "DELETED":
                continue
            if pod["metadata"].get("deletionTimestamp"):
                self._after(0, lambda pod=pod: self._remove(pod))  # type: ignore[misc]
            elif pod["metadata"]["uid"] not in self._known:
                self._known.add(pod["metadata"]["uid"])
                self._after(0, lambda pod=pod: self._start(pod))  # type: ignore[misc]

    def _start(self, pod: Obj) -> None:
        notes, labels = pod["metadata"]["annotations"], pod["metadata"]["labels"]
        path, attempt = notes[meta.ANNOTATION_PATH], int(labels[meta.LABEL_ATTEMPT])
        self.starts.append((path, attempt))
        outcome = self.program(json.loads(notes[meta.ANNOTATION_REQUEST])["inputs"], attempt)
        began = _now()
        self._report(pod, "Running", {"running": {"startedAt": began}})
        self._after(outcome.seconds, lambda: self._end(pod, outcome, began))

    def _end(self, pod: Obj, outcome: Outcome, began: str) -> None:
        failed = bool(outcome.failure)
        ended = {
            "exitCode": int(failed),
            "reason": "Error" if failed else "Completed",
            "message": encode(_record(pod, outcome)).decode(),
            "startedAt": began,
            "finishedAt": _now(),
        }
        self._report(pod, "Failed" if failed else "Succeeded", {"terminated": ended})

    def _report(self, pod: Obj, phase: str, state: Obj) -> None:
        statuses = [
            {"name": each["name"], "image": each["image"], "imageID": "", "restartCount": 0}
            | {"ready": phase == "Running", "state": state}
            for each in pod["spec"]["containers"]
        ]
        status = {"phase": phase, "startTime": _now(), "containerStatuses": statuses}
        self._patch(pod, {"status": status})

    def _patch(self, pod: Obj, body: Obj) -> None:
        target = path_of("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], "status")
        self.kube.request("PATCH", target, body, content_type=STRATEGIC)

    def _remove(self, pod: Obj) -> None:
        target = path_of("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.kube.request("DELETE", target, {"gracePeriodSeconds": 0})


@contextmanager
def cordoned(kube: Kube, nodes: Sequence[str]) -> Iterator[None]:
    """No new pod is placed on these nodes while the context lasts."""
    try:
        for node in nodes:
            _cordon(kube, node, on=True)
        yield
    finally:
        for node in nodes:
            _cordon(kube, node, on=False)


def _cordon(kube: Kube, node: str, *, on: bool) -> None:
    body = {"spec": {"unschedulable": on or None}}
    kube.request("PATCH", f"{NODES}/{node}", body, content_type=MERGE)


def _record(pod: Obj, outcome: Outcome) -> CommitRecord:
    labels, notes = pod["metadata"]["labels"], pod["metadata"]["annotations"]
    attempt = Attempt(
        labels[meta.LABEL_RUN],
        notes[meta.ANNOTATION_PATH],
        int(labels.get(meta.LABEL_ROUND) or 1),
        int(labels[meta.LABEL_ATTEMPT]),
        pod["metadata"]["uid"],
    )
    if outcome.failure:
        return CommitRecord(attempt, "Failed", None, "NodeError", outcome.failure, None)
    return CommitRecord(attempt, "Succeeded", outcome.output)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
