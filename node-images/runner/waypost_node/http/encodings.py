"""Content encodings of a response, undone to their end.

The client's own decoder stops where the data stops: half of a compressed text would pass for the
whole. Here a stream without its end is an error, and members after the first one count. Other data
after the end is ignored: servers and proxies pad.
"""

import zlib
from collections.abc import Iterator
from typing import Final

_GZIP: Final = 16 + zlib.MAX_WBITS
_MEMBER: Final = b"\x1f"  # the first byte of a gzip member
_PIECE: Final = 64 * 1024  # bytes that are unpacked at a time: a bound can stop a bomb
# Named in a response, and nothing that the node can undo. Other names are of data that is as it is.
_UNKNOWN: Final = frozenset({"br", "zstd", "compress", "x-compress"})


class BadEncoding(Exception):
    """The body is not what its Content-Encoding says. `cut`: it ends too early."""

    def __init__(self, message: str, *, cut: bool = False) -> None:
        super().__init__(message)
        self.cut = cut


def decoded(parts: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The bytes of a body as they were before `encoding`, the value of its Content-Encoding.
    Raises BadEncoding."""
    for name in reversed([each.strip().lower() for each in encoding.split(",")]):
        if name in _UNKNOWN:
            raise BadEncoding(
                f"the response is compressed with {name}; http nodes take gzip and deflate"
            )
        if name in ("gzip", "x-gzip", "deflate"):
            parts = _inflated(parts, "gzip" if "gzip" in name else name)
    return parts


def _inflated(parts: Iterator[bytes], name: str) -> Iterator[bytes]:
    stream, ended = None, False
    for part in parts:
        while part:
            if stream is None and ended:
                part = part.lstrip(b"\0")  # padding
                if part and not (name == "gzip" and part.startswith(_MEMBER)):
                    return
                if not part:
                    break
            stream = stream or _stream(name, part)
            try:
                yield from _pieces(stream, part)
            except zlib.error as error:
                raise BadEncoding(f"the response is not valid {name}: {error}") from None
            part = stream.unused_data
            if stream.eof:
                stream, ended = None, True
    if stream is not None:
        raise BadEncoding(f"the response was cut: its {name} data has no end", cut=True)


def _pieces(stream: "zlib._Decompress", part: bytes) -> Iterator[bytes]:
    """What `part` unpacks to. A full piece may not be all, though all of `part` was read."""
    while True:
        piece = stream.decompress(part, _PIECE)
        yield piece
        part = stream.unconsumed_tail
        if stream.eof or (not part and len(piece) < _PIECE):
            return


def _stream(name: str, start: bytes) -> "zlib._Decompress":
    if name == "gzip":
        return zlib.decompressobj(_GZIP)
    # Servers send deflate with and without the header of zlib.
    header = len(start) > 1 and start[0] & 15 == 8 and (start[0] * 256 + start[1]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if header else -zlib.MAX_WBITS)
