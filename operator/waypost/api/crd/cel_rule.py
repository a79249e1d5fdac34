"""One CEL validation rule of a CRD, and building blocks for its expression and message."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import BaseModel

FORBIDDEN: Final = "FieldValueForbidden"
REQUIRED: Final = "FieldValueRequired"


_ANY_TYPE: Final = frozenset({"answer", "data", "fallbackOutput"})


class Cel(str):
    """CEL inside a message, which is evaluated; plain text is printed."""


@dataclass(frozen=True)
class Rule:
    """One entry of `x-kubernetes-validations`.

    `condition` is the CEL expression that must be true. `message` is shown if it is not: the actual
    value, the expected one, and what to do. Before it the API server prints the object, the field
    and a few words for `reason`.

    `place` is a field of the model: the rule then stands at that field, `self` is its value, and
    nothing is evaluated where the field is not set. The API server evaluates all other rules at
    each write, also of the status (ADR 0077).
    """

    condition: str
    message: Sequence[str | Cel]
    field_path: str | None = None
    # With the default, Invalid, the API server prints the type of the value instead of the value.
    reason: str = FORBIDDEN
    on_create: bool = False  # also evaluated on create; oldSelf is then an optional
    place: str | None = None
    parts: tuple["Rule", ...] = ()  # what this rule was joined of

    def render(self) -> dict[str, Any]:
        """The entry of the CRD."""
        entry: dict[str, Any] = {"rule": self.condition}
        if any(isinstance(part, Cel) for part in self.message):
            entry["messageExpression"] = str(self.text())
        else:
            entry["message"] = "".join(self.message)
        if self.field_path:
            entry["fieldPath"] = self.field_path
        entry["reason"] = self.reason
        if self.on_create:
            entry["optionalOldSelf"] = True
        return entry

    def text(self) -> Cel:
        """The message as one CEL expression."""
        return Cel(" + ".join(map(_term, self.message)))


def first_broken(*rules: Rule, unless: str) -> Rule:
    """One rule instead of several at the same place, for each costs; it has the message of the
    first that is broken.

    Args:
        rules: Rules with one reason and field path.
        unless: A condition under which none is broken, and which costs less.
    """
    *others, message = [rule.text() for rule in rules]
    for rule, text in reversed(list(zip(rules, others, strict=False))):
        message = Cel(f"({rule.condition} ? {message} : {text})")
    conditions = " && ".join(f"({rule.condition})" for rule in rules)
    return replace(rules[0], condition=f"{unless} || {conditions}", message=[message], parts=rules)


def _term(part: str | Cel) -> str:
    return str(part) if isinstance(part, Cel) else json.dumps(part)


def any_of(fields: Iterable[str]) -> str:
    """At least one of `fields` is set."""
    return "(" + " || ".join(map(_has, fields)) + ")"


def at_most_one_of(fields: Sequence[str]) -> str:
    """At most one of `fields` is set."""
    # Not a list and filter(): each step costs, and each field that is asked for (ADR 0077).
    if len(fields) == 2:
        return f"(!{_has(fields[0])} || !{_has(fields[1])})"
    return " + ".join(f"({_has(field)} ? 1 : 0)" for field in fields) + " <= 1"


def names_of(fields: Iterable[str]) -> Cel:
    """Text: the names of those `fields` that are set."""
    return _names_where((field, _has(field)) for field in fields)


def unchanged(fields: Iterable[str], *, at: str = "") -> str:
    """All `fields` of the object at `at` are as in the old object."""
    return "(" + " && ".join(_same(field, at) for field in fields) + ")"


def changes_of(fields: Iterable[str], *, at: str = "") -> Cel:
    """Text: the names of those `fields` of the object at `at` that differ from the old object."""
    return _names_where((field, f"!({_same(field, at)})") for field in fields)


def _has(field: str) -> str:
    # dyn(): CEL cannot see fields without a type on a typed value.
    return f"has(dyn(self).{field})" if field in _ANY_TYPE else f"has(self.{field})"


def _same(field: str, at: str) -> str:
    # Not `self.?x == oldSelf.?x`, which means the same: its estimated cost is unbounded.
    new, old = f"self{at}.{field}", f"oldSelf{at}.{field}"
    return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"


def _names_where(tests: Iterable[tuple[str, str]]) -> Cel:
    # Not a list and join(): the estimated size of its result is unbounded.
    names = " + ".join(f'({test} ? ", {name}" : "")' for name, test in tests)
    return Cel(f"({names}).substring(2)")


def wire_names(model: type[BaseModel], *, without: frozenset[str] = frozenset()) -> list[str]:
    """The fields of `model` as they are written in YAML, in order."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [name for name in names if name not in without]
