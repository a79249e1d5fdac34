"""Assignability against the validator: what is proven holds, what is refused has a reason."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from waypost.compiler.types.assignability import Comparison, Misfit
from waypost.compiler.types.schemas import linked
from waypost.protocol import schema

Schema = Any

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "x", "yy", "zzz", "high", "low"])
NUMBERS = st.integers(-4, 8)
LEAVES = st.one_of(
    st.sampled_from(
        [{"type": "null"}, {"type": "boolean"}, {"type": "string"}, {"type": "integer"}]
    ),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        NUMBERS,
        st.integers(0, 6),
    ),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, NUMBERS),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 3),
        st.integers(0, 3),
    ),
)
MEMBERS = st.lists(st.one_of(TEXTS, NUMBERS, st.none(), st.booleans()), min_size=1, max_size=3)


def containers(inner: st.SearchStrategy[Schema], *, loose: bool) -> st.SearchStrategy[Schema]:
    """Objects that declare all they have, and lists; `loose`: with optional properties."""

    def an_object(properties: dict[str, Schema], required: set[str]) -> Schema:
        names = sorted(required & properties.keys()) if loose else list(properties)
        return {
            "type": "object",
            "properties": properties,
            "required": names,
            "additionalProperties": False,
        }

    def a_list(items: Schema, low: int, more: int) -> Schema:
        least = low if loose else low + 1
        return {"type": "array", "items": items, "minItems": least, "maxItems": least + more}

    objects = st.builds(an_object, st.dictionaries(NAMES, inner, max_size=3), st.sets(NAMES))
    return objects | st.builds(a_list, inner, st.integers(0, 2), st.integers(0, 2))


# One type everywhere, everything required: here two schemas fit somewhere or nowhere.
RIGID = st.recursive(LEAVES, lambda inner: containers(inner, loose=False), max_leaves=5)
LOOSE = st.recursive(
    LEAVES | st.builds(lambda members: {"enum": members}, MEMBERS) | st.just({}),
    lambda inner: (
        containers(inner, loose=True)
        | st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda branches: {"oneOf": branches}, st.lists(inner, min_size=1, max_size=2))
        | st.builds(lambda branches: {"allOf": branches}, st.lists(inner, min_size=1, max_size=2))
    ),
    max_leaves=6,
)
PAIRS = st.one_of(
    st.tuples(LOOSE, LOOSE),
    st.builds(lambda one, other: (one, {"anyOf": [other, one]}), LOOSE, LOOSE),
    st.builds(lambda one, other: ({"allOf": [one, other]}, one), LOOSE, LOOSE),
    st.builds(lambda one: (one, one), LOOSE),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.sampled_from([0.5, 3.5])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def values_of(given: Schema) -> st.SearchStrategy[Any]:
    """Values that mostly meet a schema of these grammars."""
    if given == {}:
        return VALUES
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in given:
            return st.one_of([values_of(branch) for branch in given[keyword]])
    if "enum" in given:
        return st.sampled_from(given["enum"])
    match given["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "string":
            least = given.get("minLength", 0)
            return st.text("xyz", min_size=least, max_size=given.get("maxLength", least + 4))
        case "integer":
            return st.integers(given.get("minimum", -10), given.get("maximum", 10))
        case "number":
            return st.integers(given["exclusiveMinimum"] + 1, 12) | st.just(
                given["exclusiveMinimum"] + 0.5
            )
        case "array":
            items = values_of(given["items"])
            return st.lists(items, min_size=given["minItems"], max_size=given["maxItems"])
    required = {name: values_of(given["properties"][name]) for name in given["required"]}
    optional = {
        name: values_of(inner)
        for name, inner in given["properties"].items()
        if name not in required
    }
    return st.fixed_dictionaries(required, optional=optional)


def misfits(gives: Schema, takes: Schema) -> tuple[Misfit, ...]:
    return Comparison().misfits(linked(gives), linked(takes))


SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=200)


@SLOW
@given(st.data(), PAIRS)
def test_what_is_proven_is_accepted_by_the_validator(
    data: Any, pair: tuple[Schema, Schema]
) -> None:
    gives, takes = pair
    assume(not misfits(gives, takes))
    value = data.draw(values_of(gives))
    assume(not schema.validate(gives, value))
    assert not schema.validate(takes, value), f"{value!r} is of {gives} and not of {takes}"


@SLOW
@given(LOOSE)
def test_every_schema_takes_what_it_gives(both: Schema) -> None:
    """Of two equal copies, not of one object; oneOf may be too hard, never certain."""
    found = misfits(both, both)
    assert not [misfit for misfit in found if misfit.certain and _has_a_value(both)]


def _has_a_value(given: Schema) -> bool:
    return "oneOf" not in str(given) and "allOf" not in str(given)


@SLOW
@given(st.data(), RIGID, RIGID)
def test_nothing_is_refused_while_a_value_fits_both(
    data: Any, gives: Schema, takes: Schema
) -> None:
    value = data.draw(values_of(takes) | values_of(gives))
    assume(not schema.validate(gives, value) and not schema.validate(takes, value))
    assert not [misfit for misfit in misfits(gives, takes) if misfit.certain]


@pytest.mark.parametrize(
    ("gives", "takes", "fits"),
    [
        pytest.param(
            {"minimum": 1.5, "type": "number"},
            {"type": "number", "minimum": 1.5},
            True,
            id="equal-bounds",
        ),
        pytest.param(
            {"type": "number", "exclusiveMinimum": 1},
            {"type": "number", "minimum": 1},
            True,
            id="open-in-closed",
        ),
        pytest.param(
            {"type": "number", "minimum": 1},
            {"type": "number", "exclusiveMinimum": 1},
            False,
            id="closed-in-open",
        ),
        pytest.param(
            {"type": "integer", "exclusiveMinimum": 0},
            {"type": "integer", "minimum": 1},
            True,
            id="integers-above-0-are-from-1",
        ),
        pytest.param(
            {"type": "integer", "multipleOf": 6},
            {"type": "integer", "multipleOf": 3},
            True,
            id="multiples",
        ),
        pytest.param(
            {"type": "integer", "multipleOf": 3},
            {"type": "integer", "multipleOf": 6},
            False,
            id="not-multiples",
        ),
        pytest.param(
            {"type": "array", "maxItems": 1},
            {"type": "array", "uniqueItems": True},
            True,
            id="one-item-is-unique",
        ),
        pytest.param({"const": 1.0}, {"type": "integer"}, True, id="1.0-is-an-integer"),
        pytest.param({"const": True}, {"type": "integer"}, False, id="true-is-none"),
        pytest.param(
            {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
            {"type": "array", "items": {"type": "string"}},
            True,
            id="a-tuple-for-a-list",
        ),
        pytest.param(
            {"enum": ["a"]}, {"type": "string", "pattern": "^a$"}, True, id="a-member-that-matches"
        ),
        pytest.param(
            {"enum": ["b"]},
            {"type": "string", "pattern": "^a$"},
            False,
            id="a-member-that-does-not",
        ),
        pytest.param(
            {"type": "string"},
            {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "string", "minLength": 9}]},
            False,
            id="no-branch-is-proven",
        ),
        pytest.param({"type": "boolean"}, {"enum": [True, False]}, True, id="both-booleans"),
        pytest.param(
            {"type": "string", "format": "date"},
            {"type": "string", "format": "date"},
            True,
            id="same-format",
        ),
        pytest.param(
            {"type": "string"},
            {"type": "string", "format": "hostname"},
            True,
            id="a-format-that-is-not-asserted",
        ),
        pytest.param(
            {"properties": {"a": {}, "b": {}}, "unevaluatedProperties": False},
            {"properties": {"a": {}}, "unevaluatedProperties": False},
            False,
            id="unevaluated-properties-depend-on-all-beside",
        ),
        pytest.param(
            {"prefixItems": [{}], "unevaluatedItems": False},
            {"unevaluatedItems": False},
            False,
            id="unevaluated-items",
        ),
        pytest.param(
            {"if": True}, {"if": True, "then": {"type": "string"}}, False, id="if-with-then"
        ),
        pytest.param(
            {"contains": True}, {"contains": True, "minContains": 3}, False, id="contains-more"
        ),
        pytest.param(
            {
                "type": "object",
                "patternProperties": {"^a": {}},
                "additionalProperties": {"type": "integer"},
            },
            {"properties": {"a": {"type": "integer"}}},
            False,
            id="a-pattern-may-match",
        ),
        pytest.param(
            {"const": 1},
            {"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "string"}, "a%20b": {}}},
            False,
            id="encoded-reference",
        ),
        pytest.param(
            {"enum": [0, 1], "minimum": 1}, {"minimum": 1}, True, id="member-out-of-bounds"
        ),
        pytest.param(
            {"allOf": [{"enum": [0, 1]}, {"exclusiveMinimum": 0}]},
            {"exclusiveMinimum": 0},
            True,
            id="member-out-of-bounds-beside",
        ),
        pytest.param(
            {"oneOf": [{"type": "null"}, {"type": ["number", "null"]}]},
            {"type": "number"},
            True,
            id="what-meets-two-alternatives-meets-none",
        ),
        pytest.param(
            {"oneOf": [{"type": "integer"}, {"type": "number"}]},
            {"type": "number"},
            True,
            id="integers-are-numbers",
        ),
        pytest.param({"type": "string"}, {"type": "string", "": "text"}, True, id="empty-keyword"),
    ],
)
def test_table(gives: Schema, takes: Schema, fits: bool) -> None:
    assert (not misfits(gives, takes)) is fits


NOTE: Schema = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
TAKEN: Schema = {"type": "object", "properties": {"n": {"type": "integer"}}}


def record(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def test_what_is_known_of_two_schemas_is_told_of_every_place() -> None:
    comparison = Comparison()
    for _ in range(2):
        found = comparison.misfits(record(x=NOTE, y=NOTE), record(x=TAKEN, y=TAKEN))
        assert [(misfit.path, misfit.certain) for misfit in found] == [
            (".x.n", True),
            (".y.n", True),
        ]


def steps_for(gives: Schema, takes: Schema) -> int:
    """The fewest steps that a comparison without misfits takes."""
    return next(steps for steps in range(99) if not Comparison(steps).misfits(gives, takes))


def test_what_is_known_costs_the_same_steps() -> None:
    given, other = record(x=NOTE, y=NOTE, z=NOTE), deepcopy(NOTE)
    same = record(x=other, y=other, z=other)
    apart = record(x=other, y=deepcopy(other), z=deepcopy(other))
    assert steps_for(given, same) == steps_for(given, apart)


def test_what_assumed_a_pair_further_up_is_not_taken_for_known() -> None:
    def nested(kind: str) -> Schema:
        inner = record()
        outer = record(b=inner, n={"type": kind})
        inner["properties"]["a"] = outer
        return record(x=outer, y=record(b=inner))

    found = Comparison().misfits(nested("string"), nested("integer"))
    assert [misfit.path for misfit in found] == [".x.n", ".y.b.a.n"]


ONE: Schema = {
    "1": {"$anchor": "one", "type": "integer", "default": 1},
    "2": {"$dynamicAnchor": "two", "default": 1},
}
FILLED: Schema = {"properties": {"a": {"default": 1}}, "required": ["a"]}


def test_a_value_that_is_listed_twice_counts_once() -> None:
    assert misfits({"type": "boolean"}, {"enum": [True, True]}), "false is not among them"
    assert not misfits({"type": "boolean"}, {"enum": [True, False, True]})
    assert not misfits({"type": "null"}, {"enum": [None, None]})


@pytest.mark.parametrize(
    ("takes", "fits"),
    [
        pytest.param(
            {"allOf": [{"properties": {"a": {"default": 1}}, "required": ["a"]}]}, True, id="allOf"
        ),
        pytest.param(
            {"allOf": [{"required": ["a"]}, {"properties": {"a": {"default": 1}}}]},
            True,
            id="required-beside",
        ),
        pytest.param(
            {"properties": {"a": {"allOf": [{"default": 1}]}}, "required": ["a"]}, True, id="below"
        ),
        pytest.param(
            {"anyOf": [{"properties": {"a": {"default": 1}}, "required": ["a"]}]}, False, id="anyOf"
        ),
        pytest.param(
            {"oneOf": [{"properties": {"a": {"default": 1}}, "required": ["a"]}]}, False, id="oneOf"
        ),
        pytest.param(
            {"properties": {"a": {"$ref": "#one"}}, "required": ["a"], "$defs": ONE},
            True,
            id="anchor",
        ),
        pytest.param(
            {"properties": {"a": {"$dynamicRef": "#two"}}, "required": ["a"], "$defs": ONE},
            True,
            id="dynamic-anchor",
        ),
        pytest.param(
            {"properties": {"a": {"$ref": "#two"}}, "required": ["a"], "$defs": ONE},
            True,
            id="reference-to-a-dynamic-anchor",
        ),
        pytest.param(
            {"properties": {"a": {"$dynamicRef": "#/$defs/1"}}, "required": ["a"], "$defs": ONE},
            True,
            id="dynamic-reference-by-pointer",
        ),
        pytest.param(
            {"patternProperties": {"^a$": {"default": 1}}, "required": ["a"]}, False, id="pattern"
        ),
        pytest.param(
            {"patternProperties": {"^a": {"type": "string"}}, **FILLED},
            False,
            id="beside-a-pattern",
        ),
    ],
)
def test_defaults_are_filled_in_where_they_are_said_to_be(takes: Schema, fits: bool) -> None:
    found = Comparison().misfits(linked({"const": {}}), linked(takes), defaults=True)
    assert (not found) is fits
    assert (not schema.validate(takes, schema.apply_defaults(takes, {}))) is fits
