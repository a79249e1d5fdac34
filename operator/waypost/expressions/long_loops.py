"""Loops over more elements than the library takes: 10,000 steps in all loops of a program.

The estimates have bounded what a program costs before it runs. If the library then refuses it for
its steps, its loops run over slices of their lists, each as a program, and their results are
joined. A loop is taken out only if it uses no variable of another loop. One that has no value for
these data stays where it is: perhaps it need not be evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from waypost.expressions.guards import JOINED, RANGE
from waypost.expressions.tree import (
    Call,
    CheckedTree,
    Comprehension,
    Constant,
    Entry,
    Expr,
    Ident,
    ListLiteral,
    MapLiteral,
    Select,
    encode,
    parts,
    walk,
)
from waypost.expressions.values import TOO_MANY_STEPS, Failure

# No expression can name these variables.
_VALUE: Final = "@value"
_SLICE: Final = "@slice"
_LONGEST: Final = 4096  # elements of a slice
_FALSE, _TRUE = b"\x10\x00", b"\x10\x01"


_Join = Callable[[Iterator[Any]], Any]


class _NoValueError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


# Python cannot hold the value without loss.
_LOST: Final = _NoValueError(Failure(TOO_MANY_STEPS))


@dataclass
class LongLoops:
    """One evaluation of a program in parts.

    Attributes:
        tree: The program, with its guards.
        variables: Its variables.
        run: The plain value of the bytes of a program, or a Failure.
    """

    tree: CheckedTree
    variables: Mapping[str, Any]
    run: Callable[[bytes, Mapping[str, Any]], object]
    _values: dict[str, Any] = field(default_factory=dict)
    _failures: list[Failure] = field(default_factory=list)
    _last_id: int = 0

    def _id(self) -> int:
        """An id about which the type checker has said nothing."""
        self._last_id = self._last_id or max(expr.id for expr in walk(self.tree.expr))
        self._last_id += 1
        return self._last_id

    def evaluated(self) -> object:
        """The plain value of the program, or a Failure."""
        if "uint" in self.tree.types.values():  # Python does not tell it from int
            return Failure(TOO_MANY_STEPS)
        try:
            return self._value(self.tree.expr)
        except _NoValueError as error:
            of_loops = self._failures if error.failure.of_steps else []
            return next((each for each in of_loops if not each.of_steps), error.failure)

    def _value(self, expr: Expr) -> Any:
        """The value of an expression without variables of loops, its loops taken out first."""
        return self._run(self._without_loops(expr, frozenset()), {})

    def _run(self, expr: Expr, more: Mapping[str, Any]) -> Any:
        known = {**self.variables, **self._values, **more}
        used = {name: known[name] for name in sorted(_free(expr)) if name in known}
        value = self.run(encode(self.tree, expr), used)
        if isinstance(value, Failure):
            raise _NoValueError(value)
        return value

    def _without_loops(self, expr: Expr, bound: frozenset[str]) -> Expr:
        """`expr` with the values of its loops in their place; `bound` are variables of loops
        around it."""
        if isinstance(expr, Comprehension) and expr.accu_var == RANGE and not _free(expr) & bound:
            try:
                value = self._loop(expr)
            except _NoValueError as error:
                self._failures.append(error.failure)
                return expr
            name = f"{_VALUE}{len(self._values)}"
            self._values[name] = value
            return Ident(self._id(), name)
        return _rebuilt(expr, lambda part, names: self._without_loops(part, bound | names))

    def _loop(self, loop: Comprehension) -> Any:
        over = self._value(loop.accu_init)
        guard = loop.result
        if not (isinstance(over, list) and isinstance(guard, Call) and len(guard.args) == 3):
            raise _LOST
        is_list, body, refusal = guard.args
        assert isinstance(body, Comprehension), "the guards write no other"
        join, body = self._join_of(body)
        guard = replace(guard, args=(is_list, body, refusal))
        sliced = replace(loop, accu_init=Ident(self._id(), _SLICE), result=guard)
        value = join(self._slices(sliced, over))
        if not _is_plain(value):
            raise _LOST
        return value

    def _join_of(self, body: Comprehension) -> tuple[_Join, Comprehension]:
        """How the values of slices become the value of a loop, and what is evaluated for each."""
        if body.accu_var == JOINED:
            return _joined, body
        match body.accu_init:
            case Constant(raw=raw) if raw == _FALSE:
                return partial(_decided, by=True), body
            case Constant(raw=raw) if raw == _TRUE:
                return partial(_decided, by=False), body
        # exists_one: the result of a slice is the number of elements that it has found.
        return _exactly_one, replace(body, result=Ident(self._id(), body.accu_var))

    def _slices(self, loop: Comprehension, over: list[Any]) -> Iterator[Any]:
        """The values of the loop over the slices of its list. A slice that takes too many steps is
        halved; any other failure is given in the place of its value."""
        at, longest = 0, _LONGEST
        while at < len(over):
            try:
                value = self._run(loop, {_SLICE: over[at : at + longest]})
            except _NoValueError as error:
                if error.failure.of_steps and longest > 1:
                    longest //= 2
                    continue
                value = error.failure
            yield value
            at += longest


def _exactly_one(values: Iterator[Any]) -> bool:
    found: int = sum(_joined([value] if isinstance(value, int) else value for value in values))
    return found == 1


def _joined(values: Iterator[Any]) -> list[Any]:
    joined: list[Any] = []
    for value in values:
        if isinstance(value, Failure):
            raise _NoValueError(value)
        joined += value
    return joined


def _decided(values: Iterator[Any], by: bool) -> bool:
    """`exists` and `all`: one element decides, whatever has no value beside it."""
    failed: Failure | None = None
    for value in values:
        if isinstance(value, Failure):
            failed = failed or value
        elif value == by:
            return bool(by)
    if failed is not None:
        raise _NoValueError(failed)
    return not by


def _is_plain(value: object) -> bool:
    """Whether Python holds the value as the library would: numbers, texts, lists, objects."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    return value is None or type(value) in (str, bool, int, float)


def _free(expr: Expr) -> frozenset[str]:
    """The names of variables in `expr` that it does not declare itself."""
    match expr:
        case Ident():
            return frozenset({expr.name})
        case Comprehension():
            inside = _free(expr.loop_condition) | _free(expr.loop_step)
            inside -= {expr.iter_var, expr.accu_var}
            outside = _free(expr.iter_range) | _free(expr.accu_init)
            return outside | inside | (_free(expr.result) - {expr.accu_var})
        case _:
            return frozenset().union(*map(_free, parts(expr)))


_Rebuild = Callable[[Expr, frozenset[str]], Expr]
_NO_NAMES: Final[frozenset[str]] = frozenset()


def _rebuilt(expr: Expr, of: _Rebuild) -> Expr:
    """`expr` with each part replaced by `of` it and of the variables that `expr` declares there."""
    match expr:
        case Select():
            return replace(expr, operand=of(expr.operand, _NO_NAMES))
        case Call():
            target = None if expr.target is None else of(expr.target, _NO_NAMES)
            return replace(expr, target=target, args=_each(expr.args, of))
        case ListLiteral():
            return replace(expr, elements=_each(expr.elements, of))
        case MapLiteral():
            return replace(expr, entries=tuple(_entry(entry, of) for entry in expr.entries))
        case Comprehension():
            accu = frozenset({expr.accu_var})
            return replace(
                expr,
                iter_range=of(expr.iter_range, _NO_NAMES),
                accu_init=of(expr.accu_init, _NO_NAMES),
                loop_condition=of(expr.loop_condition, accu | {expr.iter_var}),
                loop_step=of(expr.loop_step, accu | {expr.iter_var}),
                result=of(expr.result, accu),
            )
        case _:
            return expr


def _each(exprs: tuple[Expr, ...], of: _Rebuild) -> tuple[Expr, ...]:
    return tuple(of(expr, _NO_NAMES) for expr in exprs)


def _entry(entry: Entry, of: _Rebuild) -> Entry:
    return replace(entry, key=of(entry.key, _NO_NAMES), value=of(entry.value, _NO_NAMES))
