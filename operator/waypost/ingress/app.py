"""The HTTP interface of the ingress.

    POST /v1/events/NAMESPACE/SOURCE          a request becomes a WorkflowEvent
    GET  /v1/events/NAMESPACE/SOURCE/EVENT    what became of it

A refusal is a problem document (RFC 9457). Bodies are not logged; their digests are.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waypost.gateway import upload_limiter
from waypost.gateway.refusals import RefusalReason
from waypost.gateway.refusals import Refused as BodyRefused
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.ingress.core.headers import Headers
from waypost.ingress.core.refusals import Refused, Why
from waypost.ingress.deliveries import Answer, Deliveries
from waypost.ingress.metrics import IngressMetrics

_PROBLEM: Final = "application/problem+json"
_BODY: Final = {
    RefusalReason.TOO_LARGE: Why.TOO_LARGE,
    RefusalReason.SLOW: Why.SLOW,
    RefusalReason.BUSY: Why.BUSY,
}
_ADVICE: Final = "send a reference to the data"

log = logging.getLogger("waypost.ingress")
_Work = Callable[["_Handling"], Awaitable[Answer]]


@dataclass(frozen=True)
class Ingress:
    """The parts of an ingress.

    Attributes:
        deliveries: What handles a request.
        bodies: The limits of bodies.
        metrics: What is counted.
        largest: Maximum bytes of a body.
        seconds: Maximum seconds for a request, its body included.
    """

    deliveries: Deliveries
    bodies: UploadLimiter
    metrics: IngressMetrics
    largest: int
    seconds: float


def build_app(ingress: Ingress) -> Starlette:
    """The application. Another server has probes and metrics."""

    async def deliver(request: Request) -> Response:
        return await _Handling(ingress, request).response(_Handling.delivered)

    async def show(request: Request) -> Response:
        return await _Handling(ingress, request).response(_Handling.shown)

    async def nothing(request: Request, _: Exception) -> Response:
        text = "expected POST /v1/events/NAMESPACE/SOURCE"
        return await _Handling(ingress, request).refusal(Refused(Why.NOT_FOUND, text))

    async def other_method(request: Request, _: Exception) -> Response:
        text = f"{request.method[:20]} is not supported here; send events with POST"
        return await _Handling(ingress, request).refusal(Refused(Why.METHOD, text))

    place = "/v1/events/{namespace}/{source}"
    return Starlette(
        routes=[
            Route(place, deliver, methods=["POST"]),
            Route(f"{place}/{{event}}", show, methods=["GET"]),
        ],
        exception_handlers={404: nothing, 405: other_method},
    )


class _Handling:
    """One request, from its headers to the answer."""

    def __init__(self, ingress: Ingress, request: Request) -> None:
        self._ingress = ingress
        self._request = request
        self._started = time.monotonic()
        self._headers = Headers(request.headers.items())
        path = request.path_params
        self._namespace, self._source = path.get("namespace", ""), path.get("source", "")
        self._about: dict[str, object] = {"namespace": self._namespace, "source": self._source}

    async def response(self, work: _Work) -> Response:
        """Do the work within its time, and answer."""
        try:
            async with asyncio.timeout(self._ingress.seconds):
                answer = await work(self)
        except ClientDisconnect:
            self._ended("Disconnected", 400)
            return Response(status_code=400)
        except TimeoutError:
            text = f"the request took more than {self._ingress.seconds:g} s; send it again"
            return await self.refusal(Refused(Why.BUSY, text, again=5))
        except Refused as refused:
            return await self.refusal(refused)
        except BaseException:
            self._ended("Failed", 500)
            raise
        self._about["event"] = answer.event
        self._ended(answer.result, answer.status)
        located = {"location": answer.location} if answer.location else {}
        return JSONResponse(answer.body, answer.status, headers=located)

    async def delivered(self) -> Answer:
        """The answer to a request with an event."""
        bodies = self._ingress.bodies.body(
            self._request.stream(),
            announced=upload_limiter.announced_length(self._headers.only("content-length")),
            limit=self._ingress.largest,
            advice=_ADVICE,
        )
        try:
            async with bodies as body:
                self._about["digest"] = f"sha256:{hashlib.sha256(body).hexdigest()}"
                return await self._ingress.deliveries.deliver(
                    self._namespace, self._source, self._headers, body
                )
        except BodyRefused as refused:
            why = _BODY[refused.why]
            raise Refused(why, refused.message, again=refused.again) from None

    async def shown(self) -> Answer:
        """The answer to a request for the state of an event."""
        event = str(self._request.path_params["event"])
        return await self._ingress.deliveries.show(
            self._namespace, self._source, event, self._headers
        )

    async def refusal(self, refused: Refused) -> Response:
        """The problem document of a refusal."""
        sent = {}
        if refused.again is not None:
            sent["retry-after"] = str(refused.again)
        if refused.why is Why.UNKNOWN_SENDER:
            sent["www-authenticate"] = "Bearer"
        if refused.why is Why.METHOD:
            sent["allow"] = "GET" if "event" in self._request.path_params else "POST"
        if refused.why in (Why.SLOW, Why.TOO_LARGE):
            sent["connection"] = "close"  # the rest of the body may still arrive
        self._ended(str(refused.why), refused.status, cause=refused.__cause__)
        return JSONResponse(refused.document(), refused.status, headers=sent, media_type=_PROBLEM)

    def _ended(self, result: str, status: int, *, cause: BaseException | None = None) -> None:
        seconds = time.monotonic() - self._started
        self._ingress.metrics.ended(result=result, seconds=seconds)
        because = f": {cause}" if cause is not None else ""
        log.info("request ended: %s, status %d%s", result, status, because, extra=self._about)
