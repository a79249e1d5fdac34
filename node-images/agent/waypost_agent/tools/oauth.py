"""OAuth client credentials of an MCP server: a token is fetched when it is needed, kept until it
expires, and fetched again when the server refuses it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

import httpx2
from waypost.protocol.gateways import client_credentials
from waypost.protocol.gateways.client_credentials import (
    EARLY,
    document_of,
    error_in,
    life_of,
    token_in,
)
from waypost.protocol.probe import ProbeReason, Verdict
from waypost_node import endpoint_access
from waypost_node.redaction import public

RENEWABLE: Final = "waypost_renewable"  # extension of a request that is repeated after a 401
_TOKEN_TIMEOUT: Final = 30.0
_SHOWN: Final = 200  # characters of a server's words


class NoToken(httpx2.TransportError):
    """No token could be had, so the request was not sent. `status`: 401 where the token server
    refused, None where it did not answer."""

    def __init__(self, verdict: Verdict, *, status: int | None) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict
        self.status = status


class ClientCredentials(httpx2.Auth):
    """Sends a bearer token with every request. `on_failure` is called with a request that was not
    sent, and why.

    Args of the document: `tokenUrl`, `clientId`, `clientSecretFile`, `scopes?`. Raises
    endpoint_access.Unfit for a secret that cannot be read.
    """

    def __init__(
        self,
        document: dict[str, Any],
        keys: endpoint_access.Keys,
        *,
        ca_file: str | None,
        on_failure: Callable[[httpx2.Request, NoToken], None],
    ) -> None:
        self._url = endpoint_access.address(document["tokenUrl"])
        self._id = str(document["clientId"])
        self._secret = keys.read(document["clientSecretFile"])
        self._scope = " ".join(document.get("scopes", ()))
        self._keys = keys
        self._trust = endpoint_access.trust(ca_file)
        self._on_failure = on_failure
        self._lock = asyncio.Lock()
        self._token = ""
        self._ends = 0.0  # time.monotonic()
        self._in_body = False  # the server takes the secret in the body only

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send the request with a token; once more with a new one after 401."""
        token = await self._current(request)
        request.headers["Authorization"] = f"Bearer {token}"
        request.extensions = {**request.extensions, RENEWABLE: True}
        response = yield request
        request.extensions = {k: v for k, v in request.extensions.items() if k != RENEWABLE}
        if response.status_code == 401:
            token = await self._current(request, refused=token)
            request.headers["Authorization"] = f"Bearer {token}"
            yield request

    async def _current(self, request: httpx2.Request, *, refused: str | None = None) -> str:
        """A token that holds and is not the one that was refused. Raises NoToken."""
        async with self._lock:
            if time.monotonic() >= self._ends or self._token == refused:
                try:
                    await self._fetch()
                except NoToken as failure:
                    self._on_failure(request, failure)
                    raise
            return self._token

    async def _fetch(self) -> None:
        try:
            async with httpx2.AsyncClient(verify=self._trust, timeout=_TOKEN_TIMEOUT) as http:
                answer = await self._ask(http)
                if not self._in_body and _error_of(answer) == "invalid_client":
                    # Some servers take the secret in the body only.
                    self._in_body = True
                    answer = await self._ask(http)
        except httpx2.HTTPError as error:
            verdict = endpoint_access.unreachable(error, self._url, self._keys.redact)
            raise NoToken(verdict, status=None) from None
        self._take(answer)

    async def _ask(self, http: httpx2.AsyncClient) -> httpx2.Response:
        asked = client_credentials.question(
            self._id, self._secret, scope=self._scope, in_body=self._in_body
        )
        if asked.basic:
            self._keys.add(asked.basic)
        return await http.post(self._url, content=asked.body, headers=asked.headers)

    def _take(self, answer: httpx2.Response) -> None:
        """Keep the token of an answer. Raises NoToken."""
        document = document_of(answer.content)
        token = token_in(document)
        if not answer.is_success or not token:
            raise NoToken(self._refusal(answer, document), status=401)
        self._keys.add(token)
        # A token that lives shorter than the margin is used for one request.
        self._token, self._ends = token, time.monotonic() + max(life_of(document) - EARLY, 0.0)

    def _refusal(self, answer: httpx2.Response, document: dict[str, Any]) -> Verdict:
        place = f"token server {self._url}"
        if answer.is_success:
            text = f"{place} answered {answer.status_code} without an access_token; check tokenUrl"
            return Verdict(ProbeReason.UNEXPECTED_ANSWER, text)
        words = [_error_of(answer), str(document.get("error_description") or "")]
        redact = self._keys.redact
        said = ": ".join(public(word, redact, _SHOWN) for word in words if word)
        said = said or endpoint_access.said_in(answer.content, redact) or "no details"
        hint = "check clientId, clientSecret and scopes of auth.oauth"
        text = f"{place} refused the token ({answer.status_code}): {said}; {hint}"
        return Verdict(ProbeReason.UNAUTHORIZED, text)


def _error_of(answer: httpx2.Response) -> str:
    """The OAuth error code of an answer, "" where it has none."""
    return "" if answer.is_success else error_in(document_of(answer.content))
