"""Puts the parts together and serves them until interrupted."""

import asyncio
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from waypost.cli.connection.cluster import Session, as_person
from waypost.ui import assets
from waypost.ui.api import Api
from waypost.ui.documents import Documents
from waypost.ui.guard import EXCHANGE, LEAVE, Guard, Names
from waypost.ui.hosting import Server, missing, site
from waypost.ui.runs import Runs
from waypost.ui.shared.entrance import Entrance, Login
from waypost.ui.shared.logins import Logins
from waypost.ui.shared.people import Desk, People

_CONNECTIONS: Final = 2000
_TIDY_EVERY: Final = 15.0  # seconds
# Each person has connections, and asyncio gives each with TLS a buffer of 256 KiB.
_TLS_BUFFER: Final = 16 * 1024


@dataclass(frozen=True)
class SharedOptions:
    """How to serve.

    Attributes:
        server: Address of the API server.
        ca: Its certificate authority; None: those of the system.
        login: How people present their token.
        prefix: "" or a path such as /team/waypost.
        read_only: Whether to refuse every write.
        hosts: Names of the server, beside localhost.
        namespaces: Namespaces to offer to people who may not list all.
        static: The folder with the front-end.
        clock: Monotonic seconds.
    """

    server: str
    ca: Path | None = None
    login: Login = Login.TOKEN
    prefix: str = ""
    read_only: bool = False
    hosts: Iterable[str] = ()
    namespaces: Iterable[str] = ()
    static: Path = assets.FOLDER
    clock: Callable[[], float] = monotonic


class SharedServing:
    """A server on a socket that listens already."""

    def __init__(self, listening: socket.socket, options: SharedOptions) -> None:
        self._listening = listening
        self._options = options
        self._documents = Documents()
        self.people = People(self._connect, clock=options.clock)
        self.entrance = Entrance(
            login=options.login,
            prefix=options.prefix,
            people=self.people,
            logins=Logins(options.clock),
            api=self._api,
        )
        self._server = Server(self._app(), self.people.wake, connections=_CONNECTIONS)

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM, or until `stop`."""
        SSLProtocol.max_size = _TLS_BUFFER
        tidying = asyncio.create_task(self._tidy())
        try:
            await self._server.serve(sockets=[self._listening])
        finally:
            tidying.cancel()
            with suppress(asyncio.CancelledError):
                await tidying
            await self.people.close()

    def stop(self) -> None:
        """End `run`."""
        self._server.should_exit = True
        self.people.wake()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_EVERY)
            self.entrance.tidy()

    def _connect(self, token: str, refused: Callable[[], None]) -> Session:
        options = self._options
        return Session(as_person(options.server, options.ca, token, refused=refused), "")

    def _api(self, desk: Desk) -> ASGIApp:
        session = Session(desk.person.session.cluster, desk.feed.namespace)
        about = {
            "login": self._options.login.value,
            "namespaces": sorted(self._options.namespaces),
        }
        api = Api(
            session=session,
            feed=desk.feed,
            runs=Runs(session, desk.feed, self._documents),
            read_only=self._options.read_only,
            ended=lambda: desk.over or self._server.should_exit,
            about=about,
        )
        return Starlette(routes=[*api.routes(), Route("/{rest:path}", missing)])

    def _app(self) -> ASGIApp:
        options, entrance = self._options, self.entrance
        api = [
            Route(EXCHANGE, entrance.enter, methods=["POST"]),
            Route(LEAVE, entrance.leave, methods=["POST"]),
            Mount("/api", app=entrance),
        ]
        guarded = Guard(
            app=site(api, static=options.static, prefix=options.prefix),
            names=Names(frozenset(name.lower() for name in options.hosts), tunnels=True),
            prefix=options.prefix,
            read_only=options.read_only,
            sessions=None,
        )

        async def alive(_: Request) -> Response:
            return PlainTextResponse("ok\n")

        async def ready(_: Request) -> Response:
            if (options.static / "index.html").is_file():
                return PlainTextResponse("ok\n")
            return PlainTextResponse("the front-end is not built\n", status_code=503)

        # For the kubelet, which has the address of the pod as Host. Without data, so no guard.
        return Starlette(
            routes=[Route("/healthz", alive), Route("/readyz", ready), Mount("/", app=guarded)]
        )
