"""Reads the `http` part of the request document."""

import base64
import re
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import httpx2
from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost.protocol.request import Request

from waypost_node.redaction import Redactor

MAX_BYTES: Final = 1024 * 1024
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_SHORTEST_PART: Final = 8  # characters
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
Effect = Literal["none", "idempotent", "once"]


class BadWork(ValueError):
    """The request cannot be sent. The message names the field and what is wrong."""


class ByGateway(NamedTuple):
    """Where the model gateway takes the request, and the file with the token of this pod."""

    url: str
    token_file: str


class HttpWork(NamedTuple):
    """One HTTP request. `success` None: 200 to 299; `url` includes the query; `gateway`: what sends
    it instead of this pod."""

    method: str
    url: httpx2.URL
    headers: httpx2.Headers
    body: bytes | None
    response_schema: Json | None
    success: frozenset[int] | None
    max_bytes: int
    ca_file: str | None
    effect: Effect
    redact: Redactor
    big_integers_as_text: bool = False
    gateway: ByGateway | None = None

    def accepts(self, status: int) -> bool:
        """Whether a response with this status is a success."""
        return 200 <= status <= 299 if self.success is None else status in self.success


def read(request: Request) -> HttpWork:
    """Read the request of an http node, and the files with its secrets.

    Raises:
        BadWork: a field or a secret cannot be used.
    """
    document = request.http
    if document is None:
        raise BadWork("http: missing in the request document")
    method = str(document.get("method", "GET"))
    secrets: list[str] = []
    headers = _headers(document, secrets)
    body = _body(document, headers)
    if method not in _SAFE_METHODS:
        headers.setdefault("Idempotency-Key", request.idempotency_key)
    headers.setdefault("User-Agent", "waypost")
    codes = document.get("successCodes")
    return HttpWork(
        method=method,
        url=_url(document),
        headers=headers,
        body=body,
        response_schema=document.get("responseSchema"),
        success=None if codes is None else frozenset(codes),
        max_bytes=int(document.get("maxBytes", MAX_BYTES)),
        ca_file=document.get("caFile"),
        effect=_effect(document, method),
        redact=Redactor(secrets),
        big_integers_as_text=document.get("bigIntegers") == "AsText",
        gateway=_gateway(document),
    )


def _gateway(document: dict[str, Any]) -> ByGateway | None:
    found = document.get("gateway")
    return ByGateway(found["url"], found["tokenFile"]) if found else None


def _effect(document: dict[str, Any], method: str) -> Effect:
    declared: Effect | None = document.get("effect")
    if declared is not None:
        return declared
    if method in _SAFE_METHODS:
        return "none"
    return "once" if method in ("POST", "PATCH") else "idempotent"


def _url(document: dict[str, Any]) -> httpx2.URL:
    text = document.get("url")
    try:
        url = httpx2.URL(text if isinstance(text, str) else "")
        found = url.copy_merge_params(document.get("query") or {})
    except (httpx2.InvalidURL, ValueError) as error:
        raise BadWork(f"http.url: {error}") from None
    if found.scheme not in ("http", "https") or not found.host:
        raise BadWork(f"http.url: expected http://... or https://..., found {text!r:.200}")
    if found.userinfo:
        raise BadWork("http.url: contains a user name or password; use auth.basic instead")
    return found


def _headers(document: dict[str, Any], secrets: list[str]) -> httpx2.Headers:
    pairs: list[tuple[str, str]] = []
    for header in document.get("headers") or []:
        name = header["name"]
        if "file" in header:
            value = _secret(header["file"], f"the secret of header {name}", secrets)
        else:
            value = header.get("value", "")
        if not _HEADER_VALUE.fullmatch(value):
            raise BadWork(
                f"http.headers: the value of {name} has characters that no header can hold"
            )
        pairs.append((name, value))
    headers = httpx2.Headers(pairs)
    auth = document.get("auth")
    if auth:
        headers["Authorization"] = _authorization(auth, secrets)
    return headers


def _authorization(auth: dict[str, str], secrets: list[str]) -> str:
    if "bearerFile" in auth:
        token = _secret(auth["bearerFile"], "the secret of auth.bearer", secrets)
        if not _HEADER_VALUE.fullmatch(token):
            raise BadWork("http.auth.bearer: the secret has characters that no header can hold")
        return f"Bearer {token}"
    user = _secret(auth["usernameFile"], "the user name of auth.basic", [])
    password = _secret(auth["passwordFile"], "the password of auth.basic", secrets)
    both = base64.b64encode(f"{user}:{password}".encode()).decode()
    secrets.append(both)
    return f"Basic {both}"


def _secret(path: str, what: str, secrets: list[str]) -> str:
    """The text of a mounted secret, without a line break at its end."""
    try:
        text = Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        # The text of the error could contain bytes of the secret.
        raise BadWork(f"cannot read {what}: {type(error).__name__} at {path}") from None
    if not text:
        raise BadWork(f"{what} is empty; check the key in the Secret that the node names")
    # A header value is often a word followed by the key.
    secrets += [text, *(part for part in text.split() if len(part) >= _SHORTEST_PART)]
    return text


def _body(document: dict[str, Any], headers: httpx2.Headers) -> bytes | None:
    if "body" not in document:
        return None
    body = document["body"]
    if isinstance(body, str):
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return body.encode()
    headers.setdefault("Content-Type", "application/json")
    return ijson.canonical(body)
