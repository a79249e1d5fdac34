"""Jobs, pods and ConfigMaps as the API server completes and refuses them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj

from tests.fakes.api.wire import copied

JOB_TRACKING: Final = "batch.kubernetes.io/job-tracking"
_MUTABLE_JOB: Final = {
    "suspend",
    "parallelism",
    "ttlSecondsAfterFinished",
    "activeDeadlineSeconds",
    "backoffLimit",
}
_MUTABLE_POD: Final = {"activeDeadlineSeconds", "tolerations", "nodeName"}
_UNITS: Final = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9} | {
    f"{letter}i": 1024.0 ** (power + 1) for power, letter in enumerate("KMGT")
}
_QUANTITY = re.compile(r"^([0-9.]+)([A-Za-z]*)$")


def defaulted(kind: Kind, body: Obj) -> Obj:
    """A body for creation with what the API server fills in."""
    if kind is Kind.JOB:
        return _job(body)
    if kind is Kind.POD:
        spec = {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "serviceAccountName": "default",
            **section(body, "spec"),
        }
        return {**body, "spec": spec, "status": {"phase": "Pending"}}
    return body


def _job(body: Obj) -> Obj:
    uid, name = body["metadata"]["uid"], body["metadata"]["name"]
    own = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    spec = copied(section(body, "spec"))
    metadata = spec.setdefault("template", {}).setdefault("metadata", {})
    metadata["labels"] = {**metadata.get("labels", {}), **own}
    defaults = {"suspend": False, "parallelism": 1, "completions": 1, "backoffLimit": 6}
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    return {**body, "spec": {**defaults, **spec, "selector": selector}, "status": {}}


def unknown_fields(kind: Kind, new: Obj, old: Obj | None) -> list[str]:
    """Fields of a Job that Kubernetes does not know; only the places where we write."""
    if kind is not Kind.JOB or old is not None:
        return []
    spec = section(new, "spec")
    found = [f"spec.{key}" for key in spec.keys() - _JOB_FIELDS]
    pod = section(spec, "template", "spec")
    found += [f"spec.template.spec.{key}" for key in pod.keys() - _POD_FIELDS]
    for container in items(pod, "containers"):
        found += [f"spec.template.spec.containers.{k}" for k in container.keys() - _CONTAINER]
    return sorted(found)


def created(kind: Kind, body: Obj) -> Iterator[str]:
    """What is wrong with a Job's template or a pod."""
    if kind is Kind.JOB:
        spec = section(body, "spec", "template", "spec")
        if spec.get("restartPolicy") not in ("Never", "OnFailure"):
            yield (
                "spec.template.spec.restartPolicy: Required value: valid values: "
                '"OnFailure", "Never"'
            )
        elif spec["restartPolicy"] != "Never" and section(body, "spec").get("podFailurePolicy"):
            yield (
                "spec.template.spec.restartPolicy: Invalid value: "
                f'"{spec["restartPolicy"]}": only "Never" is supported when podFailurePolicy is '
                "specified"
            )
    elif kind is Kind.POD:
        spec = section(body, "spec")
    else:
        return
    containers = items(spec, "containers")
    if not containers:
        yield "spec.containers: Required value"
    for container in containers:
        if not container.get("name") or not container.get("image"):
            yield "spec.containers: Required value: name and image"
        yield from _over_limit(section(container, "resources"))


def _over_limit(resources: Mapping[str, Any]) -> Iterator[str]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name in requests.keys() & limits.keys():
        if _number(requests[name]) > _number(limits[name]):
            yield (
                f"spec.containers.resources.requests: Invalid value: {requests[name]!r}: "
                f"must be less than or equal to {name} limit of {limits[name]}"
            )


def _number(quantity: Any) -> float:
    match = _QUANTITY.match(str(quantity))
    return float(match[1]) * _UNITS.get(match[2], 1.0) if match else 0.0


def updated(kind: Kind, old: Obj, new: Obj) -> Iterator[str]:
    """Changes that are not allowed."""
    if kind is Kind.CONFIG_MAP:
        if old.get("immutable") is True and any(
            old.get(key) != new.get(key) for key in ("data", "binaryData", "immutable")
        ):
            yield "data: Forbidden: field is immutable when `immutable` is set"
        return
    mutable = {Kind.JOB: _MUTABLE_JOB, Kind.POD: _MUTABLE_POD}.get(kind)
    if mutable is None:
        return
    before, after = section(old, "spec"), section(new, "spec")
    for key in sorted(before.keys() | after.keys()):
        if key not in mutable and before.get(key) != after.get(key):
            yield f"spec.{key}: field is immutable"


_JOB_FIELDS: Final = _MUTABLE_JOB | {
    "backoffLimitPerIndex",
    "completionMode",
    "completions",
    "managedBy",
    "manualSelector",
    "maxFailedIndexes",
    "podFailurePolicy",
    "podReplacementPolicy",
    "selector",
    "successPolicy",
    "template",
}
_POD_TEXT: Final = (
    "activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy "
    "enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers "
    "hostname imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy "
    "priority priorityClassName readinessGates resources restartPolicy runtimeClassName "
    "schedulerName securityContext serviceAccount serviceAccountName setHostnameAsFQDN "
    "shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations "
    "topologySpreadConstraints volumes"
)
_POD_FIELDS: Final = frozenset(_POD_TEXT.split())
_CONTAINER_TEXT: Final = (
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports "
    "readinessProbe resizePolicy resources restartPolicy securityContext startupProbe stdin "
    "stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts "
    "workingDir"
)
_CONTAINER: Final = frozenset(_CONTAINER_TEXT.split())
