"""spec.schemas (S25): what a schema field becomes, and that it means the same."""

from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.compiler.shared_schemas import bundle
from waypost.protocol import schema

from tests.support.builders import gate, python, spec

MONEY = {"type": "string", "pattern": "^[0-9]+$"}
ITEM = {"type": "object", "required": ["price"], "properties": {"price": {"$ref": "#/schemas/M"}}}
TREE = {"type": "object", "properties": {"kids": {"items": {"$ref": "#/schemas/Tree"}}}}
OWN = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/properties/a"}},
    "$defs": {"A": {"type": "integer"}},
}
# The same anchor in two schemas, and a schema that names itself by it.
WHOLE: dict[str, Any] = {"items": {"$ref": "#it"}, "$defs": {"w": {"$anchor": "it", "minimum": 0}}}
CHAIN = {
    "$dynamicAnchor": "it",
    "properties": {"next": {"$dynamicRef": "#it"}, "n": {"$dynamicRef": "#/$defs/N"}},
    "$defs": {"N": {"type": "integer"}},
}
AGAIN = {"$anchor": "it", "properties": {"b": {"$ref": "#"}, "c": {"type": "null"}}}
NUMBER = {"$anchor": "e", "type": "integer"}
BOTH: dict[str, Any] = {
    "properties": {
        "w": {"$ref": "#/schemas/Whole"},
        "c": {"$dynamicRef": "#/schemas/Chain"},
        "own": {"$ref": "#it"},
    },
    "$defs": {"o": {"$anchor": "it", "type": "string"}},
}
SHARED = {
    "Whole": WHOLE,
    "Chain": CHAIN,
    "Again": AGAIN,
    "M": MONEY,
    "Item": ITEM,
    "Tree": TREE,
    "Own": OWN,
}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/schemas/{name}"}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        pytest.param({"type": "string"}, {"type": "string"}, id="nothing-named"),
        pytest.param(ref("M"), MONEY, id="a-root-becomes-its-target"),
        pytest.param(
            {"items": ref("M")},
            {"items": {"$ref": "#/$defs/M"}, "$defs": {"M": MONEY}},
            id="inside",
        ),
        pytest.param(
            ref("Item"),
            {
                "type": "object",
                "required": ["price"],
                "properties": {"price": {"$ref": "#/$defs/M"}},
                "$defs": {"M": MONEY},
            },
            id="through-others",
        ),
        pytest.param(
            {"items": ref("M"), "$defs": {"M": {"type": "null"}}},
            {
                "items": {"$ref": "#/$defs/schemas.M"},
                "$defs": {"M": {"type": "null"}, "schemas.M": MONEY},
            },
            id="a-name-that-is-taken",
        ),
        pytest.param(
            {"enum": [ref("M")]}, {"enum": [ref("M")]}, id="data-that-looks-like-a-reference"
        ),
    ],
)
def test_bundled(value: Any, becomes: Any) -> None:
    assert bundle(value, SHARED) == becomes


@pytest.mark.parametrize(
    ("value", "good", "bad"),
    [
        pytest.param(ref("Item"), {"price": "12"}, {"price": "x"}, id="named-by-named"),
        pytest.param(ref("Tree"), {"kids": [{"kids": []}]}, {"kids": [1]}, id="recursive"),
        pytest.param({"items": ref("Own")}, [{"a": 1}], [{"a": "x"}], id="own-definitions"),
        pytest.param({"items": ref("Own")}, [{"b": 1}], [{"b": "x"}], id="own-root"),
        pytest.param(ref("Own"), {"b": 1}, {"b": "x"}, id="own-root-at-root"),
        pytest.param(ref("Item/properties/price"), "12", "x", id="a-part-of-a-named-one"),
        pytest.param(BOTH, {"w": [1]}, {"w": [-1]}, id="one-anchor-thrice-first"),
        pytest.param(BOTH, {"c": {"next": {"n": 1}}}, {"c": {"next": {"n": "x"}}}, id="second"),
        pytest.param(BOTH, {"own": "x"}, {"own": 1}, id="third"),
        pytest.param(ref("Chain"), {"next": {"n": 1}}, {"next": {"n": "x"}}, id="anchor-at-root"),
        pytest.param(ref("Again"), {"b": {"c": None}}, {"b": {"c": 1}}, id="anchor-and-pointer"),
        pytest.param(
            ref("Again") | {"items": {"$ref": "#e"}, "not": {"not": {"items": NUMBER}}},
            [1],
            ["x"],
            id="anchors-beside-the-reference",
        ),
    ],
)
def test_means_the_same(value: Any, good: Any, bad: Any) -> None:
    made = bundle(value, SHARED)
    assert schema.check_schema(made) is None
    assert not schema.validate(made, good)
    assert schema.validate(made, bad)


def test_every_schema_field_is_self_contained() -> None:
    named = ref("M")
    raw = spec(
        python(
            "a", inputs={"v": "1"}, inputSchema={"properties": {"v": named}}, outputSchema=named
        ),
        gate("g", answerSchema=named),
        {"name": "h", "http": {"url": "http://x", "responseSchema": named}},
        inputs={"m": "1"},
        inputSchema={"properties": {"m": named}},
        outputSchema={"properties": {"m": named}},
        schemas={"M": MONEY},
    )
    definition = define(raw)
    assert not definition.problems
    assert "#/schemas" not in str(definition.spec)


@pytest.mark.parametrize(
    ("schemas", "used", "field", "says"),
    [
        pytest.param(
            {"Invoice": {}},
            ref("Invoce"),
            "nodes.a.outputSchema",
            "did you mean 'Invoice'",
            id="misspelt",
        ),
        pytest.param(
            None, ref("M"), "nodes.a.outputSchema", "spec.schemas has no 'M'", id="no-schemas"
        ),
        pytest.param(
            {"A": ref("B")}, {}, "schemas.A", "spec.schemas has no 'B'", id="inside-schemas"
        ),
        pytest.param(
            {"A": {}},
            {"$dynamicRef": "#/schemas/B"},
            "nodes.a.outputSchema",
            "no 'B'",
            id="dynamic",
        ),
        pytest.param(
            {"A": {"type": "text"}}, {}, "schemas.A", "not a usable JSON Schema", id="unusable"
        ),
        pytest.param(
            {"A": {}},
            ref("A") | {"$id": "http://x/"},
            "nodes.a.outputSchema",
            "remove $id",
            id="id",
        ),
        pytest.param(
            {"A": {"$ref": "https://x/y"}}, {}, "schemas.A", "only references inside", id="remote"
        ),
    ],
)
def test_refused(schemas: Any, used: Any, field: str, says: str) -> None:
    raw = spec(python("a", outputSchema=used), **({"schemas": schemas} if schemas else {}))
    problems = define(raw).problems
    assert [problem.field for problem in problems] == [field]
    assert says in problems[0].message
