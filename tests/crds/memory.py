"""MemoryEntries: what the API server takes, and what it refuses."""

from typing import Any

import pytest

from tests.crds.manifests import Manifest
from tests.crds.transitions import Update

AT = "2026-11-28T09:10:00Z"
EXPIRES = "2027-02-26T09:10:00Z"


def entry(type_: str = "Fact", name: str = "triage-9f2c-f-1", **spec: Any) -> Manifest:
    """An entry of this type; `spec` changes its fields, None removes one."""
    source: Manifest = {"run": "triage-31", "runUid": "u-31", "round": 1, "at": AT}
    fields: Manifest = {"scope": "triage", "key": "customer-17", "type": type_}
    if type_ == "Fact":
        fields |= {"value": {"text": "Ships only to Leipzig"}, "source": {**source, "path": "ask"}}
    elif type_ == "Episode":
        fields |= {"value": {"cause": "disk"}, "source": source, "succeeded": True}
    else:
        fields |= {"source": {"at": AT}}
    fields |= {"expiresAt": EXPIRES, **spec}
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "MemoryEntry",
        "metadata": {"name": name},
        "spec": {key: value for key, value in fields.items() if value is not None},
    }


FULL_FACT: Manifest = entry(
    subject="shipping-address",
    text="Ships only to Leipzig",
    value={"text": "Ships only to Leipzig", "more": [1, {"deep": True}]},
    schemaDigest="sha256:1",
    review="Automatic",
    source={
        "run": "triage-31",
        "runUid": "u-31",
        "workflow": "triage",
        "round": 2,
        "path": "ask/3",
        "attempt": 1,
        "ordinal": 4,
        "outputDigest": "sha256:2",
        "at": AT,
    },
)

ACCEPTED = [
    pytest.param(entry(), "the smallest Fact", id="memory-fact"),
    pytest.param(FULL_FACT, "a Fact with all fields", id="memory-fact-full"),
    pytest.param(entry("Episode"), "the smallest Episode", id="memory-episode"),
    pytest.param(
        entry("Episode", scope="*", key="*", scheduledAt=AT, succeeded=False, value={}),
        "an Episode of the namespace",
        id="memory-episode-full",
    ),
    pytest.param(entry("Forgotten"), "forgets a key", id="memory-forgotten"),
    pytest.param(
        entry(decision="Accepted", decidedBy="ann", note="seen"),
        "an import keeps the decision",
        id="memory-imported",
    ),
]


def row(id: str, manifest: Manifest, *says: str) -> Any:
    """One row: what kubectl prints contains each of `says`."""
    return pytest.param(manifest, says, id=id)


REFUSED = [
    row("memory-no-key", entry(key=None), "spec.key"),
    row("memory-empty-key", entry(key=""), "spec.key"),
    row("memory-long-key", entry(key="k" * 201), "spec.key"),
    row("memory-scope", entry(scope="two words"), "spec.scope"),
    row("memory-type", entry("Rumor"), "spec.type"),
    row("memory-text", entry(text="t" * 61), "spec.text"),
    row("memory-value-of-text", entry(value="text"), "spec.value"),
    row("memory-many-fields", entry(value={f"f{n}": n for n in range(65)}), "spec.value"),
    row("memory-unknown-field", entry(weight=1), "weight"),
    row("memory-no-value", entry(value=None), "Fact needs value; add what is remembered"),
    row(
        "memory-forgotten-value",
        entry("Forgotten", value={"a": 1}, text="a"),
        "found value, text in an entry of type Forgotten; remove it",
    ),
    row(
        "memory-episode-subject",
        entry("Episode", subject="x", review="Automatic"),
        "subject, review is only allowed with type: Fact; found Episode",
    ),
    row(
        "memory-episode-full",
        entry("Episode", full=True),
        "full is only allowed with type: Fact; found Episode",
    ),
    row(
        "memory-fact-succeeded",
        entry(succeeded=True),
        "succeeded is only allowed with type: Episode; found Fact",
    ),
    row(
        "memory-episode-unsaid",
        entry("Episode", succeeded=None),
        "an Episode needs succeeded; say whether the run succeeded",
    ),
    row(
        "memory-origin",
        entry("Episode", source={"at": AT, "run": "triage-31"}),
        "Episode needs source.run, source.runUid and source.round",
    ),
    row(
        "memory-fact-of-no-node",
        entry(source={"run": "r", "runUid": "u", "round": 1, "at": AT}),
        "a Fact needs source.path; name the node that made it",
    ),
    row(
        "memory-expired-at-birth",
        entry(expiresAt=AT),
        "expiresAt must be after source.at, and at most two years after it",
    ),
    row(
        "memory-for-too-long",
        entry(expiresAt="2028-11-28T09:10:01Z"),
        "expiresAt must be after source.at, and at most two years after it",
    ),
    row(
        "memory-decided-by-nobody",
        entry(decision="Accepted"),
        "decision and decidedBy belong together; set decidedBy to your user name",
    ),
]


def spec(id: str, before: Manifest, patch: Manifest, *says: str) -> Any:
    """One row: a merge patch of the spec, which lands or fails with `says`."""
    return pytest.param(before, None, Update({"spec": patch}), says, id=id)


DECIDED: Manifest = entry(decision="Accepted", decidedBy="ann")
_FINAL = "what was remembered cannot be changed; found a change of "

TRANSITIONS = [
    spec("memory-accept", entry(), {"decision": "Accepted", "decidedBy": "ann", "note": "ok"}),
    spec("memory-revert", DECIDED, {"decision": "Rejected", "decidedBy": "bob"}),
    spec(
        "memory-withdraw",
        DECIDED,
        {"decision": None, "decidedBy": None},
        "a decision cannot be withdrawn; change it to Accepted or Rejected",
    ),
    spec(
        "memory-value",
        FULL_FACT,
        {"value": {"text": "Ships to my address"}},
        f"{_FINAL}value; only decision, decidedBy, note can change",
    ),
    spec(
        "memory-deep-value", FULL_FACT, {"value": {"more": [1, {"deep": False}]}}, f"{_FINAL}value"
    ),
    spec("memory-new-key", entry(), {"key": "customer-18"}, f"{_FINAL}key"),
    spec("memory-new-subject", entry(), {"subject": "x"}, f"{_FINAL}subject"),
    spec("memory-review", entry(), {"review": "Automatic"}, f"{_FINAL}review"),
    spec("memory-not-full", entry(full=True), {"full": None}, f"{_FINAL}full"),
    spec("memory-source", entry(), {"source": {"at": EXPIRES}}, f"{_FINAL}source"),
    spec("memory-longer", entry(), {"expiresAt": "2027-03-26T09:10:00Z"}, f"{_FINAL}expiresAt"),
    pytest.param(
        entry(),
        {"phase": "Proposed"},
        Update([{"op": "add", "path": "/status/phase", "value": "Active"}], status=True),
        (),
        id="memory-phase",
    ),
]
