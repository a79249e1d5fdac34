"""Whose request it is. Finds the token, and passes the request on to what this person looks at.

With a login page, the token is the one of the session: a cookie and a key. Behind a proxy that
logs people in, it is the header Authorization of each request. Never both, and never a default.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waypost.cli.connection.cluster import explained
from waypost.cli.errors import CommandError, NotAuthenticated
from waypost.ports.cluster import ClusterError
from waypost.ui.api import problem
from waypost.ui.guard import cookie_of, is_tunnel
from waypost.ui.hosting import limited
from waypost.ui.session import KEY_HEADER
from waypost.ui.shared.logins import COOKIE, Logins
from waypost.ui.shared.people import Desk, People, Person, TooMany

SCOPE_HEADER: Final = "x-waypost-namespace"
LONGEST_TOKEN: Final = 32 * 1024
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_NAMESPACE: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?")
_HTTP: Final = "http://"


class Login(StrEnum):
    """How people present their token."""

    TOKEN = "token"
    PROXY = "proxy"


@dataclass(frozen=True)
class Entrance:
    """The application below /api.

    Attributes:
        login: How people present their token.
        prefix: Where the pages are.
        people: Who is served.
        logins: The sessions, with a login page.
        api: Makes the API for a desk.
    """

    login: Login
    prefix: str
    people: People
    logins: Logins
    api: Callable[[Desk], ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with what its person may see."""
        headers = Headers(scope=scope)
        where = headers.get(SCOPE_HEADER, "")
        found = await self._person(self._token(headers))
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        if not _NAMESPACE.fullmatch(where):
            text = f"{SCOPE_HEADER}: expected a namespace, found {where!r:.80}"
            await JSONResponse({"message": text}, status_code=400)(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            # The API server has just refused the token: the answer asks for another one.
            if message["type"] == "http.response.start" and found.refused:
                message = {**message, "status": 401}
            await send(message)

        try:
            async with self.people.at_desk(found, where) as desk:
                desk.app = desk.app or self.api(desk)
                await desk.app(scope, receive, noting)
        except TooMany as error:
            await JSONResponse({"message": str(error)}, status_code=503)(scope, receive, send)

    async def enter(self, request: Request) -> Response:
        """Begin a session with the token in the body, if the API server accepts it."""
        if self.login is not Login.TOKEN:
            return self._nobody("people log in at the proxy before this server")
        host = request.headers.get("host", "").lower()
        if request.headers.get("origin", "").lower().startswith(_HTTP) and not is_tunnel(host):
            text = "this page was loaded without TLS, so others could read the token; use https"
            return JSONResponse({"message": text}, status_code=403)
        body = await limited(request, most=LONGEST_TOKEN)
        token = (body or b"").decode("utf-8", "replace").strip()
        if not _TOKEN.fullmatch(token):
            text = f"expected a token: one line of at most {LONGEST_TOKEN:,} characters"
            return JSONResponse({"message": text}, status_code=400)
        found = await self._person(token)
        if isinstance(found, Response):
            return found
        cookie, key = self.logins.open(token)
        response = JSONResponse({"key": key})
        response.set_cookie(
            COOKIE,
            cookie,
            httponly=True,
            samesite="strict",
            secure=not is_tunnel(host),
            path=f"{self.prefix}/",
        )
        return response

    async def leave(self, request: Request) -> Response:
        """End a session."""
        token = self.logins.close(*_session(request.headers))
        if token:
            self.people.drop(token)
        return JSONResponse({"message": "the session has ended"})

    def tidy(self) -> None:
        """End sessions whose time is over, and close what nobody looks at."""
        for token in self.logins.over():
            self.people.drop(token)
        self.people.tidy()

    def _token(self, headers: Headers) -> str:
        if self.login is Login.TOKEN:
            return self.logins.token(*_session(headers))
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        usable = scheme.lower() == "bearer" and _TOKEN.fullmatch(token)
        return token if usable and len(token) <= LONGEST_TOKEN else ""

    async def _person(self, token: str) -> Person | Response:
        if not token:
            if self.login is Login.TOKEN:
                return self._nobody("this browser has no session, or it is over")
            text = "the proxy before this server has sent no header Authorization: Bearer"
            return self._nobody(text)
        try:
            return await self.people.find(token)
        except TooMany as error:
            return JSONResponse({"message": str(error)}, status_code=503)
        except (ClusterError, NotAuthenticated) as error:
            known = error if isinstance(error, CommandError) else explained(error)
            if not isinstance(known, NotAuthenticated):
                return problem(known)
            self.logins.forget(token)
            return self._nobody(str(known))

    def _nobody(self, text: str) -> Response:
        body: dict[str, Any] = {"message": text, "login": self.login.value}
        return JSONResponse(body, status_code=401)


def _session(headers: Headers) -> tuple[str, str]:
    return cookie_of(headers, COOKIE), headers.get(KEY_HEADER, "")
