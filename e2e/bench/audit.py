"""The API server's own account of who asked for what, and when: its audit log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

OPERATOR = "system:serviceaccount:waypost-system:waypost"
WRITES = frozenset({"create", "patch", "update", "delete"})


@dataclass(frozen=True, slots=True)
class Request:
    """One finished request. Times in seconds since the epoch."""

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    received: float
    answered: float


@dataclass(frozen=True, slots=True)
class AuditLog:
    """A log file, read from where it ended when this was made."""

    path: Path
    start: int

    def requests(self, namespace: str) -> list[Request]:
        """What was asked for in a namespace since, in the order of the answers."""
        return [found for found in self._parsed() if found.namespace == namespace]

    def _parsed(self) -> Iterator[Request]:
        with self.path.open("rb") as log:
            log.seek(self.start)
            for line in log:
                found = _request(line)
                if found is not None:
                    yield found


def from_now(path: Path) -> AuditLog:
    """The log from this moment on."""
    return AuditLog(path, path.stat().st_size)


def operator_writes(requests: list[Request]) -> list[Request]:
    """The operator's successful writes, Events apart."""
    return [
        r
        for r in requests
        if r.user == OPERATOR and r.verb in WRITES and r.resource != "events" and r.code < 400
    ]


def pod_to_job(requests: list[Request]) -> list[float]:
    """For each Job the operator created in a chain: seconds since the kubelet's last word on a
    pod of the namespace, which is the end of the node before."""
    gaps = []
    answered: float | None = None
    for request in sorted(requests, key=lambda r: r.received):
        if request.resource == "pods/status" and request.user.startswith("system:node:"):
            answered = request.answered
        elif request.resource == "jobs" and request.verb == "create" and answered is not None:
            gaps.append(request.received - answered)
            answered = None
    return gaps


def answer_to_job(requests: list[Request]) -> list[float]:
    """For each answered Approval: seconds until the operator's next Job."""
    gaps = []
    answered: float | None = None
    for request in sorted(requests, key=lambda r: r.received):
        if request.resource == "approvals" and request.verb == "patch" and request.user != OPERATOR:
            answered = request.answered
        elif request.resource == "jobs" and request.verb == "create" and answered is not None:
            gaps.append(request.received - answered)
            answered = None
    return gaps


def _request(line: bytes) -> Request | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None  # the last line may be half written
    target = entry.get("objectRef") or {}
    if entry.get("stage") != "ResponseComplete" or entry.get("verb") in ("watch", None):
        return None
    sub = target.get("subresource")
    return Request(
        user=entry["user"].get("username", ""),
        verb=entry["verb"],
        resource=target.get("resource", "") + (f"/{sub}" if sub else ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=(entry.get("responseStatus") or {}).get("code", 0),
        received=_seconds(entry["requestReceivedTimestamp"]),
        answered=_seconds(entry["stageTimestamp"]),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
