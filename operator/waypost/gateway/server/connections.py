"""Closes connections that stay idle or send their headers too slowly.

uvicorn limits the idle time after a request, but not the time until the first headers are
complete; `upload_limiter` limits the time of a body. Both gateways are served with it.
"""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from waypost.gateway.tls.serving import ServerTls

HEADER_SECONDS: Final = 10.0


class HeaderTimeoutProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for the headers of every request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self._wait_for_headers()

    def handle_events(self) -> None:
        """Stop the deadline once a request's headers are complete."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._have_headers()

    def on_response_complete(self) -> None:
        """Start the deadline of the next request."""
        # First, because the next request may have arrived already.
        if not self.transport.is_closing():
            self._wait_for_headers()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadline of a closed connection."""
        self._have_headers()
        super().connection_lost(exc)

    def _wait_for_headers(self) -> None:
        self._have_headers()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _have_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def options() -> dict[str, Any]:
    """Arguments for uvicorn.Config."""
    return {"http": HeaderTimeoutProtocol, "ws": "none", "timeout_keep_alive": 5}


@dataclass(frozen=True)
class Serving:
    """The state that probes read."""

    server: uvicorn.Server

    @property
    def ready(self) -> bool:
        """Whether the server accepts connections."""
        return self.server.started and not self.server.should_exit

    def health(self) -> str | None:
        """None: always healthy. A blocked event loop does not answer at all."""
        return None


class Server(uvicorn.Server):
    """A server that may have a second port, without TLS; both share the limits.

    Args:
        config: As `uvicorn_config` makes it.
        plain_port: 0 for none.
    """

    def __init__(self, config: uvicorn.Config, *, plain_port: int = 0) -> None:
        super().__init__(config)
        self._plain_port = plain_port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, as uvicorn does it, and then at the second port."""
        await super().startup(sockets=sockets)
        if self._plain_port:
            config = self.config
            plain = await asyncio.get_running_loop().create_server(
                lambda: HeaderTimeoutProtocol(
                    config=config,
                    server_state=self.server_state,
                    app_state=self.lifespan.state,
                ),
                host=config.host,
                port=self._plain_port,
                backlog=config.backlog,
            )
            self.servers.append(plain)


def uvicorn_config(
    app: Starlette,
    *,
    host: str,
    port: int,
    connections_: int,
    shutdown_seconds: int,
    tls: ServerTls | None = None,
) -> uvicorn.Config:
    """The configuration of the HTTP server; more than `connections_` get 503."""
    encrypted: dict[str, Any] = {}
    if tls is not None:
        encrypted["ssl_context_factory"] = lambda *_: tls.context
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=connections_,
        timeout_graceful_shutdown=shutdown_seconds,
        **options(),
        **encrypted,
    )
