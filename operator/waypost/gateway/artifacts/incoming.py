"""An artifact as it arrives: its tar is unpacked piece by piece, counted and hashed, and thrown
away; the compressed bytes are handed on."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import Final

from waypost.gateway.refusals import RefusalReason, Refused
from waypost.protocol.artifacts.request import Content

_GZIP: Final = 16 + zlib.MAX_WBITS
_STEP: Final = 1024 * 1024  # bytes that one step unpacks
# Compressed bytes of one step: the unpacker keeps a copy of those that it has not used.
_SLICE: Final = 64 * 1024


class Incoming:
    """A stream that must be one gzip of the announced content."""

    def __init__(self, stream: AsyncIterator[bytes], content: Content, *, stall: float) -> None:
        """Receive `stream`; `stall`: maximum seconds between two of its chunks."""
        self._stream = stream
        self._content = content
        self._stall = stall
        self._unpacker = zlib.decompressobj(wbits=_GZIP)
        self._digest = hashlib.sha256()
        self._unpacked = 0

    async def pieces(self, size: int) -> AsyncIterator[bytearray]:
        """The compressed bytes in pieces of `size`, the last one shorter. The last piece comes only
        if all that was announced is true. No piece is changed once it was yielded.

        Raises:
            Refused: It is not gzip, not the announced content, or too slow.
        """
        # Chunks are copied once, into their piece: two more copies of 8 MiB are what it cost else.
        piece = bytearray()
        async for chunk in self._chunks():
            rest = memoryview(chunk)
            while len(piece) + len(rest) > size:
                room = size - len(piece)
                piece += rest[:room]
                rest = rest[room:]
                await asyncio.to_thread(self._verify, piece)
                yield piece
                piece = bytearray()
            piece += rest
        await asyncio.to_thread(self._verify, piece)
        self._complete()
        yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._stream)
        while True:
            try:
                async with asyncio.timeout(self._stall):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                text = f"no part of the artifact arrived within {self._stall:g} s"
                raise Refused(RefusalReason.SLOW, text) from None
            if chunk is None:
                return
            yield chunk

    def _verify(self, piece: bytearray) -> None:
        view = memoryview(piece)
        for at in range(0, len(view), _SLICE):
            self._unpack(view[at : at + _SLICE])

    def _unpack(self, compressed: memoryview) -> None:
        waiting: bytes | memoryview = compressed
        while waiting:
            if self._unpacker.eof:
                raise Refused(RefusalReason.NOT_GZIP, "there is data after the end of the gzip")
            try:
                found = self._unpacker.decompress(waiting, _STEP)
            except zlib.error as error:
                text = f"the artifact is not gzip: {error}"
                raise Refused(RefusalReason.NOT_GZIP, text) from None
            waiting = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            self._digest.update(found)
            self._unpacked += len(found)
            if self._unpacked > self._content.bytes:
                text = f"the artifact has more than the announced {self._content.bytes} bytes"
                raise Refused(RefusalReason.WRONG_DIGEST, text)

    def _complete(self) -> None:
        if not self._unpacker.eof:
            raise Refused(RefusalReason.NOT_GZIP, "the gzip of the artifact is incomplete")
        found = f"sha256:{self._digest.hexdigest()}"
        if (found, self._unpacked) != (self._content.digest, self._content.bytes):
            text = (
                f"expected {self._content.bytes} bytes with {self._content.digest}, found "
                f"{self._unpacked} bytes with {found}"
            )
            raise Refused(RefusalReason.WRONG_DIGEST, text)
