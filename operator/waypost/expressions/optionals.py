"""Where an optional value (`.?`, `[?]`, `optional.of`) is allowed.

The library crashes the process, not only the evaluation, if it converts an optional inside a list
or a map to Python. The type checker is not enough: `x[?0]` is dynamic for it if x is. So this
module tracks what may be optional through the tree, and allows optionals only where it can track
them: never inside a list, a map or an argument of our functions.
"""

from __future__ import annotations

from collections.abc import Iterator

from waypost.expressions.tree import (
    Call,
    CheckedTree,
    Comprehension,
    Expr,
    ListLiteral,
    MapLiteral,
    Select,
    parts,
)

_MAKERS = ("_?._", "_[?_]", "optional.of", "optional.none", "optional.ofNonZeroValue")
_MEMBER_MAKERS = ("or", "first", "last")
_CONSUMERS = ("hasValue", "value", "orValue", "or")


class Optionals:
    """The expressions of one tree that may be optional, by id."""

    def __init__(self, tree: CheckedTree) -> None:
        self._tree = tree
        self._ids = set(tree.optionals)
        self._collect(tree.expr)

    def __contains__(self, expr: Expr) -> bool:
        return expr.id in self._ids

    def lost(self) -> Expr | None:
        """The first optional in a place where it cannot be tracked; None if there is none."""
        return next(self._lost(self._tree.expr), None)

    def _collect(self, expr: Expr) -> None:
        for part in parts(expr):
            self._collect(part)
        if self._may_be_optional(expr):
            self._ids.add(expr.id)

    def _may_be_optional(self, expr: Expr) -> bool:
        match expr:
            case Select():
                return not expr.test_only and expr.operand in self
            case Call(function="_[_]"):
                return expr.args[0] in self
            case Call(function="_?_:_"):
                return any(branch in self for branch in expr.args[1:])
            case Call():
                is_member = expr.target is not None and expr.function in _MEMBER_MAKERS
                return is_member or expr.function in _MAKERS
            case Comprehension():
                return expr.result in self
            case _:
                return False

    def _lost(self, expr: Expr) -> Iterator[Expr]:
        allowed = {part.id for part in _allowed(expr)}
        for part in parts(expr):
            if part in self and part.id not in allowed:
                yield part
            yield from self._lost(part)


def _allowed(expr: Expr) -> tuple[Expr, ...]:
    """The parts of `expr` that may be optional, because they can be tracked."""
    match expr:
        case Select():
            return (expr.operand,)
        case Call(function="_?._" | "_[?_]" | "_[_]"):
            return expr.args[:1]
        case Call(target=target, function=function) if target is not None:
            arguments = expr.args if function == "or" else ()
            return (target, *arguments) if function in _CONSUMERS else ()
        case Call(function="_==_" | "_!=_"):
            return expr.args
        case Call(function="_?_:_"):
            return expr.args[1:]
        case Comprehension():
            return (expr.result,)
        case ListLiteral():
            return tuple(expr.elements[at] for at in expr.optional)
        case MapLiteral():
            return tuple(entry.value for entry in expr.entries if entry.optional)
        case _:
            return ()
