"""The gateway's HTTP interface.

    PUT /v1/payloads/{result,trace,calls}   store a payload of the calling attempt
    GET /v1/payloads/{input,result,trace,calls}  read a payload of the calling attempt
    PUT /v1/journal/NUMBER                  append a segment to the journal of the caller's node
    GET /v1/journal?after=NUMBER            read the segments after NUMBER, one page
    /v1/artifacts                           see artifacts/routes.py

A refusal is a JSON object {reason, message}. It never contains parts of a payload or a token.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from waypost.api.base import JsonObject
from waypost.api.record import RecordType
from waypost.gateway import journals, upload_limiter
from waypost.gateway.artifacts import routes as artifact_routes
from waypost.gateway.artifacts.routes import ArtifactRoutes
from waypost.gateway.authentication import Authenticator, Caller, source_of
from waypost.gateway.journals import Journals
from waypost.gateway.metrics import GatewayMetrics
from waypost.gateway.output_validation import OutputValidator
from waypost.gateway.payload_store import ObjectError, PayloadStore
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import Payload, UploadLimiter
from waypost.ports.cluster import Busy, ClusterError, QuotaExceeded, Rejected
from waypost.protocol import ijson

TYPES: Final[dict[str, RecordType]] = {
    "result": "Result",
    "trace": "Trace",
    "calls": "Calls",
    "input": "Input",
}
_PUT: Final = ("result", "trace", "calls")
_JOURNAL: Final = "journal"
_AGAIN: Final = 2

log = logging.getLogger("waypost.gateway")


@dataclass(frozen=True)
class Gateway:
    """The parts of a gateway, and how they handle a request."""

    authenticator: Authenticator
    uploads: UploadLimiter
    store: PayloadStore
    journals: Journals
    validator: OutputValidator
    metrics: GatewayMetrics
    artifacts: ArtifactRoutes

    async def put(self, request: Request, name: str) -> tuple[Response, str]:
        """Store a payload: 201, or 200 if it is stored already. Responds once it is durable."""
        type_ = TYPES[name]
        caller = await self._caller(request)
        digest = upload_limiter.announced_digest(request.headers.get(upload_limiter.DIGEST_HEADER))
        announced = upload_limiter.announced_length(request.headers.get("content-length"))
        with self.uploads.slot(caller.pod.uid):
            async with self.uploads.body(
                request.stream(),
                announced=announced,
                limit=self.store.limit(type_),
                advice=self.store.advice(type_),
            ) as body:
                definition = await self.store.definition(caller) if type_ == "Result" else {}
                payload, form = await self.validator.work(
                    self._judged, caller, type_, body, digest, definition
                )
                new = await self.store.keep(caller, type_, payload, form)
        if new:
            self.metrics.stored(type_=name, size=payload.size)
            log.info("%s of %d bytes stored", name, payload.size, extra=_about(caller))
        headers = {upload_limiter.DIGEST_HEADER: payload.digest}
        return Response(
            status_code=201 if new else 200, headers=headers
        ), "Stored" if new else "Same"

    async def append(self, request: Request, number: int) -> tuple[Response, str]:
        """Append a segment: 201, or 200 if this pod has appended it already."""
        caller = await self._caller(request)
        digest = upload_limiter.announced_digest(request.headers.get(upload_limiter.DIGEST_HEADER))
        announced = upload_limiter.announced_length(request.headers.get("content-length"))
        with self.uploads.slot(caller.pod.uid):
            async with self.uploads.body(
                request.stream(),
                announced=announced,
                limit=journals.LARGEST_SEGMENT,
                advice="split it into several segments",
            ) as body:
                payload = await self.validator.work(upload_limiter.checked, body, digest=digest)
                new = await self.journals.append(caller, number, payload)
        if new:
            self.metrics.stored(type_=_JOURNAL, size=payload.size)
        return Response(status_code=201 if new else 200), "Stored" if new else "Same"

    async def journal(self, request: Request, after: int) -> tuple[Response, str]:
        """A page of the journal of the caller's node."""
        caller = await self._caller(request)
        with self.uploads.slot(caller.pod.uid):
            bodies, more = await self.journals.page(caller, after=after)
            listed = await self.validator.work(journals.segments, bodies)
        page = ijson.canonical({"segments": listed, "more": more})
        return Response(page, media_type="application/json"), "Read"

    async def get(self, request: Request, name: str) -> tuple[Response, str]:
        """A payload of the calling attempt, in canonical form."""
        caller = await self._caller(request)
        with self.uploads.slot(caller.pod.uid):
            kept = await self.store.find(caller, TYPES[name])
            # Read the first piece before the response starts: an error can still change the status.
            first = await anext(kept.body, b"")
        headers = {upload_limiter.DIGEST_HEADER: kept.digest, "content-length": str(kept.size)}
        pieces = _joined(self.uploads.slot(caller.pod.uid), first, kept.body)
        return StreamingResponse(pieces, media_type="application/json", headers=headers), "Read"

    async def _caller(self, request: Request) -> Caller:
        header = request.headers.get("authorization", "")
        return await self.authenticator.authenticate(header, source=source_of(request.client))

    def _judged(
        self, caller: Caller, type_: RecordType, body: bytes, digest: str, definition: JsonObject
    ) -> tuple[Payload, dict[str, object] | None]:
        payload = self.validator.judged(caller, type_, body, digest=digest, definition=definition)
        return payload, self.store.form_of(payload)


def build_app(gateway: Gateway) -> Starlette:
    """The application. Another server has probes and metrics, so uploads cannot block them."""

    async def payloads(request: Request) -> Response:
        name = request.path_params["type"]
        known = name in (_PUT if request.method == "PUT" else TYPES)

        async def do() -> tuple[Response, str]:
            if not known:
                text = f"cannot {request.method} a payload of type {name:.20}; types: "
                raise Refused(
                    RefusalReason.NOT_FOUND,
                    text + ", ".join(_PUT if request.method == "PUT" else TYPES),
                )
            return await (gateway.put if request.method == "PUT" else gateway.get)(request, name)

        return await _answered(gateway, request, name if known else "other", do)

    async def segment(request: Request) -> Response:
        number = request.path_params["number"]
        return await _answered(
            gateway, request, _JOURNAL, lambda: gateway.append(request, _number(number, least=1))
        )

    async def journal(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        return await _answered(
            gateway, request, _JOURNAL, lambda: gateway.journal(request, _number(after, least=0))
        )

    async def artifact_out(request: Request) -> Response:
        name = request.path_params["name"]
        ask = request.method == "POST"
        do = gateway.artifacts.ask if ask else gateway.artifacts.put
        return await _answered(gateway, request, artifact_routes.TYPE, lambda: do(request, name))

    async def artifact_in(request: Request) -> Response:
        number = request.path_params["number"]
        return await _answered(
            gateway,
            request,
            artifact_routes.TYPE,
            lambda: gateway.artifacts.get(request, _number(number, least=0)),
        )

    return Starlette(
        routes=[
            Route("/v1/artifacts/out/{name}", artifact_out, methods=["POST", "PUT"]),
            Route("/v1/artifacts/in/{number}", artifact_in, methods=["GET"]),
            Route("/v1/payloads/{type}", payloads, methods=["PUT", "GET"]),
            Route("/v1/journal", journal, methods=["GET"]),
            Route("/v1/journal/{number}", segment, methods=["PUT"]),
        ]
    )


async def _answered(
    gateway: Gateway,
    request: Request,
    label: str,
    do: Callable[[], Awaitable[tuple[Response, str]]],
) -> Response:
    """Handle a request and count it, refused or not. `label`: the type of payload for metrics."""
    started = time.monotonic()
    try:
        response, result = await do()
    except ClientDisconnect:
        response, result = Response(status_code=400), "Disconnected"
    except (Refused, ClusterError, ObjectError) as error:
        refused = _refusal(error)
        response, result = _problem(refused), str(refused.why)
        log.warning("%s %s refused: %s", request.method, label, refused.message)
    seconds = time.monotonic() - started
    gateway.metrics.served(method=request.method, type_=label, result=result, seconds=seconds)
    return response


def _number(text: str, *, least: int) -> int:
    """Parse the number of a segment. Raises Refused."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < least:
        text = f"expected a segment number of at least {least}, found {text!r:.30}"
        raise Refused(RefusalReason.BAD_REQUEST, text)
    return int(text)


def _refusal(error: Refused | ClusterError | ObjectError) -> Refused:
    """The refusal that a pod gets when a store fails.

    If the outcome is unknown the pod retries: the same payload is never stored twice.
    """
    match error:
        case Refused():
            return error
        case QuotaExceeded():
            return Refused(
                RefusalReason.FULL, f"the payload was not stored: {error.message}", again=_AGAIN
            )
        case Busy():
            text = "the API server is overloaded; retry later"
            return Refused(RefusalReason.BUSY, text, again=max(round(error.retry_after), 1))
        case Rejected() if error.code == 413:
            return Refused(
                RefusalReason.TOO_LARGE,
                f"the API server rejects an object of this size: {error.message}",
            )
        case ObjectError():
            log.error("object store: %s", error)
            return Refused(
                RefusalReason.UNAVAILABLE, "the object store failed; retry", again=_AGAIN
            )
        case _:
            log.error("API server: %s", error.message)
            return Refused(RefusalReason.UNAVAILABLE, "the API server failed; retry", again=_AGAIN)


def _problem(refused: Refused) -> Response:
    headers = {"retry-after": str(refused.again)} if refused.again else {}
    if refused.status == 401:
        headers["www-authenticate"] = "Bearer"
    if refused.why in (RefusalReason.TOO_LARGE, RefusalReason.SLOW):
        headers["connection"] = "close"  # the rest of the body may still arrive
    body = {"reason": str(refused.why), "message": refused.message}
    return JSONResponse(body, status_code=refused.status, headers=headers)


async def _joined(
    slot: AbstractContextManager[None], first: bytes, rest: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    with slot:
        yield first
        async for piece in rest:
            yield piece


def _about(caller: Caller) -> dict[str, object]:
    ref = caller.ref
    return {
        "run": ref.run,
        "namespace": caller.pod.namespace,
        "node": ref.path,
        "attempt": ref.attempt,
    }
