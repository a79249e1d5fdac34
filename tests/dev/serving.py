"""The scripted model server on 127.0.0.1, for tests that use real clients."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from waypost.dev.journal import Journal
from waypost.dev.model_server import ModelServer
from waypost.dev.script import parse


@dataclass(frozen=True)
class Serving:
    """A running server and a client for it."""

    url: str
    http: httpx2.AsyncClient

    async def log(self, script: str) -> dict[str, Any]:
        """The sums of one script."""
        reported = (await self.http.get("/_log", params={"script": script})).json()
        sums: dict[str, Any] = reported["scripts"][script]
        return sums

    async def ask(self, model: str, prompt: str = "go", **more: Any) -> httpx2.Response:
        """One chat completion, as OpenAI's."""
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], **more}
        return await self.http.post("/v1/chat/completions", json=body)


@asynccontextmanager
async def serving(scripts: str, *, journal: Journal | None = None) -> AsyncIterator[Serving]:
    """Serve the scripts of a YAML text until the end of the block."""
    server = ModelServer(parse(scripts, source="test"), journal=journal)
    async with (
        listening(server.app()) as url,
        httpx2.AsyncClient(base_url=url, timeout=20) as http,
    ):
        yield Serving(url=url, http=http)


@asynccontextmanager
async def listening(application: Starlette) -> AsyncIterator[str]:
    """Serve an application on a free port of 127.0.0.1; gives its address."""
    config = uvicorn.Config(application, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
