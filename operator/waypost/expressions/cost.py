"""How much an expression can build at most, from the sizes of the data it reads.

CEL ends always, but not always small: `['aaaa'].map(x, x + x + x)` chained ten times makes
gigabytes from a line of text, and the operator that evaluates it is shared. So expressions with
loops, or with functions whose result can exceed their arguments, are estimated first. The
estimate is an upper bound, linear in each element of a loop: summed over the loop, a term in the
element becomes the size of the whole list instead of its longest element times its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from waypost.expressions.references import chain_of
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

LIMIT = 64 * 1024 * 1024

_SCALAR = 8.0
_AMPLIFYING = ("replace", "join", "format", "split")

# Results of one scalar, whatever the arguments are.
_SMALL = frozenset(
    (
        "_==_",
        "_!=_",
        "_<_",
        "_<=_",
        "_>_",
        "_>=_",
        "_&&_",
        "_||_",
        "!_",
        "@in",
        "_-_",
        "_*_",
        "_/_",
        "_%_",
        "-_",
        "size",
        "matches",
        "contains",
        "startsWith",
        "endsWith",
        "hasValue",
        "indexOf",
        "lastIndexOf",
        "int",
        "uint",
        "double",
        "bool",
        "type",
    )
)

# A bound in bytes, linear in loop variables; the constant term stands under "".
_Linear = dict[str, float]


@dataclass(frozen=True)
class Size:
    """Bounds of one value: in all, of its largest element, and how many elements it has."""

    total: _Linear
    top: float
    count: float
    element: float
    values: tuple[Json, ...] = ()  # when it comes from the data: everything it can be


def amplifies(expr: Expr) -> bool:
    """Whether a small expression over small data could still build something big."""
    return any(
        isinstance(part, Comprehension) or (isinstance(part, Call) and part.function in _AMPLIFYING)
        for part in walk(expr)
    )


def builds_too_much(expr: Expr, data: Mapping[str, Json]) -> bool:
    """Whether evaluating `expr` on `data` could allocate more than `LIMIT`."""
    # Looking at the elements of lists is sharper and slower; most expressions do not need it.
    return bytes_built(expr, data, sharp=False) > LIMIT < bytes_built(expr, data)


def bytes_built(expr: Expr, data: Mapping[str, Json], *, sharp: bool = True) -> float:
    """An upper bound of what evaluating `expr` on `data` allocates."""
    estimate = _Estimate(data, sharp=sharp)
    size = estimate.of(expr, {})
    return size.top + estimate.numeric(estimate.cost)


class _Estimate:
    def __init__(self, data: Mapping[str, Json], *, sharp: bool) -> None:
        self._data = data
        self._sharp = sharp
        self._tops: dict[str, float] = {}
        self.cost: _Linear = {"": 0.0}

    def numeric(self, linear: _Linear) -> float:
        return sum(factor * (self._tops[name] if name else 1.0) for name, factor in linear.items())

    def of(self, expr: Expr, scope: Mapping[str, Size]) -> Size:
        chain = chain_of(expr)
        if chain is not None and chain.root not in scope:
            size = _of_values(tuple(_at(self._data, (chain.root, *chain.fields))))
            return size if self._sharp else replace(size, values=())
        match expr:
            case Ident():
                return scope[expr.name]
            case Constant():
                return _flat(len(expr.raw) + _SCALAR)
            case Select():
                operand = self.of(expr.operand, scope)
                return _flat(_SCALAR) if expr.test_only else _field_of(operand, expr.field)
            case Comprehension():
                return self._loop(expr, scope)
        sizes = [self.of(part, scope) for part in parts(expr)]
        built = self._built(expr, sizes)
        self.cost = _plus(self.cost, built.total)
        return built

    def _built(self, expr: Expr, sizes: list[Size]) -> Size:
        match expr:
            case ListLiteral() | MapLiteral():
                return self._combined(sizes, count=len(sizes), extra=16.0 * (len(sizes) + 1))
            case Call(function="_[_]" | "_[?_]" | "_?._"):
                return _element_of(sizes[0])
            case Call(function=function) if function in _SMALL:
                return _flat(_SCALAR)
            case Call(function="_+_" | "_?_:_" | "orValue" | "or"):
                return self._combined(sizes, count=sum(size.count for size in sizes))
            case Call(function="replace"):
                return self._combined(sizes, extra=(sizes[0].top + 1) * sizes[2].top)
            case Call(function="join"):
                return self._combined(sizes, extra=sizes[0].count * sizes[-1].top)
            case Call(function="format"):
                return self._combined(sizes, factor=8, extra=1500 * (sizes[-1].count + 1))
            case Call(function="split"):
                return self._combined(sizes, factor=16, count=sizes[0].top)
            case _:
                return self._combined(sizes, factor=8, extra=64.0)

    def _combined(
        self,
        sizes: list[Size],
        *,
        factor: float = 1.0,
        extra: float = 0.0,
        count: float | None = None,
    ) -> Size:
        total: _Linear = {"": extra}
        for size in sizes:
            total = _plus(total, size.total, factor)
        top = self.numeric(total)
        return Size(total, top, top / _SCALAR if count is None else count, top)

    def _loop(self, loop: Comprehension, scope: Mapping[str, Size]) -> Size:
        if is_local_variable(loop):
            local = {**scope, loop.accu_var: self.of(loop.accu_init, scope)}
            return self.of(loop.result, local)
        over = self.of(loop.iter_range, scope)
        name = f"{loop.iter_var}#{loop.id}"
        self._tops[name] = over.element
        element = replace(_element_of(over), total={name: 1.0})
        inner = {**scope, loop.iter_var: element, loop.accu_var: _flat(_SCALAR)}
        outside, self.cost = self.cost, {"": 0.0}
        added, condition = _turn(loop)
        self.of(condition, inner)
        step = self.of(added, inner)
        every = _summed(_plus(self.cost, step.total), name, over)
        self.cost = _plus(outside, every)
        if not isinstance(loop.accu_init, ListLiteral):
            return _flat(_SCALAR)
        total = _summed(_plus(step.total, {"": _SCALAR}), name, over)
        is_filter = added == Ident(added.id, loop.iter_var)
        kept = over.values if is_filter else ()
        return Size(total, self.numeric(total), over.count, step.top, kept)


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


def _summed(linear: _Linear, name: str, over: Size) -> _Linear:
    """A bound for one element, summed over all elements of `over`."""
    rest = {key: factor * over.count for key, factor in linear.items() if key != name}
    return _plus(rest, over.total, linear.get(name, 0.0))


def _plus(left: _Linear, right: _Linear, factor: float = 1.0) -> _Linear:
    total = dict(left)
    for name, coefficient in right.items():
        total[name] = total.get(name, 0.0) + coefficient * factor
    return total


def _flat(size: float) -> Size:
    return Size({"": size}, size, size, size)


def _of_values(values: tuple[Json, ...]) -> Size:
    if not values:
        return _flat(_SCALAR)
    top = max(map(_measure, values))
    lists = [value for value in values if isinstance(value, list)]
    element = max((_measure(item) for items in lists for item in items), default=top)
    count = max(map(len, lists), default=top)
    return Size({"": top}, top, count, element, values)


def _element_of(whole: Size) -> Size:
    """One element: a constant, because an index says nothing about which."""
    lists = [value for value in whole.values if isinstance(value, list)]
    if whole.values and len(lists) == len(whole.values):
        return _of_values(tuple(item for items in lists for item in items))
    top = whole.element
    return Size({"": top}, top, top / _SCALAR, top)


def _field_of(whole: Size, field: str) -> Size:
    if not whole.values:
        return replace(whole, count=whole.top / _SCALAR, element=whole.top)
    fields = [
        value[field] for value in whole.values if isinstance(value, Mapping) and field in value
    ]
    size = _of_values(tuple(fields))
    # Two bounds for the sum over a loop: the largest field every time, or all of every element.
    if size.top * len(whole.values) <= sum(map(_measure, whole.values)):
        return size
    return replace(size, total=whole.total)


def _at(data: Mapping[str, Json], path: tuple[str, ...]) -> Iterator[Json]:
    value: Json = data
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return
        value = value[step]
    yield value


def _measure(value: Json) -> float:
    if isinstance(value, str):
        return _SCALAR + len(value)
    if isinstance(value, Mapping):
        return _SCALAR + sum(_SCALAR + len(key) + _measure(item) for key, item in value.items())
    if isinstance(value, list):
        return _SCALAR + sum(map(_measure, value))
    return _SCALAR
