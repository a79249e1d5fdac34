"""WorkflowEvents: what the API server takes, and what it refuses."""

from typing import Any

import pytest

from tests.crds.manifests import Manifest
from tests.crds.transitions import Update


def event(id_: str = "pay-1", **spec: Any) -> Manifest:
    """An event with a key; `spec` changes its fields."""
    fields = {"name": "paid", "key": "42", **spec}
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "WorkflowEvent",
        "metadata": {"name": id_},
        "spec": {key: value for key, value in fields.items() if value is not None},
    }


FULL: Manifest = event(
    name="com.example/payment:succeeded",
    key=None,
    workflow="order-9",
    payload={"a": [1, {"b": "c"}]},
    expiresAt="2030-01-01T00:00:00Z",
)

START: Manifest = {"templateRef": {"name": "triage"}, "inputs": {"n": 1}}
ORIGIN: Manifest = {"name": "github", "id": "sha256:1"}
STARTS: Manifest = event(key=None, start=START, source=ORIGIN)
STARTED: Manifest = {
    "run": "triage-1",
    "at": "2030-01-01T00:00:00Z",
    "begunAt": "2030-01-01T00:00:00Z",
}

ACCEPTED = [
    pytest.param(STARTS, "starts a run", id="event-start"),
    pytest.param(event(), "the smallest", id="event-small"),
    pytest.param(FULL, "all fields", id="event-full"),
    pytest.param(event(payload="text"), "any JSON", id="event-text"),
]


def row(id: str, manifest: Manifest, *says: str) -> Any:
    """One row: what kubectl prints contains each of `says`."""
    return pytest.param(manifest, says, id=id)


REFUSED = [
    row("event-for-nobody", event(key=None), "none of key, workflow and start is set"),
    row("event-for-two", event(workflow="x"), "are set; keep key for any run"),
    row("event-start-and-key", event(start=START, source=ORIGIN), "key, start are set"),
    row("event-start-of-nobody", event(key=None, start=START), "start is only allowed with source"),
    row("event-without-name", event(name=None), "spec.name"),
    row("event-name", event(name="two words"), "spec.name"),
    row("event-long-key", event(key="k" * 257), "spec.key"),
    row("event-unknown-field", event(data=1), "data"),
]


def claim(run: str = "r", phase: str = "Claimed") -> Manifest:
    """The status of an event that a node of this run has claimed."""
    by = {"run": run, "runUid": f"uid-{run}", "path": "paid", "wait": 1}
    return {"phase": phase, "claim": by}


def step(id: str, before: Manifest | None, after: Manifest, *says: str) -> Any:
    """One row: a step from one status to another, which lands or fails with `says`."""
    patch = Update([{"op": "add", "path": "/status", "value": after}], status=True)
    return pytest.param(event(), before, patch, says, id=id)


PENDING: Manifest = {"phase": "Pending"}
EXPIRED: Manifest = {"phase": "Expired", "settledAt": "2030-01-01T00:00:00Z"}

TRANSITIONS = [
    pytest.param(
        event(),
        None,
        Update({"spec": {"key": "43"}}),
        ("an event cannot be changed",),
        id="event-spec",
    ),
    step("event-claimed", None, claim()),
    step("event-given-back", claim(), PENDING),
    step("event-consumed", claim(), claim(phase="Consumed")),
    step(
        "event-claimed-by-another", claim(), claim("other"), "is Claimed by another node; only that"
    ),
    step("event-expires-while-claimed", claim(), EXPIRED, "is Claimed by another node"),
    step(
        "event-consumed-again",
        claim(phase="Consumed"),
        PENDING,
        "is Consumed, which is final; create another event",
    ),
    step(
        "event-expired-and-claimed",
        EXPIRED,
        claim(),
        "is Expired, which is final; create another event",
    ),
    step(
        "event-claimed-by-nobody",
        None,
        {"phase": "Claimed"},
        "either claim or start is set exactly",
    ),
    step("event-pending-with-a-claim", None, claim(phase="Pending"), "start is set exactly when"),
    step("event-started-and-claimed", None, {**claim(), "start": STARTED}, "set exactly when"),
    step("event-start", None, {"phase": "Claimed", "start": STARTED}),
    step(
        "event-start-refused",
        {"phase": "Claimed", "start": STARTED},
        {"phase": "Refused", "message": "no"},
    ),
]
