"""One CEL rule of a CRD, and the few phrases from which the rules are put together."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

FORBIDDEN: Final = "FieldValueForbidden"
REQUIRED: Final = "FieldValueRequired"


_ANY_TYPE: Final = frozenset({"answer", "data", "fallbackOutput"})


class Cel(str):
    """CEL text inside a message: evaluated, where plain text is printed."""


@dataclass(frozen=True)
class Rule:
    """One entry of `x-kubernetes-validations`.

    `holds` is the CEL that must be true. `says` is what the user reads otherwise: what was found,
    what is expected, what to do. The server prints the object, the field and, from `reason`, a
    word or two before it.
    """

    holds: str
    says: Sequence[str | Cel]
    field_path: str | None = None
    # The default word is Invalid, which prints the type of the value instead of anything useful.
    reason: str = FORBIDDEN
    on_create: bool = False  # judged on create too; oldSelf is then an optional

    def render(self) -> dict[str, Any]:
        """The entry as it stands in the CRD."""
        entry: dict[str, Any] = {"rule": self.holds}
        if any(isinstance(part, Cel) for part in self.says):
            entry["messageExpression"] = " + ".join(map(_term, self.says))
        else:
            entry["message"] = "".join(self.says)
        if self.field_path:
            entry["fieldPath"] = self.field_path
        entry["reason"] = self.reason
        if self.on_create:
            entry["optionalOldSelf"] = True
        return entry


def _term(part: str | Cel) -> str:
    return str(part) if isinstance(part, Cel) else json.dumps(part)


def any_of(fields: Iterable[str]) -> str:
    """At least one of `fields` is set."""
    return "(" + " || ".join(map(_has, fields)) + ")"


def at_most_one_of(fields: Iterable[str]) -> str:
    """Not two of `fields` are set."""
    return f"[{', '.join(map(_has, fields))}].filter(found, found).size() <= 1"


def names_of(fields: Iterable[str]) -> Cel:
    """Text: those of `fields` that are set."""
    return _names_where((field, _has(field)) for field in fields)


def unchanged(fields: Iterable[str], *, at: str = "") -> str:
    """None of `fields` of the object at `at` differs from the old one."""
    return "(" + " && ".join(_same(field, at) for field in fields) + ")"


def changes_of(fields: Iterable[str], *, at: str = "") -> Cel:
    """Text: those of `fields` of the object at `at` that differ from the old one."""
    return _names_where((field, f"!({_same(field, at)})") for field in fields)


def _has(field: str) -> str:
    # dyn(): CEL does not see a field of any type on a typed value.
    return f"has(dyn(self).{field})" if field in _ANY_TYPE else f"has(self.{field})"


def _same(field: str, at: str) -> str:
    # Not `self.?x == oldSelf.?x`, which says the same: its cost is estimated as endless.
    new, old = f"self{at}.{field}", f"oldSelf{at}.{field}"
    return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"


def _names_where(tests: Iterable[tuple[str, str]]) -> Cel:
    # Not a list and join(), whose result has no bound in the estimate.
    names = " + ".join(f'({test} ? ", {name}" : "")' for name, test in tests)
    return Cel(f"({names}).substring(2)")


def wire_names(model: type[BaseModel], *, without: frozenset[str] = frozenset()) -> list[str]:
    """The fields of `model` as they are written in YAML, in order."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [name for name in names if name not in without]
