"""What is wrong with a manifest, found without a cluster: the operator's own check, with places."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from waypost.api import meta
from waypost.api.approval import ApprovalSpec
from waypost.api.provider import ModelProviderSpec
from waypost.api.record import NodeRecordSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.cli.manifests import Document, Place
from waypost.compiler.definition import define
from waypost.compiler.problems import Problem, Severity, did_you_mean
from waypost.compiler.validation_errors import problems_of
from waypost.protocol.ijson import Json

WORKFLOW: Final = "AgentWorkflow"
_MODELS: Final[dict[str, type[BaseModel]]] = {
    "Approval": ApprovalSpec,
    "ModelProvider": ModelProviderSpec,
    "NodeRecord": NodeRecordSpec,
    "ToolServer": ToolServerSpec,
}
_KINDS: Final = (WORKFLOW, *_MODELS)
_FIELDS: Final = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True)
class Finding:
    """One problem of one object, and where it is."""

    file: str
    place: Place
    severity: Severity
    kind: str
    name: str
    field: str
    message: str


def is_ours(value: Json) -> bool:
    """Whether a document is an object of Waypost."""
    return isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(
        (f"{meta.GROUP}/", f"{meta.GROUP}")
    )


def lint(file: str, document: Document) -> list[Finding]:
    """All findings of one object, in the order of the file."""
    value: dict[str, Any] = document.value
    kind, name = str(value.get("kind", "")), _name(value)
    found = [
        Finding(
            file=file,
            place=document.place_of(_place(value, problem.field)),
            severity=problem.severity,
            kind=kind,
            name=name,
            field=problem.field,
            message=problem.message,
        )
        for problem in _problems(value, kind)
    ]
    found += [
        Finding(
            file=file,
            place=remark.place,
            severity="error" if remark.severity == "error" else "warning",
            kind=kind,
            name=name,
            field=remark.field.removeprefix("spec."),
            message=remark.message,
        )
        for remark in document.remarks
    ]
    return sorted(found, key=lambda one: (one.place.line, one.place.column))


def _problems(value: dict[str, Any], kind: str) -> Iterator[Problem]:
    yield from _envelope(value, kind)
    spec = value.get("spec")
    if kind == WORKFLOW:
        definition = define(spec)
        yield from (*definition.problems, *definition.warnings)
    elif kind in _MODELS:
        try:
            _MODELS[kind].model_validate(spec)
        except ValidationError as error:
            yield from problems_of(error, _MODELS[kind])


def _envelope(value: dict[str, Any], kind: str) -> Iterator[Problem]:
    version = value.get("apiVersion")
    if version != meta.API_VERSION:
        yield Problem("apiVersion", f"expected {meta.API_VERSION}, found {version!r}")
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        hint = did_you_mean(kind, _KINDS)
        yield Problem("kind", f"there is no kind {kind!r}; kinds: {known}{hint}")
    for key in value:
        if key not in _FIELDS:
            yield Problem(key, f"unknown field{did_you_mean(key, _FIELDS)}")
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        yield Problem("metadata", "has no name; add one, or generateName for kubectl create")


def _place(value: dict[str, Any], field: str) -> str:
    """The path in the document of a field that is named as in conditions: without `spec.`"""
    first = re.split(r"[.\[]", field, maxsplit=1)[0]
    return field if first in value else f"spec.{field}"


def _name(value: dict[str, Any]) -> str:
    metadata = value.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
