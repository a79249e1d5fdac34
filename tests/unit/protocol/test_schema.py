"""JSON Schema at the boundaries: what is reported, what is refused, which defaults are applied."""

from typing import Any

import pytest
from waypost.protocol import defaults, schema

DEEP: Any = True
for _ in range(99):
    DEEP = {"not": DEEP}

EVENT = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "level": {"enum": ["low", "high"]},
        "score": {"type": "number", "maximum": 1},
        "at": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "path", "fragments"),
    [
        pytest.param({}, "$", ["'id'", "no properties"], id="required"),
        pytest.param({"id": 7}, "$.id", ["expected string", "found 7 (integer)"], id="type"),
        pytest.param({"id": None}, "$.id", ["expected string", "found null"], id="null"),
        pytest.param({"id": "a", "level": "mid"}, "$.level", ["low", "'mid'"], id="enum"),
        pytest.param({"id": "a", "score": 2}, "$.score", ["at most 1", "found 2"], id="maximum"),
        pytest.param({"id": "a", "tags": ["x", 1]}, "$.tags[1]", ["string"], id="nested"),
        pytest.param({"id": "a", "at": "noon"}, "$.at", ["date-time", "'noon'"], id="format"),
        pytest.param({"id": "a", "x": 1}, "$", ["no property 'x'"], id="additional"),
        pytest.param({"id": ""}, "$.id", ["at least 1 characters"], id="min-length"),
        pytest.param([1], "$", ["expected object", "found an array of 1"], id="array"),
    ],
)
def test_a_violation_names_path_expected_and_found(
    value: Any, path: str, fragments: list[str]
) -> None:
    (violation,) = schema.validate(EVENT, value)
    assert violation.path == path
    for fragment in fragments:
        assert fragment in str(violation)
    assert "\n" not in str(violation)


def test_an_odd_key_keeps_the_violation_on_one_line() -> None:
    (violation,) = schema.validate({"additionalProperties": {"type": "string"}}, {"a\nb": 1})
    assert str(violation) == '$["a\\nb"]: expected string, found 1 (integer)'


def test_long_values_are_shown_short() -> None:
    (violation,) = schema.validate({"type": "integer"}, "x" * 5000)
    assert len(str(violation)) < 200


def test_the_number_of_violations_is_bounded() -> None:
    assert len(schema.validate({"items": {"type": "string"}}, list(range(50)), limit=3)) == 3


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        pytest.param({"type": "strin"}, "strin", id="unknown-type"),
        pytest.param({"$ref": "https://example.com/s.json"}, "only references inside", id="remote"),
        pytest.param({"$ref": "#/$defs/x"}, "/$defs/x", id="dangling"),
        pytest.param({"pattern": "("}, "(", id="bad-pattern"),
        pytest.param(["object"], "expected a JSON Schema", id="not-an-object"),
        pytest.param({"const": 2**60}, "$.const", id="not-i-json"),
        pytest.param(DEEP, "nested", id="deep"),
        pytest.param({"description": "x" * 70_000}, "the limit is", id="too-big"),
        pytest.param({"minimum": "1"}, "1", id="keyword-of-wrong-type"),
        pytest.param(
            {"properties": {"p": {"type": ["strin"]}}}, "$.properties.p.type", id="place-of-keyword"
        ),
        pytest.param({"properties": {"p": {"$id": "http://x/b"}}}, "below the root", id="inner-id"),
    ],
)
def test_unusable_schemas(value: object, fragment: str) -> None:
    problem = schema.check_schema(value)
    assert problem is not None
    assert fragment in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(EVENT, id="object"),
        pytest.param(True, id="anything"),
        pytest.param({"$defs": {"x": {"type": "string"}}, "$ref": "#/$defs/x"}, id="local-ref"),
        pytest.param({"format": "hostname"}, id="format-that-is-not-asserted"),
    ],
)
def test_usable_schemas(value: object) -> None:
    assert schema.check_schema(value) is None


@pytest.mark.parametrize(
    ("value", "way_out"),
    [
        pytest.param({"items": [{}, {}]}, "write prefixItems", id="draft-7-tuple"),
        pytest.param(
            {"minimum": 0, "exclusiveMinimum": True},
            "exclusiveMinimum: 0, without minimum",
            id="draft-4-bound",
        ),
        pytest.param(
            {"properties": {"a": {"required": True}}}, "required: [name]", id="draft-3-required"
        ),
        pytest.param({"required": "a"}, "write [a]", id="one-name"),
        pytest.param({"items": "string"}, "write {type: string}", id="type-for-a-schema"),
        pytest.param({"properties": [{"name": "a"}]}, "write an object", id="list-of-properties"),
        pytest.param({"type": "int"}, "did you mean integer?", id="int"),
        pytest.param({"type": "STRING"}, "did you mean string?", id="upper-case"),
        pytest.param({"type": "float"}, "did you mean number?", id="float"),
        pytest.param({"type": "strng"}, "did you mean string?", id="typo"),
        pytest.param({"type": "date"}, "type: string with format: date", id="date"),
        pytest.param({"type": "datetime"}, "format: date-time", id="datetime"),
        pytest.param({"type": "any"}, "leave type out", id="any"),
        pytest.param({"pattern": "^[\\w-.]+$"}, "write - at the end of [...]", id="class-of-email"),
        pytest.param({"pattern": "\\Aa\\Z"}, "write ^ and $", id="ends-of-python"),
        pytest.param({"pattern": "a{2,1}"}, "patterns are those of ECMAScript", id="pattern"),
    ],
)
def test_a_schema_of_another_draft_or_language_is_answered_with_ours(
    value: object, way_out: str
) -> None:
    assert way_out in (schema.check_schema(value) or "")


def test_an_anchor_names_one_schema() -> None:
    twice = {"items": {"$anchor": "x"}, "not": {"$dynamicAnchor": "x"}}
    assert "the anchor 'x' names several schemas" in (schema.anchor_problem(twice) or "")
    both = {"$anchor": "x", "$dynamicAnchor": "x", "items": {"$anchor": "y"}}
    assert schema.anchor_problem(both) is None, "one schema"


@pytest.mark.parametrize(
    ("format_", "value", "ok"),
    [
        pytest.param("date-time", "2026-11-24T03:10:00Z", True, id="date-time"),
        pytest.param("date", "2026-13-01", False, id="date"),
        pytest.param("uuid", "x", False, id="uuid"),
        pytest.param("email", "no at sign", False, id="email"),
        pytest.param("uri", "not a uri", False, id="uri"),
        pytest.param("hostname", "not a host name!", True, id="hostname-is-ignored"),
        pytest.param("ipv4", "999.1.1.1", True, id="ipv4-is-ignored"),
    ],
)
def test_asserted_formats(format_: str, value: str, ok: bool) -> None:
    assert (not schema.validate({"type": "string", "format": format_}, value)) is ok


@pytest.mark.parametrize(
    ("declared", "value", "says"),
    [
        pytest.param(
            {"anyOf": [{"type": "string"}]}, 1, "expected a value that matches one of", id="any-of"
        ),
        pytest.param({"oneOf": [{"type": "null"}]}, 1, "matches one of the schemas", id="one-of"),
        pytest.param({"oneOf": [{}, {}]}, 1, "matches only one of the schemas", id="two-of-them"),
        pytest.param(
            {"oneOf": [{"type": "null"}]},
            "more than one",
            "a value that matches one of the schemas",
            id="words-of-a-value-are-no-verdict",
        ),
        pytest.param(
            {"pattern": "^x(?=y)"},
            "backtracking count exceeded",
            "text that matches '^x(?=y)'",
            id="nor-those-of-a-text",
        ),
        pytest.param(
            {"pattern": "^backtracking(?=y)"},
            "a",
            "text that matches '^backtracking(?=y)'",
            id="nor-those-of-a-pattern",
        ),
        pytest.param(
            {"pattern": "^(a|aa)+(?!c)$"},
            "a" * 60 + "b",
            "decided in fewer steps",
            id="a-pattern-that-takes-too-long",
        ),
        pytest.param(
            {"propertyNames": {"pattern": "^[a-z]+$"}},
            {"A": 1},
            "expected names of properties that match `propertyNames` (",
            id="names",
        ),
        pytest.param(
            {"prefixItems": [{}], "unevaluatedItems": False},
            [1, 2],
            "expected no other items than those that its schemas describe, found an array of 2",
            id="unevaluated-items",
        ),
    ],
)
def test_a_violation_is_a_sentence(declared: Any, value: Any, says: str) -> None:
    (violation,) = schema.validate(declared, value)
    assert says in str(violation)


@pytest.mark.parametrize("type_", ["text", "any", "date", "float", [], ["strin"], ""])
def test_an_unknown_type_is_answered_with_the_known_ones(type_: Any) -> None:
    problem = schema.check_schema({"properties": {"a": {"type": type_}}})
    assert problem is not None
    assert "$.properties.a.type: expected one of array, boolean, integer, null" in problem


@pytest.mark.parametrize("name", ["format", "const", "default"])
def test_a_property_that_is_called_like_a_keyword_is_none(name: str) -> None:
    declared = {"properties": {name: {"type": "string", "format": "hostname"}}}
    assert schema.validate(declared, {name: 1})
    assert not schema.validate(declared, {name: "not a host name!"})


@pytest.mark.parametrize(
    ("declared", "value", "filled"),
    [
        pytest.param(
            {"properties": {"a": {"default": 1}, "b": {"default": None}}},
            {"a": 5},
            {"a": 5, "b": None},
            id="missing-only",
        ),
        pytest.param(
            {"properties": {"o": {"default": {}, "properties": {"x": {"default": 2}}}}},
            {},
            {"o": {"x": 2}},
            id="nested",
        ),
        pytest.param(
            {"items": {"properties": {"n": {"default": 0}}}},
            [{}, {"n": 1}],
            [{"n": 0}, {"n": 1}],
            id="items",
        ),
        pytest.param(
            {"$defs": {"p": {"default": 3}}, "properties": {"a": {"$ref": "#/$defs/p"}}},
            {},
            {"a": 3},
            id="local-ref",
        ),
        pytest.param(
            {
                "$defs": {"p": {"default": {}, "properties": {"x": {"default": 1}}}},
                "properties": {"a": {"$ref": "#/$defs/p", "default": {"y": 2}}},
            },
            {},
            {"a": {"y": 2, "x": 1}},
            id="a default beside a $ref wins, and what it names is filled",
        ),
        pytest.param({"properties": {"a": {"default": 1}}}, "text", "text", id="other-type"),
        pytest.param(
            {"allOf": [{"properties": {"a": {"default": 1}}, "required": ["a"]}]},
            {},
            {"a": 1},
            id="below-all-of",
        ),
        pytest.param(
            {"properties": {"a": {"allOf": [{"type": "integer", "default": 1}]}}},
            {},
            {"a": 1},
            id="default-below-all-of",
        ),
        pytest.param(
            {"anyOf": [{"properties": {"a": {"default": 1}}}]}, {}, {}, id="not-below-any-of"
        ),
        pytest.param(
            {
                "properties": {"a": {"$ref": "#/$defs/L/prefixItems/0"}},
                "$defs": {"L": {"prefixItems": [{"default": 1}]}},
            },
            {},
            {"a": 1},
            id="reference-into-a-list",
        ),
        pytest.param(
            {
                "properties": {"a": {"$ref": "#/$defs/a%20b"}},
                "$defs": {"a b": {"default": 1}, "a%20b": {"default": 2}},
            },
            {},
            {"a": 1},
            id="encoded-reference",
        ),
        pytest.param(
            {
                "prefixItems": [{"additionalProperties": False}],
                "items": {"properties": {"a": {"default": 1}}},
            },
            [{}, {}],
            [{}, {"a": 1}],
            id="items-are-those-after-the-first-ones",
        ),
        pytest.param(
            {"additionalProperties": {"properties": {"a": {"default": 1}}, "required": ["a"]}},
            {"x": {}, "y": {"a": 2}, "z": 3},
            {"x": {"a": 1}, "y": {"a": 2}, "z": 3},
            id="additional-properties",
        ),
        pytest.param(
            {
                "properties": {"n": {}},
                "additionalProperties": {
                    "additionalProperties": {"properties": {"a": {"default": 1}}}
                },
            },
            {"n": {"x": {}}, "o": {"x": {}}},
            {"n": {"x": {}}, "o": {"x": {"a": 1}}},
            id="additional-properties-of-additional-properties",
        ),
        pytest.param(
            {
                "patternProperties": {"^n": {}},
                "additionalProperties": {"properties": {"a": {"default": 1}}},
            },
            {"x": {}},
            {"x": {}},
            id="not-beside-patterns",
        ),
        pytest.param(
            {
                "patternProperties": {},
                "additionalProperties": {"properties": {"a": {"default": 1}}},
            },
            {"x": {}},
            {"x": {"a": 1}},
            id="beside-no-pattern",
        ),
        pytest.param(
            {"patternProperties": {"^x": {"properties": {"a": {"default": 1}}}}},
            {"x": {}},
            {"x": {}},
            id="not-below-patterns",
        ),
        pytest.param(
            {"$anchor": "root", "properties": {"n": {"default": 1}, "k": {"$ref": "#root"}}},
            {"k": {"k": {}}},
            {"k": {"k": {"n": 1}, "n": 1}, "n": 1},
            id="anchor-of-the-root",
        ),
        pytest.param(
            {"properties": {"a": {"properties": {"b": {"properties": {"c": {"default": 1}}}}}}},
            {"a": {"b": {}}},
            {"a": {"b": {"c": 1}}},
            id="three-levels-down",
        ),
        pytest.param(
            {"properties": {"a": {"properties": {"b": {"default": 1}}}}},
            {},
            {},
            id="an-object-without-a-default-is-not-made",
        ),
        pytest.param(
            {
                "allOf": [
                    {"properties": {"a": {"default": 1}}},
                    {"properties": {"a": {"default": 2}}},
                ]
            },
            {},
            {"a": 1},
            id="the-first-of-two",
        ),
        pytest.param(
            {"if": {}, "then": {"properties": {"a": {"default": 1}}}}, {}, {}, id="not-below-then"
        ),
        pytest.param(
            {"dependentSchemas": {"k": {"properties": {"a": {"default": 1}}}}},
            {"k": 1},
            {"k": 1},
            id="not-below-dependent-schemas",
        ),
        pytest.param(
            {"prefixItems": [{"properties": {"a": {"default": 1}}}]},
            [{}, {}],
            [{"a": 1}, {}],
            id="first-items",
        ),
    ],
)
def test_defaults(declared: Any, value: Any, filled: Any) -> None:
    given = repr(value)
    assert schema.apply_defaults(declared, value) == filled
    assert repr(value) == given, "the input is not changed"


LAUGHS = {
    "$defs": {
        f"l{n}": {
            "default": {},
            "properties": {"a": {"$ref": f"#/$defs/l{n + 1}"}, "b": {"$ref": f"#/$defs/l{n + 1}"}},
        }
        for n in range(30)
    }
    | {"l30": {"default": "ha"}},
    "$ref": "#/$defs/l0",
}
ENDLESS = {"properties": {"next": {"$ref": "#", "default": {}}}}
BINARY = {"properties": {s: {"$ref": "#", "default": {}} for s in ("left", "right")}}


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(LAUGHS, id="doubling: 2^30 strings from 30 definitions"),
        pytest.param(ENDLESS, id="cycle"),
        pytest.param(BINARY, id="doubling cycle"),
    ],
)
def test_defaults_that_fill_each_other_are_refused_and_leave_the_value_alone(declared: Any) -> None:
    assert "defaults fill each other" in (schema.check_schema(declared) or "")
    assert schema.apply_defaults(declared, {"x": 1}) == {"x": 1}


def test_a_recursive_schema_without_defaults_in_it_is_fine() -> None:
    tree = {
        "properties": {
            "size": {"default": 1},
            "children": {"type": "array", "items": {"$ref": "#"}},
        }
    }
    assert schema.check_schema(tree) is None
    assert schema.apply_defaults(tree, {"children": [{}]}) == {
        "size": 1,
        "children": [{"size": 1}],
    }


def test_a_filled_default_is_a_copy() -> None:
    declared: Any = {"properties": {"a": {"default": {"list": []}}}}
    schema.apply_defaults(declared, {})["a"]["list"].append(1)
    assert declared["properties"]["a"]["default"] == {"list": []}


@pytest.mark.parametrize(
    "remote",
    [
        pytest.param({"$dynamicRef": "file:///etc/passwd"}, id="dynamic-file"),
        pytest.param({"allOf": [{"$ref": "file:///etc/passwd"}]}, id="file-below"),
        pytest.param({"$id": "file:///etc/", "$ref": "passwd"}, id="relative-to-id"),
        pytest.param({"properties": {"default": {"$ref": "http://x.test/"}}}, id="odd-name"),
    ],
)
def test_nothing_outside_the_schema_is_ever_read(remote: Any) -> None:
    assert "only references inside" in (schema.check_schema(remote) or "")
    with pytest.raises(ValueError, match="Retriev"):
        schema.validate(remote, 1)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        pytest.param({"const": {"format": "hostname"}}, {"format": "hostname"}, id="const"),
        pytest.param({"enum": [{"format": "ipv4"}]}, {"format": "ipv4"}, id="enum"),
        pytest.param({"const": {"$ref": "http://x.test/"}}, {"$ref": "http://x.test/"}, id="ref"),
    ],
)
def test_data_in_a_schema_is_not_read_as_keywords(keyword: Any, value: Any) -> None:
    assert schema.check_schema(keyword) is None
    assert schema.validate(keyword, value) == ()
    assert schema.validate(keyword, {}), "the whole value counts"


A: Any = {"properties": {"a": {"default": 1}}}
B: Any = {"properties": {"b": {"default": 2}}}


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        pytest.param(A, [], id="property"),
        pytest.param({"allOf": [A]}, [], id="all-of"),
        pytest.param({"$ref": "#/$defs/m", "$defs": {"m": A}}, [], id="reference"),
        pytest.param({"items": A}, [], id="property-of-items"),
        pytest.param({"anyOf": [A, {"type": "null"}]}, [("a", "anyOf")], id="any-of"),
        pytest.param({"oneOf": [A, B]}, [("a", "oneOf"), ("b", "oneOf")], id="one-of"),
        pytest.param({"if": {}, "then": A, "else": B}, [("a", "then"), ("b", "else")], id="then"),
        pytest.param({"if": A}, [("a", "if")], id="if"),
        pytest.param({"not": A}, [("a", "not")], id="not"),
        pytest.param({"contains": A}, [("a", "contains")], id="contains"),
        pytest.param({"dependentSchemas": {"k": A}}, [("a", "dependentSchemas")], id="dependent"),
        pytest.param(
            {"patternProperties": {"^x": {"default": 1}}},
            [("^x", "patternProperties")],
            id="pattern",
        ),
        pytest.param(
            {"patternProperties": {"^x": {}}, "additionalProperties": A},
            [("a", "additionalProperties")],
            id="beside-patterns",
        ),
        pytest.param({"additionalProperties": A}, [], id="others"),
        pytest.param({"unevaluatedProperties": A}, [("a", "unevaluatedProperties")], id="rest"),
        pytest.param({"default": {}, **A}, [("", "")], id="root"),
        pytest.param({"items": {"default": 1}}, [("", "")], id="item"),
        pytest.param(
            {"properties": {"o": {"anyOf": [{"$ref": "#/$defs/m"}, {"type": "null"}]}},
             "$defs": {"m": A}},
            [("o.a", "anyOf")],
            id="optional-model",
        ),
        pytest.param(
            {"properties": {"o": {"anyOf": [{"$ref": "#/$defs/m"}]}, "p": {"$ref": "#/$defs/m"}},
             "$defs": {"m": A}},
            [],
            id="used-elsewhere-too",
        ),
        pytest.param(
            {"properties": {"o": {"anyOf": [{"type": "integer", "default": 1}]}}},
            [("o", "anyOf")],
            id="in-a-branch-of-the-property",
        ),
        pytest.param(
            {"properties": {"o": {"anyOf": [{"type": "integer", "default": 1}], "default": 1}}},
            [],
            id="also-beside-the-branch-of-the-property",
        ),
        pytest.param({**A, "anyOf": [A, B]}, [("b", "anyOf")], id="also-beside-the-branch"),
        pytest.param({"anyOf": [{"anyOf": [A]}]}, [("a", "anyOf")], id="two-branches"),
        pytest.param(
            {"anyOf": [{"properties": {"o": A}}]}, [("o.a", "anyOf")], id="below-a-property"
        ),
        pytest.param(
            {"anyOf": [{"properties": {"n": {"$ref": "#"}, **A["properties"]}}]},
            [("a", "anyOf")],
            id="recursive",
        ),
        pytest.param({"enum": [A], "const": A, "examples": [A]}, [], id="data"),
        pytest.param(True, [], id="boolean"),
        pytest.param({"anyOf": "x", "properties": [], "items": 1}, [], id="junk"),
    ],
)  # fmt: skip
def test_s526_defaults_that_are_never_filled_in(declared: Any, found: list[Any]) -> None:
    assert [(each.name, each.keyword) for each in defaults.unfilled(declared)] == found


def test_s526_many_definitions_are_walked_once() -> None:
    chain: Any = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(2000)}
    declared = {"$ref": "#/$defs/d0", "$defs": {**chain, "d2000": A}}
    assert [each.name for each in defaults.unfilled(declared)] == ["a"]
