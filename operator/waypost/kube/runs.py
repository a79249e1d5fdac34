"""What the body of a run says beside its spec and status: its origin, and dropped fields."""

from typing import Any

from waypost.api.status import ENGINE_VERSION
from waypost.kube.objects import section, text

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


_TRACKERS = (
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
)


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


def written_by_newer_engine(body: Any) -> bool:
    """Whether a run's status follows rules that this release does not know."""
    found = section(body, "status").get("engineVersion")
    return isinstance(found, int) and found > ENGINE_VERSION
