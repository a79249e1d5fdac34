"""A tar becomes a folder. Nothing in it is trusted, although `pack` made it: each header must be in
the one form that `pack` writes, and nothing is written outside of the folder."""

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from waypost.protocol.artifacts.request import Content

from waypost_node.artifacts.entries import BLOCK, END, Entry, Unfit, decode, padding, pax_size
from waypost_node.artifacts.rules import Rules

_PIECE: Final = 256 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack(pieces: Iterable[bytes], folder: str, *, expected: Content) -> None:
    """Write an artifact into an empty folder.

    Args:
        pieces: The gzip of its tar.
        folder: The folder; it must exist.
        expected: The content that the operator pinned.

    Raises:
        Unfit: It is not that content, or has an entry that is refused. The folder has a part of it.
        OSError: It cannot be written.
    """
    reader = _Reader(inflated(pieces, most=expected.bytes))
    rules = Rules(most=expected.files)
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    writer = _Writer(root)
    try:
        for entry in _entries(reader):
            rules.accept(entry)
            writer.write(entry, reader)
    finally:
        writer.close()
    reader.ends()
    if reader.digest != expected.digest:
        raise Unfit(f"expected the digest {expected.digest}, found {reader.digest}")
    if rules.files != expected.files:
        raise Unfit(f"expected {expected.files} files, folders and links, found {rules.files}")


def inflated(pieces: Iterable[bytes], *, most: int) -> Iterator[bytes]:
    """The content of a gzip in pieces of at most 256 KiB.

    Args:
        pieces: The gzip.
        most: Maximum bytes of the content.

    Raises:
        Unfit: It is not one complete gzip, or its content is larger.
    """
    unpacker, size = zlib.decompressobj(wbits=_GZIP), 0
    for piece in pieces:
        waiting = piece
        while waiting and not unpacker.eof:
            try:
                found = unpacker.decompress(waiting, _PIECE)
            except zlib.error as error:
                raise Unfit(f"it is not gzip: {error}") from None
            waiting = unpacker.unconsumed_tail
            size += len(found)
            if size > most:
                raise Unfit(f"it has more than the {most} bytes that were announced")
            yield found
        if waiting or unpacker.unused_data:
            raise Unfit("there is data after its end")
    if not unpacker.eof:
        raise Unfit("it is incomplete")


class _Reader:
    """Reads the tar, and computes its digest."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._waiting = bytearray()
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of what has been read."""
        return f"sha256:{self._digest.hexdigest()}"

    def exactly(self, size: int) -> bytes:
        """The next bytes; `size` must be small."""
        while len(self._waiting) < size:
            self._more()
        found = bytes(self._waiting[:size])
        del self._waiting[:size]
        return found

    def some(self, size: int) -> bytes:
        """At least one and at most `size` of the next bytes."""
        if not self._waiting:
            self._more()
        return self.exactly(min(size, len(self._waiting)))

    def ends(self) -> None:
        """Read the end. Raises Unfit if anything follows."""
        if self._waiting or any(self._pieces):
            raise Unfit("there is data after its end")

    def _more(self) -> None:
        piece = b""
        while not piece:
            try:
                piece = next(self._pieces)
            except StopIteration:
                raise Unfit("it is incomplete") from None
        self._digest.update(piece)
        self._waiting += piece


def _entries(reader: _Reader) -> Iterator[Entry]:
    """Each entry; the content of a file must be read before the next one."""
    while True:
        header = reader.exactly(BLOCK)
        if header == END[:BLOCK]:
            if reader.exactly(BLOCK) != END[BLOCK:]:
                raise Unfit("its end is not in the form of an artifact")
            return
        size = pax_size(header)
        if size is None:
            yield decode(header)
            continue
        records = reader.exactly(size)
        _skip(reader, size)
        yield decode(reader.exactly(BLOCK), records)


def _skip(reader: _Reader, size: int) -> None:
    zeros = padding(size)
    if reader.exactly(len(zeros)) != zeros:
        raise Unfit("the space after an entry is not empty")


class _Writer:
    """Writes entries below a folder, through descriptors of the folders it has made itself."""

    def __init__(self, root: int) -> None:
        self._open: list[tuple[tuple[bytes, ...], int]] = [((), root)]

    def close(self) -> None:
        """Close all folders."""
        for _, descriptor in self._open:
            os.close(descriptor)

    def write(self, entry: Entry, reader: _Reader) -> None:
        """Write an entry that the rules accept; `reader` is at its content."""
        while self._open[-1][0] != entry.parts[:-1]:
            os.close(self._open.pop()[1])
        folder, name = self._open[-1][1], entry.parts[-1]
        if entry.kind == "folder":
            os.mkdir(name, 0o755, dir_fd=folder)
            self._open.append((entry.parts, os.open(name, _FOLDER, dir_fd=folder)))
        elif entry.kind == "link":
            os.symlink(entry.target, name, dir_fd=folder)
        else:
            self._file(folder, name, entry, reader)

    def _file(self, folder: int, name: bytes, entry: Entry, reader: _Reader) -> None:
        descriptor = os.open(name, _FILE, 0o600, dir_fd=folder)
        try:
            left = entry.size
            while left:
                piece = reader.some(min(left, _PIECE))
                left -= len(piece)
                _write_all(descriptor, piece)
            os.fchmod(descriptor, 0o755 if entry.executable else 0o644)
        finally:
            os.close(descriptor)
        _skip(reader, entry.size)


def _write_all(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]
