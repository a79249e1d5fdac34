"""The only module that uses the CEL library; it converts all errors of the library.

The library returns some evaluation errors as a *value* of type ERROR whose plain form is a text,
which a caller could mistake for data. It raises others as RuntimeError, TypeError or SystemError.
`run` returns a `Failure` for both.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeAlias

# The wheel brings stubs but no py.typed marker.
from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext import (  # type: ignore[import-untyped]
    ext_math,
    ext_optional,
    ext_strings,
)

from waypost.expressions import lists
from waypost.expressions.guards import JSON_OF_ONE, REFUSE_RANGE, SPAN, SPANS
from waypost.expressions.long_loops import LongLoops
from waypost.expressions.references import ONLY_LISTS, ROOTS
from waypost.expressions.tree import decode
from waypost.expressions.values import Failure, Unfit, compact_json, into_cel

_T = cel.Type
# The declared type of a path: a scalar, a map, or a list of one of these (None: of any type).
Declared: TypeAlias = "str | tuple[str, Declared | None]"
# Wrapper types, so that comparison with null and `c ? x : null` type-check.
_WRAPPERS = {
    "string": "google.protobuf.StringValue",
    "integer": "google.protobuf.Int64Value",
    "number": "google.protobuf.DoubleValue",
    "boolean": "google.protobuf.BoolValue",
}
_RAISED = (RuntimeError, TypeError, ValueError, SystemError, OverflowError)


@dataclass(frozen=True)
class Rejection:
    """An error of the parser or the type checker. Line and column count from 1; 0 is unknown."""

    message: str
    line: int = 0
    column: int = 0


def check(source: str) -> bytes | Rejection:
    """Parse and type-check; the result is the checked tree for `tree.decode`."""
    try:
        return bytes(_environment().compile(source).serialize())
    except _RAISED as error:
        return _rejection(str(error))


def check_typed(source: str, environment: Any) -> bytes | list[Rejection]:
    """Like `check`, in a `typed_environment`; returns all errors instead of the first."""
    try:
        return bytes(environment.compile(source).serialize())
    except _RAISED as error:
        return _rejections(str(error))


def typed_environment(types: Mapping[str, Declared]) -> Any:
    """An environment with the `types` of paths, such as {"inputs.n": "integer"}. Only for checking:
    programs run on untyped data."""
    return _made({path: _type(declared) for path, declared in types.items()})


def _type(declared: Declared) -> Any:
    if isinstance(declared, tuple):
        return _T.List(_T.DYN if declared[1] is None else _type(declared[1]))
    return _T.Map(_T.STRING, _T.DYN) if declared == "map" else _T(_WRAPPERS[declared])


def load(checked: bytes) -> Any:
    """A program for `run_loaded` from the bytes of a checked tree; a `Rejection` if that fails."""
    try:
        return _environment().deserialize(checked)
    except _RAISED as error:
        return _rejection(str(error))


@lru_cache(maxsize=256)
def _loaded(program: bytes) -> Any:
    return load(program)


# Each expression with the result null removes one reference to None from the interpreter, which
# aborts at zero, and so does each null in a result. From Python 3.12 on, None is immortal.
_NONES: list[None] = []
_FEW_NONES = 500_000
if sys.version_info < (3, 12):
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_NONES))  # kept until the process has ended


def _keep_none_alive() -> None:
    if sys.version_info < (3, 12) and sys.getrefcount(None) < _FEW_NONES:
        _NONES.extend([None] * _FEW_NONES)


def run(program: bytes, variables: Mapping[str, Any]) -> object:
    """The plain Python value of a checked tree, or a `Failure`."""
    loaded = _loaded(program)
    if isinstance(loaded, Rejection):
        return Failure(loaded.message)
    value = _evaluated(loaded, variables)
    if isinstance(value, Failure) and value.of_steps:
        return LongLoops(decode(program), variables, run_part).evaluated()
    return value


def run_part(program: bytes, variables: Mapping[str, Any]) -> object:
    """As `run`, for a program that is run once: it is not kept, and its loops are not split."""
    loaded = load(program)
    return (
        Failure(loaded.message) if isinstance(loaded, Rejection) else _evaluated(loaded, variables)
    )


def run_rule(rule: Any, value: Any) -> object:
    """The plain Python value of a rule from `compile_rule` for `self`, or a `Failure`."""
    return _evaluated(rule, {"self": value})


def _evaluated(program: Any, variables: Mapping[str, Any]) -> object:
    _keep_none_alive()
    try:
        result = program.eval(data=variables)
        value = result.plain_value()
        if result.type() == _T.ERROR:
            return Failure(_cleaned(str(value)))
    except (TypeError, SystemError):
        return Failure("the result holds a kind of value that JSON does not have")
    except _RAISED as error:
        return Failure(_cleaned(str(error)))
    finally:
        lists.empty_results()
    return value


def compile_rule(source: str) -> Any:
    """A program for `run_rule` from a validation rule of a CRD, whose only variable is `self`.

    Raises:
        RuntimeError, ValueError: The rule does not compile, which is a bug of ours.
    """
    return _rule_environment().compile(source)


@cache
def _rule_environment() -> Any:
    return cel.NewEnv(
        variables={"self": _T.DYN},
        extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()],
    )


@cache
def _environment() -> Any:
    return _made({})


def _made(types: Mapping[str, Any]) -> Any:
    mapping = _T.Map(_T.STRING, _T.DYN)
    return cel.NewEnv(
        variables={
            **dict.fromkeys(ROOTS, mapping),
            "item": _T.DYN,
            "index": _T.INT,
            "body": _T.DYN,
            **types,
        },
        extensions=[
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
            ext_math.ExtMath(),
            # An extension, because only extensions can add overloads to standard functions.
            cel.CelExtension("waypost", [*_mixed_arithmetic(), *_functions(mapping)]),
        ],
    )


def _mixed_arithmetic() -> list[Any]:
    """Overloads for an int with a double, which yield a double: JSON has one type of number."""
    operations: dict[str, tuple[str, Callable[[float, float], float]]] = {
        "_+_": ("add", lambda a, b: a + b),
        "_-_": ("subtract", lambda a, b: a - b),
        "_*_": ("multiply", lambda a, b: a * b),
        "_/_": ("divide", _divide),
    }
    return [
        cel.FunctionDecl(
            function,
            [
                cel.Overload(
                    f"waypost_{name}_{left.name()}_{right.name()}".lower(),
                    _T.DOUBLE,
                    [left, right],
                    impl=lambda a, b, operation=operation: operation(float(a), float(b)),
                )
                for left, right in ((_T.INT, _T.DOUBLE), (_T.DOUBLE, _T.INT))
            ],
        )
        for function, (name, operation) in operations.items()
    ]


def _functions(mapping: Any) -> list[Any]:
    return [
        cel.FunctionDecl(
            "keys",
            [cel.Overload("waypost_keys", _T.List(_T.STRING), [mapping], impl=_keys)],
        ),
        # No Python function is found for a parameter of type dyn: `json(x)` is only declared,
        # and the guards turn it into a call with a list of one element.
        cel.FunctionDecl("json", [cel.Overload("waypost_json", _T.STRING, [_T.DYN])]),
        cel.FunctionDecl(
            JSON_OF_ONE,
            [cel.Overload("waypost_json_of_one", _T.STRING, [_T.LIST], impl=_json)],
        ),
        cel.FunctionDecl(
            SPANS,
            [cel.Overload("waypost_spans", _T.List(_T.List(_T.INT)), [_T.INT], impl=_spans)],
        ),
        cel.FunctionDecl(
            REFUSE_RANGE,
            [cel.Overload("waypost_refuse_range", _T.DYN, [], impl=_refuse_range)],
        ),
        *_list_functions(),
    ]


def _list_functions() -> list[Any]:
    nested = _T.List(_T.LIST)
    return [
        cel.FunctionDecl(name, [cel.Overload(f"waypost_{name}", result, takes, impl=function)])
        for name, result, takes, function in (
            ("chunk", nested, [_T.LIST, _T.INT], lists.chunk),
            ("flatten", _T.LIST, [_T.LIST], lists.flatten),
            ("zip", nested, [_T.LIST, _T.LIST], lists.zipped),
            ("range", _T.List(_T.INT), [_T.INT], lists.numbers),
        )
    ]


def _divide(a: float, b: float) -> float:
    if b == 0:
        raise ValueError("divide by zero")
    return a / b


def _keys(value: dict[Any, Any]) -> list[str]:
    if not all(isinstance(key, str) for key in value):
        raise ValueError("keys(m): the keys of the map must be strings")
    names = sorted(value)
    value.clear()
    return [str(key) for key in into_cel(names)]


def _json(one: list[Any]) -> str:
    try:
        return compact_json(one[0])
    except Unfit as unfit:
        raise ValueError(f"json(x): {unfit.message}") from None
    finally:
        lists.emptied(one)


@lru_cache(maxsize=512)  # the library leaks the results of functions
def _spans(length: int) -> list[list[int]]:
    return [list(range(at, min(at + SPAN, length))) for at in range(0, length, SPAN)]


def _refuse_range() -> Any:
    raise ValueError(ONLY_LISTS)


_ERRORS = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_STATUS = re.compile(r"^[A-Z_]+: (?=\S)|\s*\[[A-Z_]+\]$")
_ADDRESS = re.compile(r"(?: at)? 0x[0-9a-fA-F]+")


def _rejection(text: str) -> Rejection:
    """The first error only: the others are usually its consequences."""
    return _rejections(text)[0]


def _rejections(text: str) -> list[Rejection]:
    rejections = [
        Rejection(_cleaned(message), max(int(line), 0), max(int(column), 0))
        for line, column, message in _ERRORS.findall(text)
    ]
    return rejections or [Rejection(_cleaned(text))]


def _cleaned(text: str) -> str:
    """The text without status codes and memory addresses, which differ between processes."""
    if text.startswith("basic_string"):
        return "the data holds a text that has no UTF-8 form"
    return _ADDRESS.sub("", _STATUS.sub("", _STATUS.sub("", text))).strip()
