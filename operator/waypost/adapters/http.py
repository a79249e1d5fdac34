"""The operator's HTTP port: /healthz, /readyz, /metrics.

The server runs on the event loop that does the work, so that the kubelet's probe times out when
the loop is blocked. The endpoint that kopf offers has only one path, and caches results.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Probed(Protocol):
    """What the probes report on: the controller."""

    @property
    def ready(self) -> bool: ...

    def health(self) -> str | None: ...


def build_app(*, probed: Probed, metrics: Callable[[str], tuple[bytes, str]]) -> web.Application:
    """The application. `metrics` gives the exposition for a header Accept, and its content type."""

    async def healthz(_: web.Request) -> web.Response:
        problem = probed.health()
        return _answer(problem)

    async def readyz(_: web.Request) -> web.Response:
        return _answer(None if probed.ready else "the first list is not complete")

    async def serve_metrics(request: web.Request) -> web.Response:
        body, content_type = metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", serve_metrics),
        ]
    )
    return app


@asynccontextmanager
async def serve(app: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve until the block ends.

    Args:
        app: What to serve.
        host: Address; "" for every address.
        port: Port; 0 for a free one, with a `host` only: without it, IPv4 and IPv6 would each
            get another port.

    Yields:
        The port in use.
    """
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host or None, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _answer(problem: str | None) -> web.Response:
    if problem is None:
        return web.Response(text="ok\n")
    return web.Response(text=f"{problem}\n", status=503)
