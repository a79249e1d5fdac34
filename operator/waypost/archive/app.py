"""The HTTP interface of the archive.

    GET /v1/runs?namespace=...                 rows of runs, newest end first, by page
    GET /v1/namespaces/NAMESPACE/runs/RUN      the document of a run, by name or uid

A caller sends a token of Kubernetes, and reads what its Roles allow: rows with the right to list
agentworkflows; a document with the right to get them; in it Approvals and NodeRecords with the
right to get those. A refusal is a problem document (RFC 9457).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waypost.archive.access import Connect, may
from waypost.archive.asked import query
from waypost.archive.core.document import decode
from waypost.archive.metrics import ArchiveMetrics
from waypost.archive.ports import Library, StorageError
from waypost.archive.refusals import Refused
from waypost.ports.cluster import Kind, Obj
from waypost.ports.offload import Offload

_PROBLEM: Final = "application/problem+json"
_PARTS: Final = {"approvals": Kind.APPROVAL, "records": Kind.NODE_RECORD}
_KINDS: Final = (Kind.AGENT_WORKFLOW, *_PARTS.values())

log = logging.getLogger("waypost.archive")


@dataclass(frozen=True)
class Archive:
    """The parts of the API.

    Attributes:
        library: The documents.
        connect: How the API server is reached with a token.
        metrics: What is counted.
        offload: Where documents are decoded.
        seconds: Maximum seconds for a request.
    """

    library: Library
    connect: Connect
    metrics: ArchiveMetrics
    offload: Offload
    seconds: float = 30.0


def build_app(archive: Archive) -> Starlette:
    """The application. Another server has probes and metrics."""

    async def runs(request: Request) -> Response:
        return await _answered(archive, request, _page)

    async def run(request: Request) -> Response:
        return await _answered(archive, request, _document)

    async def nothing(_: Request, _error: Exception) -> Response:
        text = "expected GET /v1/runs or GET /v1/namespaces/NAMESPACE/runs/RUN"
        return _refusal(archive, Refused(404, text))

    return Starlette(
        routes=[
            Route("/v1/runs", runs, methods=["GET"]),
            Route("/v1/namespaces/{namespace}/runs/{run}", run, methods=["GET"]),
        ],
        exception_handlers={404: nothing, 405: nothing},
    )


_Work = Callable[[Archive, Request], Awaitable[Obj]]


async def _answered(archive: Archive, request: Request, work: _Work) -> Response:
    try:
        async with asyncio.timeout(archive.seconds):
            body = await work(archive, request)
    except Refused as refused:
        return _refusal(archive, refused)
    except TimeoutError:
        return _refusal(archive, Refused(503, "the answer took too long; ask for less"))
    except StorageError as error:
        log.warning("a request failed: %s", error)
        return _refusal(archive, Refused(503, "the database cannot be read now; try again"))
    archive.metrics.answered(200)
    return JSONResponse(body)


async def _page(archive: Archive, request: Request) -> Obj:
    asked = query(request.query_params.multi_items())
    kind = Kind.AGENT_WORKFLOW
    rights = await may(archive.connect, _token(request), "list", (kind,), namespace=asked.namespace)
    if not rights[kind]:
        where = f"in namespace {asked.namespace}" if asked.namespace else "in all namespaces"
        raise Refused(403, f"you have no right to list agentworkflows {where}")
    rows, after = await archive.library.page(asked)
    return {"items": rows, "continue": str(after) if after is not None else ""}


async def _document(archive: Archive, request: Request) -> Obj:
    namespace, name = request.path_params["namespace"], request.path_params["run"]
    rights = await may(archive.connect, _token(request), "get", _KINDS, namespace=namespace)
    if not rights[Kind.AGENT_WORKFLOW]:
        raise Refused(403, f"you have no right to get agentworkflows in namespace {namespace}")
    found = await archive.library.find(namespace, name)
    if found is None:
        raise Refused(404, f"the archive has no run {name[:253]} of namespace {namespace}")
    try:
        document = await archive.offload(decode, found)
    except ValueError as error:
        raise Refused(500, str(error)) from error
    hidden = [part for part, kind in _PARTS.items() if not rights[kind]]
    return {**document, **{part: [] for part in hidden}, "hidden": hidden, "digest": found.digest}


def _token(request: Request) -> str:
    return request.headers.get("authorization", "")


def _refusal(archive: Archive, refused: Refused) -> Response:
    archive.metrics.answered(refused.status)
    headers = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
    return JSONResponse(refused.document(), refused.status, headers=headers, media_type=_PROBLEM)
