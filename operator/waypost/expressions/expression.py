"""The language of one `${...}`: CEL over `inputs`, `nodes`, `self`, `run`, and in some fields
`item`, `index`, `previous` or `candidate`; in the rules of an EventSource `body` and `headers`.

Guarantee: the same expression and the same data give the same value, or the same typed error, in
every process. Nothing here raises because of user input, and an error is never mistaken for data.
docs/adr/0003-cel-expressions.md has the reasons and the known problems of the library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

from waypost.expressions import cel, evaluation
from waypost.expressions.estimates.cost import Budget, needs_estimate
from waypost.expressions.guards import Guards
from waypost.expressions.messages import explain_failure, explain_refusal, explain_rejection
from waypost.expressions.optionals import Optionals
from waypost.expressions.references import (
    Path,
    Reference,
    chain_of,
    merge,
    node_path_problem,
    paths,
    refused,
)
from waypost.expressions.references import references as references_of
from waypost.expressions.tree import CheckedTree, Expr, decode, depth, encode, path_tree
from waypost.expressions.values import (
    Double,
    Failure,
    Unavailable,
    Unfit,
    declare_numbers,
    into_cel,
    out_of_cel,
)
from waypost.expressions.values import compact_json as json_text
from waypost.protocol.ijson import Json

__all__ = [
    "ABSENT",
    "MAX_LENGTH",
    "Absent",
    "Compiled",
    "Double",
    "EvaluationError",
    "ExpressionError",
    "Json",
    "Reference",
    "Variable",
    "compile_expression",
    "declare_numbers",
    "evaluate",
    "evaluate_condition",
    "json_text",
    "merge",
    "references",
]

MAX_LENGTH = 2048

_SHOWN = 120

_OPTIONAL = "an optional value stands here: end it with .orValue(...), or test it with .hasValue()"

# NUL ends a text inside the library; a lone surrogate has no UTF-8 form.
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")

# optMap and optFlatMap repeat their operand in the tree: a chain of k of them costs 2^k.
_MAX_OPTIONAL_MAPS = 4

# The guards make a tree deeper. The library reads 100 levels of its form, which has three or more
# levels for one of ours.
_SURELY_SHALLOW = 16
_TOO_DEEP = "the expression is nested too deeply: take a part of it into an input of the node"


class Variable(StrEnum):
    """The variables of an expression."""

    INPUTS = "inputs"
    NODES = "nodes"
    SELF = "self"
    RUN = "run"
    ITEM = "item"
    INDEX = "index"
    PREVIOUS = "previous"
    CANDIDATE = "candidate"
    MEMORY = "memory"
    BODY = "body"
    HEADERS = "headers"


_ROOTS = frozenset(Variable)


class Absent(Enum):
    """The value of an expression with an empty optional: its key is left out."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class ExpressionError:
    """An expression that is not accepted; `offset` is the index of a character in it."""

    message: str
    offset: int = 0


@dataclass(frozen=True)
class EvaluationError:
    """An accepted expression that has no value for this data."""

    message: str


# What must be bound to a variable: None is the whole value, a map only these keys.
_Needed: TypeAlias = dict[str, Any] | None


@dataclass(frozen=True)
class Compiled:
    """An accepted expression. Immutable; equal sources are equal."""

    source: str
    references: tuple[Reference, ...] = field(compare=False)
    roots: frozenset[Variable] = field(compare=False)
    paths: tuple[Path, ...] = field(compare=False, repr=False)
    tree: CheckedTree = field(compare=False, repr=False)  # as written, without guards
    _needed: dict[str, Any] = field(compare=False, repr=False)
    _optional: bool = field(compare=False, repr=False)
    _plain_path: Path | None = field(
        compare=False, repr=False
    )  # set if the expression is only a path
    _costly: Expr | None = field(compare=False, repr=False)  # set if it can be expensive

    @property
    def is_path(self) -> bool:
        """Whether the expression is only a path."""
        return self._plain_path is not None

    @property
    def is_constant(self) -> bool:
        """Whether it reads no variable, so that its value never changes."""
        return not self.paths

    @property
    def can_be_loaded(self) -> bool:
        """Whether the library accepts the guarded tree."""
        if self.is_path or depth(self._guarded) <= _SURELY_SHALLOW:
            return True
        return not isinstance(cel.load(self.program), cel.Rejection)

    @cached_property
    def program(self) -> bytes:
        """The program for `cel.load`, built on first use; a check does not need it."""
        return encode(self.tree, self._guarded)

    @cached_property
    def _guarded(self) -> Expr:
        guards = Guards(self.tree)
        return guards.guarded_optional() if self._optional else guards.guarded()


@lru_cache(maxsize=1024)  # about 25 KiB each
def compile_expression(source: str) -> Compiled | ExpressionError:
    """Parse, type-check and validate the text between `${` and `}`."""
    if problem := _bounds_problem(source):
        return ExpressionError(problem)
    plain = path_tree(source)
    if plain is not None:
        return _compiled_path(source, plain)
    checked = cel.check(source)
    if isinstance(checked, cel.Rejection):
        return ExpressionError(*explain_rejection(source, checked))
    tree = decode(checked)
    if refusal := refused(tree):
        return ExpressionError(explain_refusal(source, refusal.message), refusal.offset)
    optionals = Optionals(tree)
    if lost := optionals.lost():
        return ExpressionError(_OPTIONAL, tree.offset(lost.id))
    used = tuple(paths(tree.expr))
    compiled = _compiled(source, tree, used, _plain_path(tree), optional=tree.expr in optionals)
    return compiled if compiled.can_be_loaded else ExpressionError(_TOO_DEEP)


def _compiled_path(source: str, tree: CheckedTree) -> Compiled | ExpressionError:
    """`compile_expression` for a plain path, which needs few checks."""
    path = chain_of(tree.expr)
    assert path is not None, "it was recognised as one"
    if path.root == "nodes" and (problem := node_path_problem(path, tree.expr)):
        return ExpressionError(explain_refusal(source, problem))
    return _compiled(source, tree, (path,), path, optional=False)


def _compiled(
    source: str,
    tree: CheckedTree,
    used: tuple[Path, ...],
    plain_path: Path | None,
    *,
    optional: bool,
) -> Compiled:
    return Compiled(
        source=source,
        references=references_of(used),
        roots=frozenset(Variable(path.root) for path in used if path.root in _ROOTS),
        tree=tree,
        paths=tuple(path for path in used if path.root in _ROOTS),
        _needed=_needed(used),
        _optional=optional,
        _plain_path=plain_path,
        _costly=tree.expr if plain_path is None and needs_estimate(tree.expr) else None,
    )


def part_of(compiled: Compiled, expr: Expr) -> Compiled:
    """A part of an accepted expression that reads no variable, as an expression."""
    tree = replace(compiled.tree, expr=expr)
    return _compiled(compiled.source, tree, (), None, optional=expr in Optionals(tree))


def references(source: str) -> tuple[Reference, ...] | ExpressionError:
    """The nodes an expression refers to, in source order."""
    compiled = compile_expression(source)
    return compiled.references if isinstance(compiled, Compiled) else compiled


def evaluate(
    compiled: Compiled, data: Mapping[str, Json], budget: Budget | None = None
) -> Json | Absent | EvaluationError:
    """Evaluate an expression.

    Numbers without a fraction are ints unless they are `Double` (see `declare_numbers`); an int and
    a double yield a double. A result without a fraction is an int, as the API server stores it.

    Args:
        compiled: The expression.
        data: The variables by name; only the parts that the expression uses are read.
        budget: The budget of the field that contains the expression.

    Returns:
        The value as JSON; `ABSENT` for an empty optional; an EvaluationError otherwise.
    """
    if compiled._plain_path is not None:
        return _at_path(compiled._plain_path, data)
    try:
        variables = _variables(compiled, data)
    except Unfit as unfit:
        return EvaluationError(f"{unfit.path}: {unfit.message}")
    budget = budget or Budget()
    if compiled._costly and (reason := budget.refusal(compiled._costly, variables)):
        return EvaluationError(reason)
    return _outcome(compiled, data, evaluation.run(compiled.program, variables))


def _outcome(
    compiled: Compiled, data: Mapping[str, Json], outcome: evaluation.Outcome
) -> Json | Absent | EvaluationError:
    # An optional is returned as a list with one element, or an empty list.
    match outcome:
        case evaluation.Value(json=value):
            if not compiled._optional:
                return value
            return value[0] if isinstance(value, list) and value else ABSENT
        case Failure(message=message):
            return EvaluationError(explain_failure(message, compiled.paths, data))
        case evaluation.NotJson(message=message, path=path):
            place = path.removeprefix("[0]") if compiled._optional else path
            return EvaluationError(f"the result{place}: {message}")
        case evaluation.Stopped(limit=limit):
            return EvaluationError(f"{_short(compiled.source)} was stopped: {limit}")


def _short(source: str) -> str:
    return source if len(source) <= _SHOWN else f"{source[:_SHOWN]}…"


def evaluate_condition(compiled: Compiled, data: Mapping[str, Json]) -> bool | EvaluationError:
    """The value of a condition: true or false; everything else is an error.

    A text "true", a null or an error value never counts as true.
    """
    value = evaluate(compiled, data)
    if isinstance(value, bool | EvaluationError):
        return value
    kind = "absent" if value is ABSENT else _kind(value)
    return EvaluationError(f"a condition must be true or false, found {kind}")


def _bounds_problem(source: str) -> str:
    if not source.strip():
        return "the expression is empty"
    if len(source) > MAX_LENGTH:
        return f"the expression has {len(source)} characters, the limit is {MAX_LENGTH}"
    if _NO_TEXT.search(source):
        return "the expression holds a character that is not text"
    if source.count("optMap") + source.count("optFlatMap") > _MAX_OPTIONAL_MAPS:
        return f"more than {_MAX_OPTIONAL_MAPS} uses of optMap and optFlatMap"
    return ""


def _needed(used: tuple[Path, ...]) -> dict[str, Any]:
    """What to bind for the used paths, so that only the used part of a large input is copied."""
    needed: dict[str, Any] = {}
    for path in used:
        if path.root not in _ROOTS:
            continue
        level: dict[str, Any] = needed
        steps = (path.root, *path.fields)
        for step in steps[:-1]:
            inner = level.setdefault(step, {})
            if inner is None:
                break
            level = inner
        else:
            level[steps[-1]] = None
    return needed


def _plain_path(tree: CheckedTree) -> Path | None:
    path = chain_of(tree.expr)
    return path if path is not None and path.root in _ROOTS and not path.soft else None


def _at_path(path: Path, data: Mapping[str, Json]) -> Json | EvaluationError:
    """The value of a plain path as CEL gives it, without copying it through the library."""
    value: Json = data
    for step in (path.root, *path.fields):
        if isinstance(value, Unavailable):
            break
        if not isinstance(value, Mapping) or step not in value:
            return EvaluationError(explain_failure("", (path,), data))
        value = value[step]
    return _result(value, ".".join((path.root, *path.fields)))


def _result(value: object, name: str) -> Json | EvaluationError:
    try:
        return out_of_cel(value)
    except Unfit as unfit:
        return EvaluationError(f"{name}{unfit.path}: {unfit.message}")


def _variables(compiled: Compiled, data: Mapping[str, Json]) -> dict[str, Json]:
    needed = compiled._needed
    return {root: _bind(data.get(root, {}), needs, root) for root, needs in needed.items()}


def _bind(value: Json, needed: _Needed, path: str) -> Json:
    if needed is not None and isinstance(value, Mapping):
        needs = ((key, inner) for key, inner in needed.items() if key in value)
        return {key: _bind(value[key], inner, f"{path}.{key}") for key, inner in needs}
    try:
        return into_cel(value)
    except Unfit as unfit:
        raise Unfit(unfit.message, f"{path}{unfit.path}") from None


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a number"
