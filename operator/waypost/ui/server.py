"""Puts the parts together and serves them until interrupted."""

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from waypost.cli.connection.cluster import Session
from waypost.ui import assets
from waypost.ui.api import Api
from waypost.ui.documents import Documents
from waypost.ui.feed import Feed
from waypost.ui.guard import Guard, Names, local_names
from waypost.ui.hosting import PROJECTIONS, Server, limited, missing, site
from waypost.ui.runs import Runs
from waypost.ui.session import Sessions

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


def build_app(
    session: Session, feed: Feed, sessions: Sessions, options: Options, ended: Callable[[], bool]
) -> ASGIApp:
    """The application, with its guard before it."""
    runs = Runs(session, feed, Documents())
    api = Api(session=session, feed=feed, runs=runs, read_only=options.read_only, ended=ended)

    async def exchange(request: Request) -> Response:
        secret = await limited(request, most=_LONGEST_SECRET) or b""
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

    routes = [
        Route("/api/session", exchange, methods=["POST"]),
        Mount("/api", routes=[*api.routes(), Route("/{rest:path}", missing)]),
    ]
    return Guard(
        app=site(list(routes), static=options.static, prefix=options.prefix),
        names=Names(local_names(sessions.port, options.hosts)),
        prefix=options.prefix,
        read_only=options.read_only,
        sessions=sessions,
    )


class Serving:
    """A server on a socket that listens already."""

    def __init__(
        self, session: Session, listening: socket.socket, sessions: Sessions, options: Options
    ) -> None:
        self._listening = listening
        self.feed = Feed(session, dict(PROJECTIONS), everywhere=options.everywhere)
        app = build_app(session, self.feed, sessions, options, lambda: self._server.should_exit)
        self._server = Server(app, self.feed.end, connections=_CONNECTIONS)

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM, or until `stop`."""
        with self.feed.serving():
            await self._server.serve(sockets=[self._listening])

    def stop(self) -> None:
        """End `run`."""
        self._server.should_exit = True
        self.feed.end()
