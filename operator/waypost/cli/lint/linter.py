"""What is wrong with a manifest, found without a cluster: the checks of the API server and of the
operator, with the place of each problem in the file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.crd.resources import RESOURCES, Resource
from waypost.cli.lint import envelope
from waypost.cli.lint.manifests import Document, Place
from waypost.cli.lint.schedules import schedule_problems
from waypost.cli.lint.sources import source_problems
from waypost.cli.lint.templates import Templates, run_problems, template_problems
from waypost.compiler.admission.server import judged, schema_of
from waypost.compiler.admission.structure import UNKNOWN, Violation
from waypost.compiler.problems import Problem, Severity
from waypost.compiler.validation_errors import problems_of
from waypost.protocol.ijson import Json

_RESOURCES: Final = {resource.kind: resource for resource in RESOURCES}


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
    if not isinstance(value, dict):
        return False
    version = value.get("apiVersion")
    if version is None:
        return envelope.kind_of(value) in envelope.KINDS
    return str(version).partition("/")[0] == meta.GROUP


def shown(value: Json) -> str:
    """What an object of others is, for a message."""
    known = value if isinstance(value, dict) else {}
    kind = envelope.kind_of(known) or "an object without kind"
    version = known.get("apiVersion")
    return f"{kind} ({version})" if version else kind


def lint(file: str, document: Document, templates: Templates | None = None) -> list[Finding]:
    """All findings of one object, in the order of the file.

    Args:
        file: Name of the file.
        document: The object.
        templates: The templates of all files; None if there are none.
    """
    value: dict[str, Any] = document.value
    found = [Problem(remark.field, remark.message, remark.severity) for remark in document.remarks]
    places = [remark.place for remark in document.remarks]
    for problem in _problems(value, document, templates or Templates()):
        found.append(problem)
        places.append(document.place_of(_path(value, problem.field)))
    findings = [
        Finding(
            file=file,
            place=place,
            severity=problem.severity,
            kind=str(value.get("kind", "")),
            name=_name(value),
            field=problem.field.removeprefix("spec."),
            message=problem.message,
        )
        for problem, place in zip(found, places, strict=True)
    ]
    return sorted(findings, key=lambda one: (one.place.line, one.place.column))


def server_violations(value: Mapping[str, Any]) -> list[Violation]:
    """What the API server refuses about a new object, in the order of the schema; without
    metadata. Empty for a kind that is not ours."""
    return _examined(value)[0]


def _examined(value: Mapping[str, Any]) -> tuple[list[Violation], Json]:
    """What the API server refuses, and the object as it would be stored."""
    resource = _RESOURCES.get(str(value.get("kind", "")))
    if resource is None:
        return [], None
    # The API server drops the status of a new object before it looks at the object.
    left_out = {"status"} if resource.status is not None else set()
    created = {key: inner for key, inner in value.items() if key not in left_out}
    return judged(schema_of(resource.kind), created, kind=resource.kind)


def _problems(value: dict[str, Any], document: Document, templates: Templates) -> Iterator[Problem]:
    yield from envelope.problems(value)
    resource = _RESOURCES.get(str(value.get("kind", "")))
    if resource is None:
        return
    violations, stored = _examined(value)
    # A pattern is for programs; where a rule says the same in words, the words are enough.
    worded = {violation.path for violation in violations if not violation.is_structural}
    for violation in violations:
        if not violation.is_structural or violation.path not in worded:
            yield Problem(violation.path, violation.message)
    if any(violation.is_structural and violation.cause != UNKNOWN for violation in violations):
        return  # the models would only repeat it
    # The operator checks some of it again, in its own words and with its own names of fields.
    known = {document.place_of(violation.path) for violation in violations}
    spec = stored.get("spec") if isinstance(stored, dict) else None
    for problem in _operators_problems(resource, value, spec, templates):
        place = document.place_of(_path(value, problem.field))
        if problem.severity == "warning" or place not in known:
            yield problem


def _operators_problems(
    resource: Resource, value: Mapping[str, Any], spec: Json, templates: Templates
) -> Iterator[Problem]:
    """What the operator says about a spec that the API server has stored for the object `value`."""
    if resource.name == meta.AGENT_WORKFLOW:
        yield from run_problems(spec, templates.of_run(value), templates.seen_by(value))
        return
    if resource.name == meta.AGENT_WORKFLOW_TEMPLATE:
        yield from template_problems(spec, _name(value), templates.seen_by(value))
        return
    if resource.name == meta.AGENT_WORKFLOW_SCHEDULE:
        yield from schedule_problems(spec, value, templates)
        return
    if resource.name == meta.EVENT_SOURCE:
        yield from source_problems(spec, value, templates)
        return
    try:
        resource.spec.model_validate(spec)
    except ValidationError as error:
        yield from problems_of(error, resource.spec)


def _path(value: Mapping[str, Any], field: str) -> str:
    """The path in the document of a field that is named as in conditions: without `spec.`"""
    first = re.split(r"[.\[]", field, maxsplit=1)[0]
    return field if first in value else f"spec.{field}"


def _name(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
