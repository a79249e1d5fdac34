"""What the API server refuses: names, sizes, metadata, and what may not change any more.

Of the CEL rules of our CRDs the ones that the product's promises rest on are honoured here; the
real API server is asked about all of them in tests/crds.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from waypost.api.crd.rules.approval import ANSWER
from waypost.api.crd.rules.memory import REVIEWED
from waypost.api.crd.rules.workflow import CHANGED_BY_PARENT, EDITABLE
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj, Rejected

from tests.fakes.api import builtin, schemas
from tests.fakes.api.wire import MAX_ANNOTATION_BYTES, MAX_OBJECT_BYTES, size

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
_LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
_LABEL_KEY = re.compile(r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_IDENTITY: Final = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp")


def invalid(kind: Kind, name: str, problems: list[str]) -> Rejected:
    """The 422 with all that is wrong."""
    text = f'{kind.kind} "{name}" is invalid: ' + ", ".join(problems)
    return Rejected(text, code=422, reason="Invalid")


def check(kind: Kind, new: Obj, *, old: Obj | None, subresource: str = "") -> None:
    """Raise Rejected unless `new` may be created (`old` None) or may replace `old`."""
    name = new["metadata"]["name"]
    _check_size(kind, new)
    if unknown := schemas.unknown_fields(kind, new) + builtin.unknown_fields(kind, new, old):
        text = "strict decoding error: " + ", ".join(f'unknown field "{at}"' for at in unknown)
        raise Rejected(text, code=400 if old is None else 422, reason="BadRequest")
    problems = [*_metadata(kind, new["metadata"], (old or {}).get("metadata"))]
    problems += schemas.violations(kind, new)
    if old is None:
        problems += builtin.created(kind, new)
    elif not subresource:
        problems += builtin.updated(kind, old, new)
    if kind in _TRANSITIONS and not problems:
        problems += _TRANSITIONS[kind](old or {}, new)
    if problems:
        raise invalid(kind, name, problems)


def _check_size(kind: Kind, body: Obj) -> None:
    try:
        too_large = size(body) > MAX_OBJECT_BYTES
    except ValueError as error:
        raise Rejected(f"not JSON: {error}", code=400, reason="BadRequest") from error
    if too_large:
        raise Rejected("etcdserver: request is too large", code=500)


def _metadata(kind: Kind, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[str]:
    if not _NAME.match(new["name"]):
        yield f"metadata.name: Invalid value: {new['name']!r}: a lowercase RFC 1123 subdomain"
    if kind is Kind.JOB and len(new["name"]) > 63:
        yield "metadata.name: Invalid value: must be no more than 63 characters"
    for key, value in new.get("labels", {}).items():
        if not _LABEL_KEY.match(key) or not isinstance(value, str) or not _LABEL_VALUE.match(value):
            yield f"metadata.labels: Invalid value: {key!r}: {value!r}"
    notes = new.get("annotations", {})
    if sum(len(key.encode()) + len(str(text).encode()) for key, text in notes.items()) > (
        MAX_ANNOTATION_BYTES
    ):
        yield f"metadata.annotations: Too long: may not be more than {MAX_ANNOTATION_BYTES} bytes"
    owners = new.get("ownerReferences", [])
    if sum(owner.get("controller") is True for owner in owners) > 1:
        yield "metadata.ownerReferences: Invalid value: only one reference can have Controller set"
    if any(not owner.get(key) for owner in owners for key in ("apiVersion", "kind", "name", "uid")):
        yield "metadata.ownerReferences: Required value: apiVersion, kind, name and uid"
    if old is None:
        return
    for field in _IDENTITY:
        if new.get(field) != old.get(field):
            yield f"metadata.{field}: Invalid value: {new.get(field)!r}: field is immutable"
    added = set(new.get("finalizers", [])) - set(old.get("finalizers", []))
    if old.get("deletionTimestamp") and added:
        yield (
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is "
            f"being deleted, found new finalizers {sorted(added)}"
        )


def _workflow(old: Obj, new: Obj) -> list[str]:
    problems = []
    before, after = section(old, "spec"), section(new, "spec")
    conditions = items(old, "status", "conditions")
    begun = section(old, "status").get("round", 1)
    raised = section(after, "rerun").get("round", 1) > begun
    # An unchanged rerun is allowed: its round may be one that was rejected.
    if raised and after.get("cancel") is True and before.get("rerun") != after.get("rerun"):
        problems.append("spec: is cancelled, so no new round can start")
    if items(old, "status", "nodes") or any(
        c.get("type") == "Accepted" and c.get("status") == "True" for c in conditions
    ):
        changed = set() if raised else _changed(before, after) - EDITABLE - {"parent"}
        if changed:
            problems.append(f"spec: was accepted; found a change of {', '.join(sorted(changed))}")
        if before.get("cancel") is True and after.get("cancel") is not True:
            problems.append("spec: is cancelled, and cancel cannot be undone")
    parents = section(before, "parent"), section(after, "parent")
    if old and _changed(*parents) - CHANGED_BY_PARENT:
        problems.append("spec: only the operator writes spec.parent")
    checkpoints, kept = items(old, "status", "nodes"), items(new, "status", "nodes")
    by_path = {node.get("path"): node for node in kept}
    if section(new, "status").get("round", 1) > begun:
        return problems
    if len(kept) < len(checkpoints):
        problems.append("status.nodes: a checkpoint would be lost")
    for node in checkpoints:
        now = by_path.get(node.get("path"), {})
        if node.get("phase") == "Succeeded" and any(
            now.get(field) != node.get(field) for field in ("phase", "outputDigest")
        ):
            problems.append(
                f"status.nodes: node {node.get('path')} has Succeeded, so its phase and "
                "outputDigest cannot change"
            )
    return problems


def _approval(old: Obj, new: Obj) -> list[str]:
    before, after = section(old, "spec"), section(new, "spec")
    if not old:
        return ["spec: found an answer in a new Approval"] if set(ANSWER) & after.keys() else []
    problems = []
    if asked := _changed(before, after) - set(ANSWER):
        problems.append(f"spec: the question cannot be changed; found a change of {sorted(asked)}")
    votes, now = section(before, "votes"), section(after, "votes")
    if any(now.get(user) != vote for user, vote in votes.items()):
        problems.append("spec.votes: votes cannot be changed or withdrawn")
    state = section(old, "status").get("state", "Open")
    if state != "Open":
        if before != after:
            problems.append(f"spec: is recorded as {state}; its spec can no longer change")
        if section(new, "status").get("state") != state:
            problems.append(f"status: is recorded as {state}; its state can no longer change")
    return problems


def _record(old: Obj, new: Obj) -> list[str]:
    return ["spec: a NodeRecord cannot be changed"] if old and old["spec"] != new["spec"] else []


def _event(old: Obj, new: Obj) -> list[str]:
    spec, problems = new["spec"], []
    if len({"key", "workflow", "start"} & spec.keys()) > 1:
        problems.append("spec: key, workflow and start are set")
    if not {"key", "workflow", "start"} & spec.keys():
        problems.append("spec: none of key, workflow and start is set")
    if old and old["spec"] != spec:
        problems.append("spec: an event cannot be changed")
    before, after = section(old, "status"), section(new, "status")
    if before.get("phase") in ("Consumed", "Expired", "Refused") and before != after:
        problems.append(f"status: is {before['phase']}, which is final")
    kept = after.get("claim") == before.get("claim") or after.get("phase") == "Pending"
    if before.get("phase") == "Claimed" and "claim" in before and not kept:
        problems.append("status: is Claimed by another node")
    return problems


def _memory_entry(old: Obj, new: Obj) -> list[str]:
    before, after = section(old, "spec"), section(new, "spec")
    problems = []
    if old and (changed := _changed(before, after) - set(REVIEWED)):
        problems.append(f"spec: what was remembered cannot be changed; found {sorted(changed)}")
    if ("decision" in after) != ("decidedBy" in after):
        problems.append("spec.decidedBy: decision and decidedBy belong together")
    if "decision" in before and "decision" not in after:
        problems.append("spec.decision: a decision cannot be withdrawn")
    if (after["type"] != "Forgotten") != ("value" in after):
        problems.append("spec.value: needs value, and only an entry that remembers")
    return problems


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


_TRANSITIONS: Final[Mapping[Kind, Callable[[Obj, Obj], list[str]]]] = {
    Kind.AGENT_WORKFLOW: _workflow,
    Kind.APPROVAL: _approval,
    Kind.NODE_RECORD: _record,
    Kind.WORKFLOW_EVENT: _event,
    Kind.MEMORY_ENTRY: _memory_entry,
}
