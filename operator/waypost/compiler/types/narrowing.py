"""What is known if a condition is true: the paths that it tests, and paths that are not null."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from waypost.api.workflow import Node
from waypost.expressions import protobuf
from waypost.expressions.expression import Compiled
from waypost.expressions.references import chain_of, paths
from waypost.expressions.templates import Template, parse_template
from waypost.expressions.tree import Call, Comprehension, Constant, Expr, Select, walk

Steps = tuple[str, ...]

PREVIOUS: Final = frozenset((("previous", "output"), ("previous", "artifacts")))
# What the first iteration, and the first run of a memory, do not have.
NOT_AT_FIRST: Final = PREVIOUS | {("memory", "last"), ("memory", "lastSucceeded")}

_CHOOSING: Final = frozenset(["_?_:_", "_&&_", "_||_"])
_NULL_FIELD: Final = 1  # of cel.expr.Constant
_INTEGER_FIELD: Final = 3


@dataclass(frozen=True)
class Tested:
    """The paths that a condition tests, all their prefixes, and the paths that are not null."""

    paths: frozenset[Steps] = frozenset()
    beginnings: frozenset[Steps] = frozenset()
    not_null: frozenset[Steps] = frozenset()

    @classmethod
    def of(cls, paths: Iterable[Steps], not_null: Iterable[Steps] = ()) -> Tested:
        """The tests of these paths. A test of a node's phase or error counts for the whole node."""
        subjects = frozenset(map(_subject, paths))
        begun = frozenset(steps[:end] for steps in subjects for end in range(1, len(steps)))
        return cls(subjects, begun, frozenset(not_null))

    @classmethod
    def by(cls, condition: Expr) -> Tested:
        """What is known if `condition` is true."""
        return cls.of(_steps_in(condition), not_null_where(condition, holds=True))

    def __or__(self, other: Tested) -> Tested:
        return Tested(
            self.paths | other.paths,
            self.beginnings | other.beginnings,
            self.not_null | other.not_null,
        )

    def below(self, path: Steps) -> bool:
        """Whether `path`, or a part of it, is known not to be null."""
        return any(steps[: len(path)] == path for steps in self.not_null)

    def about(self, path: Steps) -> bool:
        """Whether a test is about `path`, a part of it, or a value that contains it."""
        within = any(path[:end] in self.paths for end in range(2, len(path) + 1))
        return within or path in self.beginnings


def tested_inside(expr: Expr) -> Tested:
    """The paths that an expression itself tests: with has(), before ?, or as operand of && and ||.

    What is inferred about them holds only in some branches.
    """
    tested: set[Steps] = set()
    for part in walk(expr):
        if isinstance(part, Select) and part.test_only:
            tested |= _steps_in(part)
        elif isinstance(part, Call) and part.function in _CHOOSING:
            for arg in part.args[: 1 if part.function == "_?_:_" else None]:
                tested |= _steps_in(arg)
    return Tested.of(tested)


def not_null_where(condition: Expr, *, holds: bool) -> frozenset[Steps]:
    """The paths that are not null if `condition` is true (`holds`) or false."""
    match condition:
        case Call(function="!_", args=(inner,)):
            return not_null_where(inner, holds=not holds)
        case Call(function="_&&_" | "_||_", args=(left, right)):
            if (condition.function == "_&&_") == holds:
                return not_null_where(left, holds=holds) | not_null_where(right, holds=holds)
        case Call(function="_==_" | "_!=_", args=(left, right)):
            if (condition.function == "_!=_") == holds:
                subject = left if _is_null(right) else right if _is_null(left) else None
                path = () if subject is None else _place_of(subject)
                return frozenset([path] if path else [])
    return frozenset()


def index_of(key: Expr) -> int | None:
    """The index that a literal is; None if it is no literal integer, or a negative one."""
    fields = protobuf.fields(key.raw) if isinstance(key, Constant) else []
    found = protobuf.last_int(fields, _INTEGER_FIELD)
    is_index = any(number == _INTEGER_FIELD for number, _ in fields) and found < 1 << 63
    return found if is_index else None


def item_of(base: Steps, index: int | None) -> Steps:
    """The path of an item of the list at `base`; () if one of both is not known."""
    return (*base, f"[{index}]") if base and index is not None else ()


def _place_of(expr: Expr) -> Steps:
    """The path of a value, through fields and literal indexes; () if a step is computed."""
    path = chain_of(expr)
    match expr:
        case _ if path is not None:
            return path.root, *path.fields
        case Call(function="_[_]", args=(operand, key)):
            return item_of(_place_of(operand), index_of(key))
        case Select(test_only=False, operand=operand, field=name):
            base = _place_of(operand)
            return (*base, name) if base else ()
    return ()


def keeps_no_null(loop: Comprehension) -> bool:
    """Whether it is a filter or a map whose condition excludes elements that are null."""
    match loop.loop_step:
        case Call(function="_?_:_", args=(condition, _, _)):
            return (loop.iter_var,) in not_null_where(condition, holds=True)
    return False


def _is_null(expr: Expr) -> bool:
    return isinstance(expr, Constant) and any(
        n == _NULL_FIELD for n, _ in protobuf.fields(expr.raw)
    )


def _steps_in(expr: Expr) -> set[Steps]:
    read = list(paths(expr))
    steps = {(path.root, *path.fields) for path in read if path.fields}
    # A test of the index of an iteration says whether there is a previous one.
    return steps | (PREVIOUS if any(path.root == "index" for path in read) else set())


def _subject(steps: Steps) -> Steps:
    about_node = len(steps) > 2 and steps[0] == "nodes" and steps[2] != "output"
    return steps[:2] if about_node else steps


def tested_by(node: Node) -> Tested:
    """The paths that a node's condition tests: if the node runs, it excludes some alternatives."""
    template = None if node.when is None else parse_template(node.when)
    if not isinstance(template, Template) or not isinstance(template.parts[0], Compiled):
        return Tested()
    return Tested.by(template.parts[0].tree.expr)
