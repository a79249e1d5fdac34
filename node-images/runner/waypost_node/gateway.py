"""Client of the gateway, which keeps what a commit record or a request has no room for.

Whose payload it is follows from the pod's token alone (docs/adr/0008-agent-nodes.md).
"""

import os
import random
import time
from pathlib import Path
from typing import Final, Literal, TypeAlias

import httpx2
from waypost.protocol import ijson
from waypost.protocol.ijson import Json

TOKEN_FILE: Final = "/waypost/token/gateway"
DIGEST_HEADER: Final = "Waypost-Digest"
TIMES: Final = httpx2.Timeout(30.0, connect=5.0)  # seconds, of one step of one try
FIRST_WAIT: Final = 0.2  # seconds, doubled after every try
LONGEST_WAIT: Final = 10.0
_AGAIN: Final = frozenset({401, 408, 425, 429})
_TOO_LARGE: Final = 413
_SHOWN: Final = 300

Type: TypeAlias = Literal["result", "trace", "input"]


class GatewayError(Exception):
    """A payload that could not be kept or had: which, where, and what the gateway said. `reason`
    is the gateway's word for it, "" where there is none."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class TooLarge(GatewayError):
    """A payload above the gateway's limit; says the limit and what to configure."""


class Passing(Exception):
    """A try that failed for the time being; asked to wait for `seconds`."""

    def __init__(self, problem: str, seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.seconds = seconds


class Gateway:
    """The gateway at `url`. Every call tries until `deadline`, a time.monotonic(), at least once.

    Tried again: no connection, a broken one, 401 (the kubelet renews the token while we wait),
    429 and 5xx. Whatever else is refused stays refused.
    """

    def __init__(self, url: str, *, deadline: float) -> None:
        self._url = url.rstrip("/")
        self._deadline = deadline

    def put(self, type_: Type, body: bytes, *, digest: str) -> None:
        """Keep a payload in canonical form; returns when it is durable. Raises GatewayError."""
        self._call("PUT", type_, body, digest)

    def get(self, type_: Type, *, digest: str) -> Json:
        """The payload with this digest. Raises GatewayError, also for another payload."""
        answer = self._call("GET", type_, None, None)
        try:
            value = ijson.parse(answer)
        except ijson.IJsonError as error:
            raise GatewayError(f"{self._named(type_)}: {error}") from None
        found = ijson.digest(value)
        if found != digest:
            raise GatewayError(f"{self._named(type_)}: expected {digest}, found {found}")
        return value

    def _named(self, type_: Type) -> str:
        return f"the {type_} at the gateway {self._url}"

    def _call(self, method: str, type_: Type, body: bytes | None, digest: str | None) -> bytes:
        wait = FIRST_WAIT
        # trust_env: neither a proxy nor a .netrc of the image has to do with this token.
        with httpx2.Client(timeout=TIMES, trust_env=False) as client:
            while True:
                try:
                    return self._once(client, method, type_, body, digest)
                except Passing as passing:
                    pause = pause_after(passing, wait)
                    if time.monotonic() + pause >= self._deadline:
                        text = f"{self._named(type_)}: no success in time, last {passing}"
                        raise GatewayError(text) from None
                time.sleep(pause)
                wait = min(wait * 2, LONGEST_WAIT)

    def _once(
        self,
        client: httpx2.Client,
        method: str,
        type_: Type,
        body: bytes | None,
        digest: str | None,
    ) -> bytes:
        """One try. Raises Passing for what a later one may not meet."""
        address = f"{self._url}/v1/payloads/{type_}"
        headers = headers_of(body, digest)
        try:
            response = client.request(method, address, content=body, headers=headers)
        except httpx2.TransportError as error:
            raise Passing(f"{type(error).__name__}: {error}") from None
        return content_of(response, named=self._named(type_))


def content_of(response: httpx2.Response, *, named: str) -> bytes:
    """The body of a success. Raises Passing for what another try may not meet, GatewayError for
    what stays refused; `named`: what was asked for."""
    if response.is_success:
        return response.content
    reason, message = _said(response)
    problem = f"{response.status_code}: {message}"
    if response.status_code in _AGAIN or response.is_server_error:
        raise Passing(problem, _seconds(response.headers.get("retry-after")))
    refused = TooLarge if response.status_code == _TOO_LARGE else GatewayError
    raise refused(f"{named} was refused: {problem}", reason=reason)


def pause_after(passing: Passing, wait: float) -> float:
    """Seconds until the next try, of `wait` at most or of what was asked for."""
    # Spread, or all pods that wait for a restarted gateway come back at once.
    return max(wait * random.uniform(0.5, 1.0), passing.seconds)


def _said(response: httpx2.Response) -> tuple[str, str]:
    """The gateway's own words; of whatever else answers, the beginning."""
    try:
        told = response.json()
        reason, message = str(told["reason"]), str(told["message"])
    except (ValueError, TypeError, LookupError):
        reason, message = "", response.text
    return reason, message[:_SHOWN].strip()


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() and len(text) < 6 else 0.0


def headers_of(body: bytes | None, digest: str | None) -> dict[str, str]:
    """The headers of a request. Raises GatewayError when the token cannot be read."""
    try:
        # Each time anew: the kubelet renews it.
        token = Path(os.environ.get("WAYPOST_TOKEN", TOKEN_FILE)).read_text().strip()
    except OSError as error:
        raise GatewayError(f"the gateway's token cannot be read: {error}") from None
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if digest is not None:
        headers[DIGEST_HEADER] = digest
    return headers
