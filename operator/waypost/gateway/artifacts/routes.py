"""The HTTP interface of artifacts.

    POST /v1/artifacts/out/NAME     may it be stored? 204: yes; 200: it is stored already
    PUT  /v1/artifacts/out/NAME     store an artifact of the calling attempt: 201, or 200
    GET  /v1/artifacts/in/NUMBER    read what the operator pinned for the calling attempt

A pod asks before it sends: a refusal in the middle of a long stream is often not read.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from waypost.gateway import upload_limiter
from waypost.gateway.artifacts import pins
from waypost.gateway.artifacts.incoming import Incoming
from waypost.gateway.artifacts.store import PART, ArtifactStore, Body
from waypost.gateway.authentication import Authenticator, Caller, source_of
from waypost.gateway.metrics import GatewayMetrics
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.protocol.artifacts.limits import BYTES_HEADER, CONTENT_TYPE, FILES_HEADER, ROOM_HEADER
from waypost.protocol.artifacts.request import Content

TYPE: Final = "artifact"
# The piece that waits, the one that is stored, and copies of an HTTP client.
_MEMORY: Final = 3 * PART


@dataclass(frozen=True)
class ArtifactRoutes:
    """The parts that serve artifacts. `stall`: maximum seconds between two chunks of an upload."""

    authenticator: Authenticator
    uploads: UploadLimiter
    store: ArtifactStore
    metrics: GatewayMetrics
    stall: float

    async def ask(self, request: Request, name: str) -> tuple[Response, str]:
        """Whether the artifact may be stored."""
        caller = await self._caller(request)
        content = _announced(request)
        self._allowed(caller, name, content)
        if await self.store.stored(caller, name, content):
            return Response(status_code=200), "Same"
        room = self.store.room
        headers = {} if room is None else {ROOM_HEADER: str(room)}
        return Response(status_code=204, headers=headers), "Asked"

    async def put(self, request: Request, name: str) -> tuple[Response, str]:
        """Store an artifact. The attempt must be the current one at the first byte, and when the
        record is created."""
        caller = await self._caller(request)
        content = _announced(request)
        self._allowed(caller, name, content)
        with self.uploads.slot(caller.pod.uid), self.uploads.room(_MEMORY):
            if await self.store.stored(caller, name, content):
                return Response(status_code=200), "Same"
            incoming = Incoming(request.stream(), content, stall=self.stall)
            kept = await self.store.keep(caller, name, content, incoming)
            again = await self.authenticator.confirm(caller)
            new = await self.store.record(again, name, content, kept)
        if new:
            self.metrics.stored(type_=TYPE, size=content.bytes)
        return Response(status_code=201 if new else 200), "Stored" if new else "Same"

    async def get(self, request: Request, number: int) -> tuple[Response, str]:
        """An artifact that the operator pinned."""
        caller = await self._caller(request)
        pinned = pins.readable(caller.artifacts, number)
        with self.uploads.slot(caller.pod.uid):
            body = await self.store.find(caller, pinned)
            # Read the first piece before the response starts: an error can still change the status.
            first = await anext(body.pieces, b"")
        headers = {
            upload_limiter.DIGEST_HEADER: body.content.digest,
            "content-length": str(body.size),
        }
        pieces = self._sent(caller, first, body)
        return StreamingResponse(pieces, media_type=CONTENT_TYPE, headers=headers), "Read"

    async def _sent(self, caller: Caller, first: bytes, body: Body) -> AsyncIterator[bytes]:
        with self.uploads.slot(caller.pod.uid):
            yield first
            async for piece in body.pieces:
                yield piece

    async def _caller(self, request: Request) -> Caller:
        header = request.headers.get("authorization", "")
        return await self.authenticator.authenticate(header, source=source_of(request.client))

    def _allowed(self, caller: Caller, name: str, content: Content) -> None:
        limit = pins.largest(caller.artifacts, name)
        if content.bytes > limit:
            text = (
                f"artifact {name} has {content.bytes} bytes, the limit is {limit}; raise maxBytes"
            )
            raise Refused(RefusalReason.TOO_LARGE, text)


def _announced(request: Request) -> Content:
    digest = upload_limiter.announced_digest(request.headers.get(upload_limiter.DIGEST_HEADER))
    numbers = []
    for header in (BYTES_HEADER, FILES_HEADER):
        number = upload_limiter.announced_length(request.headers.get(header))
        if number is None:
            raise Refused(RefusalReason.BAD_REQUEST, f"{header}: expected a number of at least 0")
        numbers.append(number)
    return Content(digest, *numbers)
