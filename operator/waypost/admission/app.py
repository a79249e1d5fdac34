"""The HTTP interface of the admission webhook.

    POST /v1/names    an AdmissionReview; the answer adds the names that are missing

It has no authentication: an answer depends on nothing but its request. Objects are not logged.
"""

import json
import logging
import time
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waypost.admission.core.review import NotAReview, answer_of
from waypost.admission.metrics import AdmissionMetrics
from waypost.api.base import JsonObject
from waypost.gateway import upload_limiter
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.upload_limiter import UploadLimiter

PATH: Final = "/v1/names"
# The API server takes objects of 3 MiB; a review has the object twice.
LARGEST: Final = 8 * 1024 * 1024
ROOM: Final = 64 * 1024 * 1024
SECONDS: Final = 3.0  # the API server waits no longer

log = logging.getLogger("waypost.admission")


@dataclass(frozen=True)
class AdmissionWebhook:
    """The parts of the service."""

    bodies: UploadLimiter
    metrics: AdmissionMetrics


def build_app(webhook: AdmissionWebhook) -> Starlette:
    """The application. Another server has probes and metrics."""

    async def review(request: Request) -> Response:
        started = time.monotonic()
        result, response = await _answered(webhook, request)
        webhook.metrics.answered(result=result, seconds=time.monotonic() - started)
        return response

    return Starlette(routes=[Route(PATH, review, methods=["POST"])])


async def _answered(webhook: AdmissionWebhook, request: Request) -> tuple[str, Response]:
    """The result for the metrics, and the response."""
    try:
        answer = await _answer(webhook, request)
    except ClientDisconnect:
        return "Disconnected", Response(status_code=400)
    except Refused as refused:
        log.warning("request refused: %s: %s", refused.why, refused.message)
        content = {"reason": str(refused.why), "message": refused.message}
        return str(refused.why), JSONResponse(content, refused.status)
    named = "patch" in answer["response"]
    return "Named" if named else "Unchanged", JSONResponse(answer)


async def _answer(webhook: AdmissionWebhook, request: Request) -> JsonObject:
    announced = upload_limiter.announced_length(request.headers.get("content-length"))
    body = webhook.bodies.body(
        request.stream(), announced=announced, limit=LARGEST, advice="make the object smaller"
    )
    async with body as content:
        try:
            # Not strictly: the API server has judged the object, which may have any numbers.
            return answer_of(json.loads(content))
        except (ValueError, RecursionError, NotAReview) as error:
            text = f"the body is not an AdmissionReview of a Waypost object: {error}"
            raise Refused(RefusalReason.BAD_REQUEST, text) from None
