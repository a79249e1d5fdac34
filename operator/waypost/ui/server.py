"""Puts the parts together and serves them until interrupted."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from waypost.api.base import JsonObject
from waypost.cli.connection.cluster import Session
from waypost.ports.cluster import Kind, Obj
from waypost.ui import assets
from waypost.ui.api import Api
from waypost.ui.feed import Feed
from waypost.ui.guard import Guard, hosts_of
from waypost.ui.runs import Runs
from waypost.ui.session import Sessions
from waypost.views.approvals import approval_row
from waypost.views.row import row

ADDRESS: Final = "127.0.0.1"
_CONNECTIONS: Final = 200
_LONGEST_SECRET: Final = 200  # bytes


@dataclass(frozen=True)
class Options:
    """How to serve. `prefix`: "" or a path such as /team/waypost."""

    prefix: str = ""
    read_only: bool = False
    everywhere: bool = False
    hosts: Iterable[str] = ()
    static: Path = assets.FOLDER


def _run(body: Obj) -> JsonObject:
    return row(body).to_json()


def _approval(body: Obj) -> JsonObject:
    return approval_row(body).to_json()


PROJECTIONS: Final = {Kind.AGENT_WORKFLOW: _run, Kind.APPROVAL: _approval}


def build_app(
    session: Session, feed: Feed, sessions: Sessions, options: Options, ended: Callable[[], bool]
) -> ASGIApp:
    """The application, with its guard before it."""
    runs = Runs(session, feed)
    api = Api(session=session, feed=feed, runs=runs, read_only=options.read_only, ended=ended)

    async def exchange(request: Request) -> Response:
        secret = b""
        async for piece in request.stream():
            secret += piece
            if len(secret) > _LONGEST_SECRET:
                break
        found = sessions.exchange(secret.decode("utf-8", "replace"))
        if found is None:
            text = (
                "the link is not valid, or was used before; start `waypost ui` again for a new one"
            )
            return JSONResponse({"message": text}, status_code=401)
        cookie, key = found
        response = JSONResponse({"key": key})
        response.set_cookie(
            sessions.cookie, cookie, httponly=True, samesite="strict", path=f"{options.prefix}/"
        )
        return response

    async def page(request: Request) -> Response:
        return await asyncio.to_thread(assets.serve, request, options.static)

    async def missing(_: Request) -> Response:
        return JSONResponse({"message": "there is no such address"}, status_code=404)

    routes = [
        Route("/api/session", exchange, methods=["POST"]),
        Mount("/api", routes=[*api.routes(), Route("/{rest:path}", missing)]),
        Route("/{name:path}", page),
    ]
    inner: ASGIApp = Starlette(routes=routes)
    if options.prefix:

        async def start(_: Request) -> Response:
            return RedirectResponse(f"{options.prefix}/", status_code=307)

        inner = Starlette(routes=[Route(options.prefix, start), Mount(options.prefix, app=inner)])
    return Guard(
        app=inner,
        sessions=sessions,
        hosts=hosts_of(sessions.port, options.hosts),
        prefix=options.prefix,
        read_only=options.read_only,
    )


class _Server(uvicorn.Server):
    """Ends the streams of browsers when it is asked to stop, because it waits for them."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has arrived."""
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._feed.end)


class Serving:
    """A server on a socket that listens already."""

    def __init__(
        self, session: Session, listening: socket.socket, sessions: Sessions, options: Options
    ) -> None:
        self._listening = listening
        self.feed = Feed(session, dict(PROJECTIONS), everywhere=options.everywhere)
        app = build_app(session, self.feed, sessions, options, lambda: self._server.should_exit)
        config = uvicorn.Config(app, **_settings())
        self._server = _Server(config, self.feed)

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM, or until `stop`."""
        with self.feed.serving():
            await self._server.serve(sockets=[self._listening])

    def stop(self) -> None:
        """End `run`."""
        self._server.should_exit = True
        self.feed.end()


def _settings() -> dict[str, Any]:
    return {
        "log_config": None,
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "limit_concurrency": _CONNECTIONS,
        "timeout_graceful_shutdown": 2,
        "lifespan": "off",
    }
