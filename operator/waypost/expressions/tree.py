"""The checked syntax tree of a CEL expression, read from and written to `cel.expr.CheckedExpr`.

The library returns its tree only as protobuf bytes. Waypost needs it to find the nodes that an
expression refers to, and to insert guards before it runs. That needs only the few messages below,
so they are parsed by hand instead of by code generated from `cel/expr/{syntax,checked}.proto`,
where the field numbers come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from waypost.expressions.protobuf import Field, every, fields, integers, last, last_int, put, text


@dataclass(frozen=True)
class Constant:
    """A literal. `raw` is its protobuf message."""

    id: int
    raw: bytes
    string: str | None = None  # set if it is a string literal


@dataclass(frozen=True)
class Ident:
    """The name of a variable."""

    id: int
    name: str


@dataclass(frozen=True)
class Select:
    """`operand.field`; with `test_only` it is `has(operand.field)`."""

    id: int
    operand: Expr
    field: str
    test_only: bool = False


@dataclass(frozen=True)
class Call:
    """A function or operator; a method has a `target`."""

    id: int
    function: str
    args: tuple[Expr, ...]
    target: Expr | None = None


@dataclass(frozen=True)
class ListLiteral:
    """`optional` holds the indices written `?x`: left out of the list when x is empty."""

    id: int
    elements: tuple[Expr, ...]
    optional: tuple[int, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One `key: value` of a map; `?key: value` is optional."""

    id: int
    key: Expr
    value: Expr
    optional: bool = False


@dataclass(frozen=True)
class MapLiteral:
    """`{key: value, ...}`."""

    id: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class MessageLiteral:
    """`pkg.Message{...}`: parsed without its fields, because it is refused."""

    id: int
    name: str


@dataclass(frozen=True)
class Comprehension:
    """What the macros (`map`, `filter`, `all`, `exists`, `exists_one`, `optMap`) expand to."""

    id: int
    iter_var: str
    iter_range: Expr
    accu_var: str
    accu_init: Expr
    loop_condition: Expr
    loop_step: Expr
    result: Expr


Expr: TypeAlias = (
    Constant | Ident | Select | Call | ListLiteral | MapLiteral | MessageLiteral | Comprehension
)


@dataclass(frozen=True)
class CheckedTree:
    """The tree, and the results of the type checker by expression id."""

    expr: Expr
    maps: frozenset[int]  # ids of expressions whose type is a map
    optionals: frozenset[int]
    types: Mapping[int, str]  # id -> bool, int, double, string, list, map, null, dyn...
    rest: tuple[Field, ...]  # all other fields of CheckedExpr, unchanged

    def offset(self, id: int) -> int:
        """The offset of an expression in the source, in code points."""
        return self._offsets.get(id, 0)

    @cached_property
    def _offsets(self) -> Mapping[int, int]:
        # Only error messages need it, and most expressions have none.
        positions = map(fields, every(fields(last(list(self.rest), 5)), 4))
        return {last_int(pair, 1): last_int(pair, 2) for pair in positions}


_PATH_ROOTS = frozenset(
    ("inputs", "nodes", "self", "run", "item", "previous", "candidate", "memory", "body", "headers")
)
_KEYWORDS = frozenset(("in", "true", "false", "null"))
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_PATH = 24

_ANY_URL = "type.googleapis.com/cel.expr.CheckedExpr"
_MAP_TYPE, _ABSTRACT_TYPE = 7, 14
# Fields of cel.expr.Type, and of its enumeration of scalars (bare ones and wrappers).
_TYPES = {2: "null", 6: "list", _MAP_TYPE: "map", 11: "type", _ABSTRACT_TYPE: "optional"}
_WELL_KNOWN_TYPE = 5
_WELL_KNOWN_TYPES = {2: "timestamp", 3: "duration"}
_SCALAR_TYPES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}


def decode(checked: bytes) -> CheckedTree:
    """Read the bytes of `Expression.serialize()`: a CheckedExpr inside a protobuf Any."""
    message = fields(last(fields(checked), 2))
    types = _types(message)
    return CheckedTree(
        expr=_read(last(message, 4)),
        maps=frozenset(id for id, name in types.items() if name == "map"),
        # The only abstract type of the environment is optional_type.
        optionals=frozenset(id for id, name in types.items() if name == "optional"),
        types=types,
        rest=tuple(field for field in message if field[0] != 4),
    )


def types_of(checked: bytes) -> dict[int, str]:
    """`decode(checked).types`, without the rest of the tree."""
    return _types(fields(last(fields(checked), 2)))


def _types(message: list[Field]) -> dict[int, str]:
    pairs = (fields(entry) for entry in every(message, 3))
    return {last_int(pair, 1): _type_name(last(pair, 2)) for pair in pairs}


def is_plain_path(source: str) -> bool:
    """Whether `source` consists only of names with dots between them."""
    names = source.split(".", _LONGEST_PATH)
    if not 2 <= len(names) <= _LONGEST_PATH or names[0] not in _PATH_ROOTS:
        return False
    return not _KEYWORDS.intersection(names) and all(map(_NAME.fullmatch, names))


def path_tree(source: str) -> CheckedTree | None:
    """The tree of a plain path such as `nodes.draft.output.title`, None for anything else.

    Most expressions are plain paths, and this avoids 0.1 ms in the library.
    """
    if not is_plain_path(source):
        return None
    names = source.split(".")
    expr: Expr = Ident(1, names[0])
    for at, name in enumerate(names[1:], start=2):
        expr = Select(at, expr, name)
    return CheckedTree(expr, frozenset(), frozenset(), types={}, rest=())


@lru_cache(maxsize=256)  # an expression has a few types many times
def _type_name(type_: bytes) -> str:
    for number, value in fields(type_):
        if number in (3, 4) and isinstance(value, int):
            return _SCALAR_TYPES.get(value, "dyn")
        if number == _WELL_KNOWN_TYPE and isinstance(value, int):
            return _WELL_KNOWN_TYPES.get(value, "dyn")
        if number in _TYPES:
            return _TYPES[number]
    return "dyn"


def encode(tree: CheckedTree, expr: Expr) -> bytes:
    """The bytes of `tree` with `expr` in place of its expression, for `Env.deserialize()`."""
    rest = b"".join(put(number, value) for number, value in tree.rest)
    return put(1, _ANY_URL) + put(2, rest + put(4, _write(expr)))


def walk(expr: Expr) -> Iterator[Expr]:
    """`expr` and everything in it, each before its parts, in evaluation order."""
    yield expr
    for part in parts(expr):
        yield from walk(part)


def parts(expr: Expr) -> tuple[Expr, ...]:
    """The direct children of `expr`."""
    match expr:
        case Select():
            return (expr.operand,)
        case Call():
            return expr.args if expr.target is None else (expr.target, *expr.args)
        case ListLiteral():
            return expr.elements
        case MapLiteral():
            return tuple(part for entry in expr.entries for part in (entry.key, entry.value))
        case Comprehension():
            return (
                expr.iter_range,
                expr.accu_init,
                expr.loop_condition,
                expr.loop_step,
                expr.result,
            )
        case _:
            return ()


def depth(expr: Expr) -> int:
    """The maximum nesting depth of expressions."""
    deepest, level = 0, [expr]
    while level:
        deepest += 1
        level = [part for one in level for part in parts(one)]
    return deepest


def is_local_variable(loop: Comprehension) -> bool:
    """Whether it is a loop over an empty list literal, which is how CEL writes a local variable."""
    return isinstance(loop.iter_range, ListLiteral) and not loop.iter_range.elements


def _read(data: bytes) -> Expr:
    message = fields(data)
    expr_id = last_int(message, 2)
    for number, value in message:
        if number in _READERS and isinstance(value, bytes):
            return _READERS[number](expr_id, fields(value), value)
    return Constant(expr_id, b"")


def _read_constant(expr_id: int, message: list[Field], raw: bytes) -> Expr:
    is_string = any(number == 6 for number, _ in message)
    return Constant(expr_id, raw, text(message, 6) if is_string else None)


def _read_ident(expr_id: int, message: list[Field], _raw: bytes) -> Expr:
    return Ident(expr_id, text(message, 1))


def _read_select(expr_id: int, message: list[Field], _raw: bytes) -> Expr:
    return Select(expr_id, _read(last(message, 1)), text(message, 2), bool(last_int(message, 3)))


def _read_call(expr_id: int, message: list[Field], _raw: bytes) -> Expr:
    target = last(message, 1)
    args = tuple(_read(arg) for arg in every(message, 3))
    return Call(expr_id, text(message, 2), args, _read(target) if target else None)


def _read_list(expr_id: int, message: list[Field], _raw: bytes) -> Expr:
    elements = tuple(_read(element) for element in every(message, 1))
    return ListLiteral(expr_id, elements, tuple(integers(message, 2)))


def _read_struct(expr_id: int, message: list[Field], _raw: bytes) -> Expr:
    if name := text(message, 1):
        return MessageLiteral(expr_id, name)
    entries = (fields(entry) for entry in every(message, 2))
    return MapLiteral(
        expr_id,
        tuple(
            Entry(last_int(e, 1), _read(last(e, 3)), _read(last(e, 4)), bool(last_int(e, 5)))
            for e in entries
        ),
    )


def _read_comprehension(expr_id: int, message: list[Field], _raw: bytes) -> Expr:
    return Comprehension(
        expr_id,
        iter_var=text(message, 1),
        iter_range=_read(last(message, 2)),
        accu_var=text(message, 3),
        accu_init=_read(last(message, 4)),
        loop_condition=_read(last(message, 5)),
        loop_step=_read(last(message, 6)),
        result=_read(last(message, 7)),
    )


_READERS = {
    3: _read_constant,
    4: _read_ident,
    5: _read_select,
    6: _read_call,
    7: _read_list,
    8: _read_struct,
    9: _read_comprehension,
}


def _write(expr: Expr) -> bytes:
    number, body = _body(expr)
    return put(2, expr.id) + put(number, body)


def _body(expr: Expr) -> tuple[int, bytes]:
    match expr:
        case Constant():
            return 3, expr.raw
        case Ident():
            return 4, put(1, expr.name)
        case Select():
            operand = put(1, _write(expr.operand)) + put(2, expr.field)
            return 5, operand + (put(3, 1) if expr.test_only else b"")
        case Call():
            target = b"" if expr.target is None else put(1, _write(expr.target))
            return 6, target + put(2, expr.function) + _each(3, expr.args)
        case ListLiteral():
            return 7, _each(1, expr.elements) + b"".join(put(2, at) for at in expr.optional)
        case MapLiteral():
            return 8, b"".join(put(2, _write_entry(entry)) for entry in expr.entries)
        case MessageLiteral():
            return 8, put(1, expr.name)
        case Comprehension():
            return 9, _write_comprehension(expr)


def _each(number: int, exprs: tuple[Expr, ...]) -> bytes:
    return b"".join(put(number, _write(expr)) for expr in exprs)


def _write_entry(entry: Entry) -> bytes:
    body = put(1, entry.id) + put(3, _write(entry.key)) + put(4, _write(entry.value))
    return body + (put(5, 1) if entry.optional else b"")


def _write_comprehension(expr: Comprehension) -> bytes:
    return (
        put(1, expr.iter_var)
        + put(2, _write(expr.iter_range))
        + put(3, expr.accu_var)
        + put(4, _write(expr.accu_init))
        + put(5, _write(expr.loop_condition))
        + put(6, _write(expr.loop_step))
        + put(7, _write(expr.result))
    )
