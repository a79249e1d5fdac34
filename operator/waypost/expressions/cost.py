"""What an expression can build and look at, at most, from the sizes of the data it reads.

CEL ends always, but not always soon or small: `['aaaa'].map(x, x + x + x)` chained ten times makes
gigabytes from a line of text, and `l.all(a, !t.contains(a))` looks at a long text once for every
element. The process that evaluates is shared, so both are bounded before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from waypost.expressions.functions import FREE, Outcome, result_of
from waypost.expressions.linear import Linear, Quantities, constant, numeric, plus, summed
from waypost.expressions.references import Path, chain_of
from waypost.expressions.sizes import (
    ITEM,
    SCALAR,
    Data,
    Element,
    Made,
    Numbers,
    Size,
    Summed,
    flat,
    literal,
    measure,
    one_of,
    together,
)
from waypost.expressions.tree import (
    Call,
    Comprehension,
    Constant,
    Expr,
    Ident,
    ListLiteral,
    MapLiteral,
    Select,
    is_local_variable,
    parts,
    walk,
)
from waypost.protocol.ijson import Json

MAX_BUILT: Final = 64 * 1024 * 1024
MAX_READ: Final = 128 * 1024 * 1024
MAX_RENDERED: Final = 32 * 1024 * 1024

# What a turn of a loop costs beside its body, in bytes that could be looked at meanwhile.
_TURN: Final = 64.0
_COLLECTING_TURN: Final = 1024.0


def needs_estimate(expr: Expr) -> bool:
    """Whether evaluating `expr` can cost more than a small multiple of its data."""
    return any(
        isinstance(part, Comprehension | ListLiteral | MapLiteral)
        or (isinstance(part, Call) and part.function not in FREE)
        for part in walk(expr)
    )


@dataclass
class Budget:
    """What one field may still cost: expressions in it share what they read and give."""

    read: float = MAX_READ
    rendered: float = MAX_RENDERED

    def refusal(self, expr: Expr, data: Mapping[str, Json]) -> str:
        """Why `expr` is not to be evaluated on `data`; empty when its cost is bounded."""
        built, read = costs(expr, data)
        if built > MAX_BUILT:
            return f"the expression may build more than {MAX_BUILT >> 20} MiB from this data"
        self.read -= read
        if self.read < 0:
            return f"reading this data again and again may take more than {MAX_READ >> 20} MiB"
        return ""

    def is_exceeded_by(self, value: Json) -> bool:
        """Whether the field becomes too big with `value` in it."""
        self.rendered -= measure(value)
        return self.rendered < 0


def refusal(expr: Expr, data: Mapping[str, Json]) -> str:
    """`Budget.refusal` for an expression that is alone."""
    return Budget().refusal(expr, data)


def costs(expr: Expr, data: Mapping[str, Json]) -> tuple[float, float]:
    """Upper bounds of the bytes that evaluating `expr` on `data` allocates and looks at."""
    estimate = _Estimate(data)
    size = estimate.of(expr, {})
    known = estimate.known
    result = numeric(size.bytes, known)
    return numeric(estimate.built, known) + result, numeric(estimate.read, known) + result


class _Estimate:
    """One pass over one expression; `built` and `read` grow as it goes."""

    def __init__(self, data: Mapping[str, Json]) -> None:
        self._data = data
        self._paths: dict[tuple[str, ...], Size] = {}
        self.known: Quantities = {}
        self.built: Linear = constant(0.0)
        self.read: Linear = constant(0.0)

    def of(self, expr: Expr, scope: Mapping[str, Size]) -> Size:
        chain = chain_of(expr)
        if chain is not None and chain.root not in scope:
            return self._at(chain)
        match expr:
            case Ident():
                return scope[expr.name]
            case Constant():
                return flat(SCALAR) if expr.string is None else literal(expr.string)
            case Select():
                operand = self.of(expr.operand, scope)
                return flat(SCALAR) if expr.test_only else operand.field(expr.field)
            case Comprehension():
                return self._loop(expr, scope)
            case Call():
                return self._call(expr, scope)
            case ListLiteral():
                return self._list([self.of(part, scope) for part in expr.elements])
            case MapLiteral():
                return self._map(expr, scope)
        return flat(SCALAR)

    def _at(self, path: Path) -> Size:
        steps = (path.root, *path.fields)
        if steps not in self._paths:
            if not path.fields:
                found = [self._data[path.root]] if path.root in self._data else []
                self._paths[steps] = Data((tuple(found),))
            else:
                shorter = Path(path.root, path.steps[:-1], path.id)
                self._paths[steps] = self._at(shorter).field(path.fields[-1])
        return self._paths[steps]

    def _call(self, call: Call, scope: Mapping[str, Size]) -> Size:
        sizes = [self.of(part, scope) for part in parts(call)]
        outcome: Outcome = result_of(call, sizes, self.known)
        self.built = plus(self.built, outcome.built)
        self.read = plus(self.read, outcome.read)
        return outcome.size

    def _list(self, elements: list[Size]) -> Size:
        if not elements:
            return flat(SCALAR)
        items, item = elements[0], elements[0]
        for element in elements[1:]:
            items, item = together(items, element), one_of(item, element)
        size = plus(items.bytes, constant(ITEM * len(elements)))
        self.built = plus(self.built, size)
        count = constant(float(len(elements)))
        return Made(size, count, all_items=lambda: items, one_item=lambda: item)

    def _map(self, expr: MapLiteral, scope: Mapping[str, Size]) -> Size:
        size: Linear = constant(SCALAR)
        fields: dict[str, Size] = {}
        for entry in expr.entries:
            key, value = self.of(entry.key, scope), self.of(entry.value, scope)
            size = plus(plus(plus(size, key.bytes), value.bytes), constant(2 * ITEM))
            if isinstance(entry.key, Constant) and entry.key.string is not None:
                fields[entry.key.string] = value
        self.built = plus(self.built, size)
        fields = fields if len(fields) == len(expr.entries) else {}
        return Made(size, constant(float(len(expr.entries))), fields=fields)

    def _loop(self, loop: Comprehension, scope: Mapping[str, Size]) -> Size:
        if is_local_variable(loop):
            local = {**scope, loop.accu_var: self.of(loop.accu_init, scope)}
            return self.of(loop.result, local)
        over = self.of(loop.iter_range, scope)
        element = Element(loop.id, (), over.items, over.item, self.known)
        inner = {**scope, loop.iter_var: element, loop.accu_var: flat(SCALAR)}
        built, read = self.built, self.read
        collects = isinstance(loop.accu_init, ListLiteral)
        self.built = constant(0.0)
        self.read = constant(_COLLECTING_TURN if collects else _TURN)
        added, condition = _turn(loop)
        self.of(condition, inner)
        step = self.of(added, inner)
        self.built = plus(built, self._summed(loop, over, self.built))
        self.read = plus(read, self._summed(loop, over, self.read))
        if not collects:
            return flat(SCALAR)
        return self._collected(loop, over, step, kept=added == Ident(added.id, loop.iter_var))

    def _collected(self, loop: Comprehension, over: Size, step: Size, *, kept: bool) -> Size:
        """The list that a loop makes; `kept`: of elements as they were, which a filter does."""
        all_of_them = Summed(loop.id, over.count, step, self.known)
        size = plus(all_of_them.bytes, over.count, ITEM)
        self.built = plus(self.built, size)
        if kept:
            return over
        one = Numbers(step, self.known)
        return Made(size, over.count, all_items=lambda: all_of_them, one_item=lambda: one)

    def _summed(self, loop: Comprehension, over: Size, linear: Linear) -> Linear:
        return summed(linear, loop.id, over.count, self.known)


def _turn(loop: Comprehension) -> tuple[Expr, Expr]:
    """What one turn of a loop adds to its result, and on what condition."""
    match loop.loop_step:
        case Call(
            function="_?_:_", args=(condition, Call(args=(_, ListLiteral() as one)), Ident())
        ):
            return one.elements[0], condition
        case Call(function="_+_", args=(Ident(name=name), ListLiteral() as one)) if (
            name == loop.accu_var
        ):
            return one.elements[0], loop.loop_condition
        case step:
            return step, loop.loop_condition
