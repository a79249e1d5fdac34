"""`chunk`, `flatten`, `zip` and `range`: what they refuse, what they keep, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest
from waypost.expressions import lists
from waypost.expressions.estimates.cost import MAX_BUILT, costs
from waypost.expressions.expression import (
    Compiled,
    EvaluationError,
    ExpressionError,
    compile_expression,
    evaluate,
)

DATA: Any = {
    "inputs": {
        "n": 3,
        "l": [1, 2, 3],
        "long": "x" * 250_000,
        "nul": ["a\0b"],
        "holes": [[1], None, [2]],
        "rows": [{"t": "z" * 100, "n": [1, 2, 3]} for _ in range(2000)],
        "many": list(range(9000)),
        "m": {"a": 1},
    }
}


def compiled(source: str) -> Compiled:
    one = compile_expression(source)
    assert isinstance(one, Compiled), one
    return one


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param("chunk(inputs.l, 0)", "n must be 1 or more, found 0", id="chunk-zero"),
        pytest.param("chunk(inputs.l, -1)", "n must be 1 or more, found -1", id="chunk-negative"),
        pytest.param("chunk(inputs.m, 1)", "`chunk` does not take (map, int)", id="chunk-map"),
        pytest.param("chunk(inputs.nul, 1)", "NUL character", id="data-that-would-be-cut"),
        pytest.param("chunk(['a\\u0000b'], 1)", "a text holds a NUL", id="text-that-would-be-cut"),
        pytest.param("zip([{'a\\u0000': 1}], [1])", "a text holds a NUL", id="key-cut"),
        pytest.param("chunk([timestamp(0)], 1)", "a timestamp cannot be", id="timestamp"),
        pytest.param("chunk([[duration('1s')]], 1)", "a duration cannot be", id="duration"),
        pytest.param("flatten([[b'x']])", "bytes cannot be an element", id="bytes"),
        pytest.param("chunk([type(1)], 1)", "a type cannot be an element", id="type"),
        pytest.param("flatten(inputs.l)", "each element must be a list, [0] is a num", id="flat"),
        pytest.param("flatten(inputs.holes)", "must be a list, [1] is null", id="flatten-null"),
        pytest.param("zip(inputs.l, [1])", "same length, found 3 and 1", id="zip-lengths"),
        pytest.param("range(-1)", "n must be from 0 to 10000, found -1", id="range-negative"),
        pytest.param("range(10001)", "from 0 to 10000, found 10001", id="range-above"),
        pytest.param("range(9223372036854775807)", "from 0 to 10000", id="range-huge"),
        pytest.param("range(inputs.n * 5000)", "found 15000", id="range-computed"),
    ],
)
def test_s191_what_has_no_value_says_why(source: str, says: str) -> None:
    value = evaluate(compiled(source), DATA)
    assert isinstance(value, EvaluationError), value
    assert says in value.message


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param("range()", "the function `range` is written range(n)", id="no-argument"),
        pytest.param("range(1, 5)", "is written range(n)", id="begin-and-end"),
        pytest.param("zip(inputs.l)", "is written zip(a, b)", id="one-list"),
        pytest.param("chunk(inputs.l)", "is written chunk(list, n)", id="no-size"),
        pytest.param("range('3')", "`range` does not take (string)", id="range-of-text"),
        pytest.param("chunk([inputs.?l], 1)", "an optional value stands here", id="optional"),
        pytest.param("flatten(inputs.l[?0])", "an optional value stands here", id="dynamic"),
        pytest.param("flatten(inputs.?l)", "does not take (optional_type", id="optional-list"),
        pytest.param("range(inputs.?n)", "does not take (optional_type", id="optional-number"),
    ],
)
def test_what_is_not_accepted_says_why(source: str, says: str) -> None:
    refused = compile_expression(source)
    assert isinstance(refused, ExpressionError), refused
    assert says in refused.message


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("range(10000).map(i, inputs.long)", id="range-of-long-texts"),
        pytest.param("range(9000).map(i, range(9000))", id="range-in-range"),
        pytest.param("range(size(inputs.many)).map(i, inputs.many)", id="range-by-size"),
        pytest.param("range(inputs.n * 3000).map(i, inputs.long)", id="range-by-product"),
        pytest.param("range(inputs.many[8000]).map(i, inputs.long)", id="range-by-an-element"),
        pytest.param("inputs.many.map(i, chunk(inputs.many, 1))", id="chunk-in-a-loop"),
        pytest.param("chunk(inputs.many, 1).map(c, inputs.long)", id="chunks-of-one"),
        pytest.param("flatten(inputs.many.map(i, inputs.many))", id="flatten-of-much"),
        pytest.param("inputs.many.map(i, zip(inputs.many, inputs.many))", id="zip-in-a-loop"),
        pytest.param("zip(inputs.many, inputs.many).map(p, inputs.long)", id="loop-over-pairs"),
        pytest.param(
            "flatten(flatten([range(100).map(a, range(100).map(b, range(100)))]))"
            ".map(c, inputs.long)",
            id="million-elements",
        ),
    ],
)
def test_s190_what_builds_much_is_refused_first(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("chunk", "flatten", "zipped", "numbers"):
        monkeypatch.setattr(lists, name, lambda *_: pytest.fail("it was evaluated"))
    value = evaluate(compiled(source), DATA)
    assert isinstance(value, EvaluationError)
    assert "MiB" in value.message


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("range(3).map(i, inputs.long)", id="literal"),
        pytest.param("range(inputs.n).map(i, inputs.long)", id="from-data"),
        pytest.param("range(size(inputs.l) + 1).map(i, inputs.long)", id="from-a-size"),
        pytest.param("range((size(inputs.l) + 1) / 2).map(i, inputs.long)", id="divided"),
        pytest.param("range(inputs.l[0] - 1).map(i, inputs.long)", id="from-an-element"),
        pytest.param("inputs.l.map(x, range(x).map(i, inputs.long))", id="from-a-loop"),
        pytest.param("chunk(inputs.rows, 50).map(c, c.map(r, r.t).join(','))", id="chunks"),
        pytest.param("chunk(inputs.rows, 50).map(c, json(c))", id="json-of-chunks"),
        pytest.param("flatten(inputs.rows.map(r, r.n))", id="flatten"),
        pytest.param("flatten(chunk(inputs.rows, 3)).map(r, r.t + '!')", id="there-and-back"),
        pytest.param("zip(inputs.rows, range(2000)).map(p, [p[0].t, p[1]])", id="numbered"),
        pytest.param("range(9500).map(i, {'i': i})", id="long-range"),
    ],
)
def test_s190_what_people_write_is_not_refused(source: str) -> None:
    one = compiled(source)
    value = evaluate(one, DATA)
    assert not isinstance(value, EvaluationError), value
    built, _ = costs(one.tree.expr, DATA)
    assert _bytes_of(value) <= built <= MAX_BUILT


def test_results_hold_after_the_same_list_was_used_again() -> None:
    source = "zip(chunk(range(4), 2), chunk(range(4), 2))"
    first = evaluate(compiled(source), DATA)
    assert first == evaluate(compiled(source), DATA) == [[[0, 1]] * 2, [[2, 3]] * 2]
    assert evaluate(compiled("range(4)"), DATA) == [0, 1, 2, 3]


def _bytes_of(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return sum(_bytes_of(key) + _bytes_of(item) for key, item in value.items())
    return sum(map(_bytes_of, value)) if isinstance(value, list) else 8
