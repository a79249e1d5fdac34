"""Decides which requests are answered, before any other code runs, and adds security headers.

Host        only the names of this server: a foreign name that resolves to its address is refused
Origin      requests of other pages are refused, as far as the browser says whose they are
session     needed for /api, except where a session begins or ends (`waypost ui` on one's machine)
read-only   everything but GET and HEAD is refused
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waypost.ui.session import KEY_HEADER, Sessions

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
SAFE: Final = frozenset({"GET", "HEAD"})
EXCHANGE: Final = "/api/session"  # begins a session
LEAVE: Final = "/api/session/end"
LARGEST_BODY: Final = 1024 * 1024


_TUNNEL: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")


@dataclass(frozen=True)
class Names:
    """The values of Host that are accepted, in lower case.

    Attributes:
        known: The names.
        tunnels: Whether localhost is accepted too, with any port, as `kubectl port-forward` has it.
    """

    known: frozenset[str]
    tunnels: bool = False

    def has(self, host: str) -> bool:
        """Whether this is a name of the server."""
        return host in self.known or (self.tunnels and is_tunnel(host))

    def same(self, origin: str, host: str) -> bool:
        """Whether a page of this origin (HOST[:PORT]) is one of this server. `host`: accepted."""
        return origin == host or origin in self.known

    def __str__(self) -> str:
        return " or ".join([*sorted(self.known), *(["localhost"] if self.tunnels else [])])


def is_tunnel(host: str) -> bool:
    """Whether a value of Host names the machine of the browser itself."""
    return _TUNNEL.fullmatch(host) is not None


@dataclass(frozen=True)
class Guard:
    """A middleware.

    Attributes:
        app: What answers.
        names: The names of the server.
        prefix: Where it is served.
        read_only: Whether writes are refused.
        sessions: The sessions that requests for data need; None: `app` asks for credentials.
    """

    app: ASGIApp
    names: Names
    prefix: str
    read_only: bool
    sessions: Sessions | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self._refusal(scope["method"], scope["path"], Headers(scope=scope))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        if refused is not None:
            status, text = refused
            response = JSONResponse({"message": text}, status_code=status)
            await response(scope, receive, with_headers)
            return
        await self.app(scope, receive, with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "").lower()
        if not self.names.has(host):
            return 421, f"found the host {host!r:.100}, expected {self.names}"
        if foreign := self._foreign(method, host, headers):
            return 403, foreign
        inside = path.removeprefix(self.prefix)
        of_session = inside == EXCHANGE or (inside == LEAVE and self.sessions is None)
        if method not in SAFE and not of_session:
            if self.read_only:
                return 403, "this server is read-only: it was started with --read-only"
            if not headers.get("content-type", "").startswith("application/json"):
                return 415, "expected a body of type application/json"
        if method not in SAFE and int(_digits(headers.get("content-length"))) > LARGEST_BODY:
            return 413, f"expected a body of at most {LARGEST_BODY:,} bytes"
        if inside.startswith("/api/") and not of_session and not self._known(headers):
            return 401, "open the link that `waypost ui` printed; it works once for one browser"
        return None

    def _foreign(self, method: str, host: str, headers: Headers) -> str | None:
        site = headers.get("sec-fetch-site", "none")
        navigation = method in SAFE and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not navigation:
            return "a page of another address sent this request"
        origin = headers.get("origin")
        if origin is not None and not self.names.same(origin.lower().partition("://")[2], host):
            return f"a page of {origin!r:.100} sent this request"
        if method not in SAFE and origin is None and site != "same-origin":
            return "expected the header Origin or Sec-Fetch-Site"
        return None

    def _known(self, headers: Headers) -> bool:
        if self.sessions is None:
            return True
        cookie = cookie_of(headers, self.sessions.cookie)
        return self.sessions.holds(cookie, headers.get(KEY_HEADER, ""))


def cookie_of(headers: Headers, name: str) -> str:
    """The value of a cookie; "" if there is none. Cookies of others may be malformed."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")


def local_names(port: int, more: Iterable[str]) -> frozenset[str]:
    """The values of Host that a browser on this machine sends, and those of a proxy before it."""
    own = (f"127.0.0.1:{port}", f"localhost:{port}")
    return frozenset(name.lower() for name in (*own, *more))


def _digits(text: str | None) -> str:
    return text if text is not None and text.isascii() and text.isdecimal() else "0"
