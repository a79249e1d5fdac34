"""From responses of the API server to the exceptions of `ports.cluster`. Pure."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from waypost.ports.cluster import (
    AlreadyExists,
    Busy,
    ClusterError,
    Conflict,
    NotFound,
    QuotaExceeded,
    RefusedForNow,
    Rejected,
    Unavailable,
)

# The cause in a 403 for a create in a namespace that is being deleted.
NAMESPACE_TERMINATING = "NamespaceTerminating"
# Texts of the 500 for an object above etcd's limit: repeating it does not help.
_TOO_LARGE = ("request is too large", "larger than max")
# What refuses a request that is in order: our own rights (which an upgrade of the chart may be
# about to change), admission plugins that have just begun, and webhooks that do not answer.
# Admission comes before storage, so nothing was written.
_NOT_NOW = {
    403: (
        "cannot create resource",
        "cannot patch resource",
        "cannot update resource",
        "cannot delete resource",
        "not yet ready to handle request",
        "status unknown for quota",
    ),
    # A webhook may choose the status with which it denies.
    500: ("failed calling webhook", "denied the request"),
    503: ("denied the request",),
}


def error_from(*, status: int, headers: Mapping[str, str], payload: bytes) -> ClusterError:
    """The exception for a response that is not 2xx.

    Its `reason` is that of the Status object, or the cause NamespaceTerminating if there is one.
    """
    answer = _status_object(payload)
    message = _message(answer, status=status, payload=payload)
    reason = str(answer.get("reason") or "")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy(message, retry_after=_retry_after(headers, answer))
    if status == HTTPStatus.FORBIDDEN and "exceeded quota" in message:
        return QuotaExceeded(message, code=status, reason=reason)
    if status == HTTPStatus.FORBIDDEN and NAMESPACE_TERMINATING in _causes(answer):
        return Rejected(message, code=status, reason=NAMESPACE_TERMINATING)
    if _is_of_another(answer, status=status):
        return Unavailable(f"not an answer of the API server: {message}", code=status)
    return _class_of(status, reason=reason, message=message)(message, code=status, reason=reason)


def _class_of(status: int, *, reason: str, message: str) -> type[ClusterError]:
    if status == HTTPStatus.NOT_FOUND:
        return NotFound
    if status == HTTPStatus.CONFLICT:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    # 401 concerns our credentials, not the object: as Rejected, an expired token would fail
    # users' nodes.
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT):
        return Unavailable
    if any(text in message for text in _NOT_NOW.get(status, ())):
        return RefusedForNow
    if 400 <= status < 500 or any(text in message for text in _TOO_LARGE):
        return Rejected
    return Unavailable


def _is_of_another(answer: Mapping[str, Any], *, status: int) -> bool:
    """Whether a 4xx is that of a proxy, or of a server that does not serve the kind now: it says
    nothing about the object. A request that a proxy calls too large will always be."""
    ours = answer.get("kind") == "Status" or bool(answer.get("reason"))
    return 400 <= status < 500 and status not in (401, 413) and not ours


def _status_object(payload: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(payload)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _message(answer: Mapping[str, Any], *, status: int, payload: bytes) -> str:
    text = answer.get("message")
    if isinstance(text, str) and text:
        return text
    # A proxy answers with its own page: show its beginning.
    return payload[:500].decode("utf-8", "replace").strip() or f"HTTP status {status}"


def _causes(answer: Mapping[str, Any]) -> frozenset[str]:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    items = causes if isinstance(causes, list) else []
    return frozenset(str(item.get("reason")) for item in items if isinstance(item, dict))


def _retry_after(headers: Mapping[str, str], answer: Mapping[str, Any]) -> float:
    details = answer.get("details")
    hinted = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    for value in (headers.get("Retry-After"), hinted):
        if isinstance(value, str | int) and str(value).isdigit():
            return float(value)
    return 1.0
