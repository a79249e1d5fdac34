"""Decides which requests are answered, before any other code runs, and adds security headers.

Host        only the names of this server: a foreign name that resolves to 127.0.0.1 is refused
Origin      requests of other pages are refused, as far as the browser says whose they are
session     needed for /api, except for the exchange of the link
read-only   everything but GET and HEAD is refused
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
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
EXCHANGE: Final = "/api/session"
LARGEST_BODY: Final = 1024 * 1024


@dataclass(frozen=True)
class Guard:
    """A middleware. `hosts`: the values of Host that are accepted, in lower case."""

    app: ASGIApp
    sessions: Sessions
    hosts: frozenset[str]
    prefix: str
    read_only: bool

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
        if host not in self.hosts:
            expected = " or ".join(sorted(self.hosts))
            return 421, f"found the host {host!r:.100}, expected {expected}"
        if foreign := self._foreign(method, headers):
            return 403, foreign
        inside = path.removeprefix(self.prefix)
        if method not in SAFE and inside != EXCHANGE:
            if self.read_only:
                return 403, "this server is read-only: it was started with --read-only"
            if not headers.get("content-type", "").startswith("application/json"):
                return 415, "expected a body of type application/json"
        if method not in SAFE and int(_digits(headers.get("content-length"))) > LARGEST_BODY:
            return 413, f"expected a body of at most {LARGEST_BODY:,} bytes"
        if inside.startswith("/api/") and inside != EXCHANGE and not self._known(headers):
            return 401, "open the link that `waypost ui` printed; it works once for one browser"
        return None

    def _foreign(self, method: str, headers: Headers) -> str | None:
        site = headers.get("sec-fetch-site", "none")
        navigation = method in SAFE and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not navigation:
            return "a page of another address sent this request"
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] not in self.hosts:
            return f"a page of {origin!r:.100} sent this request"
        if method not in SAFE and origin is None and site != "same-origin":
            return "expected the header Origin or Sec-Fetch-Site"
        return None

    def _known(self, headers: Headers) -> bool:
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        held = jar.get(self.sessions.cookie)
        key = headers.get(KEY_HEADER, "")
        return held is not None and self.sessions.holds(held.value, key)


def hosts_of(port: int, more: Iterable[str]) -> frozenset[str]:
    """The values of Host that a browser on this machine sends, and those of a proxy before it."""
    own = (f"127.0.0.1:{port}", f"localhost:{port}")
    return frozenset(name.lower() for name in (*own, *more))


def _digits(text: str | None) -> str:
    return text if text is not None and text.isascii() and text.isdecimal() else "0"
