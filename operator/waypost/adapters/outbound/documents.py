"""Reads small documents of other systems over HTTPS."""

import ssl
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from waypost.adapters.outbound.resolver import refusal_in
from waypost.adapters.outbound.session import checked_session
from waypost.kube.egress.addresses import AddressRules

SECONDS: Final = 5.0
LARGEST: Final = 256 * 1024  # bytes
_ACCEPT: Final = {"accept": "application/json", "user-agent": "waypost"}


class DocumentError(Exception):
    """A document cannot be read. The message says why, with the host."""


class Documents:
    """Reads documents. Close it.

    It follows no redirects, and uses no proxies of the environment.

    Args:
        rules: The addresses that it may connect to.
        seconds: Maximum of a read.
        trusted: Which certificates are trusted; None: those that Python trusts (SSL_CERT_FILE).
    """

    def __init__(
        self,
        *,
        rules: AddressRules,
        seconds: float = SECONDS,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._trusted: ssl.SSLContext | bool = trusted if trusted is not None else True
        self._session = checked_session(rules, seconds=seconds)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def read(self, url: str) -> bytes:
        """The bytes at a URL with https. Raises DocumentError."""
        host = _host(url)
        if problem := self._rules.literal_problem(host):
            raise DocumentError(problem)
        try:
            return await self._body(url, host)
        except TimeoutError as error:
            raise DocumentError(f"{host} did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            text = refusal_in(error) or f"{host} cannot be reached: {type(error).__name__}"
            raise DocumentError(text) from error

    async def _body(self, url: str, host: str) -> bytes:
        asked = self._session.get(
            URL(url, encoded=True), headers=_ACCEPT, allow_redirects=False, ssl=self._trusted
        )
        async with asked as response:
            if response.status != 200:
                raise DocumentError(f"{host} answered with status {response.status}")
            body = bytearray()
            async for piece in response.content.iter_chunked(LARGEST):
                body += piece
                if len(body) > LARGEST:
                    raise DocumentError(f"{host} sends more than {LARGEST} bytes")
            return bytes(body)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme == "https" else None
    except ValueError:
        host = None
    if not host:
        raise DocumentError(f"{url!r:.200} is no URL with https")
    return host
