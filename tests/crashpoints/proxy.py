"""A reverse proxy between one operator and a real API server, that does what networks do.

What it does to a request is decided by a `Faults`. Downstream it speaks plain HTTP on a separate
port, so that every client there is that operator.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.crashpoints.api import Answer, Api

SCHEDULER = "played-by-tests"  # nobody's name: no real machine takes these pods
_PASSED_ON = ("Content-Type", "Accept")
_GIVEN_BACK = ("Content-Type", "Retry-After", "Warning")


@dataclass(frozen=True)
class Request:
    """A request of the operator."""

    method: str
    path: str  # with its query
    body: bytes

    @property
    def mutates(self) -> bool:
        return self.method != "GET"

    def concerns(self, name: str) -> bool:
        """Whether it names this run: by its path, or as what a child or an Event belongs to."""
        return name in self.path or name.encode() in self.body

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


Forward = Callable[[], Awaitable[Answer]]


class Faults:
    """A network without faults; what is overridden goes wrong."""

    async def request(self, request: Request, forward: Forward) -> Answer | None:
        """What the operator is answered; None: the connection is reset."""
        return await forward()

    async def event(self, number: int) -> None:
        """Called before a piece of a watch is passed on, the `number`th of its stream."""


def refusal(status: int, reason: str, **headers: str) -> Answer:
    """An error as the API server gives it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "as the test wants it",
        "reason": reason,
        "code": status,
    }
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"} | headers)


@dataclass
class Proxy:
    """Assign `faults` at any time."""

    api: Api
    faults: Faults = field(default_factory=Faults)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve; gives the URL."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            shutdown_timeout=0.2,
            handler_cancellation=True,
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        if incoming.query.get("watch"):
            return await self._stream(incoming)
        body = await incoming.read()
        request = Request(incoming.method, incoming.rel_url.raw_path_qs, body)
        headers = {name: incoming.headers[name] for name in _PASSED_ON if name in incoming.headers}

        async def forward() -> Answer:
            return await self.api.send(request.method, request.path, _unscheduled(request), headers)

        answer = await self.faults.request(request, forward)
        if answer is None:
            return _reset(incoming)
        kept = {name: answer.headers[name] for name in _GIVEN_BACK if name in answer.headers}
        return web.Response(status=answer.status, body=answer.body, headers=kept)

    async def _stream(self, incoming: web.Request) -> web.StreamResponse:
        url = self.api.url(incoming.rel_url.raw_path_qs)
        async with self.api.session.get(url) as upstream:
            response = web.StreamResponse(status=upstream.status)
            response.content_type = upstream.content_type
            await response.prepare(incoming)
            number = 0
            with contextlib.suppress(ConnectionResetError):  # the operator was killed
                async for chunk in upstream.content.iter_any():
                    number += 1
                    await self.faults.event(number)
                    await response.write(chunk)
            return response


def _unscheduled(request: Request) -> bytes:
    """A Job that is created: with a scheduler that does not exist."""
    if request.method != "POST" or not request.path.partition("?")[0].endswith("/jobs"):
        return request.body
    job = json.loads(request.body)
    job["spec"]["template"]["spec"]["schedulerName"] = SCHEDULER
    return json.dumps(job).encode()


def _reset(incoming: web.Request) -> web.Response:
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response()
