"""The one form of tar that artifacts have: ustar, with pax headers only for long names.

An entry has exactly one form, so the same folder always gives the same bytes. A header in any other
form is refused, which leaves nothing to interpret: no sparse files, no other pax keys, no owners,
no times. Any tar program can read it.
"""

from typing import Final, Literal, NamedTuple

Kind = Literal["file", "folder", "link"]

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
LARGEST_FILE: Final = 8**11 - 1  # eleven octal digits
_NAME: Final = 100  # bytes
_TYPES: Final[dict[Kind, bytes]] = {"file": b"0", "folder": b"5", "link": b"2"}
_PAX: Final = b"x"
_PAX_NAME: Final = b"@pax"
LARGEST_PAX: Final = 8 * 1024
_REFUSED: Final = {
    b"1": "a hard link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"7": "a contiguous file",
    b"S": "a sparse file",
    b"L": "a GNU long name",
    b"K": "a GNU long link",
    b"g": "a global pax header",
    b"\0": "a file of the format before ustar",
}


class Unfit(ValueError):
    """A folder or a tar that cannot be an artifact. The message says which entry, and why."""


class TooLargeFolder(Unfit):
    """A folder above maxBytes."""


class Entry(NamedTuple):
    """A file, folder or symbolic link; `parts` is its path below the root of the artifact."""

    parts: tuple[bytes, ...]
    kind: Kind
    size: int = 0
    executable: bool = False
    target: bytes = b""

    @property
    def path(self) -> bytes:
        """Its path, with slashes."""
        return b"/".join(self.parts)

    @property
    def shown(self) -> str:
        """Its path, for messages."""
        return ascii(self.path[:200].decode("utf-8", "backslashreplace"))[1:-1]


def encode(entry: Entry) -> bytes:
    """The header blocks of an entry; the content of a file follows, with its `padding`."""
    name = entry.path + (b"/" if entry.kind == "folder" else b"")
    records = b""
    for key, value in (("path", name), ("linkpath", entry.target)):
        if len(value) > _NAME:
            records += _record(key, value)
    header = _header(
        name[:_NAME], _TYPES[entry.kind], entry.size, _mode(entry), entry.target[:_NAME]
    )
    if not records:
        return header
    pax = _header(_PAX_NAME, _PAX, len(records), 0o644, b"")
    return pax + records + padding(len(records)) + header


def padding(size: int) -> bytes:
    """The zeros between content of this size and the next block."""
    return bytes(-size % BLOCK)


def pax_size(header: bytes) -> int | None:
    """The size of the pax records after a header; None if it is not a pax header.

    Raises:
        Unfit: The records are larger than any that an entry needs.
    """
    if header[156:157] != _PAX:
        return None
    size = _octal(header[124:136])
    if size > LARGEST_PAX:
        raise Unfit(f"a pax header of {size} bytes, the limit is {LARGEST_PAX}")
    return size


def decode(header: bytes, records: bytes = b"") -> Entry:
    """The entry of a header block, which `encode` gives back to the last byte.

    Args:
        header: One block.
        records: The pax records before it; empty for none.

    Raises:
        Unfit: It is of a kind that is refused, or not in the one form.
    """
    kind = next((kind for kind, flag in _TYPES.items() if header[156:157] == flag), None)
    values = _values(records)
    name = values.get("path", header[:_NAME].rstrip(b"\0"))
    if kind is None:
        what = _REFUSED.get(header[156:157], f"an entry of type {header[156:157]!r}")
        raise Unfit(f"{Entry((name,), 'file').shown}: {what} is not allowed in an artifact")
    if kind == "folder" and name.endswith(b"/"):
        name = name[:-1]
    entry = Entry(
        parts=tuple(name.split(b"/")),
        kind=kind,
        size=_octal(header[124:136]),
        executable=kind == "file" and _octal(header[100:108]) == 0o755,
        target=values.get("linkpath", header[157:257].rstrip(b"\0")),
    )
    expected = encode(entry)
    found = header
    if records:
        pax = _header(_PAX_NAME, _PAX, len(records), 0o644, b"")
        found = pax + records + padding(len(records)) + header
    if found != expected:
        raise Unfit(f"{entry.shown}: its header is not in the form of an artifact")
    return entry


def _mode(entry: Entry) -> int:
    if entry.kind == "link":
        return 0o777
    return 0o755 if entry.kind == "folder" or entry.executable else 0o644


def _header(name: bytes, flag: bytes, size: int, mode: int, target: bytes) -> bytes:
    def number(value: int, width: int) -> bytes:
        return b"%0*o\0" % (width - 1, value)

    fields = (
        name.ljust(100, b"\0"),
        number(mode, 8),
        number(0, 8),  # uid
        number(0, 8),  # gid
        number(size, 12),
        number(0, 12),  # time
        b" " * 8,  # the checksum counts as blanks
        flag,
        target.ljust(100, b"\0"),
        b"ustar\x0000",
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: str, value: bytes) -> bytes:
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _values(records: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    while records:
        length, _, _ = records.partition(b" ")
        if not length.isdigit() or len(length) > 5 or not 0 < int(length) <= len(records):
            raise Unfit("a pax header that cannot be read")
        key, _, value = records[len(length) + 1 : int(length) - 1].partition(b"=")
        found[key.decode("ascii", "replace")] = value
        records = records[int(length) :]
    return found


def _octal(field: bytes) -> int:
    text = field.rstrip(b"\0 ")
    if not text.isdigit() or b"8" in text or b"9" in text:
        raise Unfit(f"a header with the number {field!r}")
    return int(text, 8)
