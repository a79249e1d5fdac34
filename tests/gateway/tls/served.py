"""A gateway at a socket of this machine with TLS, its CAs, and a pod that trusts them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from waypost.gateway.server import connections
from waypost.gateway.tls.authorities import Authority, Leaf, new_authority, new_leaf
from waypost.gateway.tls.serving import Pair, ServerTls, kept_current
from waypost.protocol.gateways.trust import Trust

NAME = "wp-gateway.waypost-system.svc"
MODELS = "wp-models.waypost-system.svc"
NOW = datetime.now(UTC)  # the client compares certificates with the clock of the machine


class Certificates:
    """A source of certificates that a test moves; it is asked all the time."""

    again_seconds = 0.0

    def __init__(self) -> None:
        self.given: asyncio.Queue[Pair | Exception] = asyncio.Queue()
        self.asked = asyncio.Event()

    async def renewed(self) -> Pair | None:
        """What the test gives next."""
        self.asked.set()
        found = await self.given.get()
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class Served:
    """A running server."""

    tls: ServerTls
    port: int
    plain_port: int
    source: Certificates

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@asynccontextmanager
async def served(
    app: Starlette, pair: Pair, *, plain: bool = False, host: str = "127.0.0.1"
) -> AsyncIterator[Served]:
    """Serve until the block ends, as the mains of both gateways do it."""
    tls, source = ServerTls(), Certificates()
    tls.use(pair)
    plain_port = _free_port() if plain else 0
    config = connections.uvicorn_config(
        app, host=host, port=0, connections_=64, shutdown_seconds=1, tls=tls
    )
    server = connections.Server(config, plain_port=plain_port)
    async with kept_current(tls, source):
        task = asyncio.create_task(server.serve())
        await source.asked.wait()
        while not server.started or len(server.servers) < (2 if plain else 1):
            assert not task.done()
            await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Served(tls, port, plain_port, source)
        finally:
            server.should_exit = True
            await task


def leaf(authority: Authority, name: str = NAME, *, now: datetime = NOW) -> Leaf:
    return new_leaf(authority, name, now)


def expired(authority: Authority, name: str = NAME) -> Leaf:
    """A certificate that ended an hour ago."""
    return new_leaf(authority, name, NOW - timedelta(hours=25))


def authority(*, days_old: int = 0) -> Authority:
    return new_authority(NOW - timedelta(days=days_old))


def trusting(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *authorities: Authority, models: str = MODELS
) -> None:
    """Let the pod trust these CAs."""
    trust = Trust("".join(each.pem for each in authorities), NAME, models)
    (folder / "trust.json").write_text(trust.to_text())
    monkeypatch.setenv("WAYPOST_TRUST", str(folder / "trust.json"))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
