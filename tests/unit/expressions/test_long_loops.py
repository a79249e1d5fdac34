"""Loops over more than the library's 10,000 steps: the value is that of the whole program."""

from typing import Any

import pytest
from waypost.expressions import cel, long_loops
from waypost.expressions.expression import (
    ABSENT,
    Compiled,
    EvaluationError,
    Json,
    compile_expression,
    evaluate,
)
from waypost.expressions.long_loops import LongLoops
from waypost.expressions.tree import decode
from waypost.expressions.values import Failure

from tests.unit.expressions.test_everyday import DATA, EVERYDAY

N = 10_001
LONG: Any = {
    "inputs": {
        "ids": list(range(N)),
        "rows": [{"id": at, "price": at * 1.0, "tags": ["a", "b"]} for at in range(N)],
        "csv": "\n".join(f"{at}, bolt ,{at}" for at in range(N)),
        "by_id": {f"k{at}": at for at in range(N)},
        "odd": [{"id": at} for at in range(N - 1)] + [{"name": "no id"}],
        "nested": [{"items": list(range(6000))}, {"items": list(range(6000))}],
        "deep": [{"items": list(range(N))}],
        "few": [1, 2, 3],
    }
}


def value_of(source: str, data: Json = LONG) -> Any:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    assert isinstance(data, dict)
    return evaluate(compiled, data)


IDS = LONG["inputs"]["ids"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("inputs.ids.map(x, x + 1)", [x + 1 for x in IDS], id="map"),
        pytest.param("inputs.ids.filter(x, x > 9998)", [9999, 10_000], id="filter"),
        pytest.param("inputs.ids.map(x, x > 9998, x * 2)", [19_998, 20_000], id="map-if"),
        pytest.param("inputs.ids.all(x, x < 20000)", True, id="all"),
        pytest.param("inputs.ids.all(x, x < 10000)", False, id="all-but-the-last"),
        pytest.param("inputs.ids.exists(x, x == 10000)", True, id="exists-last"),
        pytest.param("inputs.ids.exists(x, x == -1)", False, id="exists-none"),
        pytest.param("inputs.ids.exists_one(x, x == 9000)", True, id="exists-one"),
        pytest.param("inputs.ids.exists_one(x, x % 5000 == 0)", False, id="exists-one-of-three"),
        pytest.param("inputs.odd.exists(o, o.id == 3)", True, id="exists-beside-an-error"),
        pytest.param("inputs.odd.all(o, o.id > 0)", False, id="all-beside-an-error"),
        pytest.param(
            "inputs.csv.split('\\n').map(l, l.split(',').map(c, c.trim()))[10000]",
            ["10000", "bolt", "10000"],
            id="cells-of-a-csv",
        ),
        pytest.param("keys(inputs.by_id).map(k, inputs.by_id[k]).size()", N, id="keys"),
        pytest.param("inputs.ids.filter(x, x in inputs.few)", [1, 2, 3], id="reads-another"),
        pytest.param("inputs.ids.map(x, double(x))[3] / 2", 1.5, id="a-double-stays-one"),
        pytest.param("inputs.ids.map(x, x)[3] / 2", 1, id="an-integer-stays-one"),
        pytest.param("{'n': inputs.ids.filter(x, x > 1).map(x, x).size()}", {"n": 9999}, id="two"),
        pytest.param(
            "inputs.nested.map(b, b.items.map(i, i + 1).size())", [6000, 6000], id="inner"
        ),
        pytest.param(
            "has(inputs.gone) ? inputs.gone.map(g, g) : inputs.ids.map(x, x)",
            IDS,
            id="a-branch-that-is-not-taken",
        ),
        pytest.param("inputs.rows.map(r, r.?gone.orValue(7)).size()", N, id="optionals-inside"),
        pytest.param("[?optional.of(inputs.ids.map(x, x).size())]", [N], id="an-optional-outside"),
    ],
)
def test_s18_a_loop_over_more_than_ten_thousand_elements(source: str, expected: Any) -> None:
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param("inputs.odd.map(o, o.id)", "no such field: id", id="the-last-has-no-field"),
        pytest.param("inputs.odd.map(o, o.id).size()", "no such field: id", id="in-a-call"),
        pytest.param("inputs.odd.exists_one(o, o.id == 3)", "no such field: id", id="exists-one"),
        pytest.param("inputs.odd.all(o, o.id >= 0)", "no such field: id", id="all-undecided"),
        pytest.param("inputs.deep.map(d, d.items.map(i, i))", "flatten", id="one-inner-list"),
        pytest.param("inputs.ids.map(x, uint(x))[0] + 1u", "", id="a-type-python-has-not"),
        pytest.param("inputs.by_id.map(k, k)", "list", id="over-an-object"),
    ],
)
def test_s18_a_failure_in_a_long_loop_is_named(source: str, said: str) -> None:
    value = value_of(source)
    assert isinstance(value, EvaluationError)
    assert said in value.message
    assert "Iteration" not in value.message


@pytest.mark.parametrize("source", EVERYDAY)
def test_s18_parts_give_what_the_whole_gives(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every program in slices, although the library would take it whole."""
    monkeypatch.setattr(long_loops, "_LONGEST", 700)
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled)
    if compiled.is_path:
        return
    whole = evaluate(compiled, DATA)
    parts = LongLoops(decode(compiled.program), DATA, cel.run_part).evaluated()
    assert not isinstance(parts, Failure)
    if whole is not ABSENT:
        assert parts == whole or parts == [whole]
