"""Expressions and fields whose data is generated, because it is too large to be written: each
once took gigabytes or minutes. They are refused before they are evaluated (S18)."""

from typing import Any

import pytest
from waypost.expressions import cel
from waypost.expressions.expression import (
    Compiled,
    EvaluationError,
    compile_expression,
    evaluate,
)
from waypost.expressions.templates import NullPolicy, RenderError, render_text

SUM = " + ".join(["inputs.s"] * 11)
REFUSED = [
    pytest.param(
        " + ".join([f"({SUM})"] * 11), {"s": "x" * 1_000_000}, "build", id="121-megabytes"
    ),
    pytest.param(
        "inputs.l.all(a, !inputs.s.contains('xxxxxxxxxxxxxxxxxxz'))",
        {"s": "x" * 250_000, "l": list(range(9000))},
        "reading",
        id="9000-scans-of-250-kilobytes",
    ),
    pytest.param(
        "inputs.l.all(a, inputs.m == inputs.m)",
        {"m": {f"k{at}": at for at in range(20_000)}, "l": list(range(9900))},
        "reading",
        id="9900-comparisons-of-20000-keys",
    ),
]


@pytest.mark.parametrize(("source", "inputs", "word"), REFUSED)
def test_s18_generated_data_is_refused_first(
    source: str, inputs: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    monkeypatch.setattr(cel, "run", lambda *_: pytest.fail("it was evaluated"))
    value = evaluate(compiled, {"inputs": inputs})
    assert isinstance(value, EvaluationError)
    assert word in value.message
    assert "MiB" in value.message


def test_s18_a_field_that_names_a_text_9000_times_is_refused() -> None:
    data: Any = {"inputs": {"s": "x" * 250_000}}
    rendered = render_text("${inputs.s}" * 9000, data, null=NullPolicy.TEXT)
    assert isinstance(rendered, RenderError)
    assert rendered.message == "the field would have more than 32 MiB with its templates evaluated"
