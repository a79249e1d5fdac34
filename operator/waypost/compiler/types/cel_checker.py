"""Check expressions against the types of the data that they read, with CEL's type checker.

Each path in a workflow's expressions whose schema has one type is declared as a separate variable:
CEL resolves the longest qualified name first, so `inputs.n` has a type and the rest of `inputs` is
dynamic. The programs that run later are untyped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from waypost.compiler.types.fields import at_path
from waypost.compiler.types.schemas import Unknown, alternatives, items_of
from waypost.expressions import cel
from waypost.expressions.cel import Declared, Rejection
from waypost.expressions.expression import Compiled
from waypost.expressions.messages import explain_rejection, operands_tip
from waypost.expressions.references import Path
from waypost.expressions.tree import Expr, ListLiteral, MapLiteral, types_of
from waypost.protocol.ijson import Json

_NOT_JSON: Final = {
    "timestamp": "a timestamp",
    "duration": "a duration",
    "bytes": "bytes",
    "type": "a type",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OVERLOAD: Final = re.compile(r"no matching overload for '([^']*)' applied to '\((.*)\)'")
_NUMERIC: Final = re.compile(r"\b(?:int|uint|double)\b")
_WRAPPER: Final = re.compile(r"wrapper\((\w+)\)")
_WORDS: Final = {
    r"map\(string, dyn\)": "object",
    r"\bnull_type\b": "null",
    r"\bdyn\b": "any",
    r"\bint\b": "integer",
    r"\bdouble\b": "number",
    r"\bbool\b": "boolean",
    r"\blist\((\w+)\)": r"array of \1",
}
# Operators that accept an int and a double at run time, where both are JSON numbers, although the
# checker requires operands of one type.
_MIXING: Final = frozenset(
    ["_+_", "_-_", "_*_", "_/_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"]
)


@dataclass(frozen=True)
class Typed:
    """The result of the checker: the types of parts of the expression by id, and its problems."""

    types: Mapping[int, str]
    problems: tuple[tuple[str, int], ...] = ()  # message, offset


def declared_type(schema: Json) -> Declared | None:
    """The CEL type of a value of `schema`; None if it may have several types."""
    options = None if isinstance(schema, Unknown) else alternatives(schema)
    if not options or not all(one.declared for one in options):
        return None
    kinds = {one.kind for one in options}
    if kinds == {"array"}:
        items = {declared_type(items_of(one.parts, None)) for one in options if not one.is_member}
        return ("list", items.pop() if len(items) == 1 else None)
    if kinds == {"object"}:
        return "map"
    scalars = kinds - {"null"}
    if scalars == {"integer", "number"}:
        scalars = {"number"}
    return scalars.pop() if len(scalars) == 1 and not scalars & {"array", "object"} else None


def path_types(view: Json, used: Iterable[Path]) -> dict[tuple[str, ...], Declared]:
    """The CEL types of paths in a context whose schema is `view`, of those that have one type."""
    listed = list(used)
    # The checker reads has(x) of a variable x as x.
    tested = {(p.root, *p.fields) for p in listed if p.steps and p.steps[-1].guarded}
    types: dict[tuple[str, ...], Declared] = {}
    known: dict[int, tuple[Json, Declared | None]] = {}  # by identity: schemas are shared
    for steps in dict.fromkeys((p.root, *p.fields) for p in listed):
        if steps in tested:
            continue
        schema = at_path(view, steps)
        if id(schema) not in known:
            known[id(schema)] = schema, declared_type(schema)
        kind = known[id(schema)][1]
        if kind is not None:
            types[steps] = kind
    return types


def environment(types: Mapping[tuple[str, ...], Declared]) -> Any:
    """A typed CEL environment; it ignores paths that cannot be written with dots.

    Args:
        types: The CEL type of each path.
    """
    named = {path: kind for path, kind in types.items() if all(map(_NAME.fullmatch, path))}
    return cel.typed_environment({".".join(path): kind for path, kind in named.items()})


def check(compiled: Compiled, types: Any) -> Typed:
    """Check an accepted expression in a typed `environment`."""
    if compiled.is_path:
        return Typed({})  # its type is that of its schema
    checked = cel.check_typed(compiled.source, types)
    if isinstance(checked, bytes):
        return Typed(types_of(checked))
    problems = [
        (_worded(rejection), explain_rejection(compiled.source, rejection)[1])
        for rejection in checked
        if not _only_mixes_numbers(rejection)
    ]
    return Typed(compiled.tree.types, tuple(problems))


def not_json(compiled: Compiled, typed: Typed) -> str | None:
    """Why the result of an expression is certainly not JSON; None if that is not certain."""
    for part in _results(compiled.tree.expr):
        kind = _NOT_JSON.get(typed.types.get(part.id, "dyn"))
        if kind is not None:
            return f"{kind} is not JSON; convert it, for example with string(...)"
    return None


def _results(expr: Expr) -> Iterator[Expr]:
    """`expr` and the parts of it that are in every result."""
    yield expr
    match expr:
        case ListLiteral():
            inner = expr.elements
        case MapLiteral():
            inner = tuple(entry.value for entry in expr.entries)
        case _:
            return
    for part in inner:
        yield from _results(part)


def _worded(rejection: Rejection) -> str:
    """The problem in terms of JSON Schema."""
    match = _OVERLOAD.search(_WRAPPER.sub(r"\1", rejection.message))
    if match is None:
        return rejection.message
    function, arguments = match.groups()
    for word, ours in _WORDS.items():
        arguments = re.sub(word, ours, arguments)
    written = function.strip("_@").removesuffix("_")
    if function in ("_==_", "_!=_"):
        left, _, right = arguments.partition(", ")
        tip = "; for a field that may be absent write has(x.field)" if "null" in arguments else ""
        return f"`{written}` compares {left} with {right}: they are never equal{tip}"
    tip = operands_tip(function, arguments)
    return f"`{written.replace('_', ' ')}` does not take ({arguments}){tip}"


def _only_mixes_numbers(rejection: Rejection) -> bool:
    """Whether the operands have one type if all numeric types count as one."""
    match = _OVERLOAD.search(_WRAPPER.sub(r"\1", rejection.message))
    if match is None:
        return False
    function, arguments = match.groups()
    left, _, right = arguments.partition(", ")
    if function == "_?_:_":
        condition, (left, _, right) = left, right.partition(", ")
        return condition == "bool" and _mixed(left, right)
    if function == "_%_":
        return {_NUMERIC.sub("number", side) for side in (left, right)} == {"number"}
    if function == "@in":
        return _mixed(f"list({left})", right)
    return function in _MIXING and _mixed(left, right)


def _mixed(left: str, right: str) -> bool:
    return left != right and _NUMERIC.sub("number", left) == _NUMERIC.sub("number", right)
