"""The language of one `${...}`: values, refusals, references, numbers, bounds."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from waypost.expressions.expression import (
    ABSENT,
    MAX_LENGTH,
    Compiled,
    Double,
    EvaluationError,
    ExpressionError,
    Json,
    Reference,
    Variable,
    compile_expression,
    declare_numbers,
    evaluate,
    evaluate_condition,
    references,
)

DATA: dict[str, Json] = {
    "inputs": {
        "n": 1,
        "whole": 1.0,
        "price": 1.5,
        "i": 1,
        "text": "abc",
        "nothing": None,
        "list": [1, 2, 3],
        "map": {"b": 1, "a": 2},
        "rows": [{"id": 1, "tags": ["x"]}, {"id": 2, "tags": []}],
    },
    "nodes": {
        "draft": {"phase": "Succeeded", "output": {"title": "t", "rows": [{"id": 7}]}},
        "empty": {"phase": "Succeeded", "output": None},
        "skipped": {"phase": "Skipped"},
        "failed": {"phase": "Failed", "error": {"reason": "Timeout", "message": "too slow"}},
    },
    "self": {"inputs": {"q": 1}, "name": "me", "attempt": 1, "idempotencyKey": "k"},
    "run": {"name": "r", "round": 1},
}


def accepted(source: str) -> Compiled:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    return compiled


def value_of(source: str, data: dict[str, Json] = DATA) -> object:
    return evaluate(accepted(source), data)


def failure_of(source: str, data: dict[str, Json] = DATA) -> str:
    value = value_of(source, data)
    assert isinstance(value, EvaluationError), value
    return value.message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("inputs.text", "abc", id="path"),
        pytest.param("inputs.nothing", None, id="null-stays-null"),
        pytest.param("inputs['text']", "abc", id="literal-index"),
        pytest.param("inputs.list[inputs.i]", 2, id="index-by-int"),
        pytest.param("inputs.list[inputs.whole]", 2, id="index-by-1.0"),
        pytest.param("size(inputs.list) > inputs.n", True, id="size-compares"),
        pytest.param("inputs.rows.map(r, r.id)", [1, 2], id="map"),
        pytest.param("inputs.rows.filter(r, r.id > 1).map(r, r.id)", [2], id="filter-map"),
        pytest.param("inputs.rows.map(r, r.id > 1, r.id)", [2], id="map-with-condition"),
        pytest.param("inputs.list.map(x, inputs.list.map(y, x * y))[2][2]", 9, id="nested-map"),
        pytest.param("inputs.list.map(x, [x].map(x, x + 1)[0])", [2, 3, 4], id="shadowing"),
        pytest.param("inputs.list.exists_one(x, x == 2)", True, id="exists-one"),
        pytest.param("inputs.list.map(item, item)", [1, 2, 3], id="reserved-as-loop-variable"),
        pytest.param("{'b': 1, 'a': inputs.n}", {"a": 1, "b": 1}, id="map-literal"),
        pytest.param("keys(inputs.map)", ["a", "b"], id="keys-are-sorted"),
        pytest.param("keys(inputs.map).map(k, inputs.map[k])", [2, 1], id="loop-over-keys"),
        pytest.param("json(inputs.map)", '{"a":2,"b":1}', id="json-map"),
        pytest.param("json([null, 1.0, 1.5, 'é'])", '[null,1,1.5,"é"]', id="json-list"),
        pytest.param("json(inputs.text)", '"abc"', id="json-string"),
        pytest.param("json(null)", "null", id="json-null"),
        pytest.param("inputs.text.upperAscii()", "ABC", id="string-extension"),
        pytest.param("math.ceil(inputs.price)", 2, id="math-extension"),
        pytest.param("self.attempt + run.round", 2, id="self-and-run"),
        pytest.param("1u", 1, id="uint-is-a-number"),
        pytest.param("inputs.?text", "abc", id="optional-present"),
        pytest.param("inputs.?nothing", None, id="optional-null-is-present"),
        pytest.param("inputs.?gone", ABSENT, id="optional-absent"),
        pytest.param("inputs.?gone.orValue(3)", 3, id="optional-or-value"),
        pytest.param("inputs.list[?9]", ABSENT, id="optional-index"),
        pytest.param("inputs.?n.optMap(x, x + 1)", 2, id="optional-map"),
        pytest.param("[?inputs.?gone, 1]", [1], id="optional-element"),
        pytest.param("true ? inputs.?n : inputs.?gone", 1, id="optional-branches"),
        pytest.param("chunk(inputs.list, 2)", [[1, 2], [3]], id="chunk"),
        pytest.param("chunk(inputs.list, inputs.whole)", [[1], [2], [3]], id="chunk-by-1.0"),
        pytest.param("chunk([], 2)", [], id="chunk-of-nothing"),
        pytest.param("chunk(inputs.list, 9)", [[1, 2, 3]], id="chunk-larger-than-the-list"),
        pytest.param("flatten([[1], [], [2, [3]]])", [1, 2, [3]], id="flatten-one-level"),
        pytest.param("flatten(inputs.rows.map(r, r.tags))", ["x"], id="flatten-data"),
        pytest.param("flatten(chunk(inputs.rows, 1)) == inputs.rows", True, id="flatten-chunk"),
        pytest.param(
            "zip(inputs.list, ['a', null, 2.5])", [[1, "a"], [2, None], [3, 2.5]], id="zip"
        ),
        pytest.param("zip(range(2), range(2))[1][1]", 1, id="zip-of-a-list-that-is-kept"),
        pytest.param("range(size(inputs.list))", [0, 1, 2], id="range"),
        pytest.param("range(0)", [], id="range-of-nothing"),
        pytest.param("range(3).map(i, range(i))", [[], [0], [0, 1]], id="range-in-range"),
        pytest.param("size(range(10000))", 10000, id="largest-range"),
        pytest.param(
            "flatten(['a', 'b'].map(x, inputs.list.map(y, {'x': x, 'y': y})))[4]",
            {"x": "b", "y": 2},
            id="cross-product",
        ),
        pytest.param("inputs.n == 2 || inputs.text == 'abc'", True, id="logic"),
    ],
)
def test_values(source: str, expected: object) -> None:
    value = value_of(source)
    assert value == expected
    assert type(value) is type(expected), "JSON kinds must not drift"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("has(nodes.draft.output)", True, id="succeeded"),
        pytest.param("has(nodes.empty.output)", True, id="null-is-a-value"),
        pytest.param("has(nodes.skipped.output)", False, id="skipped"),
        pytest.param("has(nodes.skipped.output.title)", False, id="below-a-missing-output"),
        pytest.param("has(nodes.skipped.output.rows[0].id)", False, id="below-an-index"),
        pytest.param("has(nodes.draft.output.gone)", False, id="missing-property"),
        pytest.param("has(nodes.draft.output.title)", True, id="present-property"),
        pytest.param("nodes.skipped.output.?title", ABSENT, id="optional-below-missing-output"),
        pytest.param("nodes.skipped.output[?'title'].orValue('d')", "d", id="optional-index"),
        pytest.param("nodes.skipped.output.rows[0].?id", ABSENT, id="optional-below-index"),
        pytest.param("nodes.skipped.?output.title.orValue('d')", "d", id="optional-output"),
        pytest.param("nodes.draft.output.?title", "t", id="optional-present"),
        pytest.param("nodes.skipped.phase == 'Skipped'", True, id="phase"),
        pytest.param("nodes.failed.error.reason", "Timeout", id="error"),
        pytest.param("has(nodes.draft.error.reason)", False, id="no-error"),
    ],
)
def test_what_soft_references_see(source: str, expected: object) -> None:
    assert value_of(source) == expected, "S35: true iff the output exists, even when it is null"


@pytest.mark.parametrize(
    ("source", "node", "fields", "soft"),
    [
        pytest.param("nodes.a.output", "a", "output", False, id="hard"),
        pytest.param("nodes.a.output.b.c", "a", "output.b.c", False, id="hard-path"),
        pytest.param("nodes.a.output['b'].c", "a", "output.b.c", False, id="hard-literal-index"),
        pytest.param("nodes.a.output.b[0].c", "a", "output.b", False, id="hard-computed-step"),
        pytest.param(".nodes.a.output", "a", "output", False, id="hard-leading-dot"),
        pytest.param("[1].map(x, nodes.a.output)", "a", "output", False, id="hard-in-macro"),
        pytest.param("has(nodes.a.output)", "a", "output", True, id="soft-has"),
        pytest.param("has(nodes.a.output.b)", "a", "output.b", True, id="soft-has-path"),
        pytest.param("has(nodes.a.output.b[0].c)", "a", "output.b", True, id="soft-has-index"),
        pytest.param("nodes.a.?output", "a", "output", True, id="soft-optional-output"),
        pytest.param("nodes.a.output.?b", "a", "output.b", True, id="soft-optional-field"),
        pytest.param("nodes.a.output.b[0].?c", "a", "output.b", True, id="soft-optional-deep"),
        pytest.param("nodes.a.output[?'b']", "a", "output.b", True, id="soft-optional-index"),
        pytest.param("nodes.a.phase", "a", "phase", True, id="soft-phase"),
        pytest.param("nodes.a.error.reason", "a", "error.reason", True, id="soft-error"),
    ],
)
def test_references(source: str, node: str, fields: str, soft: bool) -> None:
    assert references(source) == (Reference(node, tuple(fields.split(".")), soft),)


def test_soft_and_hard_uses_are_soft() -> None:
    found = references("has(nodes.a.output) ? nodes.a.output.x : nodes.b.output")
    assert isinstance(found, tuple)
    assert {(r.node, r.soft) for r in found} == {("a", True), ("b", False)}, "S32"


def test_text_that_looks_like_a_reference_is_none() -> None:
    assert references("'nodes.a.output'") == (), "read from the tree, not from the text"
    assert references("{'nodes': {'a': 1}}.nodes.a") == ()


def test_roots_are_what_is_read() -> None:
    compiled = accepted("inputs.a + self.inputs.b")
    assert compiled.roots == {Variable.INPUTS, Variable.SELF}


@pytest.mark.parametrize(
    ("source", "hint", "offset"),
    [
        pytest.param("", "empty", 0, id="empty"),
        pytest.param("1 +", "ends too early", 3, id="cut-off"),
        pytest.param("'a", "syntax error", 0, id="open-string"),
        pytest.param("nodes.gather-logs.output", "nodes.gather_logs", 13, id="dash-undeclared"),
        pytest.param("nodes.gather-inputs.output", "nodes.gather_inputs", 0, id="dash-declared"),
        pytest.param("nodes['a'].output", "literally", 0, id="node-by-string"),
        pytest.param("nodes[inputs.x].output", "literally", 0, id="node-by-expression"),
        pytest.param("nodes[?'a'].output", "literally", 0, id="node-by-optional-index"),
        pytest.param("nodes.all(n, true)", "lists only", 0, id="all-nodes"),
        pytest.param("size(nodes)", "stands alone", 5, id="bare-nodes"),
        pytest.param("nodes.a", ".output, .artifacts, .phase or .error", 0, id="bare-node"),
        pytest.param(
            "has(nodes.a)", ".output, .artifacts, .phase or .error", 4, id="has-bare-node"
        ),
        pytest.param("nodes.a.outputs", "no field outputs", 0, id="unknown-node-field"),
        pytest.param("1 + event.x", "reserved", 4, id="reserved-event"),
        pytest.param("secrets.x", "valueFrom", 0, id="secrets"),
        pytest.param("gather.output", "inputs, nodes.<name>", 0, id="unknown-name"),
        pytest.param("inputs.map(k, k)", "keys(m)", 0, id="loop-over-inputs"),
        pytest.param("self.inputs.all(k, true)", "keys(m)", 4, id="loop-over-own-inputs"),
        pytest.param("{'a': 1}.exists(k, true)", "keys(m)", 0, id="loop-over-map-literal"),
        pytest.param("[1].map(inputs, inputs)", "another loop variable", 7, id="shadowed-root"),
        pytest.param("google.protobuf.Struct{}", "write a map", 22, id="message"),
        pytest.param("'a' == 1", "`==` does not take (string, int)", 4, id="static-types"),
        pytest.param("[inputs.?a]", "orValue", 7, id="optional-in-list"),
        pytest.param("json(inputs.?a)", "orValue", 11, id="optional-in-function"),
        pytest.param("[inputs.a[?0]]", "orValue", 9, id="optional-of-dynamic-in-list"),
        pytest.param("dyn(inputs.?a)", "orValue", 10, id="optional-hidden-by-dyn"),
        pytest.param("[1].map(x, inputs.?a)", "orValue", 17, id="optional-in-macro"),
        pytest.param("@refuse_range()", "syntax error", 0, id="internal-function"),
        pytest.param("'" + "x" * MAX_LENGTH + "'", "characters", 0, id="too-long"),
        pytest.param("[" * 60 + "]" * 60, "too deeply", 0, id="too-deep"),
        pytest.param("1" + " + 1" * 60, "too deeply", 0, id="too-many-operators"),
        pytest.param("inputs.?a" + ".optMap(x, x)" * 5, "optMap", 0, id="exponential-macro"),
        pytest.param("'\0'", "not text", 0, id="nul"),
        pytest.param("'\ud800'", "not text", 0, id="surrogate"),
        pytest.param("'é😀' + foo", "foo", 7, id="offset-counts-characters"),
        pytest.param("1 +\n\n foo", "foo", 6, id="offset-over-lines"),
    ],
)
def test_refused(source: str, hint: str, offset: int) -> None:
    error = compile_expression(source)
    assert isinstance(error, ExpressionError), error
    assert hint in error.message
    if "token" not in error.message and hint not in ("write a map", "syntax error"):
        assert error.offset == offset, "the message points at the mistake"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            "nodes.draft.output.titel",
            "nodes.draft.output.titel: no such field; available: rows, title",
            id="misspelt",
        ),
        pytest.param(
            "nodes.draft.output.titel + '!'",
            "nodes.draft.output.titel: no such field; available: rows, title",
            id="misspelt-inside",
        ),
        pytest.param(
            "nodes.skipped.output.title",
            "nodes.skipped.output: node skipped has no output, its phase is Skipped",
            id="no-output",
        ),
        pytest.param(
            "inputs.text.x",
            "inputs.text: not an object, so it has no field x",
            id="not-an-object",
        ),
        pytest.param("inputs.list.reverse()", "`reverse` does not take (list)", id="method"),
        pytest.param("inputs.text + 1", "`+` does not take (string, int)", id="types"),
        pytest.param("1 / (inputs.n - 1)", "a division by zero", id="divide-by-zero"),
        pytest.param("1 / (inputs.price - 1.5)", "a division by zero", id="divide-by-zero-double"),
        pytest.param("inputs.n ? 1 : 2", "not true or false", id="condition"),
        pytest.param("inputs.map.map(k, k)", "keys(m)", id="loop-over-dynamic-map"),
        pytest.param("inputs.map.exists(k, true)", "keys(m)", id="exists-over-dynamic-map"),
        pytest.param("inputs.text.map(k, k)", "lists only", id="loop-over-string"),
        pytest.param("inputs.nothing.map(k, k)", "lists only", id="loop-over-null"),
        pytest.param("b'x'", "bytes is not JSON", id="bytes"),
        pytest.param("{'a': [b'x']}", "the result.a[0]: bytes", id="bytes-inside"),
        pytest.param("timestamp('2020-01-01T00:00:00Z')", "a timestamp", id="timestamp"),
        pytest.param("duration('1s')", "a duration", id="duration"),
        pytest.param("type(1)", "a type", id="type"),
        pytest.param("{1: 2}", "must be strings", id="int-keys"),
        pytest.param("1e308 * 10.0", "NaN and Infinity", id="infinity"),
        pytest.param("9007199254740991 + 1", "beyond 2^53", id="unsafe-integer"),
        pytest.param("json(b'a')", "bytes is not JSON", id="json-of-bytes"),
        pytest.param("keys(inputs.n)", "`keys`", id="keys-of-int"),
        pytest.param("[9, 8][inputs.list[2]]", "there is no element", id="index-out-of-range"),
    ],
)
def test_errors_are_values(source: str, message: str) -> None:
    assert message in failure_of(source)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(2**53, "inputs.x.deep[0]: the integer is beyond 2^53", id="unsafe-integer"),
        pytest.param(float("nan"), "inputs.x.deep[0]: NaN", id="nan"),
        pytest.param(object(), "inputs.x.deep[0]: a type is not JSON", id="foreign"),
    ],
)
def test_data_that_is_no_json(value: object, message: str) -> None:
    data = {"inputs": {"x": {"deep": [value]}}}
    assert message in failure_of("inputs.x", data)
    assert message in failure_of("size(inputs.x) == 1", data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("admin\0x", "NUL", id="nul"),
        pytest.param("\ud800", "no UTF-8 form", id="lone-surrogate"),
    ],
)
def test_text_that_the_library_would_cut_or_refuse(text: str, message: str) -> None:
    for inputs in ({"x": text}, {"x": {text: 1}}, {"x": [text]}):
        problem = failure_of("inputs.x == 'admin'", {"inputs": inputs})
        assert message in problem, "cut at NUL, 'admin' would equal 'admin\\0x'"


def test_data_nested_beyond_the_stack() -> None:
    deep: Json = []
    for _ in range(5000):
        deep = [deep]
    assert "nested deeper" in failure_of("inputs.x", {"inputs": {"x": deep}})


@pytest.mark.parametrize("n", [pytest.param(1, id="1"), pytest.param(1.0, id="1.0")])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("inputs.n * 100.0", 100, id="meets-double"),
        pytest.param("1.5 - inputs.n", 0.5, id="double-meets"),
        pytest.param("inputs.n * 1.1", 1.1, id="times"),
        pytest.param("inputs.n / 2.0", 0.5, id="divided"),
        pytest.param("inputs.n + 1", 2, id="meets-int"),
        pytest.param("['a', 'b'][inputs.n]", "b", id="index"),
        pytest.param("inputs.n == 1 && inputs.n == 1.0", True, id="equal"),
        pytest.param("inputs.n < 1.5 && inputs.n < 2", True, id="compared"),
        pytest.param("[inputs.n].map(x, x * 1.5)", [1.5], id="in-macro"),
        pytest.param("string(inputs.n)", "1", id="text"),
    ],
)
def test_one_and_one_point_zero_are_one_number(n: float, source: str, expected: object) -> None:
    value = value_of(source, {"inputs": {"n": n}})
    assert value == expected, "the API server stores 1.0 as 1"
    assert type(value) is type(expected)


def test_declared_numbers_divide_as_numbers() -> None:
    schema = {
        "properties": {"n": {"type": "number"}, "i": {"type": "integer"}},
        "additionalProperties": {"items": {"type": ["number", "null"]}},
    }
    inputs = declare_numbers({"n": 3, "i": 3, "more": [1, None], "flag": True}, schema)
    assert inputs == {"n": 3, "i": 3, "more": [1, None], "flag": True}
    assert isinstance(inputs["n"], Double)
    assert isinstance(inputs["more"][0], Double)
    data = {"inputs": inputs}
    assert value_of("inputs.n / 2", data) == 1.5, "declared number: not an integer division"
    assert value_of("inputs.i / 2", data) == 1
    assert value_of("inputs.n + inputs.i", data) == 6
    assert type(value_of("inputs.n", data)) is int, "a result has the one form of its number"


NUMBER: dict[str, Any] = {"$anchor": "n", "$dynamicAnchor": "m", "type": "number"}


@pytest.mark.parametrize(
    ("schema", "half"),
    [
        pytest.param({"$ref": "#n"}, 1.5, id="anchor"),
        pytest.param({"$dynamicRef": "#m"}, 1.5, id="dynamic-anchor"),
        pytest.param({"$dynamicRef": "#/$defs/N"}, 1.5, id="dynamic-pointer"),
        pytest.param({"$ref": "#/properties/z"}, 1.5, id="outside-of-defs"),
        pytest.param({"$ref": "#o"}, 1, id="unknown"),
    ],
)
def test_numbers_are_declared_through_every_reference(schema: Any, half: float) -> None:
    root = {"properties": {"a": schema, "z": {"type": "number"}}, "$defs": {"N": NUMBER}}
    inputs = declare_numbers({"a": 3}, root)
    assert value_of("inputs.a / 2", {"inputs": inputs}) == half, "as the static check reads it"


def test_additional_properties_declare_no_number_beside_a_pattern() -> None:
    schema = {"patternProperties": {"^a": {}}, "additionalProperties": {"type": "number"}}
    assert value_of("inputs.a / 2", {"inputs": declare_numbers({"a": 3}, schema)}) == 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("true", True, id="true"),
        pytest.param("inputs.n == 2", False, id="false"),
    ],
)
def test_conditions(source: str, expected: bool) -> None:
    assert evaluate_condition(accepted(source), DATA) is expected


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("'true'", id="text-true"),
        pytest.param("inputs.nothing", id="null"),
        pytest.param("inputs.n", id="one"),
        pytest.param("inputs.list", id="list"),
        pytest.param("inputs.?gone", id="absent"),
        pytest.param("inputs.gone == 'Approved'", id="error-value"),
        pytest.param("inputs.text", id="text"),
        pytest.param("[inputs.map].all(m, m.all(k, true))", id="error-in-loop"),
    ],
)
def test_nothing_but_true_opens(source: str) -> None:
    verdict = evaluate_condition(accepted(source), DATA)
    assert isinstance(verdict, EvaluationError), "an error value must never open a gate"


def test_equal_sources_compile_once() -> None:
    assert compile_expression("inputs.cached") is compile_expression("inputs.cached")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None does not count there")
def test_results_of_null_do_not_use_up_none() -> None:
    for _ in range(2000):
        assert value_of("inputs.i > 0 ? null : null") is None
    assert sys.getrefcount(None) > 20_000
