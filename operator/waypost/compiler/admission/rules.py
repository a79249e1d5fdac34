"""What the API server finds wrong by the rules of a CRD: its `x-kubernetes-validations`.

The rules come from the generated schema and are evaluated by the library that evaluates `${...}`.
Rules about changes (`oldSelf`) do not apply to a manifest, which is read as a new object.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from waypost.api.crd.cel_rule import FORBIDDEN, REQUIRED
from waypost.api.crd.openapi import PRESERVE, VALIDATIONS
from waypost.compiler.admission.structure import Schema, Violation
from waypost.expressions import cel
from waypost.expressions.values import Failure
from waypost.protocol.ijson import Json

_CAUSES: Final = {FORBIDDEN: "Forbidden", REQUIRED: "Required value"}
_OLD: Final = re.compile(r"\boldSelf\b")
# What a value of any type is to a rule, which may only ask whether it is there.
_PRESENT: Final = True


@dataclass(frozen=True)
class _Rule:
    """One rule, ready to be evaluated on a new object."""

    program: Any
    message: Any  # a program, or plain text
    field_path: str
    cause: str


@dataclass(frozen=True)
class _Rules:
    """The rules of one schema. `all_hold` evaluates all of them at once, which is what nearly
    every object needs."""

    all_hold: Any
    each: Sequence[_Rule]


def broken_rules(schema: Schema, value: Json) -> Iterator[Violation]:
    """The rules below and including `schema` that a new object `value` does not meet. `value` is
    complete and has the structure of `schema`."""
    yield from _broken(schema, value, "")


def _broken(schema: Schema, value: Json, path: str) -> Iterator[Violation]:
    entries = schema.get(VALIDATIONS)
    if entries:
        yield from _broken_here(json.dumps(entries), _visible(schema, value), path)
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, inner in value.items():
            if name in properties:
                yield from _broken(properties[name], inner, f"{path}.{name}".lstrip("."))
            elif isinstance(others, Mapping):
                yield from _broken(others, inner, f"{path}.{name}")
    elif isinstance(value, list) and "items" in schema:
        for at, item in enumerate(value):
            yield from _broken(schema["items"], item, f"{path}[{at}]")


def _broken_here(entries: str, value: Json, path: str) -> Iterator[Violation]:
    rules = _compiled(entries)
    if cel.run_rule(rules.all_hold, value) is True:
        return
    for rule in rules.each:
        holds = cel.run_rule(rule.program, value)
        if holds is True:
            continue
        message = rule.message
        if not isinstance(message, str):
            message = cel.run_rule(message, value)
        if isinstance(holds, Failure):
            message = f"the rule cannot be evaluated: {holds.message}"
        field = f"{path}{rule.field_path}".lstrip(".")
        yield Violation(field, rule.cause, str(message), is_structural=False)


def _visible(schema: Schema, value: Json) -> Json:
    """`value` as a rule sees it: a null is not there, and what has no type is only there."""
    if isinstance(value, dict) and schema.get(PRESERVE):
        return _PRESENT
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        return {
            name: _visible(properties.get(name, others), inner)
            for name, inner in value.items()
            if inner is not None
        }
    if isinstance(value, list) and "items" in schema:
        return [_visible(schema["items"], item) for item in value]
    return _PRESENT if schema.get(PRESERVE) else value


@cache
def _compiled(entries: str) -> _Rules:
    applying = [entry for entry in json.loads(entries) if _applies(entry)]
    sources = [_for_new_object(entry["rule"]) for entry in applying]
    everything = " && ".join(f"({source})" for source in sources) or "true"
    return _Rules(
        all_hold=cel.compile_rule(everything),
        each=[
            _Rule(
                program=cel.compile_rule(source),
                message=_message(entry),
                field_path=entry.get("fieldPath", ""),
                cause=_CAUSES[entry["reason"]],
            )
            for source, entry in zip(sources, applying, strict=True)
        ],
    )


def _applies(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("optionalOldSelf")) or not _OLD.search(entry["rule"])


def _for_new_object(source: str) -> str:
    return _OLD.sub("optional.none()", source)


def _message(entry: Mapping[str, Any]) -> Any:
    if "messageExpression" in entry:
        return cel.compile_rule(_for_new_object(entry["messageExpression"]))
    return entry["message"]
