"""OAuth tokens of tool servers: fetched when they are needed, kept in memory until they expire."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from waypost.api.toolserver import ClientCredentials
from waypost.model_gateway.core.leaks import forms_of, redacted
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.core.routing import host_of
from waypost.model_gateway.upstream import OF_SERVER, Upstream
from waypost.protocol.gateways import client_credentials
from waypost.protocol.gateways.client_credentials import (
    EARLY,
    document_of,
    error_in,
    life_of,
    token_in,
)

_KEPT: Final = 1024
_SHOWN: Final = 200  # characters of a server's words


@dataclass(frozen=True)
class Client:
    """A client of a token server. `ca`: certificates to trust besides the public ones."""

    oauth: ClientCredentials
    secret: str = field(repr=False)
    ca: str | None = field(default=None, repr=False)

    @property
    def key(self) -> bytes:
        """What distinguishes it from other clients."""
        known = self.oauth
        parts = [known.token_url, known.client_id, *(known.scopes or ()), "", self.secret]
        return hashlib.sha256("\n".join(parts).encode()).digest()


@dataclass
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = field(default="", repr=False)
    ends: float = 0.0
    in_body: bool = False  # the server takes the secret in the body only


class Tokens:
    """The tokens that this process has. `upstream` calls the token servers."""

    def __init__(self, *, upstream: Upstream, monotonic: Callable[[], float]) -> None:
        self._upstream = upstream
        self._monotonic = monotonic
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    async def of(self, client: Client, *, refused: str = "") -> str:
        """A token that holds and is not the one that was `refused`. Raises CallRefused."""
        entry = self._entries.setdefault(client.key, _Entry())
        self._entries.move_to_end(client.key)
        while len(self._entries) > _KEPT:
            self._entries.popitem(last=False)
        async with entry.lock:
            if self._monotonic() >= entry.ends or entry.token == refused:
                await self._fetch(client, entry)
            return entry.token

    async def _fetch(self, client: Client, entry: _Entry) -> None:
        status, document = await self._ask(client, in_body=entry.in_body)
        if not entry.in_body and status >= 400 and error_in(document) == "invalid_client":
            entry.in_body = True
            status, document = await self._ask(client, in_body=True)
        token = token_in(document)
        if not 200 <= status < 300 or not token:
            raise _refusal(client, status, document)
        entry.token = token
        # A token that lives shorter than the margin is used for one request.
        entry.ends = self._monotonic() + max(life_of(document) - EARLY, 0.0)

    async def _ask(self, client: Client, *, in_body: bool) -> tuple[int, dict[str, Any]]:
        oauth = client.oauth
        scope = " ".join(oauth.scopes or ())
        asked = client_credentials.question(
            oauth.client_id, client.secret, scope=scope, in_body=in_body
        )
        answer = await self._upstream.request(
            "POST",
            oauth.token_url,
            headers=[*asked.headers.items(), ("accept-encoding", "identity")],
            body=asked.body,
            ca=client.ca,
            advice=OF_SERVER,
        )
        return answer.status, document_of(await answer.error_body(()))


def _refusal(client: Client, status: int, document: dict[str, Any]) -> CallRefused:
    place = f"token server {host_of(client.oauth.token_url)}"
    if status < 400:
        text = f"{place} answered {status} without an access_token; check auth.oauth.tokenUrl"
        return CallRefused(CallRefusal.NO_TOKEN, text)
    words = [error_in(document), str(document.get("error_description") or "")]
    said = redacted(": ".join(word for word in words if word), forms_of([client.secret]))
    shown = "".join(one if one.isprintable() else " " for one in said)[:_SHOWN] or "no details"
    hint = "check clientId, clientSecret and scopes of auth.oauth"
    text = f"{place} refused the token ({status}): {shown}; {hint}"
    return CallRefused(CallRefusal.NO_TOKEN, text)
