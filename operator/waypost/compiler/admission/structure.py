"""What the API server finds wrong with the structure of an object: the schema of its CRD.

`examine` walks schema and object together, in the order of the API server: unknown fields are
dropped, defaults filled in, then types, bounds, patterns and duplicates are checked.
"""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from waypost.api.crd.openapi import INT_OR_STRING, LIST_TYPE, PRESERVE
from waypost.compiler.admission.forms import FORMS
from waypost.compiler.admission.how_to_write import how_to_write
from waypost.compiler.problems import did_you_mean
from waypost.compiler.vocabulary import unknown_field
from waypost.protocol.ijson import Json
from waypost.protocol.text import shorten

Schema = Mapping[str, Any]

UNKNOWN: Final = "unknown field"
INVALID: Final = "Invalid value"
REQUIRED: Final = "Required value"
UNSUPPORTED: Final = "Unsupported value"
DUPLICATE: Final = "Duplicate value"
TOO_LONG: Final = "Too long"
TOO_MANY: Final = "Too many"

_MAP_KEYS: Final = "x-kubernetes-list-map-keys"
_SHOWN: Final = 60
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[tT]\d\d:\d\d:\d\d(\.\d+)?([zZ]|[+-]\d\d:?\d\d)", re.ASCII
)
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


@dataclass(frozen=True)
class Violation:
    """One thing that the API server refuses.

    `path` is the field as the API server names it (`spec.nodes[0].timeout`), `cause` the server's
    word before the message. The rules of the CRD are not evaluated while a violation is
    `blocking`. It is structural unless it comes from such a rule.
    """

    path: str
    cause: str
    message: str
    blocking: bool = False
    is_structural: bool = True


@dataclass
class Examined:
    """The object as the API server would store it, and what is wrong with its structure."""

    value: Json = None
    violations: list[Violation] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether the rules of the CRD can be evaluated."""
        return not any(violation.blocking for violation in self.violations)


def examine(schema: Schema, value: Json, *, kind: str) -> Examined:
    """Complete `value`, an object of `kind`, as the API server does and check it against `schema`.

    `value` itself is not changed.
    """
    examined = Examined()
    examined.value = _Walk(examined.violations, kind).value(schema, value, "")
    return examined


class _Walk:
    def __init__(self, found: list[Violation], kind: str) -> None:
        self._found = found
        self._kind = kind

    def value(self, schema: Schema, value: Json, path: str) -> Json:
        if value is None and schema.get("nullable"):
            return None
        if not _has_type(schema, value):
            expected = schema.get("type", "integer or string")
            text = f"expected {_with_article(expected)}, found {shown(value)}"
            text += how_to_write(path.rpartition(".")[2], expected, value)
            self._add(path, INVALID, text, blocking=True)
            return value
        self._found += (Violation(path, *problem) for problem in _bounds(schema, value))
        if isinstance(value, dict):
            return self._object(schema, value, path)
        if isinstance(value, list):
            return self._list(schema, value, path)
        return value

    def _object(self, schema: Schema, value: dict[str, Json], path: str) -> Json:
        properties = schema.get("properties")
        if properties is None:
            return self._map(schema, value, path)
        kept: dict[str, Json] = {}
        for name in value:
            if name not in properties:
                text = unknown_field(name, path=path, known=tuple(properties), kind=self._kind)
                self._add(f"{path}.{name}".lstrip("."), UNKNOWN, text)
        for name, below in properties.items():
            inner = value.get(name)
            if inner is None and not (name in value and below.get("nullable")):
                if "default" not in below:
                    continue
                inner = deepcopy(below["default"])
            kept[name] = self.value(below, inner, f"{path}.{name}".lstrip("."))
        for name in schema.get("required", ()):
            if name not in kept:
                self._add(f"{path}.{name}".lstrip("."), REQUIRED, "is required", blocking=True)
        return kept

    def _map(self, schema: Schema, value: dict[str, Json], path: str) -> Json:
        entries = schema.get("additionalProperties")
        if not isinstance(entries, Mapping):
            return value
        return {
            name: self.value(entries, inner, f"{path}.{name}")
            for name, inner in value.items()
            if inner is not None or entries.get("nullable")
        }

    def _list(self, schema: Schema, value: list[Json], path: str) -> Json:
        if "items" not in schema:
            return value
        items = schema["items"]
        kept = [self.value(items, item, f"{path}[{at}]") for at, item in enumerate(value)]
        for at, shared in _duplicates(schema, kept):
            text = f"{shared} is already in the list; remove one of them"
            self._add(f"{path}[{at}]", DUPLICATE, text)
        return kept

    def _add(self, path: str, cause: str, message: str, *, blocking: bool = False) -> None:
        self._found.append(Violation(path, cause, message, blocking))


def _has_type(schema: Schema, value: Json) -> bool:
    if schema.get(INT_OR_STRING):
        return isinstance(value, int | str) and not isinstance(value, bool)
    wanted = schema.get("type")
    if wanted is None:
        return bool(schema.get(PRESERVE))
    if isinstance(value, bool):
        return bool(wanted == "boolean")
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[wanted])


def _bounds(schema: Schema, value: Json) -> Iterator[tuple[str, str, bool]]:
    """(cause, message, blocking) of everything about `value` itself."""
    if isinstance(value, str):
        yield from _text_bounds(schema, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_bounds(schema, value)
    elif isinstance(value, list | dict):
        kind, noun = ("Items", "items") if isinstance(value, list) else ("Properties", "entries")
        most, least = schema.get(f"max{kind}"), schema.get(f"min{kind}", 0)
        if most is not None and len(value) > most:
            yield TOO_MANY, f"expected at most {most} {noun}, found {len(value)}", True
        if len(value) < least:
            one = noun.removesuffix("s").replace("ie", "y") if least == 1 else noun
            yield INVALID, f"expected at least {least} {one}, found {len(value)}", False
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        listed = ", ".join(map(str, allowed))
        meant = str(value).strip()
        folded = next((one for one in map(str, allowed) if one.lower() == meant.lower()), None)
        hint = did_you_mean(folded or meant.capitalize(), map(str, allowed))
        yield UNSUPPORTED, f"expected one of {listed}, found {shown(value)}{hint}", False


def _text_bounds(schema: Schema, value: str) -> Iterator[tuple[str, str, bool]]:
    most, least = schema.get("maxLength"), schema.get("minLength", 0)
    if most is not None and len(value) > most:
        yield TOO_LONG, f"expected at most {most} characters, found {len(value)}", True
    if len(value) < least:
        yield INVALID, f"expected at least {least} characters, found {len(value)}", False
    pattern = schema.get("pattern")
    if pattern is not None and not _compiled(pattern).search(value):
        form = FORMS.get(pattern, f"text that matches {pattern}")
        yield INVALID, f"expected {form}, found {shown(value)}", False
    if schema.get("format") == "date-time" and not _DATE_TIME.fullmatch(value):
        text = f"expected a time such as 2026-11-24T03:10:00Z, found {shown(value)}"
        yield INVALID, text, False


def _number_bounds(schema: Schema, value: float) -> Iterator[tuple[str, str, bool]]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and (value < least or (value == least and _excludes(schema, "Minimum"))):
        word = "more than" if _excludes(schema, "Minimum") else "at least"
        yield INVALID, f"expected {word} {least}, found {value}", False
    if most is not None and (value > most or (value == most and _excludes(schema, "Maximum"))):
        word = "less than" if _excludes(schema, "Maximum") else "at most"
        yield INVALID, f"expected {word} {most}, found {value}", False


def _excludes(schema: Schema, bound: str) -> bool:
    return bool(schema.get(f"exclusive{bound}"))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # `$` of Go stands for the end of the text alone, `$` of Python also before a last newline.
    exact = rf"{pattern[:-1]}\Z" if pattern.endswith("$") else pattern
    return re.compile(exact, re.ASCII)


def _duplicates(schema: Schema, items: list[Json]) -> Iterator[tuple[int, str]]:
    """(index, what it shares with an earlier item) in a list that is a set or a map."""
    kind = schema.get(LIST_TYPE)
    if kind not in ("set", "map"):
        return
    seen: set[str] = set()
    for at, item in enumerate(items):
        shared: Json = item
        if kind == "map":
            keys = schema.get(_MAP_KEYS, ())
            shared = {key: item.get(key) for key in keys} if isinstance(item, dict) else item
        text = json.dumps(shared, sort_keys=True)
        if text in seen:
            parts = shared.values() if isinstance(shared, dict) else [shared]
            yield at, ", ".join(map(str, parts))
        seen.add(text)


def shown(value: Json) -> str:
    """`value` and its type, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    short = shorten(text, _SHOWN)
    if isinstance(value, bool):
        return f"the boolean {short}"
    return short if isinstance(value, str) else f"the number {short}"


def _with_article(kind: str) -> str:
    names = {"array": "a list", "object": "an object", "integer": "an integer"}
    return names.get(kind, kind if " " in kind else f"a {kind}")
