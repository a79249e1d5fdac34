"""What a pod uploads: a body is parsed, compared with its digest, and validated."""

import hashlib
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json
from waypost.protocol.violation import Violation

# Values in one payload. Each needs about 100 bytes while it is checked, however short its text.
MOST_VALUES: Final = 1_000_000
_SHOWN: Final = 5
Fault = Literal["TooLarge", "NotIJson", "DigestMismatch", "Busy"]


class Unusable(Exception):
    """A body that is no payload; with Busy, one that could not be checked now.

    Attributes:
        fault: What kind of fault it is.
        message: What is wrong with it.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message


@dataclass(frozen=True)
class Checked:
    """A body that is valid I-JSON and matches its digest: its canonical form, and where its value
    does not conform to the schema."""

    canonical: bytes
    violations: tuple[Violation, ...] = ()


class Checker(Protocol):
    """Checks bodies."""

    def upload(self, body: bytes, digest: str, declared: Json, above: int) -> Checked:
        """As `check`."""


def check(body: bytes, digest: str, *, declared: Json = None, above: int = 0) -> Checked:
    """Check a body. Slow: up to some seconds for the largest bodies.

    Args:
        body: The JSON text.
        digest: What the digest of its canonical form must be.
        declared: The schema of the value; None for any value.
        above: A value whose canonical form has at most so many bytes is not validated.

    Raises:
        Unusable: Too many values, not I-JSON, or another digest.
    """
    return _checker.upload(body, digest, declared, above)


def check_here(body: bytes, digest: str, declared: Json, above: int) -> Checked:
    """`check` in this process, whatever is in use."""
    # Characters inside strings count too, so the count is never too low.
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MOST_VALUES:
        text = f"the payload has up to {values} values, the limit is {MOST_VALUES}"
        raise Unusable("TooLarge", f"{text}; store them as text")
    try:
        value = ijson.parse(body)
        canonical = ijson.canonical(value)
    except (ijson.IJsonError, RecursionError) as error:
        raise Unusable("NotIJson", f"the payload is not I-JSON: {error}") from None
    found = f"sha256:{hashlib.sha256(canonical).hexdigest()}"
    if found != digest:
        text = f"Waypost-Digest: expected {digest}, but the payload's digest is {found}"
        raise Unusable("DigestMismatch", text)
    if declared is None or len(canonical) <= above:
        return Checked(canonical)
    return Checked(canonical, schema.validate_here(declared, value, limit=_SHOWN))


class _Here:
    """Checks in this process."""

    def upload(self, body: bytes, digest: str, declared: Json, above: int) -> Checked:
        return check_here(body, digest, declared, above)


_HERE: Final = _Here()
_checker: Checker = _HERE


def use(checker: Checker | None) -> None:
    """Check all bodies with `checker`; in this process again with None."""
    global _checker  # one per process, set once when it starts
    _checker = checker or _HERE
