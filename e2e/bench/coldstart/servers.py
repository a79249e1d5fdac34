"""A scripted model server that notes its first request, and a tool server with one tool."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TOOL = {"name": "look", "description": "Looks.", "inputSchema": {"type": "object"}}
_RESULTS: dict[str, Callable[[Any], Any]] = {
    "initialize": lambda params: {
        "protocolVersion": params["protocolVersion"],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bench", "version": "1"},
    },
    "tools/list": lambda params: {"tools": [_TOOL]},
}


class Server(ThreadingHTTPServer):
    """`first`: what `noted` said at the first request for a model, and the time of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.noted: Callable[[], float] = lambda: 0.0
        self.first: tuple[float, float] | None = None

    def forget(self) -> None:
        """Wait for another first request."""
        self.first = None

    @property
    def url(self) -> str:
        """Its address; models are below /v1, tools at /mcp."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        """Answer MCP at /mcp; note any other request and refuse it, which ends the attempt."""
        if self.path.startswith("/mcp"):
            self._tools(self._body())
            return
        if self.server.first is None:
            self.server.first = (time.monotonic(), self.server.noted())
        self._body()
        self._answer(400, {"error": {"message": "measured", "type": "invalid_request_error"}})

    def do_GET(self) -> None:
        """No stream of events."""
        self._answer(405, {})

    def _tools(self, message: Any) -> None:
        if "id" not in message:
            self._answer(202, None)
            return
        head = {"jsonrpc": "2.0", "id": message["id"]}
        result = _RESULTS.get(message["method"])
        if result is None:
            self._answer(200, {**head, "error": {"code": -32601, "message": "Method not found"}})
        else:
            self._answer(200, {**head, "result": result(message.get("params"))})

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, document: Any) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a table is printed."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the block."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
