"""AdmissionReview (admission.k8s.io/v1), as an API server sends it and expects the answer."""

import base64
import json
from typing import Any, Final

from waypost.admission.core.names import Change, missing_names
from waypost.api.base import JsonObject
from waypost.kube.objects import section

_VERSION: Final = "admission.k8s.io/v1"


class NotAReview(Exception):
    """The body is no AdmissionReview. The message names the field."""


def answer_of(review: Any) -> JsonObject:
    """The answer to a review: it allows every request, and adds the names that are missing.

    Args:
        review: The body of the request, parsed.

    Returns:
        An AdmissionReview with a response.

    Raises:
        NotAReview: A field that each review has is missing.
    """
    uid, change = _parsed(review)
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if operations := missing_names(change):
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"apiVersion": _VERSION, "kind": "AdmissionReview", "response": response}


def _parsed(review: Any) -> tuple[str, Change]:
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise NotAReview("kind: expected AdmissionReview")
    if review.get("apiVersion") != _VERSION:
        raise NotAReview(f"apiVersion: expected {_VERSION}")
    request = section(review, "request")
    change = Change(
        resource=_text(section(request, "resource"), "resource", "request.resource"),
        operation=_text(request, "operation", "request"),
        user=_text(section(request, "userInfo"), "username", "request.userInfo"),
        spec=section(section(request, "object"), "spec"),
        old=section(section(request, "oldObject"), "spec"),
    )
    return _text(request, "uid", "request"), change


def _text(parent: dict[str, Any], name: str, where: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise NotAReview(f"{where}.{name}: expected text")
    return value
