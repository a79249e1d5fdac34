"""How objects go: grace periods, finalizers, and the propagation that is itself a finalizer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from waypost.kube.objects import section
from waypost.ports.cluster import Conflict, Kind, Obj

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Deletion:
    """DeleteOptions. `grace` None: the pod's own grace period."""

    uid: str | None = None
    resource_version: str | None = None
    propagation: str = "Background"
    grace: int | None = None


def begin_deletion(kind: Kind, body: Obj, *, options: Deletion, time: Callable[..., str]) -> Obj:
    """`body` (which may be changed) with the deletion begun or hastened; equal to what it was
    when nothing changes. Raises Conflict for a precondition that does not hold."""
    metadata = body["metadata"]
    _check_preconditions(metadata, options)
    _set_propagation(metadata, options.propagation)
    if kind is Kind.NAMESPACE:
        if "deletionTimestamp" not in metadata:
            metadata |= {"deletionTimestamp": time()}
            body["status"] = {**section(body, "status"), "phase": "Terminating"}
        return body
    grace = _grace(kind, body, options)
    if "deletionTimestamp" in metadata:
        if grace < metadata.get("deletionGracePeriodSeconds", 0):
            _shorten(metadata, grace, time())
        return body
    metadata["deletionTimestamp"] = time(after=grace)
    metadata["deletionGracePeriodSeconds"] = grace
    if "generation" in metadata:
        metadata["generation"] += 1
    return body


def _shorten(metadata: Obj, grace: int, now: str) -> None:
    """Give a deletion that is in progress a shorter grace period, counted from the first request.

    As since Kubernetes 1.33, the timestamp never moves into the past (`BeforeDelete` in
    k8s.io/apiserver/pkg/registry/rest/delete.go). So the kubelet's last delete, with period 0,
    replaces it by the time of that delete.
    """
    saved = timedelta(seconds=metadata["deletionGracePeriodSeconds"] - grace)
    due = (datetime.fromisoformat(metadata["deletionTimestamp"]) - saved).strftime(_TIME)
    if due < now:
        due, grace = now, min(grace, 1)
    metadata |= {"deletionTimestamp": due, "deletionGracePeriodSeconds": grace}


def is_over(body: Obj) -> bool:
    """Whether a deletion has nothing left to wait for."""
    metadata = body["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not section(body, "spec").get("finalizers")  # those of a namespace
    )


def _check_preconditions(metadata: Obj, options: Deletion) -> None:
    for field, name, wanted in (
        ("uid", "UID", options.uid),
        ("resourceVersion", "ResourceVersion", options.resource_version),
    ):
        if wanted is not None and wanted != metadata[field]:
            text = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: "
            raise Conflict(text + metadata[field], code=409, reason="Conflict")


def _set_propagation(metadata: Obj, propagation: str) -> None:
    mark = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(propagation)
    finalizers = [f for f in metadata.get("finalizers", []) if f not in (FOREGROUND, ORPHAN)]
    if mark:
        finalizers.append(mark)
    metadata.pop("finalizers", None)
    if finalizers:
        metadata["finalizers"] = finalizers


def _grace(kind: Kind, body: Obj, options: Deletion) -> int:
    """Only pods are given time, and only those that a machine may be running."""
    ended = section(body, "status").get("phase") in ("Succeeded", "Failed")
    if kind is not Kind.POD or ended or not section(body, "spec").get("nodeName"):
        return 0
    if options.grace is not None:
        return options.grace
    return int(section(body, "spec").get("terminationGracePeriodSeconds", 30))
