"""Rules for `isolation`: what Kubernetes would refuse or drop, what pods of nodes cannot have."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from waypost.api.base import Model
from waypost.api.isolation.core import SOURCE_MODELS, Affinity, Toleration
from waypost.api.isolation.model import READ_ONLY_SOURCES, SOURCES, Isolation, Volume, merged
from waypost.api.isolation.quantity import number_of
from waypost.api.kinds.table import kind_of, work_of
from waypost.api.pod import Resources
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem
from waypost.compiler.rules.nodes.artifacts import folder_problem, inside
from waypost.compiler.validation_errors import problems_of

_STORAGE: Final = "ephemeral-storage"
_SHM: Final = "/dev/shm"  # a path in the pod
_LABEL_KEY: Final = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_OBJECT_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_QUEUE: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")  # also the value of a label
_MOUNT_PATH: Final = re.compile(r"(/[A-Za-z0-9._-]+)+")
_RESERVED_LABELS: Final = ("controller-uid", "job-name")  # of the Job controller
_RESERVED_DOMAINS: Final = (
    *("waypost.dev", "kubernetes.io", "k8s.io", "argoproj.io", "x-k8s.io"),
    *("argocd", "kueue"),
)


def isolation_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report isolation of nodes without a pod, and what their pods cannot have (S370, S371)."""
    base = spec.defaults.isolation if spec.defaults else None
    if base is not None:
        yield from _fields("defaults.isolation", base)
    for node in spec.all_nodes:
        if not kind_of(node).has_pod:
            if node.isolation is not None:
                yield Problem(f"{node.place}.isolation", "is only for nodes with a pod; remove it")
            continue
        if node.isolation is not None:
            yield from _fields(f"{node.place}.isolation", node.isolation)
        if node.isolation is not None or base is not None:
            yield from _together(spec, node, merged(base, node.isolation))


def _fields(place: str, given: Isolation) -> Iterator[Problem]:
    names = {
        "serviceAccountName": given.service_account_name,
        "runtimeClassName": given.runtime_class_name,
        "priorityClassName": given.priority_class_name,
    }
    for field, name in names.items():
        if name is not None and not _OBJECT_NAME.fullmatch(name):
            text = "expected the name of an object: lower case letters, digits, - and ."
            yield Problem(f"{place}.{field}", f"{text}; found {name!r}")
    if given.queue is not None and not _QUEUE.fullmatch(given.queue):
        text = "expected the name of a LocalQueue: at most 63 lower case letters, digits, - and ."
        yield Problem(f"{place}.queue", f"{text}; found {given.queue!r}")
    for field, size in {"tmp": given.tmp, "shm": given.shm}.items():
        number = None if size is None else number_of(size)
        if size is not None and (number is None or number <= 0):
            text = f"expected a size greater than 0, such as 512Mi; found {size!r}"
            yield Problem(f"{place}.{field}", text)
    yield from _labels(f"{place}.nodeSelector", given.node_selector)
    yield from _labels(f"{place}.podLabels", given.pod_labels)
    for label in given.pod_labels or ():
        if owner := _owner_of(label):
            text = f"{label} is a label of {owner}; choose a key with your own domain"
            yield Problem(f"{place}.podLabels", text)
    for at, toleration in enumerate(given.tolerations or ()):
        yield from _toleration(f"{place}.tolerations[{at}]", toleration)
    if given.affinity is not None:
        yield from _checked(f"{place}.affinity", Affinity, given.affinity)
    for at, volume in enumerate(given.volumes or ()):
        yield from _volume(f"{place}.volumes[{at}]", volume)


def _labels(place: str, labels: Mapping[str, str] | None) -> Iterator[Problem]:
    for key, value in (labels or {}).items():
        if not _LABEL_KEY.fullmatch(key):
            yield Problem(place, f"{key!r} is not the key of a label, such as team.example/pool")
        if not _LABEL_VALUE.fullmatch(value):
            text = "expected at most 63 letters, digits, -, _ and ."
            yield Problem(f"{place}.{key}", f"{text}; found {value!r}")


def _owner_of(label: str) -> str:
    """The program that owns a label; "" if users may set it."""
    if label in _RESERVED_LABELS:
        return "Kubernetes"
    domain, slash, _ = label.partition("/")
    reserved = (one for one in _RESERVED_DOMAINS if f".{domain}".endswith(f".{one}"))
    return next(reserved, "") if slash else ""


def _toleration(place: str, given: Mapping[str, Any]) -> Iterator[Problem]:
    problems = list(_checked(place, Toleration, given))
    yield from problems
    if problems:
        return
    found = Toleration.model_validate(given)
    if found.key is None and found.operator != "Exists":
        yield Problem(place, "has no key; set key, or operator: Exists to tolerate each taint")
    if found.operator == "Exists" and found.value:
        yield Problem(f"{place}.value", "has no effect with operator: Exists; remove one of them")
    if found.toleration_seconds is not None and found.effect != "NoExecute":
        yield Problem(f"{place}.tolerationSeconds", "is only used with effect: NoExecute")


def _volume(place: str, volume: Volume) -> Iterator[Problem]:
    sources = volume.sources
    given = [*sources, *(["volumeClaim"] if volume.volume_claim is not None else [])]
    if len(given) != 1:
        found = ", ".join(given) or "none of them"
        known = f"{', '.join(SOURCES)}, volumeClaim"
        yield Problem(place, f"expected exactly one of {known}; found {found}")
    for name, value in sources.items():
        yield from _checked(f"{place}.{name}", SOURCE_MODELS[name], value)
        if name in READ_ONLY_SOURCES and volume.read_only is False:
            text = f"a volume with {name} is always read-only; remove readOnly"
            yield Problem(f"{place}.readOnly", text)
    if not _MOUNT_PATH.fullmatch(volume.mount_path):
        text = "expected an absolute path of letters, digits, ., _ and -, such as /data/models"
        yield Problem(f"{place}.mountPath", f"{text}; found {volume.mount_path!r}")
    elif problem := folder_problem(volume.mount_path):
        yield Problem(f"{place}.mountPath", problem)
    inner = volume.sub_path
    if inner is not None and (inner.startswith("/") or ".." in inner.split("/")):
        text = f"expected a path in the volume, without ..; found {inner!r}"
        yield Problem(f"{place}.subPath", text)


def _together(spec: AgentWorkflowSpec, node: Node, given: Isolation) -> Iterator[Problem]:
    """Problems of the isolation that the pod gets, with the other fields of the node."""
    place = f"{node.place}.isolation"
    taken = {one.path: "artifacts" for one in (node.artifacts and node.artifacts.in_) or ()}
    taken |= {one.path: "artifacts" for one in (node.artifacts and node.artifacts.out) or ()}
    if given.shm is not None:
        taken[_SHM] = "isolation.shm"
    for volume in given.volumes or ():
        for path, owner in taken.items():
            if inside(volume.mount_path, path):
                text = f"mountPath {volume.mount_path} of {volume.name} overlaps with {path} of"
                yield Problem(f"{place}.volumes", f"{text} {owner}; use separate folders")
        taken[volume.mount_path] = f"volume {volume.name}"
    base = spec.defaults.resources if spec.defaults else None
    limit = _limit(work_of(node).resources) or _limit(base)
    if given.tmp is None or limit is None:
        return
    size, most = number_of(given.tmp), number_of(limit)
    if size is not None and most is not None and size > most:
        text = (
            f"{given.tmp} is more than limits.{_STORAGE} ({limit}), which ends the pod first; "
            "raise the limit or lower tmp"
        )
        yield Problem(f"{place}.tmp", text)


def _limit(resources: Resources | None) -> str | int | None:
    return ((resources and resources.limits) or {}).get(_STORAGE)


def _checked(place: str, model: type[Model], value: Any) -> Iterator[Problem]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        yield from problems_of(error, model, place)
