"""Infer the type of an expression as a JSON Schema, and report paths that do not exist.

It follows the tree of an accepted expression through the schemas of the values that it reads. A
type that is not known is `Unknown`, never a guess: all values meet the inferred schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from waypost.compiler.problems import did_you_mean
from waypost.compiler.types.cel_checker import Typed
from waypost.compiler.types.fields import element_of, field_of, literal
from waypost.compiler.types.list_functions import LIST_FUNCTIONS, result_of
from waypost.compiler.types.narrowing import (
    NOT_AT_FIRST,
    Steps,
    Tested,
    item_of,
    keeps_no_null,
    not_null_where,
    tested_inside,
)
from waypost.compiler.types.schemas import (
    Narrowed,
    Unknown,
    alternatives,
    is_a,
    kind_of,
    meet,
    union,
)
from waypost.compiler.types.wording import Remark, below_zero, no_first
from waypost.expressions.expression import Compiled
from waypost.expressions.references import ROOTS
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
    walk,
)
from waypost.protocol.ijson import Json

_Scope = Mapping[str, "Inferred"]

_BOOLEAN: Final = {"type": "boolean"}
_BY_TYPE: Final[Mapping[str, Json]] = {
    "bool": _BOOLEAN,
    "string": {"type": "string"},
    "double": {"type": "number"},
    "null": {"type": "null"},
    "list": {"type": "array", "items": Unknown()},
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_NULL_OPERANDS: Final = frozenset(
    ("_+_", "_-_", "_*_", "_/_", "_%_", "-_", "!_", "_<_", "_<=_", "_>_", "_>=_", "size")
)
_WHOLE: Final = frozenset(["size", "int", "uint", "indexOf", "lastIndexOf"])
_NOT_NULL: Final = {"type": ["boolean", "number", "string", "array", "object"]}


@dataclass(frozen=True)
class Inferred:
    """The type of a part of an expression."""

    schema: Json
    optional: bool = False  # a CEL optional, which may be empty
    path: Steps = ()  # the path that it reads, if it is a path of a variable
    text: str = "the value"  # the same for messages, also for items of lists


@dataclass
class Inference:
    """The inference for one expression.

    Attributes:
        compiled: The expression.
        typed: The result of the CEL checker for it.
        world: The schema of all variables.
        tested: The paths that `when` tests, of this node or of one upstream.
        softened: Why dependencies of the node are soft, by name.
        remarks: The errors and warnings so far.
    """

    compiled: Compiled
    typed: Typed
    world: Json
    tested: Tested = field(default_factory=Tested)
    softened: Mapping[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.compiled.is_path:
            self.tested |= tested_inside(self.compiled.tree.expr)

    def result(self) -> Inferred:
        """The type of the whole expression; afterwards `remarks` is complete."""
        return self._of(self.compiled.tree.expr, {})

    def _of(self, expr: Expr, scope: _Scope) -> Inferred:
        match expr:
            case Ident(name=name):
                root = name.removeprefix(".")
                if root in scope:
                    return scope[root]
                if root not in ROOTS:
                    return Inferred(Unknown())
                schema = field_of(self.world, root, where="").schema
                return Inferred(schema, path=(root,), text=root)
            case Constant():
                return Inferred(literal(expr))
            case Select(test_only=True):
                self._step(expr.operand, expr.field, scope, guarded=True)
                return Inferred(_BOOLEAN)
            case Select():
                return self._step(expr.operand, expr.field, scope)
            case ListLiteral():
                return self._list(expr, scope)
            case MapLiteral():
                return self._map(expr, scope)
            case Comprehension():
                return self._loop(expr, scope)
            case Call():
                return self._call(expr, scope)
        return Inferred(Unknown())

    def _step(self, operand: Expr, name: str, scope: _Scope, *, guarded: bool = False) -> Inferred:
        base = self._of(operand, scope)
        path = (*base.path, name) if base.path else ()
        lookup = field_of(base.schema, name, where=base.text)
        if lookup.problem:
            self.remarks.append(Remark(lookup.problem, "error"))
        tested = bool(path) and self.tested.about(path)
        if lookup.absent and not (guarded or base.optional or tested or lookup.problem):
            if path in NOT_AT_FIRST:
                self.remarks.append(Remark(self._no_first(path), "error", absent=True))
                return Inferred(lookup.schema, base.optional, path, f"{base.text}.{name}")
            message = lookup.advice or self._absence(base.text, name)
            self.remarks.append(Remark(message, "warning", absent=not lookup.undeclared))
        schema = lookup.schema
        if tested:
            schema = self._narrowed(schema, path)
        return Inferred(schema, base.optional, path, f"{base.text}.{name}")

    def _narrowed(self, schema: Json, path: Steps) -> Json:
        """The schema of a path that a condition tests."""
        if not isinstance(schema, dict) or isinstance(schema, Unknown):
            return schema
        known = path in self.tested.not_null
        return Narrowed({"allOf": [schema, _NOT_NULL]} if known else schema)

    def _no_first(self, path: Steps) -> str:
        read = next((one for one in self.compiled.paths if one.root == path[0]), None)
        return no_first(path, read.fields[1:] if read is not None else ())

    def _absence(self, where: str, name: str) -> str:
        dotted = _NAME.fullmatch(name) is not None
        guard = f"{where}.?{name}.orValue(...)" if dotted else f"{where}[?{name!r}].orValue(...)"
        if not where.startswith("nodes.") or where.count(".") != 1:
            return f"{where}.{name} may be absent: write {guard}, test it with has(), or require it"
        node = where.removeprefix("nodes.")
        cause = self.softened.get(node) if name == "output" else None
        if cause is None:
            return f"{where}.{name} may be absent: write {guard}, or test {where}.phase first"
        return (
            f"{where}.{name} may be absent: {node} need not have succeeded, because of {cause}; "
            f"write {guard} here too, or add {node} to dependsOn"
        )

    def _call(self, call: Call, scope: _Scope) -> Inferred:
        match call:
            case Call(function="_?._" | "_[?_]", args=(operand, Constant(string=str(name)))):
                return replace(self._step(operand, name, scope, guarded=True), optional=True)
            case Call(function="_[_]", args=(operand, Constant(string=str(name)))):
                return self._step(operand, name, scope)
            case Call(function="_[_]" | "_[?_]", args=(operand, key)):
                return self._item(operand, key, scope, optional=call.function == "_[?_]")
            case Call(function="_?_:_", args=(condition, yes, no)):
                self._of(condition, scope)
                whether = [
                    self._where(condition, yes, scope, holds=True),
                    self._where(condition, no, scope, holds=False),
                ]
                return _either(whether)
            case Call(function="_&&_" | "_||_", args=(left, right)):
                self._of(left, scope)
                self._where(left, right, scope, holds=call.function == "_&&_")
                return Inferred(_BOOLEAN)
        return self._function(call, scope)

    def _function(self, call: Call, scope: _Scope) -> Inferred:
        given = [self._of(arg, scope) for arg in call.args]
        target = None if call.target is None else self._of(call.target, scope)
        match call.function, target, given:
            case name, None, _ if name in LIST_FUNCTIONS:
                made = result_of(name, [(one.schema, one.text) for one in given])
                self.remarks += [Remark(text, "error") for text in made.problems]
                return Inferred(made.schema)
            case "orValue", Inferred(), [other]:
                return replace(_either([target, other]), optional=False)
            case "or", Inferred(), [other]:
                return replace(_either([target, other]), optional=True)
            case "value", Inferred(), []:
                return replace(target, optional=False)
            case "optional.of", None, [one]:
                return replace(one, optional=True)
            case "optional.none", None, []:
                return Inferred(False, optional=True)
            case "_==_" | "_!=_", None, [left, right]:
                self._compared(call.args, left, right)
                self._compared(call.args[::-1], right, left)
            case "@in", None, [left, right]:
                self._compared(call.args, left, Inferred(element_of(right.schema, None)))
            case function, None, [*operands] if function in _NO_NULL_OPERANDS:
                self._not_null(call, operands)
            case function, None, [*operands] if function.startswith("math."):
                self._not_null(call, operands)
                self._numeric(call, operands)
            case _, Inferred(), _:
                self._not_null(call, [target])
        return Inferred(self._by_type(call))

    def _not_null(self, call: Call, operands: Iterable[Inferred]) -> None:
        """Warn of operands that may be null, which operators and methods do not accept."""
        for one in operands:
            if one.optional or isinstance(one.schema, Unknown) or one.path in self.tested.not_null:
                continue
            kinds = {a.kind for a in alternatives(one.schema) or () if a.declared}
            if "null" in kinds and len(kinds) > 1 and not isinstance(one.schema, Narrowed):
                name = call.function.strip("_@")
                text = (
                    f"{one.text} may be null, which `{name}` does not take: write "
                    f"{one.text} == null ? ... : ..., or test it first"
                )
                self.remarks.append(Remark(text, "warning"))

    def _numeric(self, call: Call, operands: Iterable[Inferred]) -> None:
        """Report operands of math functions that cannot be a number or a list."""
        for one in operands:
            if one.optional or isinstance(one.schema, Unknown | Narrowed):
                continue
            given = alternatives(one.schema)
            kinds = {a.kind for a in given or () if a.declared}
            if (
                kinds
                and not kinds & {"integer", "number", "array"}
                and len(kinds) == len(given or ())
            ):
                text = (
                    f"{one.text} is {' or '.join(sorted(kinds))}, `{call.function}` takes numbers"
                )
                self.remarks.append(Remark(text, "error"))

    def _where(self, condition: Expr, expr: Expr, scope: _Scope, *, holds: bool) -> Inferred:
        """The type of `expr` if the condition is true (`holds`) or false."""
        before, not_null = self.tested, not_null_where(condition, holds=holds)
        self.tested |= Tested.of((), not_null)
        inferred = self._of(expr, _without_null(scope, not_null))
        self.tested = before
        return inferred

    def _item(self, operand: Expr, key: Expr, scope: _Scope, *, optional: bool) -> Inferred:
        base = self._of(operand, scope)
        self._of(key, scope)
        index = literal(key).get("const") if isinstance(key, Constant) else None
        at = index if isinstance(index, int) and not isinstance(index, bool) else None
        text = f"{base.text}[{'' if at is None else at}]"
        if at is not None and at < 0 and not isinstance(operand, MapLiteral):
            self.remarks.append(Remark(below_zero(text, base.text if base.path else ""), "error"))
        path = item_of(base.path, at)
        schema, tested = element_of(base.schema, at), bool(path) and self.tested.below(path)
        return Inferred(
            self._narrowed(schema, path) if tested else schema,
            optional or base.optional,
            path if tested else (),
            text,
        )

    def _by_type(self, call: Call) -> Json:
        kind = self.typed.types.get(call.id, "dyn")
        if kind in ("int", "uint"):
            # An int computed from dynamic values may be a double at run time.
            whole = all(self.typed.types.get(arg.id) in ("int", "uint") for arg in call.args)
            return {"type": "integer" if call.function in _WHOLE or whole else "number"}
        return _BY_TYPE.get(kind, Unknown())

    def _compared(self, exprs: tuple[Expr, ...], one: Inferred, other: Inferred) -> None:
        """Warn of a comparison with a literal that is not one of the listed values."""
        literals = [a.member for a in alternatives(other.schema) or [] if a.is_member]
        given = None if isinstance(one.schema, Unknown) else alternatives(one.schema)
        is_literal = isinstance(exprs[1], Constant | ListLiteral)
        if not is_literal or not given or not literals or not all(a.is_member for a in given):
            return
        for value in literals:
            alike = [a.member for a in given if is_a(kind_of(a.member), kind_of(value))]
            if isinstance(value, str) and alike and value not in alike:
                listed = ", ".join(map(repr, alike[:8]))
                hint = did_you_mean(value, map(str, alike))
                text = f"{one.text} is never {value!r}: it is one of {listed}{hint}"
                self.remarks.append(Remark(text, "warning"))

    def _list(self, expr: ListLiteral, scope: _Scope) -> Inferred:
        items = [self._of(element, scope).schema for element in expr.elements]
        if expr.optional:
            return Inferred({"type": "array", "items": union(items)})
        size = {"minItems": len(items), "maxItems": len(items)}
        return Inferred({"type": "array", "prefixItems": items, "items": False, **size})

    def _map(self, expr: MapLiteral, scope: _Scope) -> Inferred:
        properties: dict[str, Json] = {}
        required = []
        computed = False
        for entry in expr.entries:
            self._of(entry.key, scope)
            value = self._of(entry.value, scope).schema
            value = Unknown() if value is False else value  # of an optional that is always empty
            if not isinstance(entry.key, Constant) or entry.key.string is None:
                computed = True
                continue
            properties[entry.key.string] = value
            required += [] if entry.optional else [entry.key.string]
        made = {"type": "object", "properties": properties, "required": required}
        return Inferred(Unknown() if computed else {**made, "additionalProperties": False})

    def _loop(self, loop: Comprehension, scope: _Scope) -> Inferred:
        if is_local_variable(loop):
            value = replace(self._of(loop.accu_init, scope), optional=False)
            return self._of(loop.result, {**scope, loop.accu_var: value})
        over = self._of(loop.iter_range, scope)
        item = Inferred(element_of(over.schema, None), text=f"{over.text}[]")
        start = self._of(loop.accu_init, scope)
        collects = isinstance(loop.accu_init, ListLiteral)
        inner = {
            **scope,
            loop.iter_var: item,
            loop.accu_var: Inferred(Unknown()) if collects else start,
        }
        self._of(loop.loop_condition, inner)
        self._of(loop.loop_step, inner)
        if keeps_no_null(loop):
            inner = {**inner, loop.iter_var: _not_null(item)}
        if not collects:
            kind = self.typed.types.get(loop.id, "dyn")
            return Inferred(_BY_TYPE.get(kind, Unknown()))
        quiet = replace(self, remarks=[])
        appended = [quiet._of(part, inner).schema for part in _appended(loop)]
        return Inferred({"type": "array", "items": union(appended) if appended else Unknown()})


def _without_null(scope: _Scope, not_null: Iterable[Steps]) -> _Scope:
    """The scope where these variables are not null."""
    found = {name: scope[name] for (name, *rest) in not_null if name in scope and not rest}
    return {**scope, **{name: _not_null(one) for name, one in found.items()}}


def _not_null(one: Inferred) -> Inferred:
    if isinstance(one.schema, Unknown):
        return one
    return replace(one, schema=meet([one.schema, _NOT_NULL]))


def _appended(loop: Comprehension) -> Iterator[Expr]:
    """The expressions that a loop appends to its list."""
    for part in walk(loop.loop_step):
        if isinstance(part, Call) and part.function == "_+_" and len(part.args) == 2:
            accumulated, added = part.args
            if isinstance(accumulated, Ident) and accumulated.name == loop.accu_var:
                yield from added.elements if isinstance(added, ListLiteral) else ()


def _either(branches: Iterable[Inferred]) -> Inferred:
    listed = list(branches)
    schemas = [one.schema for one in listed if one.schema is not False]
    return Inferred(
        union(schemas) if schemas else Unknown(), optional=any(one.optional for one in listed)
    )
