"""Expressions and templates that try to cost much: refused before they do (S18)."""

from __future__ import annotations

from typing import Any

import pytest
from waypost.expressions import cel
from waypost.expressions.estimates.cost import Budget
from waypost.expressions.expression import (
    Compiled,
    EvaluationError,
    ExpressionError,
    compile_expression,
    evaluate,
)
from waypost.expressions.templates import NullPolicy, RenderError, render_json, render_text

DATA: Any = {
    "inputs": {
        "s": "x" * 250_000,
        "long": "x" * 1_000_000,
        "quotes": '"' * 100,
        "controls": "\x01" * 100_000,
        "l": list(range(9000)),
        "m": {f"k{at}": at for at in range(20_000)},
        "texts": ["y" * 1000] * 250,
        "rows": [{"t": "z" * 100, "n": [1, 2, 3]} for _ in range(2000)],
        "one": [1],
    }
}


def nested(function: str, times: int, inner: str) -> str:
    return f"{function}(" * times + inner + ")" * times


BUILDING = {
    "json-of-json": nested("json", 22, "inputs.quotes"),
    "json-of-controls": nested("json", 10, "inputs.controls"),
    "json-of-json-in-lists": "json([json([json([json([json([json([json([inputs.s])])])])])])])" * 1,
    "quote-of-quote": nested("strings.quote", 18, "inputs.quotes + inputs.quotes + inputs.quotes"),
    "sums": " + ".join(f"({' + '.join(['inputs.long'] * 11)})" for _ in range(11)),
    "sums-in-a-list": f"[{', '.join(['inputs.long + inputs.long'] * 40)}]",
    "doubling-in-chained-maps": "['aaaa']" + ".map(x, x + x + x + x)" * 14,
    "doubling-lists": "['aaaa']" + ".map(x, [x, x, x, x])" * 14,
    "doubling-bindings": "[inputs.s].map(a, a + a).map(b, b + b + b + b + b + b + b + b)"
    ".map(c, c + c + c + c + c + c + c + c + c)[0].size()",
    "text-in-every-turn": "inputs.l.map(a, inputs.s + string(a))",
    "list-in-every-turn": "inputs.l.map(a, inputs.l)",
    "map-in-every-turn": "inputs.l.map(a, {'m': inputs.m, 'n': inputs.m})",
    "rows-of-rows": "inputs.rows.map(r, inputs.rows.map(q, r.t + q.t))",
    "replace-nothing": "inputs.s.replace('', inputs.s)",
    "replace-each": "inputs.s.replace('x', inputs.s)",
    "replace-chain": "inputs.s.replace('x', 'yyyyyyyy').replace('y', 'zzzzzzzz')"
    ".replace('z', 'aaaaa')",
    "replace-by-two": "inputs.s" + ".replace('x', 'xx')" * 12,
    "join-by-long": "inputs.l.map(a, 'b').join(inputs.s)",
    "split-to-characters-again": "inputs.long.split('').map(a, inputs.s)",
    "split-join": "inputs.s.split('').join(inputs.s)",
    "format-wide": "'%.1000f %.1000f'.format([1.0, 2.0]).replace('0', inputs.s)",
    "format-of-many": "'%s'.format([inputs.l.map(a, inputs.s)])",
    "keys-again": "inputs.l.map(a, keys(inputs.m))",
    "ternary": "inputs.l.map(a, a > 1 ? inputs.s + 'a' : inputs.s + 'b')",
    "optional": "inputs.l.map(a, inputs.?s.orValue('') + 'x')",
    "captured": "inputs.texts.map(a, inputs.texts.map(b, a + b))",
    "upper": "inputs.l.map(a, inputs.s.upperAscii())",
}
READING = {
    "contains": "inputs.l.all(a, !inputs.s.contains('xxxxxxxxxxxxxxxxxxz'))",
    "long-needle": "inputs.s.contains(inputs.s.substring(0, 100000) + 'z')",
    "equal-maps": "inputs.l.all(a, inputs.m == inputs.m)",
    "equal-lists": "inputs.l.all(a, inputs.l == inputs.l)",
    "in-list-of-maps": "inputs.rows.all(r, inputs.rows.all(q, r in inputs.rows))",
    "in-made-list": "inputs.l.all(a, !(-1 in inputs.l.map(b, b)))",
    "search-for-half-of-a-text": "inputs.long.contains(inputs.s + 'z')",
    "split-by-each": "inputs.l.all(a, inputs.long.split(string(a)).size() > 0)",
    "in-list": "inputs.l.all(a, !(-1 in inputs.l))",
    "matches": "inputs.l.all(a, !inputs.s.matches('x*z'))",
    "index-of": "inputs.l.all(a, inputs.s.indexOf('z') < 0)",
    "last-index-of": "inputs.l.all(a, inputs.s.lastIndexOf('z') < 0)",
    "size": "inputs.l.all(a, size(inputs.s) > 0)",
    "compare": "inputs.l.all(a, inputs.s <= inputs.s)",
    "exists": "inputs.l.exists(a, inputs.long.contains('ab'))",
    "exists-one": "inputs.l.exists_one(a, inputs.long.contains('ab'))",
    "filter": "inputs.l.filter(a, inputs.long.contains('ab'))",
    "in-condition": "inputs.l.all(a, inputs.s.contains('q') ? false : inputs.s.contains('x'))",
    "many-in-a-row": " && ".join(["!inputs.long.contains('xxxxxxxxz')"] * 30)
    .replace(
        "inputs.long", "inputs.one.map(a, inputs.long + inputs.long + inputs.long + inputs.long)[0]"
    )[:2000]
    .rsplit(" && ", 1)[0],
    "nested-loops": "inputs.rows.all(r, inputs.rows.all(q, !q.t.contains(r.t + 'a')))",
}


@pytest.mark.parametrize("source", BUILDING.values(), ids=BUILDING.keys())
def test_s18_what_builds_much_is_refused_first(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "MiB" in refused(source, monkeypatch)


@pytest.mark.parametrize("source", READING.values(), ids=READING.keys())
def test_s18_what_reads_much_is_refused_first(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MiB" in refused(source, monkeypatch)


def refused(source: str, monkeypatch: pytest.MonkeyPatch) -> str:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    monkeypatch.setattr(cel, "run", lambda *_: pytest.fail("it was evaluated"))
    value = evaluate(compiled, DATA)
    assert isinstance(value, EvaluationError)
    return value.message


LOOPS = "abcdefghijklm"
DEEP = {
    "maps": "".join(f"inputs.one.map({name}, " for name in LOOPS[:7]) + "1" + ")" * 7,
    "filters": "".join(f"[] != inputs.one.filter({name}, " for name in LOOPS[:6])
    + "true"
    + ")" * 6,
    "all": "".join(f"inputs.one.all({name}, " for name in LOOPS) + "true" + ")" * 13,
    "json": nested("json", 25, "1"),
    "map-with-condition": "".join(f"inputs.one.map({name}, true, [" for name in LOOPS[:5])
    + "1"
    + "])" * 5,
    "lists": "[" * 60 + "]" * 60,
    "conditions": "true ? (" * 40 + "1" + ") : 2" * 40,
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP.keys())
def test_what_is_too_deep_is_refused_when_it_is_compiled(source: str) -> None:
    compiled = compile_expression(source)
    if isinstance(compiled, ExpressionError):
        assert "deep" in compiled.message
    else:
        assert not isinstance(evaluate(compiled, DATA), EvaluationError | None)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        pytest.param("${inputs.s}" * 9000, False, id="text"),
        pytest.param(["${inputs.s}"] * 9000, True, id="list"),
        pytest.param({f"k{at}": "${inputs.s}" for at in range(9000)}, True, id="object"),
        pytest.param({"a": ["x${inputs.s}"] * 9000}, True, id="texts-in-a-list"),
        pytest.param("${inputs.s.contains('xxxxxxxxxz')}" * 9000, False, id="reading"),
        pytest.param(["${inputs.l.map(a, a)}"] * 9000, True, id="loops"),
    ],
)
def test_a_field_has_a_bound(text: Any, whole: bool) -> None:
    rendered = render_json(text, DATA) if whole else render_text(text, DATA, null=NullPolicy.TEXT)
    assert isinstance(rendered, RenderError)
    assert "MiB" in rendered.message


def test_a_field_of_many_small_parts_is_rendered() -> None:
    rendered = render_text("${inputs.one[0]}," * 5000, DATA, null=NullPolicy.TEXT)
    assert rendered == "1," * 5000


def test_fields_of_one_node_share_what_they_may_have() -> None:
    budget = Budget.of_many()
    rendered = [render_json("${inputs.long}", DATA, budget) for _ in range(100)]
    refused_ones = [one for one in rendered if isinstance(one, RenderError)]
    assert rendered.index(refused_ones[0]) == 33, "32 MiB of texts of a megabyte"
