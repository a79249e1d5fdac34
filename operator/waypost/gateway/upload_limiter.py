"""Receives request bodies within limits of size, time, memory and concurrency.

A gateway without free memory refuses at once; uploads never wait for each other.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.kube import node_records
from waypost.protocol import ijson, uploads
from waypost.protocol.ijson import Json

DIGEST_HEADER: Final = "waypost-digest"
# A pod sends at most its result and its trace at the same time.
UPLOADS_PER_POD: Final = 2
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_DRAIN_SECONDS: Final = 10.0
_AGAIN: Final = 2
_NO_ROOM: Final = "too many uploads in progress; retry later"


@dataclass(frozen=True)
class Payload:
    """A payload that is valid I-JSON and matches its digest."""

    canonical: bytes
    digest: str

    @property
    def size(self) -> int:
        """Bytes of the canonical form."""
        return len(self.canonical)

    @property
    def form(self) -> JsonObject | None:
        """The field of a record for it (`node_records.form_of`). Slow."""
        small = self.size <= node_records.INLINE  # only then the value is in it
        value = ijson.parse(self.canonical) if small else None
        return node_records.form_of(value, self.canonical)


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


def checked(body: bytes, *, digest: str, declared: Json = None, above: int = 0) -> Payload:
    """Parse a body, check its digest, and validate it as `uploads.check`. Slow.

    Raises:
        Refused: too many values, not I-JSON, another digest, or not what the schema says; or no
            process could check it now.
    """
    try:
        found = uploads.check(body, digest, declared=declared, above=above)
    except uploads.Unusable as error:
        again = _AGAIN if error.fault == "Busy" else None
        raise Refused(RefusalReason(error.fault), error.message, again=again) from None
    if found.violations:
        problems = "; ".join(str(violation) for violation in found.violations)
        text = f"the output does not match outputSchema: {problems}"
        raise Refused(RefusalReason.INVALID, text)
    return Payload(found.canonical, digest)


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
