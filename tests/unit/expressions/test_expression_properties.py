"""What holds for every text and every value: nothing raises, nothing depends on the process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.expressions.expression import (
    Absent,
    Compiled,
    EvaluationError,
    ExpressionError,
    Json,
    compile_expression,
    evaluate,
    evaluate_condition,
)
from waypost.expressions.templates import (
    NullPolicy,
    RenderError,
    parse_template,
    problems_in,
    references_in,
    render_json,
    render_text,
)
from waypost.kube.manifests.pod import escape_pod_string

NAMES = st.sampled_from(["a", "b", "list", "map"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
DATA = st.fixed_dictionaries(
    {
        "inputs": st.dictionaries(NAMES, JSON, max_size=4),
        "nodes": st.just({"x": {"phase": "Skipped"}}),
    }
)

# Pieces of CEL, so that random texts get past the parser often enough to matter.
PIECES = st.sampled_from(
    re.findall(
        r"\S+",
        """
        inputs inputs. nodes.x.output nodes.x.?output self run a b list map . .? [0] [?0] ['a']
        ( ) { } [ ] 'a' 1 1.5 null true + - * / == < && || ? : , ! has( .map(k, .filter(k,
        .all(k, k k) .orValue(1) .hasValue() .optMap(k, keys( json( size( string( int( type( dyn(
        optional.of( {'a': b'x' timestamp('2020-01-01T00:00:00Z') .size() .split('') .join(',')
        .replace('a','b') in // \\ " .value() .or( .first() .last() .format([ duration('1s')
        .optFlatMap(k, optional.none()
        """,
    )
)
EXPRESSIONS = st.text(max_size=30) | st.lists(PIECES, max_size=12).map("".join)
# Well-formed by construction: almost all of these compile.
VALID = st.recursive(
    st.sampled_from(
        [
            *("inputs.a", "inputs.?b", "inputs.list", "inputs.map.a", "nodes.x.?output"),
            *("1", "1.5", "1u", "'a'", "b'x'", "true", "null", "[]", "{}"),
            *("inputs.list[?0]", "optional.none()"),
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "==", "<", "&&", "||", "in"]), inner)
        .map(" ".join)
        .map("({})".format),
        inner.map("[{}]".format),
        inner.map("{{'k': {}}}".format),
        inner.map("json({})".format),
        inner.map("keys({})".format),
        inner.map("dyn({})".format),
        inner.map("type({})".format),
        inner.map("({}).a".format),
        inner.map("({}).?a".format),
        inner.map("({})[?0]".format),
        inner.map("({}).orValue(1)".format),
        inner.map("({}).first()".format),
        inner.map("optional.of({})".format),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}).map(k, {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"(true ? {two[0]} : {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}).optMap(k, {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"dyn({two[0]}).or({two[1]})"),
    ),
    max_leaves=6,
)


def judge(source: str, data: dict[str, Json]) -> None:
    compiled = compile_expression(source)
    if isinstance(compiled, ExpressionError):
        assert compiled.message
        assert 0 <= compiled.offset <= len(source)
        return
    value = evaluate(compiled, data)
    if isinstance(value, EvaluationError):
        assert value.message
    elif not isinstance(value, Absent):
        json.dumps(value, allow_nan=False)
    assert isinstance(evaluate_condition(compiled, data), bool | EvaluationError)


@settings(deadline=None)
@given(EXPRESSIONS, DATA)
def test_no_text_makes_an_expression_raise(source: str, data: dict[str, Json]) -> None:
    judge(source, data)


@settings(max_examples=150, deadline=None)
@given(VALID, DATA)
def test_no_expression_crashes(source: str, data: dict[str, Json]) -> None:
    judge(source, data)


@settings(deadline=None)
@given(st.text(max_size=40) | st.lists(PIECES | st.just("${") | st.just("}")).map("".join))
def test_no_text_makes_a_template_raise(text: str) -> None:
    parse_template(text)
    assert isinstance(render_text(text, {}, null=NullPolicy.REFUSE), str | RenderError)


@settings(deadline=None)
@given(st.text(max_size=60).filter(lambda text: "${" not in text))
def test_text_without_template_is_itself(text: str) -> None:
    assert render_text(text, {}, null=NullPolicy.REFUSE) == text
    assert render_json(text, {}) == text


@settings(deadline=None)
@given(JSON)
def test_any_json_can_be_a_field(value: Json) -> None:
    references_in(value)
    problems_in(value)
    render_json(value, {})


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_data_comes_out_as_it_went_in(before: str, after: str) -> None:
    hostile = f"{before}${{inputs.x}} $(SECRET) $${{a}}{after}"
    data = {"inputs": {"x": hostile}}
    assert render_json("${inputs.x}", data) == hostile
    assert render_text("<${inputs.x}>", data, null=NullPolicy.REFUSE) == f"<{hostile}>"
    escaped = escape_pod_string(hostile)
    assert escaped.count("$") == 2 * hostile.count("$")
    assert escaped.replace("$$", "$") == hostile


@settings(deadline=None)
@given(JSON)
def test_a_plain_path_is_what_the_library_makes_of_it(value: Json) -> None:
    data = {"inputs": {"x": value}}
    plain, called = compile_expression("inputs.x"), compile_expression("[inputs.x][0]")
    assert isinstance(plain, Compiled)
    assert isinstance(called, Compiled)
    left, right = evaluate(plain, data), evaluate(called, data)
    if isinstance(left, EvaluationError) or "\\u0000" in json.dumps(value):
        assert isinstance(right, EvaluationError)
    else:
        assert json.dumps(left) == json.dumps(right), "numbers and the order of keys too"


def value_of(source: str, data: dict[str, Json]) -> object:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    return evaluate(compiled, data)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("['aaaa']" + ".map(x, x + x + x + x + x + x + x + x)" * 9, id="text-doubling"),
        pytest.param("['aaaa']" + ".map(x, [x, x, x, x])" * 14, id="shared-lists"),
        pytest.param("inputs.big.replace('', inputs.big)", id="replace"),
        pytest.param("inputs.big.split('').join(inputs.big)", id="join"),
        pytest.param("inputs.many.map(x, inputs.many)", id="captured"),
    ],
)
def test_small_expressions_cannot_build_gigabytes(source: str) -> None:
    data = {"inputs": {"big": "x" * 50_000, "many": list(range(9000))}}
    assert "64 MiB" in str(value_of(source, data))


def test_usual_work_on_usual_data_is_within_the_bound() -> None:
    orders = [{"id": "o" * 8, "items": [{"sku": "s" * 10}] * 10}] * 300
    data = {"inputs": {"orders": orders, "text": "word " * 2_000}}
    skus = value_of("inputs.orders.map(o, o.items.map(i, o.id + i.sku))", data)
    assert isinstance(skus, list)
    assert len(skus) == 300
    words = value_of("inputs.text.split(' ').filter(w, w != '').map(w, w + '!').size()", data)
    assert words == 2000


def test_more_steps_than_the_library_takes() -> None:
    source = "inputs.a.all(x, inputs.a.all(y, true))"
    assert value_of(source, {"inputs": {"a": list(range(150))}}) is True


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 128, 1000])
def test_loops_in_spans_keep_every_element(length: int) -> None:
    data = {"inputs": {"a": list(range(length))}}
    assert value_of("inputs.a.map(x, x * 2)", data) == [x * 2 for x in range(length)]
    assert value_of("inputs.a.filter(x, x % 2 == 0)", data) == list(range(0, length, 2))


MAP_SOURCES = (
    "inputs.m",
    "keys(inputs.m)",
    "json(inputs.m)",
    "'%s'.format([inputs.m])",
    "{'z': inputs.m, 'a': 1, 'm': [inputs.m]}",
    "inputs.m.map(k, k)",
    "inputs.m.exists(k, k == 'k3')",
    "[inputs.m].map(m, m.filter(k, true))",
    "inputs.m == inputs.m ? keys(inputs.m).map(k, inputs.m[k]) : []",
    "inputs.m.k9.missing",
    "inputs.m + 1",
    "nodes[inputs.m]",
    "inputs.?gone.orValue({'b': 1, 'a': 2})",
)
SCRIPT = """
import json, sys
from waypost.expressions.expression import compile_expression, evaluate, Compiled
data = {"inputs": {"m": {f"k{i}": i for i in range(20)}}}
for source in json.loads(sys.argv[1]):
    compiled = compile_expression(source)
    value = evaluate(compiled, data) if isinstance(compiled, Compiled) else compiled
    print(repr(value))
"""


def test_every_process_gives_the_same() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, json.dumps(MAP_SOURCES)],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2, 3)
    }
    assert len(outputs) == 1, "a fingerprint is made of these values"
    assert "0x" not in outputs.pop(), "no memory address in an error text"
