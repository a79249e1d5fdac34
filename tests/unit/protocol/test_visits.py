"""Schemas and values that try to cost much (S68): refused, or checked in few enough visits."""

from typing import Any

import pytest
from waypost.protocol import patterns, schema
from waypost.protocol.visits import MAX_VISITS, TooMany, Visits


def twice(levels: int, keyword: str = "allOf", last: Any = {"type": "string"}) -> Any:  # noqa: B006
    """Definitions of which each names the next one twice."""
    definitions = {
        f"d{at}": {keyword: [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": last}}


def unevaluated(levels: int, keyword: str = "unevaluatedProperties") -> Any:
    made: Any = {"properties": {"a": {}}}
    for _ in range(levels):
        made = {"allOf": [made], keyword: {"type": "integer"}}
    return made


BOMBS = {
    "all-of": twice(24),
    "any-of": twice(24, "anyOf"),
    "one-of": twice(24, "oneOf"),
    "one-more-than-is-allowed": twice(13),
    "below-a-property": {"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": twice(24)["$defs"]},
    "in-items": {"items": {"$ref": "#/$defs/d0"}, "$defs": twice(24)["$defs"]},
    "in-property-names": {"propertyNames": {"$ref": "#/$defs/d0"}, "$defs": twice(24)["$defs"]},
    "in-contains": {"contains": {"$ref": "#/$defs/d0"}, "$defs": twice(24)["$defs"]},
    "if-then": {
        "$defs": {
            **{
                f"d{at}": {
                    "if": {"$ref": f"#/$defs/d{at + 1}"},
                    "then": {"$ref": f"#/$defs/d{at + 1}"},
                    "else": {"$ref": f"#/$defs/d{at + 1}"},
                }
                for at in range(20)
            },
            "d20": {},
        },
        "$ref": "#/$defs/d0",
    },
    "not": {
        "$defs": {
            **{
                f"d{at}": {"allOf": [{"not": {"$ref": f"#/$defs/d{at + 1}"}}] * 2}
                for at in range(20)
            },
            "d20": {},
        },
        "$ref": "#/$defs/d0",
    },
    "dependent": {
        "$defs": {
            **{
                f"d{at}": {
                    "dependentSchemas": {
                        "a": {"$ref": f"#/$defs/d{at + 1}"},
                        "b": {"$ref": f"#/$defs/d{at + 1}"},
                    }
                }
                for at in range(20)
            },
            "d20": {},
        },
        "$ref": "#/$defs/d0",
    },
    "anchors": {
        "$defs": {
            **{
                f"d{at}": {"$anchor": f"a{at}", "allOf": [{"$ref": f"#a{at + 1}"}] * 2}
                for at in range(20)
            },
            "d20": {"$anchor": "a20"},
        },
        "$ref": "#a0",
    },
    "unevaluated-properties": unevaluated(20),
    "unevaluated-items": unevaluated(20, "unevaluatedItems"),
    "patterns-of-many-states": {"allOf": [{"pattern": rf"\w{{{200 + n}}}"} for n in range(500)]},
    "pattern-of-many-states": {"pattern": "((a{100}){100}){100}"},
    "pattern-properties": {"patternProperties": {rf"^\d{{{n}}}\w{{500}}$": {} for n in range(50)}},
    "big-enums-everywhere": {"allOf": [{"enum": [{"a": n} for n in range(800)]}] * 8},
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_s68_a_schema_that_costs_much_for_any_value_is_refused(bomb: Any) -> None:
    problem = schema.check_schema(bomb)
    assert problem is not None
    assert "too often" in problem or "patterns" in problem


TREE_TWICE: Any = {
    "$defs": {
        "d": {
            "allOf": [
                {"properties": {"a": {"$ref": "#/$defs/d"}}},
                {"properties": {"a": {"$ref": "#/$defs/d"}}},
            ]
        }
    },
    "$ref": "#/$defs/d",
}


def deep(levels: int, key: str = "a") -> Any:
    made: Any = {}
    for _ in range(levels):
        made = {key: made}
    return made


LISTS: Any = {
    "$defs": {"d": {"anyOf": [{"items": {"$ref": "#/$defs/d"}}] * 9}},
    "$ref": "#/$defs/d",
}
NESTED_LIST: Any = []
for _ in range(40):
    NESTED_LIST = [NESTED_LIST]

COSTLY = {
    "depth-doubles": (TREE_TWICE, deep(40)),
    "alternatives-of-lists": (LISTS, NESTED_LIST),
    "many-items-of-many-parts": (
        {"items": {"allOf": [{"minimum": -n} for n in range(400)]}},
        list(range(20_000)),
    ),
    "enum-of-objects": ({"items": {"enum": [{"a": n} for n in range(1000)]}}, [{"a": 999}] * 5000),
    "long-texts-of-many-patterns": (
        {"items": {"allOf": [{"pattern": f"a{n}"} for n in range(200)]}},
        ["x" * 10_000] * 500,
    ),
    "names-of-patterns": (
        {"patternProperties": {f"a{n}": {"type": "string"} for n in range(200)}},
        {f"k{n}": n for n in range(2000)},
    ),
    "property-names": (
        {"propertyNames": {"allOf": [{"pattern": f"a{n}"} for n in range(200)]}},
        {f"k{n}": n for n in range(2000)},
    ),
    "contains": (
        {"contains": {"allOf": [{"minimum": 10**9 + n} for n in range(400)]}},
        list(range(20_000)),
    ),
}


@pytest.mark.parametrize(("declared", "value"), COSTLY.values(), ids=COSTLY.keys())
def test_s68_a_value_that_costs_much_is_a_violation(declared: Any, value: Any) -> None:
    assert schema.check_schema(declared) is None
    with pytest.raises(TooMany):
        Visits(declared).of(value)
    (violation,) = schema.validate(declared, value)
    assert str(MAX_VISITS) in violation.expected


TAGGED: Any = {
    "$defs": {
        "node": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {
                        "kind": {"const": kind},
                        "left": {"$ref": "#/$defs/node"},
                        "right": {"$ref": "#/$defs/node"},
                    },
                    "required": ["kind"],
                }
                for kind in ("and", "or", "not")
            ]
        }
    },
    "$ref": "#/$defs/node",
}


def expression(levels: int) -> Any:
    if not levels:
        return {"kind": "not"}
    return {"kind": "and", "left": expression(levels - 1), "right": expression(levels - 1)}


USUAL = {
    "tree": (
        {
            "$defs": {"d": {"properties": {k: {"$ref": "#/$defs/d"} for k in "lr"}}},
            "$ref": "#/$defs/d",
        },
        deep(60, "l"),
    ),
    "tagged-alternatives": (TAGGED, expression(5)),
    "one-definition-many-times": (
        {
            "properties": {f"p{n}": {"$ref": "#/$defs/d"} for n in range(300)},
            "$defs": {"d": {"type": "string", "maxLength": 10, "pattern": "^[a-z]+$"}},
        },
        {f"p{n}": "abc" for n in range(300)},
    ),
    "rows": (
        {"items": {"type": "object", "properties": {k: {"type": "integer"} for k in "abcdefgh"}}},
        [dict.fromkeys("abcdefgh", 1)] * 20_000,
    ),
    "long-enum": (
        {"items": {"enum": [f"code-{n}" for n in range(3000)]}},
        ["code-2999"] * 20_000,
    ),
    "names-of-hosts": (
        {"items": {"pattern": r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"}},
        ["a.example.com"] * 20_000,
    ),
    "long-text": ({"type": "string", "pattern": "^[^<]*$"}, "word " * 200_000),
    "strict-object": (
        {
            "allOf": [{"properties": {"a": {"type": "integer"}}}],
            "properties": {"b": {"type": "string"}},
            "unevaluatedProperties": False,
        },
        {"a": 1, "b": "x"},
    ),
}


@pytest.mark.parametrize(("declared", "value"), USUAL.values(), ids=USUAL.keys())
def test_usual_schemas_and_values_are_checked(declared: Any, value: Any) -> None:
    assert schema.check_schema(declared) is None
    assert schema.validate(declared, value) == ()


def test_of_a_large_value_the_first_violation_is_named() -> None:
    (violation,) = schema.validate({"items": {"type": "string"}}, ["a", *range(200_000)])
    assert violation.path == "$[1]"


def test_of_a_large_value_with_alternatives_no_place_is_looked_for() -> None:
    either = {"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "null"}}]}
    (violation,) = schema.validate(either, list(range(200_000)))
    assert violation.path == "$"
    assert "alternatives" in violation.expected


def test_a_pattern_that_goes_back_and_forth_is_said_to() -> None:
    (violation,) = schema.validate({"pattern": r"(a|a|aa)+\1$"}, "a" * 60 + "d")
    assert "repeat less in the pattern" in violation.expected


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        pytest.param("abc", 3, id="text"),
        pytest.param("a{3}", 3, id="repeated"),
        pytest.param("(ab){2,5}c", 11, id="group"),
        pytest.param(r"[\w.-]{1,253}", 253, id="class"),
        pytest.param("[]a]{3}", 3, id="class-with-bracket"),
        pytest.param("((a{10}){10}){10}", 1000, id="nested"),
        pytest.param("(?:ab){3}(?=c)", 7, id="no-capture"),
        pytest.param(r"\{3\}", 3, id="escaped"),
    ],
)
def test_states_of_patterns(pattern: str, states: int) -> None:
    assert patterns.size(pattern) == states


@pytest.mark.parametrize("keyword", ["allOf", "anyOf"])
def test_a_large_value_is_not_copied_into_hundreds_of_errors(keyword: str) -> None:
    """Each schema that fails would keep a copy of the list: gigabytes for a megabyte."""
    declared = twice(8, keyword)
    assert len(schema.validate(declared, [1] * 20_000)) == 1
    assert Visits(declared).of([1] * 20_000).copies > 2**8 * 20_000
    assert len(schema.validate(declared, [1])) == (5 if keyword == "allOf" else 1)


NAMES = [f"k{at}" for at in range(500)]


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({"required": NAMES}, id="required"),
        pytest.param({"dependentRequired": {"big": NAMES}}, id="dependentRequired"),
        pytest.param({"allOf": [False] * 500}, id="false"),
        pytest.param({"allOf": [{"$ref": "#/$defs/n"}] * 500, "$defs": {"n": False}}, id="ref"),
        pytest.param({"allOf": [{"properties": {"big": False}}] * 500}, id="false-property"),
        pytest.param({"allOf": [{"additionalProperties": False}] * 500}, id="closed"),
        pytest.param({"allOf": [{"type": "string", "maxProperties": 0}] * 300}, id="keywords"),
        pytest.param({"allOf": [{"not": {}}] * 500}, id="not"),
        pytest.param({"allOf": [{"contains": {}}, {"minProperties": 9}] * 300}, id="minimum"),
        pytest.param({"properties": {"big": {"allOf": [{"minItems": 10**6}] * 500}}}, id="below"),
        pytest.param({"allOf": [{"if": {}, "then": {"type": "null"}}] * 500}, id="if"),
        pytest.param({"allOf": [{"unevaluatedProperties": False}] * 100}, id="unevaluated"),
    ],
)
def test_one_error_is_made_where_each_would_copy_a_large_value(declared: Any) -> None:
    assert schema.check_schema(declared) is None
    assert len(schema.validate(declared, {"big": [1] * 50_000})) == 1


@pytest.mark.parametrize(
    ("expected", "errors"),
    [
        pytest.param({"enum": ["x" * 600 + str(at) for at in range(90)]}, 1, id="long-members"),
        pytest.param({"enum": [f"v{at}" for at in range(5000)]}, 1, id="many-members"),
        pytest.param({"const": "x" * 60_000}, 1, id="const"),
        pytest.param({"enum": [f"v{at}" for at in range(50)]}, 5, id="an-everyday-enum"),
    ],
)
def test_one_error_is_made_where_each_would_copy_a_large_enum(expected: Any, errors: int) -> None:
    assert len(schema.validate({"items": expected}, ["x"] * 3000)) == errors


def test_everyday_values_have_all_their_violations() -> None:
    row = {"type": "object", "required": ["id", "name"], "properties": {"id": {"type": "integer"}}}
    declared = {"type": "array", "items": {**row, "additionalProperties": False}}
    assert len(schema.validate(declared, [{"id": "a"}] * 3000)) == 5
