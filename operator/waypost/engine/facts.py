"""From Kubernetes bodies to facts: the few scalars the engine needs.

Total: a malformed body gives None or empty fields, never an exception, so that one poisoned
object cannot stop the operator (I16).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.endpoint import KeyRef
from waypost.engine.model import ApprovalFact, JobFact, MachineFact, PodFact
from waypost.engine.names import parse_timestamp
from waypost.engine.secrets import VOLUME, KeyFile, Source
from waypost.protocol.carrying import CONTAINER as CARRIER

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_TRACKERS = (
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
)


def section(body: Any, *path: str) -> dict[str, Any]:
    """The object at `path`, or an empty one when anything on the way is not an object."""
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else {}


def items(body: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of the list at `path`; anything else is left out."""
    found = section(body, *path[:-1]).get(path[-1])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(body: Mapping[str, Any], key: str) -> str:
    """The string at `key`, or ""."""
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _moment(body: Mapping[str, Any], key: str) -> datetime | None:
    return parse_timestamp(text(body, key))


def _whole(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else 0


def pod_fact(body: Any) -> PodFact | None:
    """The fact of a pod of ours; None for a pod without our labels."""
    metadata = section(body, "metadata")
    labels, notes = section(metadata, "labels"), section(metadata, "annotations")
    run_uid, attempt = text(labels, meta.LABEL_RUN), _whole(labels.get(meta.LABEL_ATTEMPT))
    if not run_uid or not attempt:
        return None
    path = text(notes, meta.ANNOTATION_PATH) or text(labels, meta.LABEL_NODE)
    return _pod_state(body, run_uid=run_uid, path=path, attempt=attempt)


def probe_pod_fact(body: Any) -> PodFact | None:
    """The fact of a probe's pod, by the uid of what is probed and the probe's number; None for
    a pod without those labels."""
    labels = section(body, "metadata", "labels")
    uid, number = text(labels, meta.LABEL_PROBE), _whole(labels.get(meta.LABEL_ATTEMPT))
    return _pod_state(body, run_uid=uid, path="", attempt=number) if uid and number else None


def _pod_state(body: Any, *, run_uid: str, path: str, attempt: int) -> PodFact:
    metadata, status = section(body, "metadata"), section(body, "status")
    found = _named(items(status, "containerStatuses"), meta.NODE_CONTAINER)
    state = section(found, "state")
    ended, running, waiting = (section(state, k) for k in ("terminated", "running", "waiting"))
    last = section(found, "lastState", "terminated") if not ended else {}
    keys = () if running or ended else mounted_keys(section(body, "spec"))
    exit_code = ended.get("exitCode")
    sidecars = items(body, "spec", "initContainers")
    carrier = section(_named(items(status, "initContainerStatuses"), CARRIER), "state")
    return PodFact(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        run_uid=run_uid,
        path=path,
        attempt=attempt,
        phase=text(status, "phase"),
        held=_lists(metadata.get("finalizers"), meta.FINALIZER_RESULT),
        deleting=bool(metadata.get("deletionTimestamp")),
        round=_whole(section(metadata, "labels").get(meta.LABEL_ROUND)) or 1,
        scheduled=bool(section(body, "spec").get("nodeName")),
        machine=text(section(body, "spec"), "nodeName"),
        deleting_since=_deletion_asked(metadata),
        deleting_until=_moment(metadata, "deletionTimestamp"),
        unready_since=_unready_since(status),
        started_at=_moment(running, "startedAt")
        or _moment(ended, "startedAt")
        or _moment(last, "startedAt"),
        finished_at=_moment(ended, "finishedAt"),
        terminated=bool(ended),
        exit_code=exit_code if isinstance(exit_code, int) else None,
        terminated_reason=text(ended, "reason"),
        message=text(ended, "message"),
        carries=bool(_named(sidecars, CARRIER)),
        carried=text(carrier["terminated"], "message") if "terminated" in carrier else None,
        waiting_reason=text(waiting, "reason"),
        waiting_message=text(waiting, "message"),
        unschedulable=_condition_text(status, "PodScheduled", "False", "Unschedulable"),
        pod_reason=text(status, "reason"),
        pod_message=text(status, "message"),
        disruption=_condition_text(status, "DisruptionTarget", "True"),
        keys=keys,
    )


def mounted_keys(spec: Any) -> tuple[KeyFile, ...]:
    """The keys that a pod of ours has as files, read back from its spec."""
    volume = _named(items(spec, "volumes"), VOLUME)
    sources: tuple[Source, Source] = ("secret", "configMap")
    return tuple(
        KeyFile(text(item, "path"), kind, _key_ref(source, kind, item))
        for source in items(volume, "projected", "sources")
        for kind in sources
        for item in items(source, kind, "items")
    )


def _key_ref(source: Any, kind: Source, item: dict[str, Any]) -> KeyRef:
    # Unchecked: a pod can be forged, and this is only ever shown.
    return KeyRef.model_construct(name=text(section(source, kind), "name"), key=text(item, "key"))


def _lists(value: object, wanted: str) -> bool:
    return isinstance(value, list) and wanted in value


def _named(listed: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    return next((item for item in listed if item.get("name") == name), {})


def _condition_text(status: dict[str, Any], type_: str, value: str, reason: str = "") -> str:
    for item in items(status, "conditions"):
        if item.get("type") == type_ and item.get("status") == value:
            if reason and item.get("reason") != reason:
                return ""
            return f"{text(item, 'reason')}: {text(item, 'message')}"
    return ""


def _deletion_asked(metadata: dict[str, Any]) -> datetime | None:
    # Whoever shortens the grace moves the timestamp by as much: the difference stays.
    until, grace = (
        _moment(metadata, "deletionTimestamp"),
        metadata.get("deletionGracePeriodSeconds"),
    )
    seconds = grace if isinstance(grace, int) else 0
    return None if until is None else until - timedelta(seconds=seconds)


def _unready_since(status: dict[str, Any]) -> datetime | None:
    for item in items(status, "conditions"):
        if item.get("type") == "Ready" and item.get("status") == "False":
            return _moment(item, "lastTransitionTime")
    return None


def machine_fact(body: Any, *, name: str, looked_at: datetime) -> MachineFact:
    """The fact of a Node object."""
    for item in items(body, "status", "conditions"):
        if item.get("type") == "Ready":
            ready, since = item.get("status") == "True", _moment(item, "lastTransitionTime")
            return MachineFact(name, looked_at, ready=ready, since=since)
    return MachineFact(name, looked_at, ready=False)


def job_fact(body: Any, *, trouble: str = "") -> JobFact | None:
    """The fact of a Job of ours; None for a Job without our labels."""
    metadata = section(body, "metadata")
    labels, notes = section(metadata, "labels"), section(metadata, "annotations")
    attempt, created = (
        _whole(labels.get(meta.LABEL_ATTEMPT)),
        _moment(metadata, "creationTimestamp"),
    )
    if not attempt or created is None:
        return None
    conditions = items(body, "status", "conditions")
    return JobFact(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        path=text(notes, meta.ANNOTATION_PATH) or text(labels, meta.LABEL_NODE),
        attempt=attempt,
        created_at=created,
        suspended=section(body, "spec").get("suspend") is True,
        ended=any(
            c.get("type") in ("Complete", "Failed") and c.get("status") == "True"
            for c in conditions
        ),
        deleting=bool(metadata.get("deletionTimestamp")),
        trouble=trouble,
    )


def approval_fact(body: Any) -> ApprovalFact | None:
    """The fact of an Approval; None for a body without a name."""
    metadata = section(body, "metadata")
    name, generation = text(metadata, "name"), metadata.get("generation")
    if not name:
        return None
    try:
        spec = ApprovalSpec.model_validate(section(body, "spec"))
    except ValidationError:
        spec = None
    try:
        status = ApprovalStatus.model_validate(section(body, "status"))
    except ValidationError:
        status = ApprovalStatus()
    return ApprovalFact(
        name=name,
        uid=text(metadata, "uid"),
        resource_version=text(metadata, "resourceVersion"),
        owner_uid=controller_uid(body),
        spec=spec,
        status=status,
        generation=generation if isinstance(generation, int) else 1,
        answered_at=_answered_at(metadata),
        deleting=bool(metadata.get("deletionTimestamp")),
        round=_whole(section(metadata, "labels").get(meta.LABEL_ROUND)) or 1,
    )


def _answered_at(metadata: dict[str, Any]) -> datetime | None:
    """When the API server last took a decision or a vote: it stamps each field manager."""
    moments = []
    for entry in items(metadata, "managedFields"):
        fields = section(entry, "fieldsV1", "f:spec")
        if fields.keys() & {"f:decision", "f:votes"}:
            moments.append(_moment(entry, "time"))
    known = [moment for moment in moments if moment is not None]
    return max(known, default=None)


def controller_uid(body: Any) -> str:
    """uid of the controlling owner, or ""."""
    for owner in items(body, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            return text(owner, "uid")
    return ""


def tracked_by_git(body: Any) -> bool:
    """Whether Argo CD or Flux made this object: deleting it would make Git create it again."""
    metadata = section(body, "metadata")
    marks = section(metadata, "annotations").keys() | section(metadata, "labels").keys()
    return any(mark in marks for mark in _TRACKERS)


def pruned_fields(body: Any, applied: Any) -> tuple[str, ...]:
    """Fields the user applied (`applied`: the last-applied configuration, parsed) that the API
    server dropped because no schema knows them (S28)."""
    found: list[str] = []
    _compare(section(applied, "spec"), section(body, "spec"), "", found)
    return tuple(found[:20])


def last_applied_text(body: Any) -> str:
    """kubectl's record of what was applied, or ""."""
    return text(section(body, "metadata", "annotations"), _LAST_APPLIED)


def _compare(applied: Any, kept: Any, place: str, found: list[str]) -> None:
    if isinstance(applied, dict) and isinstance(kept, dict):
        for key, value in applied.items():
            below = f"{place}.{key}".lstrip(".")
            if key not in kept and value is not None:
                found.append(below)
            elif key in kept:
                _compare(value, kept[key], below, found)
    elif isinstance(applied, list) and isinstance(kept, list) and len(applied) == len(kept):
        for index, (mine, theirs) in enumerate(zip(applied, kept, strict=True)):
            _compare(mine, theirs, f"{place}[{index}]", found)
