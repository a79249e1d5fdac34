"""Signatures of requests, as Standard Webhooks says: id, time and body, HMAC with SHA-256."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

_PREFIX: Final = "whsec_"


class BadKey(ValueError):
    """A signing key is not one."""


def signing_keys(text: str) -> tuple[bytes, ...]:
    """The keys of a text, with blanks between them: two while a receiver changes its key.

    Raises:
        BadKey: One of them is not `whsec_` and base64, or there is none.
    """
    found = tuple(_key(part) for part in text.split())
    if not found:
        raise BadKey("the signing key is empty")
    return found


def _key(part: str) -> bytes:
    try:
        key = base64.b64decode(part.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise BadKey("the signing key is not whsec_ and base64")
    return key


def signed_headers(id_: str, at: float, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of a request. Without keys it has an id and a time, and no signature.

    Args:
        id_: That of the occurrence: the same in each attempt.
        at: The time of this attempt, in seconds since 1970.
        body: The bytes that are sent.
        keys: Keys of the receiver.
    """
    sent, time = f"msg_{id_}", str(int(at))
    headers = {"webhook-id": sent, "webhook-timestamp": time}
    signed = f"{sent}.{time}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    texts = [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]
    return headers | ({"webhook-signature": " ".join(texts)} if texts else {})
