"""Findings of `waypost lint` as text, JSON and SARIF 2.1.0."""

import json
from collections.abc import Sequence
from typing import Any, Final

from waypost import __version__
from waypost.cli.lint.linter import Finding

_RULES: Final = {
    "error": "keeps a run from being accepted",
    "warning": "may fail when the run gets there",
}


def as_text(findings: Sequence[Finding], *, objects: int) -> str:
    """One line for each finding, and one that counts them."""
    lines = [
        f"{one.file}:{one.place.line}:{one.place.column}: {one.severity}: "
        f"{one.field}: {one.message}"
        for one in findings
    ]
    counts = (
        f"{_count(errors_in(findings), 'error')}, "
        f"{_count(len(findings) - errors_in(findings), 'warning')} in {_count(objects, 'object')}"
    )
    return "\n".join([*lines, counts])


def as_json(findings: Sequence[Finding], *, objects: int) -> str:
    """The findings as one document; fields are added, never renamed."""
    document = {
        "v": 1,
        "objects": objects,
        "errors": errors_in(findings),
        "warnings": len(findings) - errors_in(findings),
        "findings": [
            {
                "file": one.file,
                "line": one.place.line,
                "column": one.place.column,
                "severity": one.severity,
                "kind": one.kind,
                "name": one.name,
                "field": one.field,
                "message": one.message,
            }
            for one in findings
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_sarif(
    findings: Sequence[Finding],
    *,
    objects: int,  # noqa: ARG001 -- one signature for all formats
) -> str:
    """A SARIF 2.1.0 log, as code hosts show it beside the lines."""
    driver = {
        "name": "waypost lint",
        "version": __version__,
        "rules": [
            {"id": name, "shortDescription": {"text": text}} for name, text in _RULES.items()
        ],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(one) for one in findings]}],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def errors_in(findings: Sequence[Finding]) -> int:
    """How many are errors."""
    return sum(1 for one in findings if one.severity == "error")


def _result(one: Finding) -> dict[str, Any]:
    region = {"startLine": one.place.line, "startColumn": one.place.column}
    return {
        "ruleId": one.severity,
        "level": one.severity,
        "message": {"text": f"{one.field}: {one.message}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": one.file}, "region": region},
                "logicalLocations": [{"fullyQualifiedName": f"{one.kind}/{one.name}"}],
            }
        ],
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
