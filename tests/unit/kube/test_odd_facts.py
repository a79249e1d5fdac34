"""A field that is null, empty, missing or at the edge of its type in an object of others (K15): the
facts are read all the same, or every pass of the run would fail."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube import node_records
from waypost.kube.facts.approvals import approval_fact
from waypost.kube.facts.children import child_fact, effective_spec, root_uid
from waypost.kube.facts.jobs import job_fact
from waypost.kube.facts.machines import machine_fact
from waypost.kube.facts.pods import pod_fact
from waypost.kube.facts.runs import keep_until, pruned_of
from waypost.kube.facts.slots import slot_fact
from waypost.kube.facts.workloads import workload_fact
from waypost.kube.node_records import record_fact
from waypost.kube.workflow_events import event_fact
from waypost.protocol import ijson

T = "2026-11-24T03:10:00Z"
KEPT = {
    "labels": {meta.LABEL_SCHEDULE: "s"},
    "annotations": {
        meta.ANNOTATION_KEEP_UNTIL: T,
        "kubectl.kubernetes.io/last-applied-configuration": '{"spec": {"gone": 1}}',
    },
}
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
USAGE = {"modelCalls": 1, "inputTokens": 2, "outputTokens": 3}
ARTIFACT = {"name": "out", "digest": "sha256:" + "0" * 64, "bytes": 1, "files": 1, "record": "r"}
CHILD = {
    "metadata": {
        **METADATA,
        "resourceVersion": "7",
        "ownerReferences": [
            {"kind": "AgentWorkflow", "name": "p", "uid": "pu", "controller": True}
        ],
    },
    "spec": {
        "parent": {"name": "p", "uid": "pu", "root": "pu", "path": "call/3", "cancel": True},
        "templateRef": {"name": "t"},
        "inputs": {"n": 1, "list": ["a", {"b": 1.5}]},
        "rerun": {"round": 2},
    },
    "status": {
        "phase": "Failed",
        "round": 1,
        "finishedAt": T,
        "cancelledAt": T,
        "outputs": {"o": ARTIFACT, "n": 1},
        "usage": USAGE,
        "waiting": "for an answer",
        "nodes": [{"path": "a", "phase": "Succeeded", "artifacts": [ARTIFACT]}],
        "conditions": [
            {"type": kind, **CONDITION}
            for kind in ("Accepted", "Stalled", "Succeeded", "AwaitingApproval")
        ],
    },
}
SLOT = {
    "metadata": {
        **METADATA,
        "name": "waypost-slot-0123-1",
        "labels": {**LABELS, meta.LABEL_SLOTS: "0123"},
        "annotations": {meta.ANNOTATION_SLOT_LIMIT: "2", meta.ANNOTATION_RUN_NAME: "r"},
    },
    "spec": {"holderIdentity": "u/scan/3/1", "acquireTime": T, "leaseTransitions": 1},
}
RECORD = {
    "metadata": METADATA,
    "spec": {
        "run": "r",
        "runUid": "u",
        "path": "a",
        "round": 1,
        "attempt": 1,
        "type": "Result",
        "digest": ijson.digest({"n": 1}),
        "size": 7,
        "data": {"n": 1},
        "artifact": {"name": "out", "files": 1},
    },
}
PACKED = {
    "metadata": METADATA,
    "spec": {
        **RECORD["spec"],
        "data": None,
        **(node_records.form_of("x" * 20_000, b'"' + b"x" * 20_000 + b'"') or {}),
        "digest": ijson.digest("x" * 20_000),
        "size": 20_002,
    },
}
EVENT = {
    "metadata": {**METADATA, "resourceVersion": "7"},
    "spec": {"name": "paid", "key": "order-7", "payload": {"n": 1, "l": [None]}, "expiresAt": T},
    "status": {"phase": "Claimed", "message": "m", "claim": {"run": "r", "runUid": "u"}},
}
WORKLOAD = {
    "metadata": METADATA,
    "status": {
        "conditions": [
            {"type": kind, **CONDITION} for kind in ("QuotaReserved", "Finished", "Evicted")
        ],
        "admissionChecks": [{"name": "c", "state": "Pending", "message": "m"}],
    },
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
    "child-run": (child_fact, CHILD),
    "the-root-of-a-child-run": (root_uid, CHILD),
    "what-a-parent-requests": (effective_spec, CHILD),
    "slot": (slot_fact, SLOT),
    "record": (record_fact, RECORD),
    "packed-record": (record_fact, PACKED),
    "event": (event_fact, EVENT),
    "workload": (workload_fact, WORKLOAD),
    "fields-that-were-dropped": (pruned_of, CHILD),
    "kept-until": (keep_until, {"metadata": {**METADATA, **KEPT}}),
}
# Read as well, but for a whole body of another kind.
WHOLE: tuple[Any, ...] = (None, [], "x", 1, {}, {"metadata": None}, {"metadata": []})


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


@pytest.mark.parametrize("body", WHOLE, ids=repr)
@pytest.mark.parametrize("read", [read for read, _ in READERS.values()], ids=READERS)
def test_a_body_without_metadata_is_read(read: Callable[[Any], Any], body: Any) -> None:
    """Nothing is found in it, and no pass fails."""
    read(body)
