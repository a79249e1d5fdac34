"""An API server with finished runs, for archivers in other processes. It outlives them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from waypost.ports.cluster import Obj

from tests.archive.samples import finished

_GIVE_UP: Final = 3600.0  # of 10,000 runs on a busy machine; no test says how long it took
_BASE: Final = "/apis/waypost.dev/v1alpha1"


class ApiServer:
    """Runs, and who has marked them.

    Attributes:
        address: URL of the server.
        marked: The names of the runs with the condition Archived, in their order.
    """

    def __init__(self, count: int) -> None:
        self.runs = {f"run-{number}": finished(number) for number in range(count)}
        self.names = sorted(self.runs)
        self.marked: list[str] = []
        self.address = ""
        self._allowed = count
        self._changed = threading.Condition()

    def stop_after(self, count: int) -> None:
        """Hold writes back once so many runs are marked. Those that were sent land later."""
        with self._changed:
            self._allowed = count
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        """Until so many runs are marked."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.marked) >= count, _GIVE_UP)
        assert enough, f"{len(self.marked)} of {count} runs are archived"

    def get(self, path: str, query: dict[str, list[str]]) -> tuple[int, Obj]:
        name = path.rpartition("/")[2]
        if path == f"{_BASE}/namespaces/default/agentworkflows/{name}":
            with self._changed:
                return 200, self.runs[name]
        if path != f"{_BASE}/agentworkflows" or "labelSelector" in query:
            return 200, _listing([], "")  # what belongs to a run
        at, size = (int(query.get(key, ["0"])[0] or 0) for key in ("continue", "limit"))
        with self._changed:
            page = [self.runs[name] for name in self.names[at : at + size]]
        rest = str(at + size) if at + size < len(self.names) else ""
        return 200, _listing([{"metadata": run["metadata"]} for run in page], rest)

    def patch(self, path: str, operations: list[Obj]) -> tuple[int, Obj]:
        name = path.removesuffix("/status").rpartition("/")[2]
        with self._changed:
            self._changed.wait_for(lambda: len(self.marked) < self._allowed, _GIVE_UP)
            run = self.runs[name]
            uid, version, condition = (one["value"] for one in operations)
            metadata, status = run["metadata"], run["status"]
            if (uid, version) != (metadata["uid"], metadata["resourceVersion"]):
                return 409, {"kind": "Status", "reason": "Conflict", "message": "stale"}
            assert operations[2]["path"] == "/status/conditions/-"
            self.runs[name] = {
                **run,
                "metadata": {**metadata, "resourceVersion": str(int(version) + 1)},
                "status": {**status, "conditions": [*status["conditions"], condition]},
            }
            self.marked.append(name)
            self._changed.notify_all()
            return 200, self.runs[name]


@contextmanager
def serving(count: int) -> Iterator[ApiServer]:
    """A server with so many finished runs."""
    api = ApiServer(count)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            self.reply(*api.get(place.path, parse_qs(place.query)))

        def do_PATCH(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.reply(*api.patch(urlsplit(self.path).path, json.loads(body)))

        def reply(self, status: int, body: Obj) -> None:
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the archiver was killed

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    api.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listing(found: list[Obj], rest: str) -> Obj:
    return {
        "kind": "List",
        "metadata": {"resourceVersion": "1", "continue": rest},
        "items": found,
    }


def environment(api: ApiServer, folder: Path, url: str) -> dict[str, str]:
    """The variables of an archiver."""
    file = folder / "kubeconfig"
    parts = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": api.address}}],
        "users": [{"name": "x", "user": {"token": "t"}}],
    }
    file.write_text(json.dumps(parts))
    return {
        "WAYPOST_KUBECONFIG": str(file),
        "WAYPOST_ARCHIVE_DATABASE": url,
        "WAYPOST_ARCHIVE_HOST": "127.0.0.1",
        "WAYPOST_ARCHIVE_PORT": "0",
        "WAYPOST_HTTP_PORT": "0",
        "WAYPOST_ARCHIVE_SECONDS": "0.5",
        "WAYPOST_LOG_FORMAT": "text",
    }
