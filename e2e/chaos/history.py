"""Everything that happened to the objects of a namespace, as a separate watcher saw it.

Watches are resumed at the version where they broke off, so nothing is missed while the API server
restarts. Where the server has forgotten that version, the list is compared with what was known and
`gaps` counts it: versions may then be missing, never changed.
"""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from e2e.suite.kube import ApiError, Kube, Obj, path_of

KINDS: Final = ("agentworkflows", "approvals", "jobs", "pods")
NODES: Final = "nodes"
WATCH_SECONDS: Final = "30"
RETRY_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Seen:
    """One version of an object; `type` as in the watch: ADDED, MODIFIED, DELETED."""

    kind: str
    type: str
    body: Obj

    @property
    def version(self) -> int:
        """Versions of all kinds are numbers of one sequence: that of etcd."""
        return int(self.body["metadata"]["resourceVersion"])


@dataclass
class History:
    """What was seen so far, by kind."""

    seen: list[Seen] = field(default_factory=list)
    gaps: int = 0

    def of(self, kind: str) -> list[Seen]:
        """The versions of a kind, oldest first."""
        return sorted((s for s in self.seen if s.kind == kind), key=lambda s: s.version)

    def all(self) -> list[Seen]:
        """The versions of every kind, oldest first."""
        return sorted(self.seen, key=lambda s: s.version)


@contextmanager
def watched(kube: Kube, namespace: str) -> Iterator[History]:
    """The history of a namespace and of the cluster's nodes, which grows while the context
    lasts."""
    history = History()
    paths = {kind: path_of(kind, namespace) for kind in KINDS} | {NODES: "/api/v1/nodes"}
    watches = [_Watch(kube, kind, path, history) for kind, path in paths.items()]
    for watch in watches:
        watch.start()
    try:
        for watch in watches:
            assert watch.listed.wait(30), f"the first list of {watch.kind} did not come"
        yield history
    finally:
        for watch in watches:
            watch.stop()


class _Watch(threading.Thread):
    """The watch of one kind."""

    def __init__(self, kube: Kube, kind: str, path: str, history: History) -> None:
        super().__init__(name=f"watch-{kind}", daemon=True)
        self.kind = kind
        self.listed = threading.Event()
        self._kube = kube
        self._path = path
        self._history = history
        self._known: dict[str, Obj] = {}
        self._ended = threading.Event()
        self._link: http.client.HTTPConnection | None = None

    def run(self) -> None:
        version = ""
        while not self._ended.is_set():
            try:
                version = self._follow(version) if version else self._list()
            except (ApiError, OSError, http.client.HTTPException, ValueError):
                # The server is down or restarting, which is what is being tested.
                self._ended.wait(RETRY_SECONDS)

    def stop(self) -> None:
        self._ended.set()
        link = self._link
        if link is not None and link.sock is not None:
            with suppress(OSError):
                link.sock.shutdown(2)
        self.join(timeout=10)

    def _list(self) -> str:
        found = self._kube.request("GET", self._path)
        if self.listed.is_set():
            self._history.gaps += 1
        current = {body["metadata"]["uid"]: body for body in found["items"]}
        for uid, body in self._known.copy().items():
            if uid not in current:
                self._note("DELETED", body)
        for uid, body in current.items():
            self._note("MODIFIED" if uid in self._known else "ADDED", body)
        self.listed.set()
        version: str = found["metadata"]["resourceVersion"]
        return version

    def _follow(self, version: str) -> str:
        """Watch until the server ends it; returns the version to continue from, or none."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": WATCH_SECONDS}
        query["allowWatchBookmarks"] = "true"
        link = http.client.HTTPConnection("127.0.0.1", self._kube.port, timeout=60)
        self._link = link
        try:
            link.request("GET", f"{self._path}?{urlencode(query)}")
            answer = link.getresponse()
            if answer.status == http.HTTPStatus.GONE:
                return ""
            if answer.status >= http.HTTPStatus.BAD_REQUEST:
                raise ApiError(answer.status, answer.read().decode())
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                body = event["object"]
                version = body["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._note(event["type"], body)
        except (OSError, http.client.HTTPException, ValueError):
            self._ended.wait(RETRY_SECONDS)  # cut off in mid-stream: go on from there
        finally:
            link.close()
        return version

    def _note(self, type_: str, body: Obj) -> None:
        uid = body["metadata"]["uid"]
        known = self._known.get(uid)
        same = known is not None and _version(known) == _version(body)
        if same and type_ != "DELETED":
            return
        self._known[uid] = body
        if type_ == "DELETED":
            del self._known[uid]
        self._history.seen.append(Seen(self.kind, type_, body))


def _version(body: Mapping[str, Obj]) -> str:
    return str(body["metadata"]["resourceVersion"])
