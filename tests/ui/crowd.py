"""An API server with several people, and the shared server of the web interface before it."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from waypost.ui.guard import EXCHANGE
from waypost.ui.session import KEY_HEADER
from waypost.ui.shared.entrance import SCOPE_HEADER
from waypost.ui.shared.logins import COOKIE
from waypost.ui.shared.server import SharedOptions, SharedServing

from tests.ui.kubernetes import Kubernetes, refusal
from tests.ui.place import parsed

Obj = dict[str, Any]


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Crowd(Kubernetes):
    """Tokens and what they may do, by namespace ("" for all). Records the token of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, str] = {}  # by token
        self.rights: dict[str, dict[str, set[str]]] = {}  # verbs by user and namespace
        self.seen: list[tuple[str, str]] = []  # token, method and path

    def let(self, token: str, user: str, **rights: str) -> None:
        """A token of a user. `rights`: verbs by namespace; `everywhere` for all."""
        self.users[token] = user
        self.rights[user] = {
            "" if where == "everywhere" else where.replace("_", "-"): set(verbs.split())
            for where, verbs in rights.items()
        }

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.append(self._authorized())
        return app

    def allowed(self, user: str, verb: str, namespace: str) -> bool:
        rights = self.rights[user]
        return verb in rights.get("", ()) or verb in rights.get(namespace, ())

    def _authorized(self) -> Any:
        @web.middleware
        async def check(
            request: web.Request, handler: Callable[[web.Request], Any]
        ) -> web.StreamResponse:
            self.seen.append((_token(request), f"{request.method} {request.path}"))
            user = self._user(request)
            if not user:
                return refusal(401, "Unauthorized", "Unauthorized")
            if "selfsubject" in request.path:
                return await _answered(handler, request)
            namespace = request.match_info.get("namespace", "")
            kind = request.match_info.get("kind", "")
            verb = _verb(request)
            if not self.allowed(user, verb, namespace):
                where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
                text = f'User "{user}" cannot {verb} resource "{kind}" {where}'
                return refusal(403, "Forbidden", text)
            return await _answered(handler, request)

        return check

    def _user(self, request: web.Request) -> str:
        return self.users.get(_token(request), "")

    async def _who(self, request: web.Request) -> web.Response:
        return web.json_response({"status": {"userInfo": {"username": self._user(request)}}})

    async def _may(self, request: web.Request) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        may = self.allowed(self._user(request), asked["verb"], asked["namespace"])
        return web.json_response({"status": {"allowed": may}}, status=201)


async def _answered(
    handler: Callable[[web.Request], Any], request: web.Request
) -> web.StreamResponse:
    found = await handler(request)
    assert isinstance(found, web.StreamResponse)
    return found


def _token(request: web.Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _verb(request: web.Request) -> str:
    if request.method != "GET":
        return "patch"
    if request.query.get("watch"):
        return "watch"
    return "get" if "name" in request.match_info else "list"


@dataclass
class Hall:
    """The shared server; requests of browsers, each with its headers."""

    kubernetes: Crowd
    server: SharedServing
    http: aiohttp.ClientSession
    clock: Clock
    port: int
    prefix: str = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"http://{self.host}{self.prefix}"

    async def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        async with self.http.get(f"{self.address}{path}", headers=headers) as answer:
            return answer.status, parsed(await answer.text())

    async def post(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        own = {"origin": f"http://{self.host}", "content-type": "application/json", **headers}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.http.post(
            f"{self.address}{path}", data=io.BytesIO(data), headers=own
        ) as answer:
            return answer.status, parsed(await answer.text())

    async def log_in(self, token: str, namespace: str = "") -> dict[str, str]:
        """The headers of a browser in which somebody has typed a token."""
        own = {"origin": f"http://{self.host}"}
        async with self.http.post(
            f"{self.address}{EXCHANGE}", data=token.encode(), headers=own
        ) as answer:
            body = await answer.json()
            assert answer.status == 200, body
            cookie = answer.headers["set-cookie"].partition(";")[0]
        assert cookie.startswith(f"{COOKIE}=")
        scope = {SCOPE_HEADER: namespace} if namespace else {}
        return {"cookie": cookie, KEY_HEADER: body["key"], **scope}


def bearer(token: str, namespace: str = "") -> dict[str, str]:
    """The headers that a proxy sends on for somebody."""
    scope = {SCOPE_HEADER: namespace} if namespace else {}
    return {"authorization": f"Bearer {token}", **scope}


@asynccontextmanager
async def api_server(kubernetes: Crowd) -> AsyncIterator[str]:
    """Serve the API server. Yields its address."""
    runner = web.AppRunner(kubernetes.app(), shutdown_timeout=0.1, max_field_size=64 * 1024)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        kubernetes.break_watches()
        await runner.cleanup()


@asynccontextmanager
async def hall(kubernetes: Crowd, **options: Any) -> AsyncIterator[Hall]:
    """Serve both, and wait until the server answers."""
    async with api_server(kubernetes) as address, _hall(kubernetes, address, options) as found:
        yield found


@asynccontextmanager
async def _hall(kubernetes: Crowd, address: str, options: Obj) -> AsyncIterator[Hall]:
    listening = socket.create_server(("127.0.0.1", 0))
    clock = Clock()
    given = SharedOptions(server=address, clock=clock, **options)
    server = SharedServing(listening, given)
    running = asyncio.create_task(server.run())
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        port = listening.getsockname()[1]
        try:
            yield Hall(kubernetes, server, http, clock, port, given.prefix)
        finally:
            server.stop()
            await running
            listening.close()
