"""An MCP server over streamable HTTP without an MCP library, for what no library would send."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
_INFO = {"serverInfo": {"name": "rude", "version": "1"}, "capabilities": {"tools": {}}}


def text(words: str) -> Json:
    """A result of a text."""
    return {"content": [{"type": "text", "text": words}]}


@dataclass(frozen=True)
class Http:
    """A call that is answered with an HTTP status; 0 closes the connection without an answer, once
    the call was made."""

    status: int
    words: str = ""


@dataclass(frozen=True)
class Body:
    """A request that is answered with this body; ID in it becomes the id of the request."""

    body: str
    type: str = "application/json"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    short: bool = False  # the connection is closed before the whole body was sent


@dataclass(frozen=True)
class Error:
    """A call that is answered with a JSON-RPC error."""

    code: int
    message: str


@dataclass
class Script:
    """What the server lists, and how it answers calls in their order; the last answer stands for
    all that follow. `waits`: seconds before each; `gone`: what an unknown session is answered;
    `methods`: answers to other methods than tools/call, by method, a function of the parameters or
    the answer itself."""

    tools: list[Any]
    answers: list[Any]
    gone: Http = Http(404, "Session not found")
    waits: float = 0.0
    event_stream: bool = False
    methods: dict[str, Any] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)  # answers of the client to questions
    calls: list[Any] = field(default_factory=list)  # arguments of calls that reached a tool
    headers: list[list[tuple[str, str]]] = field(default_factory=list)  # of messages
    sessions: list[str] = field(default_factory=list)  # that were begun
    live: set[str] = field(default_factory=set)
    url: str = ""

    def end_sessions(self) -> None:
        """Forget all sessions, as a server that restarts does."""
        self.live.clear()

    def call(self, arguments: Any) -> Any:
        """The answer to a call."""
        self.calls.append(arguments)
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        if answer == "end-sessions-after":
            self.end_sessions()
            return text("done")
        return answer


def tool(name: str, **more: Any) -> Json:
    """An entry of a list of tools."""
    return {"name": name, "description": name, "inputSchema": {"type": "object"}, **more}


@contextmanager
def serving(*answers: Any, tools: list[Any] | None = None, **more: Any) -> Iterator[Script]:
    """A server while the block runs."""
    script = Script(tools or [tool("send")], list(answers) or [text("sent")], **more)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one protocol
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(405, b"")

        def do_DELETE(self) -> None:
            self._send(200, b"")

        def do_POST(self) -> None:
            script.headers.append(self.headers.items())
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if "method" not in request:
                script.said.append(request)
                self._send(202, b"")
                return
            method, session = request["method"], self.headers.get("mcp-session-id")
            if method == "initialize":
                session = uuid.uuid4().hex
                script.sessions.append(session)
                script.live.add(session)
            elif session not in script.live and method != "server/discover":
                self._send(script.gone.status, script.gone.words.encode())
                return
            if "id" not in request:
                self._send(202, b"")
                return
            self._answer(request, method, session or "")

        def _answer(self, request: Json, method: str, session: str) -> None:
            params = request.get("params") or {}
            answer: Any = Error(-32601, f"Method not found: {method}")
            if method == "initialize":
                info = {
                    "serverInfo": {"name": "rude", "version": "1"},
                    "capabilities": {"tools": {}},
                }
                answer = {"protocolVersion": params["protocolVersion"], **info}
            elif method == "tools/list":
                answer = {"tools": script.tools}
            elif method == "tools/call":
                answer = script.call(params.get("arguments"))
                time.sleep(script.waits)
            if method in script.methods:
                answer = script.methods[method]
                answer = answer(params) if callable(answer) else answer
            if isinstance(answer, Body):
                self._send_body(answer, json.dumps(request["id"]), session)
                return
            if isinstance(answer, Http):
                self._send(answer.status, answer.words.encode())
                return
            body: Json = {"jsonrpc": "2.0", "id": request["id"]}
            if isinstance(answer, Error):
                body["error"] = {"code": answer.code, "message": answer.message}
            else:
                body["result"] = answer
            self._send(200, json.dumps(body).encode(), "application/json", session)

        def _send_body(self, answer: Body, number: str, session: str) -> None:
            body = answer.body.replace("ID", number).encode("utf-8", "surrogateescape")
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.type)
            for name, value in answer.headers:
                self.send_header(name, value)
            if session:
                self.send_header("Mcp-Session-Id", session)
            self.send_header("Content-Length", str(len(body) + 10 * answer.short))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = self.close_connection or answer.short

        def _send(
            self, status: int, body: bytes, kind: str = "text/plain", session: str = ""
        ) -> None:
            if not status:
                self.close_connection = True
                return
            if kind == "application/json" and script.event_stream:
                kind, body = "text/event-stream", b"event: message\ndata: " + body + b"\n\n"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if session:
                self.send_header("Mcp-Session-Id", session)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test says what it needs."""

    return Handler
