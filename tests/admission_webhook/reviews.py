"""AdmissionReviews as an API server sends them, and what an answer adds."""

import base64
import json
from typing import Any

Obj = dict[str, Any]


def review(
    resource: str,
    spec: Obj | None,
    *,
    old: Obj | None = None,
    user: str = "rita",
    operation: str = "",
) -> Obj:
    """A request of `user`: it creates an object, or replaces `old` if there is one."""
    request = {
        "uid": "7c7f",
        "resource": {"group": "waypost.dev", "version": "v1alpha1", "resource": resource},
        "operation": operation or ("CREATE" if old is None else "UPDATE"),
        "userInfo": {"username": user, "groups": ["system:authenticated"]},
        "object": None if spec is None else {"metadata": {"name": "a"}, "spec": spec},
        "oldObject": None if old is None else {"metadata": {"name": "a"}, "spec": old},
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def added(answer: Obj) -> Obj:
    """Path and value of what an answer adds; it must allow the request."""
    response = answer["response"]
    assert (response["uid"], response["allowed"]) == ("7c7f", True)
    if "patch" not in response:
        assert "patchType" not in response
        return {}
    assert response["patchType"] == "JSONPatch"
    operations = json.loads(base64.b64decode(response["patch"]))
    assert {one["op"] for one in operations} == {"add"}
    return {one["path"]: one["value"] for one in operations}
