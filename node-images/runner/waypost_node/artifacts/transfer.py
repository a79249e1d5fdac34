"""Moves artifacts between a folder and the gateway. Nothing is kept in memory or on a second
disk."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import httpx2
from waypost.protocol.artifacts.limits import BYTES_HEADER, CONTENT_TYPE, FILES_HEADER, ROOM_HEADER
from waypost.protocol.artifacts.request import Content, Given, Taken

from waypost_node.artifacts.pack import Packing
from waypost_node.artifacts.unpack import unpack
from waypost_node.gateway import (
    DIGEST_HEADER,
    FIRST_WAIT,
    LONGEST_WAIT,
    GatewayError,
    Passing,
    TooLarge,
    check_answer,
    client_of,
    given_up,
    headers_of,
    lost,
    pause_after,
)

_STORED: Final = 200  # by an earlier try
_PIECE: Final = 1024 * 1024
_T = TypeVar("_T")


class Transfers:
    """Transfers of one attempt; each is repeated until it succeeds or `deadline`, a
    time.monotonic(), has passed."""

    def __init__(self, url: str, *, deadline: float) -> None:
        self._url = f"{url.rstrip('/')}/v1/artifacts"
        self._deadline = deadline

    def store(self, given: Given, folder: str) -> Content:
        """Store a folder; returns when it is durable.

        Args:
            given: The artifact.
            folder: Where its content is.

        Raises:
            Unfit: The folder cannot be an artifact.
            OSError: It cannot be read.
            TooLarge: It is above a limit of the gateway.
            GatewayError: Refused, or not stored in time.
        """
        packing = Packing(folder, max_bytes=given.max_bytes)
        content = packing.measure()
        address, named = f"{self._url}/out/{given.name}", f"artifact {given.name}"
        self._tried(named, lambda client: _put(client, address, named, packing, content))
        return content

    def take(self, number: int, taken: Taken, folder: str) -> None:
        """Unpack an artifact into a folder, which is made; returns when its digest is verified.

        Args:
            number: Its position in the request, from 0.
            taken: The artifact.
            folder: The folder.

        Raises:
            Unfit: Its content is not what the operator pinned.
            OSError: It cannot be written.
            GatewayError: Refused, or not read in time.
        """
        address, named = f"{self._url}/in/{number}", f"artifact {number} of artifacts.in"
        self._tried(named, lambda client: _get(client, address, named, taken.content, folder))

    def _tried(self, named: str, once: Callable[[httpx2.Client], _T]) -> _T:
        wait = FIRST_WAIT
        with client_of(self._url) as client:
            while True:
                try:
                    return once(client)
                except (Passing, httpx2.TransportError) as error:
                    passing = error if isinstance(error, Passing) else lost(error, self._url)
                    pause = pause_after(passing, wait)
                    if time.monotonic() + pause >= self._deadline:
                        text = f"{named}: gave up at the deadline; last error: {passing}"
                        raise given_up(passing, text) from None
                time.sleep(pause)
                wait = min(wait * 2, LONGEST_WAIT)


def _put(
    client: httpx2.Client, address: str, named: str, packing: Packing, content: Content
) -> None:
    """Ask first: a gateway that refuses a stream in the middle is often not heard."""
    headers = headers_of(None, content.digest) | {
        BYTES_HEADER: str(content.bytes),
        FILES_HEADER: str(content.files),
    }
    asked = client.post(address, headers=headers)
    check_answer(asked, named=named)
    if asked.status_code == _STORED:
        return
    pieces = packing.compressed(content)
    room = asked.headers.get(ROOM_HEADER, "")
    body = _within(pieces, int(room), named) if room.isdecimal() else pieces
    headers = headers | headers_of(None, content.digest) | {"Content-Type": CONTENT_TYPE}
    check_answer(client.put(address, headers=headers, content=body), named=named)


def _within(pieces: Iterator[bytes], room: int, named: str) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > room:
            raise TooLarge(
                f"{named} has more than {room} bytes after compression, the limit without an "
                "object store; configure one (gateway.objectStore in the chart)"
            )
    return bytes(body)


def _get(client: httpx2.Client, address: str, named: str, content: Content, folder: str) -> None:
    _empty(folder)
    headers = headers_of(None, None)
    with client.stream("GET", address, headers=headers) as answer:
        if not answer.is_success:
            answer.read()
            check_answer(answer, named=named)
        found = answer.headers.get(DIGEST_HEADER)
        if found != content.digest:
            raise GatewayError(f"{named}: expected {content.digest}, the gateway has {found}")
        unpack(answer.iter_raw(_PIECE), folder, expected=content)


def _empty(folder: str) -> None:
    """Make the folder if it does not exist, and remove what an earlier try has left in it."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path in Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
