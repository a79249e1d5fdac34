"""A server on this machine that answers from a script and remembers what it was asked."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. `drop`: close the connection instead; `hang`: wait for the test to end;
    `raw`: all that is sent, status line and headers too, before the connection is closed."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    drop: bool = False
    hang: bool = False
    raw: bytes = b""


def raw(head: str, content: bytes = b"") -> Reply:
    """Bytes on the wire: `head` with its lines, then the content."""
    return Reply(raw=head.replace("\n", "\r\n").encode("latin-1") + content)


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """The script: each request takes the next answer, the last one stands for all that follow."""

    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def next(self, asked: Asked) -> Reply:
        """Remember a request, give its answer."""
        self.asked.append(asked)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]


@contextmanager
def serving(*replies: Reply, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server with this script, while the block runs."""
    script = Server(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            with suppress(ssl.SSLError, ConnectionError):  # a client that does not trust us
                self._one()

        def _one(self) -> None:
            self.close_connection = True
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {key.lower(): value for key, value in self.headers.items()}
            self._answer(script.next(Asked(self.command, self.path, headers, body)))

        def _answer(self, reply: Reply) -> None:
            if reply.hang:
                script.over.wait(30)
            if reply.drop or reply.hang:
                return
            if reply.raw:
                self.wfile.write(reply.raw)
                return
            self.send_response(reply.status)
            for key, value in reply.headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test says what it needs."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    script.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
