"""Whether a request is signed with a secret of its EventSource, or has its token.

A signature is over the bytes as they were received, and is compared in constant time. No reason is
given for a refusal: each would help to guess.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from waypost.api.source.model import Preset
from waypost.ingress.core.headers import Headers

TOLERANCE: Final = 300  # seconds between the time that is signed and now, in both directions
_WEBHOOK_SECRET: Final = "whsec_"
_MOST_SIGNATURES: Final = 10  # in one header


class Signed(NamedTuple):
    """What a header says: the signed bytes, when they were signed, and the signatures.

    `at` is None if no time is signed. `id` is what the sender calls the request, if that is signed.
    """

    content: bytes
    signatures: tuple[bytes, ...]
    at: float | None = None
    id: str = ""


def is_signed(
    preset: Preset, secrets: Iterable[str], headers: Headers, body: bytes, *, now: float
) -> bool:
    """Whether the body was signed with one of the secrets, and lately if the time is signed."""
    signed = _READERS[preset](headers, body)
    if signed is None or (signed.at is not None and not abs(now - signed.at) <= TOLERANCE):
        return False
    found = False
    for secret in secrets:
        key = _key(preset, secret)
        expected = hmac.new(key, signed.content, hashlib.sha256).digest() if key else None
        for signature in signed.signatures:
            # Every comparison is made, whatever those before it gave.
            found |= expected is not None and hmac.compare_digest(expected, signature)
    return found


def signed_id(preset: Preset, headers: Headers) -> str:
    """The id in the headers of a request, if the signature covers it; "" otherwise."""
    return headers.only("webhook-id") if preset == "StandardWebhooks" else ""


def has_token(tokens: Iterable[str], headers: Headers) -> bool:
    """Whether a request has one of the tokens."""
    scheme, _, sent = headers.only("authorization").partition(" ")
    given = hashlib.sha256(sent.strip().encode()).digest()
    found = False
    for token in tokens:
        found |= hmac.compare_digest(hashlib.sha256(token.encode()).digest(), given)
    return found and scheme.lower() == "bearer"


def _key(preset: Preset, secret: str) -> bytes:
    """The key of a secret; b"" if it cannot be one."""
    if preset != "StandardWebhooks":
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_WEBHOOK_SECRET), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _github(headers: Headers, body: bytes) -> Signed | None:
    algorithm, _, text = headers.only("x-hub-signature-256").partition("=")
    return Signed(body, _hex([text])) if algorithm == "sha256" else None


def _stripe(headers: Headers, body: bytes) -> Signed | None:
    parts = [part.partition("=") for part in headers.only("stripe-signature").split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    at = _seconds(times[0]) if len(times) == 1 else None
    if at is None:
        return None
    texts = [value.strip() for name, _, value in parts if name.strip() == "v1"]
    return Signed(f"{times[0]}.".encode() + body, _hex(texts), at)


def _slack(headers: Headers, body: bytes) -> Signed | None:
    sent = headers.only("x-slack-request-timestamp")
    at = _seconds(sent)
    version, _, text = headers.only("x-slack-signature").partition("=")
    if at is None or version != "v0":
        return None
    return Signed(f"v0:{sent}:".encode() + body, _hex([text]), at)


def _standard(headers: Headers, body: bytes) -> Signed | None:
    id_, sent = headers.only("webhook-id"), headers.only("webhook-timestamp")
    at = _seconds(sent)
    if at is None or not id_:
        return None
    texts = (part.partition(",") for part in headers.only("webhook-signature").split())
    signatures = tuple(_base64(text) for version, _, text in texts if version == "v1")
    return Signed(f"{id_}.{sent}.".encode() + body, signatures[:_MOST_SIGNATURES], at)


_READERS: Final[Mapping[Preset, Callable[[Headers, bytes], Signed | None]]] = {
    "GitHub": _github,
    "Stripe": _stripe,
    "Slack": _slack,
    "StandardWebhooks": _standard,
}


def _seconds(text: str) -> float | None:
    """A time as all of them write it: whole seconds since 1970."""
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 13 else None


def _hex(texts: Iterable[str]) -> tuple[bytes, ...]:
    found = []
    for text in list(texts)[:_MOST_SIGNATURES]:
        try:
            found.append(bytes.fromhex(text))
        except ValueError:
            continue
    return tuple(found)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
