"""Tars as `pack` writes them and as an attacker could."""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from waypost.protocol.artifacts.request import Content
from waypost_node.artifacts.entries import END, Entry, encode, padding
from waypost_node.artifacts.unpack import unpack


def compressed(tar: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(tar) + packer.flush()


def content_of(tar: bytes, *, files: int) -> Content:
    return Content(f"sha256:{hashlib.sha256(tar).hexdigest()}", len(tar), files)


def tar_of(*entries: Entry | tuple[Entry, bytes]) -> bytes:
    """A tar of these entries in the form of artifacts, whatever they are."""
    made = b""
    for each in entries:
        entry, content = each if isinstance(each[0], Entry) else (each, b"")
        made += encode(entry) + content + padding(len(content))
    return made + END


def written_by(*members: tarfile.TarInfo, form: int = tarfile.USTAR_FORMAT) -> bytes:
    """A tar of Python's own module."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return file.getvalue()


def unpacked(tar: bytes, folder: Path, *, files: int, pieces: int = 1000) -> None:
    """Unpack a tar whose digest and size are true."""
    body = compressed(tar)
    parts: Iterable[bytes] = (body[at : at + pieces] for at in range(0, len(body), pieces))
    unpack(parts, str(folder), expected=content_of(tar, files=files))
