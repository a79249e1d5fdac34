"""Where a journal is kept: at the gateway. Appending survives its restarts."""

import asyncio
import time
from typing import Final, Protocol

import httpx2
from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost_node import gateway
from waypost_node.gateway import GatewayError, Passing

PATIENCE: Final = 120.0  # seconds that one append waits for its gateway
_MOVED: Final = "JournalMoved"
_SEALED: Final = frozenset({_MOVED, "AttemptNotCurrent", "RunGone"})


class Sealed(Exception):
    """Another attempt or pod continues the journal, or the run is gone: this one is over.
    `moved`: the journal alone says so, and the next attempt to open it may succeed."""

    def __init__(self, message: str, *, moved: bool = False) -> None:
        super().__init__(message)
        self.moved = moved


class Full(Exception):
    """The journal takes no more."""


class Store(Protocol):
    """Segments, in order. Every method raises Sealed, Full or GatewayError."""

    async def read(self, *, after: int) -> list[Json]:
        """All segments after number `after`, in order."""

    async def append(self, number: int, document: Json) -> None:
        """Append the next segment, with this number; durable when it returns."""


class GatewayStore:
    """The journal of the pod's own node. `deadline`: the time.monotonic() of the attempt's end."""

    def __init__(self, url: str, *, http: httpx2.AsyncClient, deadline: float) -> None:
        self._url = f"{url.rstrip('/')}/v1/journal"
        self._http = http
        self._deadline = deadline

    async def read(self, *, after: int) -> list[Json]:
        """Read all pages of the segments after number `after`."""
        segments: list[Json] = []
        more = True
        while more:
            page = ijson.parse(
                await self._call("GET", f"{self._url}?after={after + len(segments)}")
            )
            more = page["more"]
            segments += page["segments"]
        return segments

    async def append(self, number: int, document: Json) -> None:
        """Append the next segment, with this number."""
        await self._call("PUT", f"{self._url}/{number}", document)

    async def _call(self, method: str, address: str, document: Json | None = None) -> bytes:
        until = min(self._deadline, time.monotonic() + PATIENCE)
        body = digest = None
        if document is not None:
            body, digest = ijson.canonical(document), ijson.digest(document)
        wait = gateway.FIRST_WAIT
        while True:
            try:
                return await self._once(method, address, body, digest)
            except Passing as passing:
                pause = gateway.pause_after(passing, wait)
                if time.monotonic() + pause >= until:
                    text = f"the journal cannot be kept: {passing}"
                    raise gateway.given_up(passing, text) from None
            except GatewayError as error:
                raise _named(error) from None
            await asyncio.sleep(pause)
            wait = min(wait * 2, gateway.LONGEST_WAIT)

    async def _once(
        self, method: str, address: str, body: bytes | None, digest: str | None
    ) -> bytes:
        headers = gateway.headers_of(body, digest)
        try:
            answer = await self._http.request(method, address, content=body, headers=headers)
        except httpx2.TransportError as error:
            raise await asyncio.to_thread(gateway.lost, error, self._url) from None
        return gateway.content_of(answer, named="the journal")


def client(url: str) -> httpx2.AsyncClient:
    """A client for the gateway at `url`. Raises GatewayError if the pod has no CA for it."""
    return httpx2.AsyncClient(**gateway.options_of(url))


def _named(error: GatewayError) -> Exception:
    if error.reason in _SEALED:
        return Sealed(str(error), moved=error.reason == _MOVED)
    return Full(str(error)) if error.reason == "JournalFull" else error
