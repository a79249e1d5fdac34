"""What may be in an artifact. `Rules` sees each entry once, in order, when a folder is packed and
again when it is unpacked."""

import unicodedata
from typing import Final, NoReturn

from waypost.protocol.artifacts.limits import MOST_FILES

from waypost_node.artifacts.entries import LARGEST_FILE, Entry, Unfit

LONGEST_NAME: Final = 255  # bytes of one part of a path, as file systems have it
LONGEST_PATH: Final = 1024  # bytes
DEEPEST: Final = 64  # parts of a path


class Rules:
    """Accepts the entries of one artifact, in the order of their paths."""

    def __init__(self, *, most: int = MOST_FILES) -> None:
        self._most = most
        self.files = 0
        self._last: tuple[bytes, ...] = ()
        # The folders that the last entry is in, the root first: their paths, and the names in
        # them as a file system without case and Unicode forms has them.
        self._open: list[tuple[tuple[bytes, ...], dict[str, bytes]]] = [((), {})]

    def accept(self, entry: Entry) -> None:
        """Check the next entry.

        Raises:
            Unfit: It is not allowed, or not where it is.
        """
        self.files += 1
        if self.files > self._most:
            self.too_many()
        _check_path(entry)
        if entry.parts == self._last:
            raise Unfit(f"{entry.shown}: there are two entries of this name")
        if entry.parts < self._last:
            raise Unfit(f"{entry.shown}: the entries are not sorted")
        self._last = entry.parts
        self._check_place(entry)
        if entry.kind == "link":
            _check_target(entry)
        elif entry.target:
            raise Unfit(f"{entry.shown}: only a link has a target")
        if entry.kind == "file" and entry.size > LARGEST_FILE:
            raise Unfit(f"{entry.shown}: {entry.size} bytes, the limit of a file is {LARGEST_FILE}")
        if entry.kind != "file" and entry.size:
            raise Unfit(f"{entry.shown}: only a file has content")

    @property
    def left(self) -> int:
        """How many more entries it accepts."""
        return self._most - self.files

    def too_many(self) -> NoReturn:
        """Refuse the artifact for the number of its entries. Raises Unfit."""
        raise Unfit(f"more than {self._most} files, folders and links; put them into one archive")

    def _check_place(self, entry: Entry) -> None:
        """Its folder is an entry before it, which excludes paths through links and files, and has
        no other entry that some file systems take for the same."""
        parent = entry.parts[:-1]
        while self._open[-1][0] != parent[: len(self._open[-1][0])]:
            self._open.pop()
        folder, names = self._open[-1]
        if folder != parent:
            raise Unfit(f"{entry.shown}: the folder that it is in is not an entry before it")
        name = entry.parts[-1]
        plain = unicodedata.normalize("NFC", name.decode()).casefold()
        plain = unicodedata.normalize("NFC", plain)
        if plain in names:
            other = Entry((*parent, names[plain]), "file").shown
            raise Unfit(
                f"{entry.shown}: differs from {other} only by case or by the form of Unicode; "
                "rename one of them"
            )
        names[plain] = name
        if entry.kind == "folder":
            self._open.append((entry.parts, {}))


def _check_path(entry: Entry) -> None:
    if entry.path.startswith(b"/") or entry.parts == (b"",):
        raise Unfit(f"{entry.shown!r}: the path is absolute or empty")
    if len(entry.parts) > DEEPEST:
        raise Unfit(f"{entry.shown}: more than {DEEPEST} folders deep")
    if len(entry.path) > LONGEST_PATH:
        raise Unfit(
            f"{entry.shown}: a path of {len(entry.path)} bytes, the limit is {LONGEST_PATH}"
        )
    for name in entry.parts:
        problem = _name_problem(name)
        if problem:
            raise Unfit(f"{entry.shown}: {problem}")


def _name_problem(name: bytes) -> str:
    if name in (b"", b".", b".."):
        return "the path has an empty part, `.` or `..`"
    if len(name) > LONGEST_NAME:
        return f"a name of {len(name)} bytes, the limit is {LONGEST_NAME}"
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return "the name is not UTF-8"
    if any(unicodedata.category(character) == "Cc" for character in text):
        return "the name has a control character"
    return ""


def _check_target(entry: Entry) -> None:
    """A link leads to a place in its artifact, whatever the other links are.

    All `..` come first, so they start at the real folder of the link and end at or below the
    root. A `..` after a name could start at the target of another link.
    """
    target = entry.target
    shown = ascii(target[:200].decode("utf-8", "backslashreplace"))[1:-1]
    if not target or target.startswith(b"/"):
        raise Unfit(f"{entry.shown}: a link to the absolute path {shown!r}; use a relative one")
    if len(target) > LONGEST_PATH:
        raise Unfit(f"{entry.shown}: a link to a path of {len(target)} bytes")
    parts = target.split(b"/")
    up = 0
    while up < len(parts) and parts[up] == b"..":
        up += 1
    if up > len(entry.parts) - 1:
        raise Unfit(f"{entry.shown}: a link to {shown!r}, which is outside of the artifact")
    down = parts[up:]
    if down == [b"."] and not up:
        return
    if down and down[-1] == b"":
        down = down[:-1]  # `folder/`
    for name in down:
        problem = _name_problem(name)
        if problem:
            raise Unfit(f"{entry.shown}: a link to {shown!r}: {problem}")
