"""Receives request bodies within limits of size, time, memory and concurrency.

A gateway without free memory refuses at once; uploads never wait for each other.
"""

import asyncio
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

from waypost.gateway.refusals import RefusalReason, Refused
from waypost.protocol import ijson
from waypost.protocol.ijson import Json

DIGEST_HEADER: Final = "waypost-digest"
# A pod sends at most its result and its trace at the same time.
UPLOADS_PER_POD: Final = 2
# Values in one payload. Each needs about 100 bytes while it is checked, however short its text.
MOST_VALUES: Final = 1_000_000
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_DRAIN_SECONDS: Final = 10.0
_AGAIN: Final = 2
_NO_ROOM: Final = "too many uploads in progress; retry later"


@dataclass(frozen=True)
class Payload:
    """A payload that is valid I-JSON and matches its digest."""

    value: Json
    canonical: bytes
    digest: str

    @property
    def size(self) -> int:
        """Bytes of the canonical form."""
        return len(self.canonical)


class UploadLimiter:
    """Limits for uploads. `room`: bytes of all bodies in flight; `seconds`: time for one body."""

    def __init__(self, *, room: int, seconds: float) -> None:
        self._room = room
        self._seconds = seconds
        self._uploads: Counter[str] = Counter()
        self.in_flight = 0

    @contextlib.contextmanager
    def slot(self, pod_uid: str) -> Iterator[None]:
        """A slot for one request of a pod. Raises Refused if the pod has no slot left."""
        if self._uploads[pod_uid] >= UPLOADS_PER_POD:
            text = f"this pod already has {UPLOADS_PER_POD} requests in progress; retry later"
            raise Refused(RefusalReason.BUSY, text, again=_AGAIN)
        self._uploads[pod_uid] += 1
        try:
            yield
        finally:
            self._uploads[pod_uid] -= 1
            if not self._uploads[pod_uid]:
                del self._uploads[pod_uid]

    @contextlib.contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Memory for a transfer that needs a fixed amount. Raises Refused if there is none."""
        if self.in_flight + size > self._room:
            raise Refused(RefusalReason.BUSY, _NO_ROOM, again=_AGAIN)
        self.in_flight += size
        try:
            yield
        finally:
            self.in_flight -= size

    @contextlib.asynccontextmanager
    async def body(
        self, stream: AsyncIterator[bytes], *, announced: int | None, limit: int, advice: str
    ) -> AsyncIterator[bytes]:
        """Receive the whole body; it counts against the room while the block lasts.

        Args:
            stream: chunks of the body.
            announced: Content-Length in bytes, if known.
            limit: maximum size in bytes.
            advice: what the user can do about a larger body.

        Raises:
            Refused: too large, too slow, or no room.
        """
        taken = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                if announced is not None and announced > limit:
                    await _drain(stream)
                    raise _too_large(announced, limit, advice)
                async for chunk in stream:
                    self._take(taken, chunk)
                    if len(taken) > limit:
                        size = announced or len(taken)
                        self._give_back(taken)
                        await _drain(stream)
                        raise _too_large(size, limit, advice)
            yield bytes(taken)
        except TimeoutError:
            text = f"the request body did not arrive within {self._seconds:g} s"
            raise Refused(RefusalReason.SLOW, text) from None
        finally:
            self._give_back(taken)

    def _take(self, taken: bytearray, chunk: bytes) -> None:
        if self.in_flight + len(chunk) > self._room:
            raise Refused(RefusalReason.BUSY, _NO_ROOM, again=_AGAIN)
        self.in_flight += len(chunk)
        taken += chunk

    def _give_back(self, taken: bytearray) -> None:
        self.in_flight -= len(taken)
        taken.clear()


def announced_length(header: str | None) -> int | None:
    """The Content-Length in bytes; None if it is missing or malformed."""
    return int(header) if header and header.isdecimal() and len(header) < 19 else None


def announced_digest(header: str | None) -> str:
    """The Waypost-Digest header. Raises Refused."""
    if header is None or not _DIGEST.fullmatch(header):
        text = f"Waypost-Digest: expected sha256:<64 hex digits>, found {header!r:.90}"
        raise Refused(RefusalReason.BAD_REQUEST, text)
    return header


def checked(body: bytes, *, digest: str) -> Payload:
    """Parse a body and check its digest. Slow: up to some seconds for the largest bodies.

    Raises:
        Refused: too many values, not I-JSON, or another digest.
    """
    # Characters inside strings count too, so the count is never too low.
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MOST_VALUES:
        text = (
            f"the payload has up to {values} values, the limit is {MOST_VALUES}; store them as text"
        )
        raise Refused(RefusalReason.TOO_LARGE, text)
    try:
        value = ijson.parse(body)
        canonical = ijson.canonical(value)
    except (ijson.IJsonError, RecursionError) as error:
        raise Refused(RefusalReason.NOT_I_JSON, f"the payload is not I-JSON: {error}") from None
    found = f"sha256:{hashlib.sha256(canonical).hexdigest()}"
    if found != digest:
        text = f"Waypost-Digest: expected {digest}, but the payload's digest is {found}"
        raise Refused(RefusalReason.WRONG_DIGEST, text)
    return Payload(value, canonical, digest)


def _too_large(size: int, limit: int, advice: str) -> Refused:
    return Refused(
        RefusalReason.TOO_LARGE,
        f"the payload has at least {size} bytes, the limit is {limit}; {advice}",
    )


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Read and discard the rest: a client cut off in mid-body may never read the response."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in stream:
                pass
