"""A folder becomes a tar: the same folder always gives the same bytes.

Only the paths, the contents, the links and whether a file is executable count: no times, no owners,
no other permissions. A file with two names is two files.
"""

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from typing import Final

from waypost.protocol.artifacts.request import Content

from waypost_node.artifacts.entries import END, Entry, TooLargeFolder, Unfit, encode, padding
from waypost_node.artifacts.rules import Rules

_PIECE: Final = 256 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
# Level 1: the network is faster than a better compression.
_LEVEL: Final = 1
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Packing:
    """A folder as an artifact of at most `max_bytes` bytes of tar."""

    def __init__(self, folder: str, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def measure(self) -> Content:
        """Read the folder once, without keeping it.

        Raises:
            Unfit: It cannot be an artifact.
            OSError: It cannot be read.
        """
        digest, size, rules = hashlib.sha256(), 0, Rules()
        for piece in self._tar(rules):
            digest.update(piece)
            size += len(piece)
            if size > self._max_bytes:
                raise TooLargeFolder(
                    f"more than {self._max_bytes} bytes, the limit in artifacts.out; raise maxBytes"
                )
        return Content(f"sha256:{digest.hexdigest()}", size, rules.files)

    def compressed(self, expected: Content) -> Iterator[bytes]:
        """The tar as gzip, in pieces.

        Raises:
            Unfit: The folder has changed since it was measured; before the last piece.
            OSError: It cannot be read.
        """
        compressor, digest = zlib.compressobj(_LEVEL, wbits=_GZIP), hashlib.sha256()
        waiting = bytearray()
        for piece in self._tar(Rules()):
            digest.update(piece)
            waiting += compressor.compress(piece)
            if len(waiting) >= _PIECE:
                yield bytes(waiting)
                waiting.clear()
        if f"sha256:{digest.hexdigest()}" != expected.digest:
            raise Unfit("the folder changed while it was packed; end what writes to it first")
        yield bytes(waiting) + compressor.flush()

    def _tar(self, rules: Rules) -> Iterator[bytes]:
        root = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield from _folder(root, (), rules)
        finally:
            os.close(root)
        yield END


def _folder(folder: int, at: tuple[bytes, ...], rules: Rules) -> Iterator[bytes]:
    for name in _names(folder, rules):
        parts = (*at, name)
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            entry = Entry(parts, "folder")
            rules.accept(entry)
            yield encode(entry)
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                yield from _folder(inner, parts, rules)
            finally:
                os.close(inner)
        elif stat.S_ISREG(found.st_mode):
            yield from _file(folder, parts, rules)
        elif stat.S_ISLNK(found.st_mode):
            target = os.readlink(name, dir_fd=folder)
            entry = Entry(parts, "link", target=target)
            rules.accept(entry)
            yield encode(entry)
        else:
            what = _special(found.st_mode)
            raise Unfit(f"{Entry(parts, 'file').shown}: {what} is not allowed in an artifact")


def _names(folder: int, rules: Rules) -> list[bytes]:
    names: list[bytes] = []
    with os.scandir(folder) as listed:
        for each in listed:
            names.append(os.fsencode(each.name))
            if len(names) > rules.left:  # before millions of names are in memory
                rules.too_many()
    return sorted(names)


def _file(folder: int, parts: tuple[bytes, ...], rules: Rules) -> Iterator[bytes]:
    shown = Entry(parts, "file").shown
    descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unfit(f"{shown}: changed while it was packed")
        executable = bool(found.st_mode & 0o111)
        entry = Entry(parts, "file", size=found.st_size, executable=executable)
        rules.accept(entry)
        yield encode(entry)
        left = found.st_size
        while left:
            piece = os.read(descriptor, min(left, _PIECE))
            if not piece:
                raise Unfit(f"{shown}: became shorter while it was packed")
            left -= len(piece)
            yield piece
        yield padding(found.st_size)
    finally:
        os.close(descriptor)


def _special(mode: int) -> str:
    kinds = {
        stat.S_IFSOCK: "a socket",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")
