"""Small objects for the contract suite."""

from typing import Any

from waypost.ports.cluster import Obj

HOLD = "waypost.dev/result"
OTHER_HOLD = "example.com/other"
CONDITION = {
    "type": "Accepted",
    "status": "True",
    "reason": "Accepted",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def config_map(
    name: str = "notes",
    *,
    labels: dict[str, str] | None = None,
    owner: Obj | None = None,
    finalizers: list[str] | None = None,
    **fields: Any,
) -> Obj:
    """A ConfigMap; `owner` is the object that owns it, blocking its foreground deletion."""
    metadata: Obj = {"name": name}
    if labels:
        metadata["labels"] = labels
    if finalizers:
        metadata["finalizers"] = finalizers
    if owner:
        metadata["ownerReferences"] = [reference(owner)]
    data = {"data": {"a": "1"}} | fields
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **data}


def reference(owner: Obj) -> Obj:
    """A controller reference to `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod(name: str = "worker", *, finalizers: list[str] | None = None) -> Obj:
    """A pod that no scheduler takes, so that it stays Pending."""
    metadata: Obj = {"name": name, "labels": {"app": "contract"}}
    if finalizers:
        metadata["finalizers"] = finalizers
    container = {"name": "node", "image": "registry.example/none:1.0"}
    spec = {"schedulerName": "nobody", "restartPolicy": "Never", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def job(name: str = "work", **spec: Any) -> Obj:
    """A suspended Job: it never gets a pod."""
    container = {"name": "node", "image": "registry.example/none:1.0"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"suspend": True, "backoffLimit": 0, "template": template, **spec},
    }
