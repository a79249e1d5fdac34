"""`waypost lint` refuses what the API server refuses, and says the same about it.

The tables are those that tests/crds/test_real_api.py gives to a real API server.
"""

import json
import re
from typing import Any

import pytest
from waypost.cli.lint import envelope
from waypost.cli.lint.linter import Finding, lint, server_violations
from waypost.cli.lint.manifests import documents
from waypost.compiler.admission.structure import examine

from tests.crds import endpoints, schedules, templates
from tests.crds.accepted import ACCEPTED
from tests.crds.manifests import Manifest, approval, node, record, workflow
from tests.crds.refused import LENIENT, STRICT
from tests.crds.transitions import TRANSITIONS

# What the API server prints of a defect of structure before the words of the rule.
_STRUCTURAL = re.compile(r"(spec[\w.\[\]]*): (Required value|Invalid value|Unsupported value|Too)")


def findings(manifest: Manifest) -> list[Finding]:
    (document,) = documents(json.dumps(manifest))
    return lint("x.json", document)


def as_kubectl_prints(manifest: Manifest) -> str:
    """The errors that the API server has with `manifest`, as kubectl prints them."""
    lines = [f"{one.path}: {one.cause}: {one.message}" for one in server_violations(manifest)]
    around = [one for one in envelope.problems(manifest) if one.severity == "error"]
    lines += [f"{one.field}: {one.message}" for one in around]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [*STRICT, *LENIENT, *endpoints.REFUSED, *schedules.REFUSED, *templates.REFUSED],
)
def test_refused_by_the_api_server_is_an_error(manifest: Manifest, says: tuple[str, ...]) -> None:
    errors = [one for one in findings(manifest) if one.severity == "error"]
    assert errors
    text = as_kubectl_prints(manifest)
    broken_rules = [one for one in server_violations(manifest) if not one.is_structural]
    for one in broken_rules:
        assert one.message in [error.message for error in errors]
    for part in says:
        structural = _STRUCTURAL.search(part)
        if structural is not None:
            assert structural.group() in text
        elif broken_rules:
            assert part in text


STORED = [
    *ACCEPTED,
    *endpoints.ACCEPTED,
    *schedules.ACCEPTED,
    *[
        pytest.param(row.values[0], "is there to be changed", id=row.id)
        for row in [*TRANSITIONS, *templates.TRANSITIONS]
    ],
]


@pytest.mark.parametrize(("manifest", "reason"), STORED)
def test_accepted_by_the_api_server_is_no_error(manifest: Manifest, reason: str) -> None:
    assert as_kubectl_prints(manifest) == "", reason


def row(id: str, manifest: Manifest, field: str, says: str) -> Any:
    return pytest.param(manifest, field, says, id=id)


@pytest.mark.parametrize(
    ("manifest", "field", "says"),
    [
        row(
            "an-object-for-a-string",
            workflow(node(timeout={"minutes": 1})),
            "nodes[0].timeout",
            "expected a string, found an object",
        ),
        row(
            "a-boolean-for-an-integer",
            workflow(parallelism=True),
            "parallelism",
            "expected an integer, found the boolean true",
        ),
        row(
            "a-text-for-an-integer",
            workflow(parallelism="3"),
            "parallelism",
            'expected an integer, found "3"',
        ),
        row(
            "a-text-for-an-integer-of-a-node",
            workflow(node(retry={"limit": "2"})),
            "nodes[0].retry.limit",
            'expected an integer, found "2"',
        ),
        row(
            "a-text-for-a-boolean",
            workflow(suspend="on"),
            "suspend",
            'expected a boolean, found "on"',
        ),
        row(
            "an-integer-for-a-boolean",
            workflow(suspend=1),
            "suspend",
            "expected a boolean, found the number 1",
        ),
        row(
            "a-fraction-for-an-integer",
            workflow(parallelism=1.5),
            "parallelism",
            "expected an integer, found the number 1.5",
        ),
        row(
            "a-newline-after-a-duration",
            workflow(deadline="1h\n"),
            "deadline",
            "is not a duration",
        ),
        row(
            "not-a-time",
            approval(expiresAt="tomorrow"),
            "expiresAt",
            "expected a time such as 2026-11-24T03:10:00Z",
        ),
        row(
            "a-list-that-is-too-long",
            workflow(node(retry={"limit": 1, "reasons": ["Timeout"] * 13})),
            "nodes[0].retry.reasons",
            "expected at most 12 items, found 13",
        ),
        row(
            "an-empty-text",
            workflow(node(isolation={"serviceAccountName": ""})),
            "nodes[0].isolation.serviceAccountName",
            "expected at least 1 characters, found 0",
        ),
        row(
            "a-name-with-a-slash",
            workflow(name="a/b"),
            "metadata.name",
            "expected lower case letters",
        ),
        row(
            "a-label-that-is-a-number",
            {**workflow(), "metadata": {"name": "a", "labels": {"build": 12}}},
            "metadata.labels.build",
            "write it in quotes",
        ),
    ],
)
def test_found_and_expected(manifest: Manifest, field: str, says: str) -> None:
    found = {one.field: one.message for one in findings(manifest)}
    assert says in found[field]


def test_a_field_is_reported_once() -> None:
    """The operator checks durations too; the API server's message comes first and is enough."""
    manifest = workflow(node(timeout="0s"), node("b", dependsOn=["c"]))
    assert [(one.field, one.message.partition(";")[0]) for one in findings(manifest)] == [
        ("nodes[0].timeout", "timeout must be greater than zero"),
        ("nodes.b.dependsOn", "there is no node 'c'"),
    ]


def test_the_operator_still_checks_what_unknown_fields_leave() -> None:
    found = findings(workflow(node(dependOn=["x"], dependsOn=["c"])))
    assert [one.field for one in found] == ["nodes[0].dependOn", "nodes.gather.dependsOn"]


def test_a_null_payload_is_not_seen_by_the_rules() -> None:
    """has() of CEL is false for a null, so a record of null may be in the object store too."""
    assert server_violations(record(data=None, object="k")) == []


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param({**workflow(), "status": {"phase": 7}}, [], id="dropped"),
        pytest.param({**record(), "status": {}}, ["status"], id="a-kind-without-status"),
    ],
)
def test_the_status_of_a_new_object_is_dropped(manifest: Manifest, expected: list[str]) -> None:
    assert [one.path for one in server_violations(manifest)] == expected


SCHEMA = {
    "type": "object",
    "required": ["count"],
    "properties": {
        "count": {"type": "integer", "default": 3},
        "label": {"type": "string", "maxLength": 5, "pattern": "^[a-z]*$"},
        "any": {"nullable": True, "x-kubernetes-preserve-unknown-fields": True},
    },
}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param({}, {"count": 3}, id="default"),
        pytest.param({"count": None}, {"count": 3}, id="default-for-null"),
        pytest.param({"count": 1, "label": None}, {"count": 1}, id="null-is-dropped"),
        pytest.param({"count": 1, "any": None}, {"count": 1, "any": None}, id="null-is-a-value"),
        pytest.param({"count": 1, "any": [None]}, {"count": 1, "any": [None]}, id="any-value"),
        pytest.param({"count": 1.0}, {"count": 1.0}, id="a-whole-number"),
    ],
)
def test_stored_as_the_api_server_stores_it(value: Any, stored: Any) -> None:
    examined = examine(SCHEMA, value, kind="AgentWorkflow")
    assert (examined.value, examined.violations) == (stored, [])


def test_a_pattern_ends_with_the_text() -> None:
    examined = examine(SCHEMA, {"label": "a\n"}, kind="AgentWorkflow")
    assert [one.cause for one in examined.violations] == ["Invalid value"]


@pytest.mark.parametrize(
    ("key", "is_named"),
    [
        ("waypost.dev/run", True),
        ("input.waypost.dev/x", True),
        ("waypost.dev/probe-at", False),
        ("example.com/run", False),
        ("notwaypost.dev/x", False),
    ],
)
def test_metadata_of_our_domain_is_named(key: str, is_named: bool) -> None:
    metadata = {"name": "a", "annotations": {key: "1"}, "labels": {key: "1"}}
    found = findings({**workflow(), "metadata": metadata})
    assert [one.severity for one in found] == ["warning"] * (2 if is_named else 0)
    assert all(f"{key} has no effect" in one.message for one in found)
