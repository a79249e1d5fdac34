"""Inputs of the run that reach a node as they are, against the node's inputSchema."""

from typing import Any

import pytest
from waypost.compiler.definition import define

from tests.support.builders import python, spec

TEXT = {"type": "object", "properties": {"zip": {"type": "string", "minLength": 5}}}


def takes(schema: Any = TEXT, **fields: Any) -> Any:
    return python("a", inputs={"zip": "${inputs.zip}"}, inputSchema=schema, **fields)


def row(id: str, raw: Any, *expected: tuple[str, str, str]) -> Any:
    return pytest.param(raw, expected, id=id)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        row("matches", spec(takes(), inputs={"zip": "08003"})),
        row(
            "another-type",
            spec(takes(), inputs={"zip": 8003}),
            ("error", "nodes.a.inputs.zip", "expects string, found 8003 (integer)"),
        ),
        row(
            "out-of-bounds",
            spec(takes(), inputs={"zip": "0800"}),
            ("error", "nodes.a.inputs.zip", "expects at least 5 characters"),
        ),
        row(
            "below-a-path",
            spec(
                python("a", inputs={"zip": "${inputs.to.zip}"}, inputSchema=TEXT),
                inputs={"to": {"zip": 8003}},
            ),
            ("error", "nodes.a.inputs.zip", "found 8003"),
        ),
        row(
            "from-a-default",
            spec(
                takes(),
                inputSchema={"properties": {"zip": {"default": 8003}}},
                inputs={},
            ),
            ("error", "nodes.a.inputs.zip", "found 8003"),
        ),
        row(
            "of-a-node-that-may-be-skipped",
            spec(takes(when="${inputs.local}"), inputs={"zip": 8003, "local": True}),
            ("warning", "nodes.a.inputs.zip", "found 8003"),
        ),
        row(
            "of-a-node-that-waits",
            spec(python("b"), takes(dependsOn=["b"]), inputs={"zip": 8003}),
            ("warning", "nodes.a.inputs.zip", "found 8003"),
        ),
        row("computed", spec(python("a", inputs={"zip": "${inputs.zip + 1}"}), inputs={"zip": 1})),
        row(
            "what-depends-on-other-inputs",
            spec(
                takes({"if": {"properties": {"far": {"const": True}}}, "then": TEXT}),
                inputs={"zip": 8003},
            ),
            ("warning", "nodes.a.inputs", "not proven"),
        ),
        row(
            "reported-once",
            spec(
                takes(),
                inputSchema={"type": "object", "properties": {"zip": {"type": "integer"}}},
                inputs={"zip": 8003},
            ),
            ("error", "nodes.a.inputs.zip", "inputSchema takes string"),
        ),
    ],
)
def test_known_inputs(raw: Any, expected: tuple[tuple[str, str, str], ...]) -> None:
    definition = define(raw)
    found = [*definition.problems, *definition.warnings]
    assert [(one.severity, one.field) for one in found] == [part[:2] for part in expected]
    for one, (_, _, says) in zip(found, expected, strict=True):
        assert says in one.message


@pytest.mark.parametrize("word", ["true", "false", "null", "in"])
def test_a_word_of_the_language_is_named(word: str) -> None:
    raw = spec(python(word), python("b", inputs={"v": f"${{nodes.{word}.output}}"}))
    assert define(raw).problems[0].message == (
        f"syntax error: `{word}` is a word of the language: write ['{word}'], or name the node "
        "otherwise"
    )
