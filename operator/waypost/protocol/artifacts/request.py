"""The part of a request document and of a commit record that is about artifacts."""

import re
from typing import Any, Final, NamedTuple

from waypost.protocol.ijson import MAX_SAFE_INTEGER, Json

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Content(NamedTuple):
    """What an artifact holds.

    Attributes:
        digest: `sha256:<hex>` of its tar.
        bytes: Size of its tar.
        files: Number of its files, folders and links.
    """

    digest: str
    bytes: int
    files: int

    def to_json(self) -> dict[str, Json]:
        """As in a commit record."""
        return {"digest": self.digest, "bytes": self.bytes, "files": self.files}


class Taken(NamedTuple):
    """An artifact that the pod of an attempt gets.

    Attributes:
        volume: The volume that its folder is in.
        folder: The folder below the volume; "" for the volume itself.
        content: What the operator pinned at launch.
    """

    volume: str
    folder: str
    content: Content

    def to_json(self) -> dict[str, Json]:
        """As in a request document."""
        return {"volume": self.volume, "folder": self.folder, **self.content.to_json()}


class Given(NamedTuple):
    """An artifact that the node makes.

    Attributes:
        name: Its name in `artifacts.out`.
        volume: The volume with its content.
        path: Where the container of the node has that volume.
        max_bytes: Maximum size of its tar.
    """

    name: str
    volume: str
    path: str
    max_bytes: int

    def to_json(self) -> dict[str, Json]:
        """As in a request document."""
        return {
            "name": self.name,
            "volume": self.volume,
            "path": self.path,
            "maxBytes": self.max_bytes,
        }


class Artifacts(NamedTuple):
    """The artifacts of one attempt, in the order of the spec."""

    taken: tuple[Taken, ...] = ()
    given: tuple[Given, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """As in a request document."""
        return {
            "in": [each.to_json() for each in self.taken],
            "out": [each.to_json() for each in self.given],
        }


def artifacts_from_json(document: Any) -> Artifacts:
    """The part `artifacts` of a request document.

    Raises:
        ValueError: A field is missing or wrong.
    """
    try:
        return Artifacts(
            taken=tuple(
                Taken(str(one["volume"]), str(one["folder"]), content_from_json(one))
                for one in document["in"]
            ),
            given=tuple(
                Given(
                    str(one["name"]), str(one["volume"]), str(one["path"]), _whole(one, "maxBytes")
                )
                for one in document["out"]
            ),
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"artifacts: malformed: {error}") from None


def content_from_json(document: Any) -> Content:
    """The content that a document names.

    Raises:
        ValueError: A field is missing or wrong; the message names it.
    """
    digest = document.get("digest") if isinstance(document, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError(f"digest: expected sha256:<64 hex digits>, found {digest!r:.80}")
    return Content(digest, _whole(document, "bytes"), _whole(document, "files"))


def _whole(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    if type(value) is not int or not 0 <= value <= MAX_SAFE_INTEGER:
        raise ValueError(f"{name}: expected an integer of at least 0, found {value!r:.60}")
    return value
