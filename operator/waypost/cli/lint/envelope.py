"""What is around the spec of a manifest: apiVersion, kind and metadata."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from waypost.api import meta
from waypost.api.crd.resources import RESOURCES
from waypost.compiler.problems import Problem, did_you_mean
from waypost.kube.facts import runs

KINDS: Final = tuple(resource.kind for resource in RESOURCES)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_LENGTH: Final = 253
_MAPS: Final = ("labels", "annotations")
# The kinds that people write. On the others the operator sets labels and annotations.
_WRITTEN_BY_USERS: Final = ("AgentWorkflow", "AgentWorkflowTemplate", "ModelProvider", "ToolServer")


def problems(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything wrong with the envelope of a manifest of waypost.dev."""
    version, kind = value.get("apiVersion"), str(value.get("kind", ""))
    if version != meta.API_VERSION:
        yield Problem("apiVersion", f"expected {meta.API_VERSION}, found {version!r}")
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS)
        yield Problem("kind", f"there is no kind {kind!r}; kinds: {', '.join(KINDS)}{hint}")
    metadata = value.get("metadata")
    named = isinstance(metadata, dict) and (metadata.get("name") or metadata.get("generateName"))
    if not isinstance(metadata, dict) or not named:
        text = "has no name; add one, or generateName for kubectl create"
        yield Problem("metadata", text)
        return
    yield from _name(metadata.get("name"))
    for field in _MAPS:
        yield from _texts(field, metadata.get(field))
    if kind in _WRITTEN_BY_USERS:
        yield from _reserved(metadata)


def _name(name: Any) -> Iterator[Problem]:
    if name is None:
        return
    if not isinstance(name, str):
        yield Problem("metadata.name", f"expected a string, found {name!r}; write it in quotes")
    elif len(name) > _NAME_LENGTH:
        text = f"must have no more than {_NAME_LENGTH} characters, found {len(name)}"
        yield Problem("metadata.name", text)
    elif not _NAME.fullmatch(name):
        text = f"expected lower case letters, digits, - and ., found {name!r}"
        yield Problem("metadata.name", text)


def _texts(field: str, entries: Any) -> Iterator[Problem]:
    if entries is None:
        return
    if not isinstance(entries, dict):
        yield Problem(f"metadata.{field}", f"expected an object, found {entries!r}")
        return
    for key, text in entries.items():
        if not isinstance(text, str):
            found = f"expected a string, found {text!r}; write it in quotes"
            yield Problem(f"metadata.{field}.{key}", found)


def _reserved(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    for path, text in runs.reserved_names(metadata):
        yield Problem(path, text, severity="warning")
