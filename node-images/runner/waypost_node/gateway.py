"""Client of the gateway, which stores payloads that fit neither a commit record nor a request.

The pod's token alone identifies the attempt (docs/adr/0008-agent-nodes.md).
"""

import os
import random
import time
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import httpx2
from waypost.protocol import ijson
from waypost.protocol.ijson import Json

from waypost_node.tls.trust import NoTrust, client_options
from waypost_node.tls.words import plain_problem, tls_problem

TOKEN_FILE: Final = "/waypost/token/gateway"
DIGEST_HEADER: Final = "Waypost-Digest"
TIMES: Final = httpx2.Timeout(30.0, connect=5.0)  # seconds per step of one try
FIRST_WAIT: Final = 0.2  # seconds, doubled after each try
LONGEST_WAIT: Final = 10.0
_AGAIN: Final = frozenset({401, 408, 425, 429})
_CLOSED: Final = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
_TOO_LARGE: Final = 413
_SHOWN: Final = 300

Type: TypeAlias = Literal["result", "trace", "input", "calls"]


class GatewayError(Exception):
    """A payload could not be stored or read; the message names it, the gateway and its answer.
    `reason`: the gateway's reason, "" if it gave none."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class TooLarge(GatewayError):
    """A payload above the gateway's limit; the message has the limit and what to configure."""


class Unverified(GatewayError):
    """What answers is not the gateway, or its certificate is not valid; the message says what to
    do (S781)."""


class Passing(Exception):
    """A try that failed temporarily. `seconds`: how long the server asked to wait; `unverified`:
    it failed for the TLS of the gateway."""

    def __init__(self, problem: str, seconds: float = 0.0, *, unverified: bool = False) -> None:
        super().__init__(problem)
        self.seconds = seconds
        self.unverified = unverified


class Gateway:
    """The gateway at `url`. Each call is tried at least once, and until `deadline`, a
    time.monotonic().

    Retried: connection errors, 401 (the kubelet renews the token meanwhile), 408, 425, 429, 5xx.
    Other refusals are final.
    """

    def __init__(self, url: str, *, deadline: float) -> None:
        self._url = url.rstrip("/")
        self._deadline = deadline

    def put(self, type_: Type, body: bytes, *, digest: str) -> None:
        """Store a payload; returns when it is durable.

        Args:
            type_: what it is.
            body: its canonical form (RFC 8785).
            digest: `sha256:<hex>` of the body.

        Raises:
            TooLarge: above the gateway's limit.
            Unverified: not stored in time, for the TLS of the gateway.
            GatewayError: refused, or not stored in time.
        """
        self._call("PUT", type_, body, digest)

    def get(self, type_: Type, *, digest: str) -> Json:
        """Read a payload.

        Args:
            type_: what it is.
            digest: the expected `sha256:<hex>` of its canonical form.

        Raises:
            GatewayError: refused, not read in time, or its digest is not `digest`.
        """
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
        with client_of(self._url) as client:
            while True:
                try:
                    return self._once(client, method, type_, body, digest)
                except Passing as passing:
                    pause = pause_after(passing, wait)
                    if time.monotonic() + pause >= self._deadline:
                        text = (
                            f"{self._named(type_)}: gave up at the deadline; last error: {passing}"
                        )
                        raise given_up(passing, text) from None
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
        """One try. Raises Passing if a later try may succeed."""
        address = f"{self._url}/v1/payloads/{type_}"
        headers = headers_of(body, digest)
        try:
            response = client.request(method, address, content=body, headers=headers)
        except httpx2.TransportError as error:
            raise lost(error, self._url) from None
        return content_of(response, named=self._named(type_))


def client_of(url: str) -> httpx2.Client:
    """A client for the gateway at `url`. Raises Unverified if the pod has no CA for it."""
    return httpx2.Client(**options_of(url))


def options_of(url: str) -> dict[str, Any]:
    """The arguments of a client for the gateway at `url`. Raises Unverified as `client_of`."""
    try:
        # trust_env: a proxy or .netrc of the image must not get this token.
        return {"timeout": TIMES, "trust_env": False, **client_options(url, "gateway")}
    except NoTrust as error:
        raise Unverified(str(error)) from None


def lost(error: httpx2.TransportError, url: str) -> Passing:
    """A try without a response from the gateway at `url`."""
    problem = tls_problem(error)
    if url.startswith("http://") and isinstance(error, _CLOSED):
        problem = plain_problem(url)
    if problem:
        return Passing(f"the gateway cannot be verified: {problem}", unverified=True)
    return Passing(f"{type(error).__name__}: {error}")


def given_up(passing: Passing, text: str) -> GatewayError:
    """The error of a call whose last try was `passing`."""
    return Unverified(text) if passing.unverified else GatewayError(text)


def content_of(response: httpx2.Response, *, named: str) -> bytes:
    """The body of a successful response; raises as `check_answer`."""
    check_answer(response, named=named)
    return response.content


def check_answer(response: httpx2.Response, *, named: str) -> None:
    """Return if the response is a success.

    Args:
        response: the response.
        named: what was requested, for messages.

    Raises:
        Passing: a later try may succeed.
        GatewayError: the refusal is final.
    """
    if response.is_success:
        return
    reason, message = _said(response)
    problem = f"{response.status_code}: {message}"
    if response.status_code in _AGAIN or response.is_server_error:
        raise Passing(problem, _seconds(response.headers.get("retry-after")))
    refused = TooLarge if response.status_code == _TOO_LARGE else GatewayError
    raise refused(f"{named} was refused: {problem}", reason=reason)


def pause_after(passing: Passing, wait: float) -> float:
    """Seconds until the next try.

    Args:
        passing: the failed try, which may say how long to wait.
        wait: seconds of the present step of the backoff; half of it is random.
    """
    # Jitter: otherwise all pods that wait for a restarted gateway return at once.
    return max(wait * random.uniform(0.5, 1.0), passing.seconds)


def _said(response: httpx2.Response) -> tuple[str, str]:
    """Reason and message of a refusal; of another server's response, the start of its text."""
    try:
        body = response.json()
        reason, message = str(body["reason"]), str(body["message"])
    except (ValueError, TypeError, LookupError):
        reason, message = "", response.text
    return reason, message[:_SHOWN].strip()


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() and len(text) < 6 else 0.0


def headers_of(body: bytes | None, digest: str | None) -> dict[str, str]:
    """The headers of a request, with the pod's token.

    Args:
        body: the JSON to send, None for none.
        digest: `sha256:<hex>` of the body, None for none.

    Raises:
        GatewayError: the token cannot be read.
    """
    try:
        # Read for each request: the kubelet renews it.
        token = Path(os.environ.get("WAYPOST_TOKEN", TOKEN_FILE)).read_text().strip()
    except OSError as error:
        raise GatewayError(f"cannot read the token for the gateway: {error}") from None
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if digest is not None:
        headers[DIGEST_HEADER] = digest
    return headers
