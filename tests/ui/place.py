"""The server of the web interface before that API server, and a browser's session with it."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from waypost.adapters.credentials import KubeconfigSource
from waypost.adapters.kube import KubeCluster
from waypost.cli.connection.cluster import Session
from waypost.ui.server import Options, Serving
from waypost.ui.session import KEY_HEADER, Sessions

from tests.ui.kubernetes import Kubernetes, serving

NAMESPACE = "demo"


class Silent:
    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None: ...


@dataclass
class Place:
    """A server with its address; requests of a browser that has opened the link."""

    kubernetes: Kubernetes
    server: Serving
    sessions: Sessions
    http: aiohttp.ClientSession
    prefix: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.sessions.port}"

    @property
    def address(self) -> str:
        return f"http://{self.host}{self.prefix}"

    @property
    def link(self) -> str:
        """The link that the command prints, which works once."""
        return f"{self.address}/#token={self.sessions.secret}"

    def log_in(self) -> None:
        """Use a session in later requests."""
        cookie, key = self.sessions.open()
        self.headers = {"cookie": f"{self.sessions.cookie}={cookie}", KEY_HEADER: key}

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        given = {**self.headers, **headers}
        async with self.http.get(f"{self.address}{path}", headers=given) as answer:
            return answer.status, parsed(await answer.text())

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        own = {"origin": f"http://{self.host}", "content-type": "application/json"}
        given = {**self.headers, **own, **headers}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.http.post(
            f"{self.address}{path}", data=io.BytesIO(data), headers=given
        ) as answer:
            return answer.status, parsed(await answer.text())


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@asynccontextmanager
async def place(
    kubernetes: Kubernetes, folder: Path, options: Options | None = None
) -> AsyncIterator[Place]:
    """Serve, and wait until the server answers."""
    options = options or Options()
    async with serving(kubernetes, folder) as config:
        source = KubeconfigSource(path=config, context="demo")
        await source.current()  # as the command does: outside the time of the first request
        cluster = KubeCluster(credentials=source, telemetry=Silent())
        listening = socket.create_server(("127.0.0.1", 0))
        sessions = Sessions(port=listening.getsockname()[1])
        server = Serving(Session(cluster, NAMESPACE), listening, sessions, options)
        running = asyncio.create_task(server.run())
        async with aiohttp.ClientSession() as http:
            found = Place(kubernetes, server, sessions, http, options.prefix)
            found.log_in()
            try:
                yield found
            finally:
                server.stop()
                await running
                await cluster.close()
                listening.close()


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream of changes."""
    name = ""
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            yield name, json.loads(text.removeprefix("data: "))
