"""An append-only list of program starts, kept outside of Waypost.

A pod that nothing of Waypost touches takes one entry per call, and every counted program calls it
as its first act, before `run`: an entry is therefore a program that did start, whatever the Job
controller, the kubelet or the operator believe. Container statuses or kubelet events would not do:
events are merged and lost, statuses go with their pods. A pod works on every cluster, where a
server on the host needs a network path that only some providers have; it is read through the API
server, so no port is opened.
"""

import json
from collections import Counter
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from e2e.suite.kube import Kube, Obj, path_of
from e2e.suite.waiting import until

PORT = 8000
POD = "ledger"

_SERVER = """
import http.server, json

ENTRIES = []


class Ledger(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        ENTRIES.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(b"noted")

    def do_GET(self):
        self.answer(json.dumps(ENTRIES).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("", 8000), Ledger).serve_forever()
"""

_NOTE = """
import http.client, json, os, time

def note(what="start"):
    with open("/waypost/in/request.json") as file:
        request = json.load(file)
    entry = {{"run": request["run"]["uid"], "path": request["path"], "what": what,
             "attempt": request["attempt"], "key": request["idempotencyKey"],
             "pod": os.environ["WAYPOST_POD_UID"], "at": time.time()}}
    link = http.client.HTTPConnection("{address}", {port}, timeout=60)
    link.request("POST", "/", json.dumps(entry))
    link.getresponse().read()
    link.close()

note()
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger's pod, ready."""

    kube: Kube
    namespace: str
    address: str

    def counted(self, source: str) -> str:
        """The program, which now notes its start before it does anything."""
        return _NOTE.format(address=self.address, port=PORT) + dedent(source)

    def entries(self, run_uid: str, path: str | None = None) -> list[Obj]:
        """What the programs of a run noted, in order."""
        return [e for e in self.all() if e["run"] == run_uid and path in (None, e["path"])]

    def all(self) -> list[Obj]:
        """What the programs of all runs noted, in order."""
        target = path_of("pods", self.namespace, f"{POD}:{PORT}", "proxy/")
        found: list[Obj] = self.kube.request("GET", target)
        return found

    def starts(self, run_uid: str) -> dict[str, int]:
        """How many programs of each node did start."""
        return dict(Counter(e["path"] for e in self.entries(run_uid) if e["what"] == "start"))


def start_ledger(kube: Kube, namespace: str, image: str) -> Ledger:
    """Start the pod in an existing namespace and wait for it."""
    container: dict[str, Any] = {
        "name": POD,
        "image": image,
        "command": ["python3", "-c", _SERVER],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
    kube.request("POST", path_of("pods", namespace), manifest)

    def address() -> str | None:
        pod = kube.get(path_of("pods", namespace, POD)) or {}
        statuses = pod.get("status", {}).get("containerStatuses", [])
        ready = bool(statuses) and statuses[0]["ready"]
        return pod["status"].get("podIP") if ready else None

    found = until(address, within=60, what="the ledger's pod is ready")
    return Ledger(kube, namespace, found)


def as_text(entries: list[Obj]) -> str:
    """Entries for a failure message."""
    return "\n".join(json.dumps(entry) for entry in entries)
