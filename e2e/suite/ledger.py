"""An append-only list of program starts, kept outside of Waypost.

A pod that nothing of Waypost touches takes one entry per call, and every counted program calls it
as its first act, before `run`: an entry is therefore a program that did start, whatever the Job
controller, the kubelet or the operator believe. Container statuses or kubelet events would not do:
events are merged and lost, statuses go with their pods. A pod works on every cluster, where a
server on the host needs a network path that only some providers have; it is read through the API
server, so no port is opened.

A program that must not end before something has happened calls `held()`: it notes that, and
continues when the test calls `Ledger.release`. A program that sleeps instead would depend on how
fast the machine is.
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

LISTS = {"/": [], "/released": []}


class Ledger(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        LISTS[self.path].append(json.loads(body))
        self.answer(b"noted")

    def do_GET(self):
        self.answer(json.dumps(LISTS[self.path]).encode())

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
    ledger("POST", "/", json.dumps(entry))
    return entry

def held():
    run = note("held")["run"]
    while run not in json.loads(ledger("GET", "/released")):
        time.sleep(0.1)

def ledger(method, path, body=None):
    link = http.client.HTTPConnection("{address}", {port}, timeout=60)
    link.request(method, path, body)
    answer = link.getresponse().read()
    link.close()
    return answer

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
        found: list[Obj] = self.kube.request("GET", self._path(""))
        return found

    def starts(self, run_uid: str) -> dict[str, int]:
        """How many programs of each node did start."""
        return dict(Counter(e["path"] for e in self.entries(run_uid) if e["what"] == "start"))

    def holds(self, run_uid: str, programs: int = 1) -> None:
        """Return when so many programs of a run have called `held()`."""

        def held() -> bool:
            held_ones = [entry for entry in self.entries(run_uid) if entry["what"] == "held"]
            return len(held_ones) >= programs

        until(held, within=60, what=f"{programs} programs are held", seen=self.all)

    def release(self, run_uid: str) -> None:
        """From now on `held()` returns at once in the programs of a run."""
        self.kube.request("POST", self._path("released"), run_uid)

    def _path(self, name: str) -> str:
        return path_of("pods", self.namespace, f"{POD}:{PORT}", f"proxy/{name}")


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
