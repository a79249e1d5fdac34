"""An API server of prepared answers, and a kubeconfig that leads to it."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.support import kubelet_log

Answer = tuple[int, dict[str, Any]]


class Api:
    """Answers by path. An unknown object is a 404 as the API server gives it."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.patched: list[tuple[str, Any]] = []
        self.on_patch: Callable[[str, Any], Answer] | None = None
        self.created: list[tuple[str, Any]] = []
        self.deleted: list[tuple[str, Any]] = []
        self.user = "ann"
        self.texts: dict[str, str] = {}  # answers that are no JSON, by path
        self.kubeconfig = Path()

    def put(self, path: str, body: dict[str, Any], *, status: int = 200) -> None:
        self.answers[path] = (status, body)

    def items(self, path: str, *objects: dict[str, Any]) -> None:
        self.put(path, {"metadata": {"resourceVersion": "7"}, "items": list(objects)})

    def refuse(self, path: str, *, status: int, message: str, reason: str = "") -> None:
        self.put(path, {"kind": "Status", "message": message, "reason": reason}, status=status)

    def text(self, path: str, query: dict[str, list[str]]) -> bytes:
        """An answer that is no JSON; of a log, what a kubelet gives."""
        self.asked.append((path, query))
        content = self.texts[path].encode()
        if "limitBytes" not in query:
            return content
        tail, limit = int(query["tailLines"][0]), int(query["limitBytes"][0])
        return kubelet_log.part(content, tail_lines=tail, limit_bytes=limit)

    def take(self, target: str, body: Any) -> Answer:
        """A patch: recorded, answered by `on_patch`."""
        path = urlsplit(target).path
        self.patched.append((path, body))
        if self.on_patch is None:
            return self.answers.get(path, (404, {"kind": "Status", "message": "not found"}))
        return self.on_patch(path, body)

    def create(self, target: str, body: Any) -> Answer:
        """A POST: recorded, unless it is a review; then answered as the API server does."""
        path = urlsplit(target).path
        if path.endswith("/selfsubjectreviews"):
            info = {"userInfo": {"username": self.user}} if self.user else {}
            return 201, {"status": info}
        if path.endswith("/selfsubjectaccessreviews"):
            verb = body["spec"]["resourceAttributes"]["verb"]
            return 201, {"status": {"allowed": verb in ("get", "list")}}
        self.created.append((path, body))
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}x7"
        made = {**body, "metadata": {**body["metadata"], "name": name, "uid": "u"}}
        return self.answers.get(f"POST {path}", (201, made))

    def remove(self, target: str, body: Any) -> Answer:
        """A DELETE: recorded, answered with success unless `put` says otherwise."""
        path = urlsplit(target).path
        self.deleted.append((path, body))
        return self.answers.get(f"DELETE {path}", (200, {"kind": "Status"}))

    def answer(self, target: str) -> Answer:
        parts = urlsplit(target)
        self.asked.append((parts.path, parse_qs(parts.query)))
        token = parse_qs(parts.query).get("continue", [""])[0]
        if f"{parts.path}#{token}" in self.answers:
            return self.answers[f"{parts.path}#{token}"]
        missing = {"kind": "Status", "reason": "NotFound", "message": f"{parts.path} not found"}
        return self.answers.get(parts.path, (404, missing))


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    served = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (path := urlsplit(self.path).path) in served.texts:
                self.send(200, served.text(path, parse_qs(urlsplit(self.path).query)), "text/plain")
                return
            self.reply(*served.answer(self.path))

        def do_PATCH(self) -> None:
            self.reply(*served.take(self.path, self.body()))

        def do_POST(self) -> None:
            self.reply(*served.create(self.path, self.body()))

        def do_DELETE(self) -> None:
            self.reply(*served.remove(self.path, self.body()))

        def body(self) -> Any:
            return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

        def reply(self, status: int, body: dict[str, Any]) -> None:
            self.send(status, json.dumps(body).encode(), "application/json")

        def send(self, status: int, payload: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.kubeconfig = tmp_path / "config"
    write_kubeconfig(served.kubeconfig, server=f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("KUBECONFIG", str(served.kubeconfig))
    monkeypatch.setenv("NO_COLOR", "1")
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def write_kubeconfig(path: Path, *, server: str, contexts: tuple[str, ...] = ("here",)) -> None:
    """A kubeconfig whose first context is the current one; each has its name as namespace."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": contexts[0],
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [
                    {"name": name, "context": {"cluster": "c", "user": "u", "namespace": name}}
                    for name in contexts
                ],
            }
        )
    )
