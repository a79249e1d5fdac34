"""Upper bounds of what an expression allocates and reads, from the sizes of its data.

CEL always terminates, but it can be slow or large: `['aaaa'].map(x, x + x + x)` chained ten times
builds gigabytes from a line of text, and `l.all(a, !t.contains(a))` reads a long text once for each
element. The process that evaluates is shared, so both are limited before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from waypost.expressions.estimates.functions import FREE, Outcome, result_of
from waypost.expressions.estimates.linear import Linear, Quantities, constant, numeric, plus, summed
from waypost.expressions.estimates.numbers import of_constant
from waypost.expressions.estimates.sizes import (
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
from waypost.expressions.references import Path, chain_of
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

# The cost of an iteration in addition to its body, in bytes that could be read in the same time.
_TURN: Final = 64.0
_COLLECTING_TURN: Final = 256.0


def needs_estimate(expr: Expr) -> bool:
    """Whether evaluating `expr` can cost more than a small multiple of its data."""
    return any(
        isinstance(part, Comprehension | ListLiteral | MapLiteral)
        or (isinstance(part, Call) and part.function not in FREE)
        for part in walk(expr)
    )


@dataclass
class Budget:
    """The remaining cost that one field may have; all its expressions share it."""

    read: float = MAX_READ
    rendered: float = MAX_RENDERED

    @classmethod
    def of_many(cls) -> Budget:
        """A smaller budget for fields of which there may be hundreds in memory at the same time."""
        return cls(read=8 * MAX_READ)

    def refusal(self, expr: Expr, data: Mapping[str, Json]) -> str:
        """Why `expr` must not be evaluated on `data`; "" if its cost is within the budget."""
        built, read = costs(expr, data)
        if built > MAX_BUILT:
            return f"the expression may build more than {MAX_BUILT >> 20} MiB from this data"
        self.read -= read
        if self.read < 0:
            return f"reading this data repeatedly may take more than {MAX_READ >> 20} MiB"
        return ""

    def is_exceeded_by(self, value: Json) -> bool:
        """Whether the field becomes too large with `value` in it."""
        self.rendered -= measure(value)
        return self.rendered < 0


def refusal(expr: Expr, data: Mapping[str, Json]) -> str:
    """`Budget.refusal` for a single expression."""
    return Budget().refusal(expr, data)


def costs(expr: Expr, data: Mapping[str, Json]) -> tuple[float, float]:
    """Upper bounds of the bytes that the evaluation of `expr` on `data` allocates and reads."""
    estimate = _Estimate(data)
    size = estimate.of(expr, {})
    known = estimate.known
    result = numeric(size.bytes, known)
    return numeric(estimate.built, known) + result, numeric(estimate.read, known) + result


class _Estimate:
    """One pass over one expression; it adds up `built` and `read`, in bytes."""

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
                return of_constant(expr) if expr.string is None else literal(expr.string)
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
                values = [self._data[path.root]] if path.root in self._data else []
                self._paths[steps] = Data((tuple(values),))
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
        return self._collected(loop, over, step, unchanged=added == Ident(added.id, loop.iter_var))

    def _collected(self, loop: Comprehension, over: Size, step: Size, *, unchanged: bool) -> Size:
        """The list that a loop builds; `unchanged` for a filter, which keeps the elements."""
        all_of_them = Summed(loop.id, over.count, step, self.known)
        size = plus(all_of_them.bytes, over.count, ITEM)
        self.built = plus(self.built, size)
        if unchanged:
            return over
        one = Numbers(step, self.known)
        return Made(size, over.count, all_items=lambda: all_of_them, one_item=lambda: one)

    def _summed(self, loop: Comprehension, over: Size, linear: Linear) -> Linear:
        return summed(linear, loop.id, over.count, self.known)


def _turn(loop: Comprehension) -> tuple[Expr, Expr]:
    """What one iteration of a loop adds to its result, and the condition for it."""
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
