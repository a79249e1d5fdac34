"""Expressions that have no value whatever the run gives are refused before it (S466)."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.compiler.definition import define

from tests.support.builders import python, spec

INPUTS: Any = {"n": 3, "list": [1], "text": "x", "flag": True}


def problems(source: str) -> tuple[list[str], list[str]]:
    definition = define(spec(python("a", inputs={"x": source}), inputs=INPUTS))
    return [str(p) for p in definition.problems], [str(p) for p in definition.warnings]


ALWAYS = {
    "division": ("${1/0}", "1/0: it always fails: a division by zero"),
    "remainder": ("${1 % 0}", "the remainder of a division by zero"),
    "conversion": ("${int('x')}", "the text is not an integer"),
    "number": ("${double('1,5')}", "the text is not a number"),
    "truth": ("${bool('yes')}", "the text is neither true nor false"),
    "index": ("${[1, 2][5]}", "there is no element 5: the list has 2, counted from 0"),
    "index-after-split": ("${'a,b'.split(',')[2]}", "there is no element 2"),
    "time": ("${string(timestamp('2026-13-01T00:00:00Z'))}", "the text is not a time such as"),
    "duration": ("${string(duration('5 days'))}", "the text is not a duration such as"),
    "substring": ("${'abc'.substring(5)}", "a position is outside the text"),
    "overflow": ("${9223372036854775807 + 1}", "integer overflow"),
    "pattern": ("${'a'.matches('(')}", "not a pattern: missing )"),
    "format": ("${'%d'.format(['x'])}", "decimal clause"),
    "large": ("${['" + "a" * 100 + "']" + ".map(x, x+x+x+x+x+x+x+x+x+x)" * 7 + "}", "64 MiB"),
    "part": ("${inputs.n + int('x')}", "its part at character 15 always fails: the text is not"),
    "part-of-a-text": ("after ${1/0} days", "1/0: it always fails"),
    "in-a-list": ("${[inputs.n, 1/0]}", "always fails"),
    "in-a-range": ("${[1/0].map(x, x)}", "always fails"),
    "condition": ("${1/0 > 1 ? inputs.n : 2}", "always fails"),
    "divisor": ("${inputs.n / 0}", "a division by zero"),
    "pattern-for-data": ("${inputs.text.matches('[')}", "missing ]"),
    "position-below-0": ("${inputs.text.substring(-3)}", "0 or more, found -3"),
    "element-from-the-end": ("${inputs.list[-1]}", "write inputs.list[size(inputs.list) - 1]"),
    "values-of-format": ("${'%d of %d'.format([inputs.n])}", "2 places for values, and 1 are"),
}


@pytest.mark.parametrize(("source", "words"), ALWAYS.values(), ids=ALWAYS.keys())
def test_s466_what_always_fails_is_refused(source: str, words: str) -> None:
    errors, _ = problems(source)
    assert len(errors) == 1
    assert errors[0].startswith("nodes.a.inputs.x: ")
    assert words in errors[0]


PERHAPS = {
    "branch": "${inputs.flag ? 1/0 : 2}",
    "macro": "${inputs.list.map(x, x / 0)}",
    "either": "${inputs.n > 5 || 1/0 > 1}",
    "instead": "${inputs.?text.orValue(1/0)}",
}


@pytest.mark.parametrize("source", PERHAPS.values(), ids=PERHAPS.keys())
def test_s466_what_may_never_be_evaluated_is_a_warning(source: str) -> None:
    errors, found = problems(source)
    assert errors == []
    assert any("fails whenever it is evaluated" in each for each in found)


FINE = {
    "hidden-by-or": "${true || 1/0 > 1}",
    "branch-not-taken": "${true ? 1 : 1/0}",
    "zero-of-a-double": "${inputs.n / 0.5}",
    "percent": "${'100%% %s'.format([inputs.n])}",
    "conversion": "${int('12') + inputs.n}",
    "map-with-integers": "${{-1: inputs.n}[-1]}",
    "empty": "${[].map(x, 1/0)}",
    "pattern": "${inputs.text.matches('^a')}",
    "last": "${inputs.list[size(inputs.list) - 1]}",
    "literal": "${[1, 2, 3]}",
}


@pytest.mark.parametrize("source", FINE.values(), ids=FINE.keys())
def test_s466_what_has_a_value_is_not_refused(source: str) -> None:
    errors, _ = problems(source)
    assert errors == []


def test_s466_lint_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflow",
        "metadata": {"name": "r"},
        "spec": spec(python("a", inputs={"x": "${1/0}"})),
    }
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps(run))
    assert main(["lint", str(file)]) == Exit.FAILED
    assert "1/0: it always fails: a division by zero" in capsys.readouterr().out
