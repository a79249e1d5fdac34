"""Facts about a run besides its spec and status: its origin, and dropped fields."""

import json
from datetime import datetime, timedelta
from typing import Any

from waypost.api import meta
from waypost.api.status import ENGINE_VERSION
from waypost.kube.objects import moment, section, text

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


_MAPS = {"labels": "label", "annotations": "annotation"}
_NOT_NAMED = frozenset(  # for users, or on runs that the operator makes of events
    {
        meta.ANNOTATION_PROBE_AT,
        meta.LABEL_SCHEDULE,
        meta.LABEL_BACKFILL,
        meta.LABEL_WORKFLOW,
        meta.ANNOTATION_KEEP_UNTIL,
        meta.ANNOTATION_TRACEPARENT,
        meta.LABEL_EVENT_SOURCE,
        meta.ANNOTATION_EVENT,
    }
)
_LONGEST_KEPT = timedelta(days=2)  # after the run was created
_TRACKERS = (
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
)


def tracked_by_git(body: Any) -> bool:
    """Whether Argo CD or Flux track this object: after a deletion they would create it again."""
    metadata = section(body, "metadata")
    marks = section(metadata, "annotations").keys() | section(metadata, "labels").keys()
    return any(mark in marks for mark in _TRACKERS)


def workflow_of(metadata: Any) -> str:
    """The label that names the workflow of a run without a template; "" if it has none."""
    return text(section(metadata, "labels"), meta.LABEL_WORKFLOW)


def keep_until(body: Any) -> datetime | None:
    """Until when the schedule of a run may still look for it; None for other runs (S572)."""
    metadata = section(body, "metadata")
    created = moment(metadata, "creationTimestamp")
    until = moment(section(metadata, "annotations"), meta.ANNOTATION_KEEP_UNTIL)
    if (
        until is None
        or created is None
        or not text(section(metadata, "labels"), meta.LABEL_SCHEDULE)
    ):
        return None
    return min(until, created + _LONGEST_KEPT)


def pruned_fields(body: Any, applied: Any) -> tuple[str, ...]:
    """Paths of fields that the user applied and the API server dropped, at most 20 (S28).

    `applied` is the parsed last-applied configuration, `body` the object.
    """
    dropped: list[str] = []
    _compare(section(applied, "spec"), section(body, "spec"), "", dropped)
    return tuple(dropped[:20])


def reserved_names(metadata: Any) -> tuple[tuple[str, str], ...]:
    """Labels and annotations of our domain on an object that a user wrote, at most 20.

    Returns:
        For each its path in the object, and a sentence that says that it has no effect.
    """
    found = []
    for field, noun in _MAPS.items():
        for key in section(metadata, field):
            domain = str(key).partition("/")[0]
            ours = domain == meta.GROUP or domain.endswith(f".{meta.GROUP}")
            if ours and key not in _NOT_NAMED:
                sentence = (
                    f"the {noun} {key} has no effect: the domain {meta.GROUP} is reserved for "
                    "Waypost. Remove it or use another domain"
                )
                found.append((f"metadata.{field}.{key}", sentence))
    return tuple(found[:20])


def pruned_of(body: Any) -> tuple[str, ...]:
    """The same of an object alone; empty if kubectl has not recorded what was applied."""
    applied = last_applied_text(body)
    if not applied:
        return ()
    try:
        return pruned_fields(body, json.loads(applied))
    except (ValueError, RecursionError):
        return ()


def last_applied_text(body: Any) -> str:
    """The last-applied configuration of kubectl as JSON text, or ""."""
    return text(section(body, "metadata", "annotations"), _LAST_APPLIED)


def _compare(applied: Any, stored: Any, place: str, dropped: list[str]) -> None:
    if isinstance(applied, dict) and isinstance(stored, dict):
        for key, value in applied.items():
            below = f"{place}.{key}".lstrip(".")
            if key not in stored and value is not None:
                dropped.append(below)
            elif key in stored:
                _compare(value, stored[key], below, dropped)
    elif isinstance(applied, list) and isinstance(stored, list) and len(applied) == len(stored):
        for index, (mine, theirs) in enumerate(zip(applied, stored, strict=True)):
            _compare(mine, theirs, f"{place}[{index}]", dropped)


def written_by_newer_engine(body: Any) -> bool:
    """Whether a newer release with other rules wrote the status of a run."""
    version = section(body, "status").get("engineVersion")
    return isinstance(version, int) and version > ENGINE_VERSION
