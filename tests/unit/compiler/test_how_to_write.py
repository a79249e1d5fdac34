"""A value of the wrong type is answered with the form that is right."""

from typing import Any

import pytest
from waypost.api.crd.generate import object_schema
from waypost.api.crd.resources import RESOURCES
from waypost.compiler.admission.structure import examine
from waypost.compiler.definition import define

from tests.support.builders import python, spec

SCHEMA: Any = object_schema(next(one for one in RESOURCES if one.kind == "AgentWorkflow"))


def row(id: str, fields: dict[str, Any], place: str, says: str) -> Any:
    return pytest.param(spec(python("a", **fields)), place, says, id=id)


ROWS = [
    row("after-one", {"dependsOn": "b"}, "nodes[0].dependsOn", 'write dependsOn: ["b"]'),
    row(
        "items-alone",
        {"forEach": "${inputs.l}"},
        "nodes[0].forEach",
        'write forEach: {items: "${inputs.l}"}',
    ),
    row(
        "items-as-a-list",
        {"forEach": {"items": [1, 2]}},
        "nodes[0].forEach.items",
        'write items: "${[1, 2]}"',
    ),
    row(
        "a-list-alone",
        {"forEach": ["a"]},
        "nodes[0].forEach",
        "the list is an expression: put it into inputs of the run, and write forEach: {items: "
        '"${inputs.NAME}"}',
    ),
    row(
        "so-often",
        {"repeat": 3},
        "nodes[0].repeat",
        'write repeat: {until: "${...}", max: 3}',
    ),
    row(
        "so-many",
        {"concurrency": 3},
        "nodes[0].concurrency",
        "write concurrency: {key: NAME, limit: 3}",
    ),
    row(
        "candidates-alone",
        {"python": None, "first": ["a", "b"]},
        "nodes[0].first",
        'write first: {of: ["a", "b"]}',
    ),
    row("retries", {"retry": 3}, "nodes[0].retry", "write retry: {limit: 3}"),
    row("seconds", {"timeout": 30}, "nodes[0].timeout", "write the unit: 30s is 30 seconds"),
    row(
        "always",
        {"when": True},
        "nodes[0].when",
        'write an expression such as "${inputs.urgent}", or leave it out',
    ),
    row(
        "env-as-an-object",
        {"python": {"source": "def run(): pass", "env": {"A": "b"}}},
        "nodes[0].python.env",
        "write a list, in which each entry has name and value: env: [{name: A, value: ...}]",
    ),
    row(
        "a-number-as-text",
        {"python": {"source": "def run(): pass", "image": 3.11}},
        "nodes[0].python.image",
        'write "3.11"',
    ),
    row(
        "model-by-name",
        {"python": None, "agent": {"model": "m-1", "prompt": "hi"}},
        "nodes[0].agent.model",
        'write model: {provider: NAME, name: "m-1"}, with a ModelProvider NAME',
    ),
    pytest.param(
        {"nodes": {"a": {"wait": {"duration": "1s"}}}},
        "nodes",
        "write a list, in which each entry has its name: nodes: [{name: a, ...}]",
        id="nodes-as-an-object",
    ),
]


@pytest.mark.parametrize(("raw", "place", "says"), ROWS)
def test_the_right_form_is_named(raw: Any, place: str, says: str) -> None:
    head = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    body = {**head, "metadata": {"name": "w"}, "spec": raw}
    found = {
        one.path: one.message for one in examine(SCHEMA, body, kind="AgentWorkflow").violations
    }
    assert found[f"spec.{place}"].endswith(f"; {says}")


def test_what_has_no_other_form_is_answered_as_before() -> None:
    body = {"spec": spec(python("a", retry={"limit": "x"}))}
    found = {
        one.path: one.message for one in examine(SCHEMA, body, kind="AgentWorkflow").violations
    }
    assert found["spec.nodes[0].retry.limit"] == 'expected an integer, found "x"'


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param("inputs.go == true", '; write "${inputs.go == true}"', id="an-expression"),
        pytest.param("only on Mondays", "found 'only on Mondays'", id="no-expression"),
        pytest.param("{{inputs.go}}", "found '{{inputs.go}}'", id="other-braces"),
    ],
)
def test_a_condition_without_braces_is_answered(value: str, says: str) -> None:
    problems = define(spec(python("a", when=value), inputs={"go": True})).problems
    assert problems[0].message.endswith(says)


def test_the_output_of_a_node_is_named_as_it_is_read() -> None:
    raw = spec(python("a"), python("b", inputs={"v": "${a.output.x}"}))
    assert define(raw).problems[0].message.endswith("did you mean nodes.a.output?")


def test_an_empty_enum_takes_nothing() -> None:
    raw = spec(python("a"), inputs={"x": "a"}, inputSchema={"properties": {"x": {"enum": []}}})
    assert define(raw).problems[0].message == (
        "$.x: expected nothing, because its `enum` is empty, found 'a' (string)"
    )
