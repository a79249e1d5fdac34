"""The real API server, spoken to directly: by a kubelet, by a user, and for the proxy."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from waypost.adapters.credentials import KubeconfigSource
from yarl import URL

Obj = dict[str, Any]
JSON = "application/json"
MERGE = "application/merge-patch+json"
OURS = "/apis/waypost.dev/v1alpha1"


@dataclass(frozen=True)
class Answer:
    """A whole answer of an API server."""

    status: int
    body: bytes
    headers: Mapping[str, str]


async def _closed(sockets: list[socket.socket]) -> None:
    """Wait until each socket is closed.

    A cancelled request leaves its connection to end TLS in the background, for up to 30 s
    (asyncio's default). A loop that closes earlier leaves the socket open: a ResourceWarning.
    """
    while any(found.fileno() != -1 for found in sockets):  # noqa: ASYNC110 - a socket has no event
        await asyncio.sleep(0.01)


class Api:
    """A connection with the rights of the kubeconfig's user."""

    def __init__(self, *, session: aiohttp.ClientSession, server: str) -> None:
        self.session = session
        self._server = server

    @classmethod
    @asynccontextmanager
    async def connected(cls, kubeconfig: Path) -> AsyncIterator[Self]:
        """A connection that lives as long as the block."""
        found = await KubeconfigSource(path=kubeconfig).current()
        headers = {"Authorization": found.authorization} if found.authorization else {}
        sockets: list[socket.socket] = []

        def opened(address: aiohttp.AddrInfoType) -> socket.socket:
            sockets.append(socket.socket(*address[:3]))
            return sockets[-1]

        connector = aiohttp.TCPConnector(limit=0, ssl=found.ssl_context(), socket_factory=opened)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=connector, headers=headers, timeout=timeout
        ) as session:
            yield cls(session=session, server=found.server)
        await _closed(sockets)

    def url(self, path: str) -> URL:
        return URL(self._server + path, encoded=True)

    async def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request as it is, and its answer, whatever it says."""
        async with self.session.request(
            method, self.url(path), data=body or None, headers=headers or {}
        ) as response:
            return Answer(response.status, await response.read(), response.headers)

    async def call(
        self, method: str, path: str, body: Obj | None = None, *, content_type: str = JSON
    ) -> Obj:
        """The object that answers. Raises KeyError for 404 and AssertionError for other errors."""
        sent = json.dumps(body).encode() if body is not None else b""
        answer = await self.send(method, path, sent, {"Content-Type": content_type})
        if answer.status == 404:
            raise KeyError(path)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body.decode()}"
        found: Obj = json.loads(answer.body)
        return found

    async def watch(self, path: str) -> AsyncIterator[Obj]:
        """Events of one watch, until the server ends it."""
        async with self.session.get(self.url(path)) as response:
            assert response.status == 200, await response.text()
            # readline is bounded to 64 KiB; pods are smaller.
            async for line in response.content:
                yield json.loads(line)
