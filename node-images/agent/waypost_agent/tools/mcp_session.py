"""A session with an MCP server, which is begun again when the server has ended it."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from mcp import Client
from waypost_node import endpoint_access

from waypost_agent.tools import mcp_connection

TRIES: Final = 4
FIRST_WAIT: Final = 0.5  # seconds between tries, doubled after each


class McpSession:
    """Owns the connection in a separate task: the library's scopes must be left by the task that
    entered them, and calls come from many tasks.

    `connect` gives a new connection, within `seconds`; no log has one of the `keys`.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Client]],
        *,
        server: str,
        keys: endpoint_access.Keys,
        seconds: float,
    ) -> None:
        self._connect = connect
        self._server = server
        self._keys = keys
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def start(self) -> Client:
        """Connect. Raises whatever the library raises, TimeoutError after `seconds`."""
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._own(ready, self._over))
        try:
            async with asyncio.timeout(self._seconds):
                self._client = await ready
        except BaseException:
            self._task.cancel()
            await asyncio.wait([self._task])
            raise
        return self._client

    async def live(self) -> Client:
        """The connection; a new one if the last has ended. Raises as `start`, of its last try."""
        async with self._lock:
            if self._client is not None and self._task is not None and not self._task.done():
                return self._client
            await self.close()
            wait = FIRST_WAIT
            for left in reversed(range(TRIES)):
                try:
                    return await self.start()
                except Exception:
                    if not left:
                        raise
                await asyncio.sleep(wait)
                wait *= 2
            raise AssertionError("the last try returns or raises")

    def ended(self, client: Client) -> None:
        """The server does not know the session of `client` any more."""
        if self._client is client:
            self._client = None

    async def close(self) -> None:
        """Leave the session. How it ends changes nothing: the results of its calls are known."""
        self._client = None
        if self._task is not None:
            self._over.set()
            done, _ = await asyncio.wait([self._task], timeout=self._seconds)
            if not done:
                self._task.cancel()
                await asyncio.wait([self._task])

    async def _own(self, ready: "asyncio.Future[Client]", over: asyncio.Event) -> None:
        try:
            async with self._connect() as client:
                ready.set_result(client)
                await over.wait()
        except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
            if not ready.done():
                ready.set_exception(error)
                return
            words = mcp_connection.said(error, self._keys)
            print(f"waypost: tool server {self._server}: closed with {words}", file=sys.stderr)
