"""Doubles of the adapters' neighbours: an API server of prepared answers, telemetry that notes."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from waypost.adapters.credentials import Credentials
from waypost.api.status import AgentWorkflowStatus
from waypost.engine.state.decision import Traces
from waypost.engine.state.observed import Observed


@dataclass(frozen=True)
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """A prepared answer. `hang_up`: take the request and break the connection instead."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False
    delay: float = 0.0


class StubApi:
    """Answers in the prepared order, repeats the last one, and records the requests."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[Seen] = []
        self.url = ""

    def prepare(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(
            Seen(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers=dict(request.headers),
                body=body,
            )
        )
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        await asyncio.sleep(reply.delay)
        if reply.hang_up:
            assert request.transport is not None
            request.transport.abort()
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        return web.Response(status=reply.status, text=text, headers=reply.headers)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["StubApi"]:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


class StubCredentials:
    """Hands out `tokens` one after the other: a new one after each refusal."""

    def __init__(self, *, server: str, tokens: tuple[str, ...] = ("first",)) -> None:
        self._server = server
        self._tokens = list(tokens)
        self.renewals = 0

    async def current(self) -> Credentials:
        return Credentials(server=self._server, authorization=f"Bearer {self._tokens[0]}")

    async def renew(self, *, refused: Credentials) -> Credentials:
        self.renewals += 1
        if len(self._tokens) > 1:
            self._tokens.pop(0)
        return await self.current()


class NotedTelemetry:
    """Remembers the reports that adapters make."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.seconds: list[float] = []

    def checkpoint(
        self,
        observed: Observed,
        before: AgentWorkflowStatus,
        after: AgentWorkflowStatus,
        traces: Traces,
    ) -> None:
        return None

    def reconciled(self, *, seconds: float, outcome: str) -> None:
        return None

    def queue(self, *, depth: int, oldest_seconds: float) -> None:
        return None

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        self.requests.append((verb, resource, code))
        self.seconds.append(seconds)

    def swept(self, *, what: str, count: int) -> None:
        return None

    def log_kept(self, *, outcome: str) -> None: ...

    def refused(self, *, reason: str) -> None:
        return None
