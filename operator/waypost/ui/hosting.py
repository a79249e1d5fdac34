"""What all servers of the interface have in common: the HTTP server, the pages, the prefix."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from waypost.api.base import JsonObject
from waypost.ports.cluster import Kind, Obj
from waypost.ui import assets
from waypost.views.approvals import approval_row
from waypost.views.row import row

# A token or a cookie with some hundred groups; h11 accepts 16 KiB by default.
_LARGEST_HEADERS: Final = 128 * 1024


def _run(body: Obj) -> JsonObject:
    return row(body).to_json()


def _approval(body: Obj) -> JsonObject:
    return approval_row(body).to_json()


PROJECTIONS: Final = {Kind.AGENT_WORKFLOW: _run, Kind.APPROVAL: _approval}


async def missing(_: Request) -> Response:
    """The answer for an address of the API that there is not."""
    return JSONResponse({"message": "there is no such address"}, status_code=404)


def site(api: list[BaseRoute], *, static: Path, prefix: str) -> ASGIApp:
    """The routes of the API, and the pages, all of it below the prefix."""

    async def page(request: Request) -> Response:
        return await asyncio.to_thread(assets.serve, request, static)

    inner: ASGIApp = Starlette(routes=[*api, Route("/{name:path}", page)])
    if not prefix:
        return inner

    async def start(_: Request) -> Response:
        return RedirectResponse(f"{prefix}/", status_code=307)

    return Starlette(routes=[Route(prefix, start), Mount(prefix, app=inner)])


async def limited(request: Request, *, most: int) -> bytes | None:
    """The body; None if it has more bytes."""
    found = b""
    async for piece in request.stream():
        found += piece
        if len(found) > most:
            return None
    return found


class Server(uvicorn.Server):
    """Ends the streams of browsers when it is asked to stop, because it waits for them."""

    def __init__(self, app: ASGIApp, stopped: Callable[[], None], *, connections: int) -> None:
        super().__init__(uvicorn.Config(app, **_settings(connections)))
        self._stopped = stopped
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has arrived."""
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._stopped)


def _settings(connections: int) -> dict[str, Any]:
    return {
        "log_config": None,
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "http": "h11",
        "h11_max_incomplete_event_size": _LARGEST_HEADERS,
        "limit_concurrency": connections,
        "timeout_graceful_shutdown": 2,
        "lifespan": "off",
    }
