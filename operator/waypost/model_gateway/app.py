"""The HTTP interface of the model gateway.

    POST /v1/model/POSITION/PATH    a call of the model at this position of the caller's node
    POST /v1/http                   the request of the caller's node, which is an http node
    POST, GET, DELETE /v1/tools/POSITION    a message to the ToolServer at this position of the
                                    caller's node, an answer that is continued, the end of a session

PATH is that of the provider's API. A refusal is an error as the provider writes it, with the header
Waypost-Refused. Neither calls nor answers are logged.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Generic

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route as HttpRoute

from waypost.api.provider import PUBLIC_URLS
from waypost.gateway import upload_limiter
from waypost.gateway.authentication import source_of
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.kube.egress import forwarded
from waypost.kube.manifests.model_calls import TOOLS_PATH
from waypost.kube.trace_ids import trace_id
from waypost.model_gateway.calls import Calls
from waypost.model_gateway.core.refusals import REFUSED_HEADER, CallRefusal, CallRefused, body_of
from waypost.model_gateway.exchange import (
    MESSAGES_PER_POD,
    PodSlots,
    R,
    Relayed,
    Routed,
    Service,
    translated,
)
from waypost.model_gateway.http_requests import Requests
from waypost.model_gateway.metrics import ModelMetrics
from waypost.model_gateway.tools import ToolServers

log = logging.getLogger("waypost.models")


@dataclass(frozen=True)
class ModelGateway:
    """The parts of a model gateway. `largest`: bytes of the body of one call. `exemplars`: whether
    traces of runs are sent to a collector, so that durations name them."""

    calls: Calls
    requests: Requests
    tools: ToolServers
    bodies: UploadLimiter
    metrics: ModelMetrics
    largest: int
    exemplars: bool = False
    slots: PodSlots = field(default_factory=PodSlots)
    tool_slots: PodSlots = field(default_factory=lambda: PodSlots(MESSAGES_PER_POD))


class _HttpCall:
    """`calls.Call` of a request; the body counts against the room until `stack` ends."""

    def __init__(self, request: Request, gateway: ModelGateway, stack: AsyncExitStack) -> None:
        self._request = request
        self._gateway = gateway
        self._stack = stack
        self.method = request.method
        self.authorization = request.headers.get("authorization", "")
        self.source = source_of(request.client)
        self.path = str(request.path_params.get("path", ""))
        self.query = request.url.query
        self.headers = request.headers.items()

    @property
    def position(self) -> int:
        text = str(self._request.path_params["position"])
        if not text.isascii() or not text.isdecimal() or len(text) > 2:
            found = f"expected a position in the node, from 0; found {text!r:.30}"
            raise CallRefused(CallRefusal.PATH, found)
        return int(text)

    async def body(self) -> bytes:
        announced = upload_limiter.announced_length(self._request.headers.get("content-length"))
        with translated():
            return await self._stack.enter_async_context(
                self._gateway.bodies.body(
                    self._request.stream(),
                    announced=announced,
                    limit=self._gateway.largest,
                    advice="shorten the conversation" if self.path else "send less",
                )
            )


def build_app(gateway: ModelGateway) -> Starlette:
    """The application. Another server has probes and metrics."""

    async def call(request: Request) -> Response:
        return await _Handling(gateway, gateway.calls, request, gateway.slots).response()

    async def send(request: Request) -> Response:
        return await _Handling(gateway, gateway.requests, request, gateway.slots).response()

    async def use(request: Request) -> Response:
        return await _Handling(gateway, gateway.tools, request, gateway.tool_slots).response()

    return Starlette(
        routes=[
            HttpRoute("/v1/model/{position}/{path:path}", call, methods=["POST"]),
            HttpRoute(forwarded.PATH, send, methods=["POST"]),
            HttpRoute(f"{TOOLS_PATH}/{{position}}", use, methods=["POST", "GET", "DELETE"]),
        ]
    )


class _Handling(Generic[R]):
    """One request, from its headers to the end of its answer."""

    def __init__(
        self, gateway: ModelGateway, service: Service[R], request: Request, slots: PodSlots
    ) -> None:
        self._gateway = gateway
        self._slots = slots
        self._service = service
        self._request = request
        self._stack = AsyncExitStack()
        self._started = time.monotonic()
        self._type = ""
        self._trace_id = ""
        self._about: dict[str, object] = {}

    async def response(self) -> Response:
        self._gateway.metrics.began()
        try:
            relayed = await self._relayed()
            first = await anext(relayed.pieces, b"")
        except ClientDisconnect:
            await self._ended("Disconnected", status=400)
            return Response(status_code=400)
        except CallRefused as refused:
            await self._ended(str(refused.why), status=refused.status)
            return self._refusal(refused)
        except BaseException:
            await self._ended(str(CallRefusal.FAILED), status=500)
            raise
        pieces = self._sent(first, relayed)
        return StreamingResponse(pieces, status_code=relayed.status, headers=relayed.headers)

    async def _relayed(self) -> Relayed:
        call = _HttpCall(self._request, self._gateway, self._stack)
        route = await self._service.route(call)
        self._type = route.label
        self._about = _about(route)
        if self._gateway.exemplars:
            self._trace_id = trace_id(route.caller.ref.run_uid)
        self._stack.enter_context(self._slots.held(route.caller.pod.uid))
        return await self._service.forward(call, route, self._stack)

    async def _sent(self, first: bytes, relayed: Relayed) -> AsyncIterator[bytes]:
        result = "Answered" if relayed.status < 400 else "ProviderError"
        try:
            yield first
            async for piece in relayed.pieces:
                yield piece
        except CallRefused as refused:  # the status has been sent: the connection breaks off
            result = str(refused.why)
            raise
        except BaseException:
            result = "Disconnected"
            raise
        finally:
            with contextlib.suppress(AttributeError):
                await relayed.pieces.aclose()  # type: ignore[attr-defined]
            await self._ended(result, status=relayed.status)

    async def _ended(self, result: str, *, status: int) -> None:
        await self._stack.aclose()
        seconds = time.monotonic() - self._started
        self._gateway.metrics.ended(
            type_=self._type, result=result, seconds=seconds, trace_id=self._trace_id
        )
        log.info("call ended: %s, status %d, %.3f s", result, status, seconds, extra=self._about)

    def _refusal(self, refused: CallRefused) -> Response:
        sent = {REFUSED_HEADER: refused.reason}
        if refused.again is not None:
            sent["retry-after"] = str(refused.again)
        if refused.status == 401:
            sent["www-authenticate"] = "Bearer"
        if refused.status in (408, 413):
            sent["connection"] = "close"  # the rest of the body may still arrive
        log.warning("call refused: %s: %s", refused.reason, refused.message, extra=self._about)
        type_ = self._type if self._type in PUBLIC_URLS else None
        return JSONResponse(body_of(refused, type_), refused.status, headers=sent)


def _about(route: Routed) -> dict[str, object]:
    ref = route.caller.ref
    return {
        "run": ref.run,
        "namespace": route.caller.pod.namespace,
        "node": ref.path,
        "attempt": ref.attempt,
        **route.place,
    }
