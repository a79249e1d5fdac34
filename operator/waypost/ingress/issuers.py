"""The public keys of OpenID Connect issuers: read over HTTPS, kept in memory."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from waypost.adapters.outbound.documents import DocumentError
from waypost.ingress.core.tokens import Key, public_keys
from waypost.protocol import ijson

KEPT_SECONDS: Final = 3600.0
_AGAIN_SECONDS: Final = 60.0  # between two reads because of a key that is not there, or a failure
_KEPT: Final = 256
_DISCOVERY: Final = "/.well-known/openid-configuration"

log = logging.getLogger("waypost.ingress")


class IssuerError(Exception):
    """The keys of an issuer cannot be read. The message says why."""


@dataclass
class _Known:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: tuple[Key, ...] = ()
    problem: str = ""
    read_at: float = float("-inf")


class Issuers:
    """Reads the keys of issuers: once an hour, and when a token names a key that is not there. An
    issuer that fails is asked again after a minute.

    Args:
        read: Reads the document at a URL with https. It raises DocumentError.
        monotonic: Seconds of a clock that never goes back.
    """

    def __init__(
        self, *, read: Callable[[str], Awaitable[bytes]], monotonic: Callable[[], float]
    ) -> None:
        self._read_document = read
        self._monotonic = monotonic
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def keys(self, issuer: str, name: str) -> tuple[Key, ...]:
        """The keys of an issuer.

        Args:
            issuer: Its URL.
            name: The key that is needed; "" if any may be.

        Raises:
            IssuerError: None was ever read.
        """
        known = self._known.setdefault(issuer, _Known())
        self._known.move_to_end(issuer)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        async with known.lock:
            if self._is_due(known, name):
                await self._read(issuer, known)
        if not known.keys:
            raise IssuerError(known.problem)
        return known.keys

    def _is_due(self, known: _Known, name: str) -> bool:
        age = self._monotonic() - known.read_at
        is_there = not known.problem and (not name or any(key.kid == name for key in known.keys))
        return age >= (KEPT_SECONDS if is_there else _AGAIN_SECONDS)

    async def _read(self, issuer: str, known: _Known) -> None:
        """Read the keys. Those that are there stay if it fails."""
        try:
            described = await self._document(issuer.rstrip("/") + _DISCOVERY)
            if described.get("issuer") != issuer:
                raise IssuerError(f"the issuer calls itself {described.get('issuer')!r:.200}")
            keys = public_keys(await self._document(str(described.get("jwks_uri"))))
            if not keys:
                raise IssuerError("it publishes no key that can verify a token")
            known.keys, known.problem = keys, ""
        except IssuerError as error:
            known.problem = str(error)
            log.warning("the keys of issuer %s cannot be read: %s", issuer, error)
        finally:
            known.read_at = self._monotonic()

    async def _document(self, url: str) -> dict[str, Any]:
        try:
            found = ijson.parse(await self._read_document(url))
        except DocumentError as error:
            raise IssuerError(str(error)) from error
        except ijson.IJsonError as error:
            raise IssuerError(f"{url} is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise IssuerError(f"{url} is no JSON object")
        return found
