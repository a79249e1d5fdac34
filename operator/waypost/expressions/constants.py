"""Parts of an expression that read no variable and have no value: `1 / 0`, `int('x')`, `[1][5]`.

Each evaluation gives the same, so it is known before the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from waypost.expressions import evaluation
from waypost.expressions.estimates.cost import Budget
from waypost.expressions.estimates.numbers import number_of, of_constant
from waypost.expressions.expression import Compiled, part_of
from waypost.expressions.messages import explain_failure
from waypost.expressions.references import ROOTS
from waypost.expressions.tree import (
    Call,
    Comprehension,
    Constant,
    Expr,
    Ident,
    ListLiteral,
    Select,
    parts,
    walk,
)
from waypost.expressions.values import Failure

_CLAUSE: Final = re.compile(r"%%|%(?:\.[0-9]+)?[a-zA-Z]")


@dataclass(frozen=True)
class Failing:
    """A part of an expression that has no value.

    Attributes:
        message: Why.
        offset: The index of a character of the part in the source; 0 for the whole expression.
        certain: Whether each evaluation of the expression evaluates it.
    """

    message: str
    offset: int
    certain: bool


@lru_cache(maxsize=1024)
def failing_parts(compiled: Compiled) -> tuple[Failing, ...]:
    """The largest constant parts of an expression that have no value, in their order."""
    if compiled.is_path:
        return ()
    return tuple(_failing(compiled, compiled.tree.expr, frozenset(), certain=True))


def _failing(
    compiled: Compiled, expr: Expr, bound: frozenset[str], *, certain: bool
) -> Iterator[Failing]:
    """`bound` are the variables of the macros around `expr`."""
    if not _reads(expr, bound):
        message = _failure(compiled, expr)
        if message:
            whole = expr is compiled.tree.expr
            yield Failing(message, 0 if whole else compiled.tree.offset(expr.id), certain)
        return
    if isinstance(expr, Call) and (message := _failure_with_any_data(compiled, expr)):
        yield Failing(message, compiled.tree.offset(expr.id), certain)
        return
    if isinstance(expr, Comprehension):
        inner = bound | {expr.iter_var, expr.accu_var}
        for part in (expr.iter_range, expr.accu_init):
            yield from _failing(compiled, part, bound, certain=certain)
        for part in (expr.loop_condition, expr.loop_step, expr.result):
            yield from _failing(compiled, part, inner, certain=False)
        return
    for at, part in enumerate(parts(expr)):
        yield from _failing(compiled, part, bound, certain=certain and _is_evaluated(expr, at))


def _is_evaluated(expr: Expr, at: int) -> bool:
    """Whether each evaluation of `expr` evaluates its part number `at`, and fails with it."""
    if not isinstance(expr, Call):
        return True
    if expr.function in ("_&&_", "_||_"):  # an error of one side does not count beside the other
        return False
    return at == 0 or expr.function not in ("_?_:_", "orValue", "or")


def _reads(expr: Expr, bound: frozenset[str]) -> bool:
    """Whether `expr` reads a variable of the expression or of a macro around it."""
    own = {
        name
        for part in walk(expr)
        if isinstance(part, Comprehension)
        for name in (part.iter_var, part.accu_var)
    }
    names = {part.name.removeprefix(".") for part in walk(expr) if isinstance(part, Ident)}
    return bool((names - own) & bound.union(ROOTS)) or bool(own & bound)


def _failure_with_any_data(compiled: Compiled, call: Call) -> str:
    """Why a call fails whatever its data are, because of a constant among its arguments."""
    target = () if call.target is None else (call.target,)
    given = (*target, *call.args)
    last = given[-1] if given else None
    if call.function in ("_/_", "_%_") and _integer(last) == 0:
        return "a division by zero"
    if call.function == "matches" and isinstance(last, Constant):
        # Any text will do to see whether the pattern is valid.
        return _failure(
            compiled,
            replace(
                call, target=last if target else None, args=(last,) if target else (last, last)
            ),
        )
    if call.function in ("substring", "charAt"):
        below = next((at for each in call.args if (at := _integer(each) or 0) < 0), None)
        return "" if below is None else f"a position in a text is 0 or more, found {below}"
    if call.function == "format" and isinstance(call.target, Constant):
        return _too_few_values(call.target.string or "", last)
    return ""


def _too_few_values(text: str, values: Expr | None) -> str:
    wanted = len([clause for clause in _CLAUSE.findall(text) if clause != "%%"])
    if not isinstance(values, ListLiteral) or values.optional or len(values.elements) >= wanted:
        return ""
    return f"format: the text has {wanted} places for values, and {len(values.elements)} are given"


def _integer(expr: Expr | None) -> int | None:
    bounds = number_of(of_constant(expr)) if isinstance(expr, Constant) else None
    return None if bounds is None else int(bounds[0])


def _failure(compiled: Compiled, expr: Expr) -> str:
    """Why a constant part has no value; "" if it has one, or if only time or memory ended it."""
    if not any(isinstance(part, Call | Select | Comprehension) for part in walk(expr)):
        return ""
    part = part_of(compiled, expr)
    if message := Budget().refusal(expr, {}):
        return message
    outcome = evaluation.run(part.program, {})
    return explain_failure(outcome.message, (), {}) if isinstance(outcome, Failure) else ""
