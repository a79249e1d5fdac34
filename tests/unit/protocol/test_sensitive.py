"""What a schema marks is left out, wherever the mark stands (S792)."""

from typing import Any

import pytest
from waypost.protocol.agents.sensitive import REPLACED, without_marked

MARK = {"type": "string", "x-waypost-sensitive": True}
PLAIN = {"type": "string"}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


VALUE = {"user": "ann", "password": "hunter2"}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(of(user=PLAIN, password=MARK), id="property"),
        pytest.param(
            {**of(password={"$ref": "#/$defs/secret"}), "$defs": {"secret": MARK}}, id="reference"
        ),
        pytest.param({"allOf": [of(user=PLAIN), of(password=MARK)]}, id="all"),
        pytest.param({"oneOf": [of(user=PLAIN), of(password=MARK)]}, id="one"),
        pytest.param({"anyOf": [of(password=MARK), {"type": "null"}]}, id="any"),
        pytest.param({"if": of(user=PLAIN), "then": of(password=MARK)}, id="then"),
        pytest.param({**of(user=PLAIN), "additionalProperties": MARK}, id="others"),
        pytest.param({"dependentSchemas": {"user": of(password=MARK)}}, id="dependent"),
        pytest.param(of(password={"anyOf": [PLAIN, MARK]}), id="alternative-of-the-property"),
    ],
)
def test_s792_a_mark_hides_its_value_alone(schema: dict[str, Any]) -> None:
    assert without_marked(VALUE, schema) == {"user": "ann", "password": REPLACED}


@pytest.mark.parametrize(
    ("value", "schema", "shown"),
    [
        pytest.param(VALUE, of(user=PLAIN, password=PLAIN), VALUE, id="no-mark"),
        pytest.param(VALUE, None, VALUE, id="no-schema"),
        pytest.param(VALUE, True, VALUE, id="any-value"),
        pytest.param(VALUE, {**of(), "x-waypost-sensitive": True}, REPLACED, id="whole"),
        pytest.param(VALUE, of(password={**MARK, "x-waypost-sensitive": "no"}), VALUE, id="word"),
        pytest.param('{"password": "hunter2"}', of(password=MARK), REPLACED, id="text"),
        pytest.param([VALUE], of(password=MARK), REPLACED, id="list-in-the-place-of-an-object"),
        pytest.param(VALUE, {"type": "array", "items": MARK}, REPLACED, id="object-for-a-list"),
        pytest.param(7, of(password=MARK), REPLACED, id="number"),
        pytest.param(
            [VALUE, VALUE],
            {"type": "array", "items": of(password=MARK)},
            [{"user": "ann", "password": REPLACED}] * 2,
            id="items",
        ),
        pytest.param(
            ["ann", "hunter2", 7],
            {"prefixItems": [PLAIN, MARK]},
            ["ann", REPLACED, 7],
            id="places",
        ),
        pytest.param(
            {"a": 1, "secret-1": 2},
            {"patternProperties": {"^secret": MARK}},
            {"a": REPLACED, "secret-1": REPLACED},
            id="a-pattern-is-not-evaluated",
        ),
        pytest.param(
            {"child": {"child": {"password": "hunter2"}}},
            of(child={"$ref": "#"}, password=MARK),
            {"child": {"child": {"password": REPLACED}}},
            id="a-schema-that-names-itself",
        ),
        pytest.param(
            {"a": 1}, {"allOf": [{"$ref": "#"}], **of(b=MARK)}, {"a": 1}, id="a-reference-in-a-ring"
        ),
    ],
)
def test_s792_values(value: Any, schema: Any, shown: Any) -> None:
    assert without_marked(value, schema) == shown
