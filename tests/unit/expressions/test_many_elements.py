"""Everyday expressions on 1 MiB of small elements: none may be refused for its cost (S18).

`python -m e2e.bench everyday` evaluates them under the limits of the operator.
"""

import json
from typing import Any

import pytest
from waypost.expressions.estimates.cost import refusal
from waypost.expressions.expression import Compiled, compile_expression

MANY_DATA: Any = {
    "inputs": {
        "numbers": list(range(120_000)),
        "many_rows": [{"id": at, "name": f"row {at}"} for at in range(28_000)],
        "many_words": [f"w{at}" for at in range(100_000)],
        "many_lines": "\n".join(f"line {at}" for at in range(80_000)),
        "points": [[at, at] for at in range(60_000)],
        "many_keys": {f"k{at}": at for at in range(60_000)},
    }
}
MANY = {
    "map-then-filter": "inputs.numbers.map(n, n * 2).filter(n, n % 3 == 0)",
    "three-loops": "inputs.numbers.map(n, n * 2).filter(n, n % 3 == 0).map(n, string(n)).join(',')",
    "pairs-of-numbers": "inputs.numbers.map(n, [n, n])",
    "objects-of-numbers": "inputs.numbers.map(n, {'n': n})",
    "chunks-of-numbers": "chunk(inputs.numbers, 100).map(c, c.map(n, n + 1))",
    "rows-as-lines-of-json": "inputs.many_rows.map(r, json(r)).join('\\n')",
    "fields-of-rows": "inputs.many_rows.map(r, {'a': r.id, 'b': r.name})",
    "fields-of-rows-as-json": "inputs.many_rows.map(r, json({'a': r.id, 'b': r.name})).join('\\n')",
    "selected-rows": "inputs.many_rows.filter(r, r.id % 2 == 0).map(r, r.name)",
    "rows-in-format": "inputs.many_rows.map(r, '%d: %s'.format([r.id, r.name])).join('\\n')",
    "lines": "inputs.many_lines.split('\\n').map(l, l.trim()).filter(l, l != '')",
    "fields-of-lines": "inputs.many_lines.split('\\n').map(l, l.split(' ')[1])",
    "quoted-words": "inputs.many_words.map(w, '\"' + w + '\"').join(',')",
    "words-in-a-list": "inputs.many_words.filter(w, w in ['w1', 'w2']).size()",
    "words-in-other-letters": "inputs.many_words.map(w, w.upperAscii()).join(',')",
    "lists-of-lists": "inputs.points.map(p, p.map(x, x + 1))",
    "lists-as-json": "inputs.points.map(p, json(p)).join(',')",
    "flat-lists": "flatten(inputs.points).map(x, x + 1)",
    "keys": "keys(inputs.many_keys).map(k, k + '=' + string(inputs.many_keys[k])).join(',')",
}
# A worker of 128 MiB cannot hold what these build.
TOO_MANY = {
    "half-a-million": ("inputs.l.map(x, x + 1)", [1] * 500_000),
    "four-hundred-thousand-in-two-loops": (
        "inputs.l.map(x, x + 1).filter(x, x > 0)",
        [1] * 400_000,
    ),
    "a-quarter-of-a-million-objects": ("inputs.l.map(x, {'x': x})", [1] * 250_000),
    "each-with-all-the-others": ("inputs.l.map(x, inputs.l.filter(y, y == x))", [1] * 70_000),
}


def refused(source: str, data: Any) -> str:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    return refusal(compiled.tree.expr, data)


@pytest.mark.parametrize("source", MANY.values(), ids=MANY)
def test_s18_everyday_expressions_on_many_elements_are_within_the_bounds(source: str) -> None:
    assert refused(source, MANY_DATA) == ""


def test_the_data_have_as_many_elements_as_an_output_has() -> None:
    sizes = [
        len(json.dumps(value, separators=(",", ":"))) for value in MANY_DATA["inputs"].values()
    ]
    assert max(sizes) <= 1024 * 1024
    assert min(sizes) > 700_000


@pytest.mark.parametrize(("source", "elements"), TOO_MANY.values(), ids=TOO_MANY)
def test_s18_more_than_a_worker_can_hold_is_refused_first(source: str, elements: Any) -> None:
    assert refused(source, {"inputs": {"l": elements}})
