"""A field that is null, empty, missing or at the edge of its type in an object of others (K15): the
facts are read all the same, or every pass of the run would fail."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.facts.approvals import approval_fact
from waypost.kube.facts.jobs import job_fact
from waypost.kube.facts.machines import machine_fact
from waypost.kube.facts.pods import pod_fact

T = "2026-11-24T03:10:00Z"
LABELS = {meta.LABEL_RUN: "r", meta.LABEL_NODE: "a", meta.LABEL_ATTEMPT: "2"}
METADATA = {
    "name": "p",
    "namespace": "d",
    "uid": "u",
    "creationTimestamp": T,
    "deletionTimestamp": T,
    "deletionGracePeriodSeconds": 30,
    "labels": LABELS,
    "annotations": {meta.ANNOTATION_PATH: "a"},
    "finalizers": [meta.FINALIZER_RESULT],
    "ownerReferences": [{"kind": "Job", "name": "j", "uid": "ju", "controller": True}],
}
ENDED = {"exitCode": 1, "reason": "Error", "message": "m", "startedAt": T, "finishedAt": T}
CONTAINER = {
    "name": "node",
    "imageID": "x@sha256:1",
    "restartCount": 1,
    "state": {"terminated": ENDED},
    "lastState": {"terminated": ENDED},
}
INIT = {
    "name": "init",
    "restartCount": 1,
    "state": {"waiting": {"reason": "ImagePullBackOff", "message": "m"}},
    "lastState": {"terminated": ENDED},
}
CONDITION = {"status": "False", "reason": "r", "message": "m", "lastTransitionTime": T}
SPEC = {
    "nodeName": "m",
    "restartPolicy": "Never",
    "containers": [{"name": "node"}, {"name": "side"}],
    "initContainers": [{"name": "init", "restartPolicy": "Always"}],
    "volumes": [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}}],
}
POD = {
    "metadata": METADATA,
    "spec": SPEC,
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "x",
        "startTime": T,
        "conditions": [
            {"type": kind, **CONDITION} for kind in ("PodScheduled", "Ready", "DisruptionTarget")
        ],
        "initContainerStatuses": [INIT],
        "containerStatuses": [
            CONTAINER,
            {"name": "side", "state": {"running": {"startedAt": T}}},
        ],
    },
}
JOB = {
    "metadata": METADATA,
    "spec": {"suspend": True, "parallelism": 0, "template": {"metadata": METADATA, "spec": SPEC}},
    "status": {
        "active": 1,
        "startTime": T,
        "conditions": [{"type": kind, **CONDITION} for kind in ("Failed", "Suspended")],
    },
}
VOTE = {"user": "u", "verdict": "Approved", "time": T}
APPROVAL = {
    "metadata": METADATA,
    "spec": {"message": "m", "path": "a", "decision": VOTE, "votes": [VOTE]},
    "status": {"phase": "Pending", "decidedAt": T, "conditions": []},
}
MACHINE = {
    "metadata": {"name": "m", "uid": "u"},
    "spec": {"taints": [{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}]},
    "status": {"conditions": [{"type": "Ready", **CONDITION, "lastHeartbeatTime": T}]},
}
ODD: tuple[Any, ...] = (
    *("", "x", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    *(-1, 0, 10**12, 2**63 - 1, -(2**63), [], {}, True, False),
)
READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "pod": (pod_fact, POD),
    "job": (job_fact, JOB),
    "approval": (approval_fact, APPROVAL),
    "machine": (
        lambda body: machine_fact(body, name="m", looked_at=datetime(2026, 11, 24, tzinfo=UTC)),
        MACHINE,
    ),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in parts:
        yield (*path, step)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, step))


def changed(body: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    """The body with other values at the place, of the type that the API server sees to."""
    *above, last = path
    for odd in (None, "gone", *ODD):
        copy = deepcopy(body)
        at = copy
        for step in above:
            at = at[step]
        if odd == "gone":
            del at[last]
        elif odd is None or type(odd) is type(at[last]):
            at[last] = odd
        else:
            continue
        yield odd, copy


@pytest.mark.parametrize(("read", "body"), READERS.values(), ids=READERS)
def test_an_odd_field_of_an_object_is_read(read: Callable[[Any], Any], body: Any) -> None:
    assert read(body) is not None
    failed = []
    for path in places(body):
        for odd, other in changed(body, path):
            try:
                read(other)
            except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
                failed.append((path, odd, repr(error)))
    assert failed == []
