"""The client of the providers: connects to checked addresses, and follows nothing.

A name is resolved once for a connection, and each of its addresses is checked. The connection goes
to one of those, so a name that changes its address gains nothing. Proxies of the environment are
not used.
"""

import asyncio
import contextlib
import hashlib
import math
import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from waypost.adapters.outbound.resolver import CheckedResolver, refusal_in
from waypost.kube.egress.addresses import AddressRules
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused

CONNECT_SECONDS: Final = 10.0
_CONTEXTS: Final = 64
_ERROR_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Times:
    """Limits of an answer, in seconds and bytes."""

    first: float = 300.0  # until the headers of the answer
    idle: float = 120.0  # between two pieces
    most: int = 64 * 1024 * 1024

    def at_least(self, seconds: float) -> "Times":
        """These limits for an answer that may take so many seconds."""
        return replace(self, first=max(self.first, seconds), idle=max(self.idle, seconds))


@dataclass(frozen=True)
class Answer:
    """The answer of a provider, of which the body has not been read."""

    response: aiohttp.ClientResponse
    times: Times

    @property
    def status(self) -> int:
        """Its HTTP status."""
        return self.response.status

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Its headers."""
        return list(self.response.headers.items())

    @property
    def retry_after(self) -> float | None:
        """Seconds that the provider asks to wait; None if it says none, or a date."""
        with contextlib.suppress(ValueError):
            found = float(self.response.headers.get("retry-after", ""))
            return found if 0 <= found < math.inf else None
        return None

    def close(self) -> None:
        """Read no further."""
        self.response.close()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises CallRefused for one that is too large, slow or cut."""
        size = 0
        try:
            stream = self.response.content.iter_any()
            while True:
                async with asyncio.timeout(self.times.idle):
                    piece = await anext(stream, b"")
                if not piece:
                    return
                size += len(piece)
                if size > self.times.most:
                    text = f"the answer is larger than {self.times.most} bytes"
                    raise CallRefused(CallRefusal.ANSWER_TOO_LARGE, text)
                yield piece
        except (TimeoutError, aiohttp.ClientError) as error:
            text = f"the answer broke off: {type(error).__name__}"
            raise CallRefused(CallRefusal.NO_ANSWER, text) from None
        finally:
            self.response.close()

    async def error_body(self, secrets: tuple[str, ...]) -> bytes:
        """The body of an error, cut, without the secrets that were sent."""
        body = b""
        async for piece in self.pieces():
            body += piece
            if len(body) >= _ERROR_BYTES:
                break
        self.response.close()
        body = body[:_ERROR_BYTES]
        for secret in sorted(secrets, key=len, reverse=True):
            body = body.replace(secret.encode(), b"[redacted]")
        return body


@dataclass(frozen=True)
class Advice:
    """What a person can do about a call that failed: for its certificate, its CA, or a redirect."""

    certificate: str = "name its CA in the ModelProvider's tls"
    ca: str = "spec.tls of the ModelProvider names no certificates (PEM)"
    redirect: str = "check the ModelProvider's baseURL"


_OF_PROVIDER: Final = Advice()
_OF_NODE: Final = Advice("for a private CA set http.tls", "http.tls names no certificates (PEM)")
OF_SERVER: Final = Advice(
    "name its CA in http.tls of the ToolServer",
    "http.tls of the ToolServer names no certificates (PEM)",
    "put the final address into http.url of the ToolServer",
)


class Upstream:
    """Calls providers, tool servers, and the hosts of http nodes.

    `rules`: the addresses that it may connect to; `once`: a connection serves one call, which is
    not repeated if the server closes it.
    """

    def __init__(
        self, *, rules: AddressRules, times: Times | None = None, once: bool = False
    ) -> None:
        self._rules = rules
        self._times = times or Times()
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(rules),
            ttl_dns_cache=10,
            limit=0,
            limit_per_host=0,
            force_close=once,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )
        if once:
            # The library repeats a PUT or DELETE by itself, and has no option against it.
            self._session._retry_connection = False

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def post(
        self,
        url: str,
        *,
        query: tuple[tuple[str, str], ...],
        headers: Mapping[str, str],
        body: bytes,
        ca: str | None,
    ) -> Answer:
        """Send a call, and return its answer once the headers are there.

        Args:
            url: The URL, without a query.
            query: Query parameters.
            headers: All headers except Content-Length and Host.
            body: The body.
            ca: CA certificates (PEM) to trust besides the public ones.

        Raises:
            CallRefused: The address is not allowed or cannot be reached, it answers with a
                redirect, or not in time.
        """
        host = self._checked(url)
        place = URL(url, encoded=True)
        trusted = self._context(ca, _OF_PROVIDER) if ca else True
        try:
            async with asyncio.timeout(self._times.first):
                response = await self._session.post(
                    place.with_query(query) if query else place,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    ssl=trusted,
                )
        except TimeoutError:
            raise _late(host, self._times) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _unreachable(host, error, _OF_PROVIDER) from None
        if 300 <= response.status < 400:
            response.close()
            text = f"{host} answered {response.status}, a redirect, which is not followed"
            raise CallRefused(CallRefusal.REDIRECT, f"{text}; {_OF_PROVIDER.redirect}")
        return Answer(response, self._times)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        ca: str | None,
        advice: Advice = _OF_NODE,
        patience: float = 0.0,
    ) -> Answer:
        """Send the request of an http node, or a message to a tool server; as `post`, but a
        redirect is an answer.

        Args:
            method: Its method.
            url: The URL with its query.
            headers: As for `post`.
            body: The body.
            ca: As for `post`.
            advice: What a person can do about a call that failed.
            patience: Seconds that the answer may take, if that is more than usual.

        Raises:
            CallRefused: UNREACHABLE if nothing was sent; NO_ANSWER if the server may have
                processed the request.
        """
        host = self._checked(url)
        trusted = self._context(ca, advice) if ca else True
        times = self._times.at_least(patience)
        try:
            async with asyncio.timeout(times.first):
                response = await self._session.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=body or None,
                    allow_redirects=False,
                    ssl=trusted,
                )
        except aiohttp.ConnectionTimeoutError:
            text = f"{host} cannot be reached: no connection within {CONNECT_SECONDS:g} s"
            raise CallRefused(CallRefusal.UNREACHABLE, text) from None
        except TimeoutError:
            raise _late(host, times) from None
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise _unreachable(host, error, advice) from None
        except (aiohttp.ClientError, OSError) as error:
            text = f"{host} ended the connection without an answer: {type(error).__name__}"
            raise CallRefused(CallRefusal.NO_ANSWER, text) from None
        return Answer(response, times)

    def _checked(self, url: str) -> str:
        """The host of a URL, which is no address that may not be called."""
        host = urlsplit(url).hostname or ""
        if problem := self._rules.literal_problem(host):
            raise CallRefused(CallRefusal.ADDRESS, problem)
        return host

    def _context(self, ca: str, advice: Advice) -> ssl.SSLContext:
        name = hashlib.sha256(ca.encode()).digest()
        known = self._contexts.get(name)
        if known is None:
            known = ssl.create_default_context()
            try:
                known.load_verify_locations(cadata=ca)
            except (ssl.SSLError, ValueError):
                raise CallRefused(CallRefusal.KEY_INVALID, advice.ca) from None
            self._contexts[name] = known
            while len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return known


def _late(host: str, times: Times) -> CallRefused:
    text = f"{host} did not answer within {times.first:g} s"
    return CallRefused(CallRefusal.NO_ANSWER, text)


def _unreachable(host: str, error: BaseException, advice: Advice) -> CallRefused:
    if problem := refusal_in(error):
        return CallRefused(CallRefusal.ADDRESS, problem)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        text = f"the certificate of {host} is not trusted; {advice.certificate}"
        return CallRefused(CallRefusal.UNREACHABLE, text)
    said = getattr(getattr(error, "os_error", error), "strerror", None) or type(error).__name__
    return CallRefused(CallRefusal.UNREACHABLE, f"{host} cannot be reached: {said}")
