"""JSON Schema 2020-12: check a schema, validate a value, walk and rewrite schemas."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, Protocol

from waypost.protocol import defaults, ijson, patterns, violation
from waypost.protocol.defaults import apply_defaults
from waypost.protocol.ijson import Json
from waypost.protocol.references import DATA, NAMED, REFERENCES, anchors, parts
from waypost.protocol.violation import Violation
from waypost.protocol.visits import MAX_VISITS, Cost, TooMany, Visits

__all__ = [
    "DATA",
    "FORMATS",
    "MAX_SIZE",
    "NAMED",
    "Violation",
    "anchor_problem",
    "apply_defaults",
    "check_schema",
    "parts",
    "rewrite",
    "validate",
    "violating_paths",
]

MAX_SIZE: Final = 64 * 1024
FORMATS: Final = frozenset({"date-time", "date", "uri", "email", "uuid"})
_CACHE: Final = 256
# Up to so many visits and copied places every error is made; up to so many an alternative's errors
# are looked for.
_EVERY_ERROR: Final = Cost(visits=20_000, copies=1_000_000)
_FIRST_ERROR: Final = Cost(visits=50_000, copies=1_000_000)
_BACKTRACKING: Final = 20_000


class _Known:
    """A schema made ready. Raises ValueError when the library cannot use it."""

    def __init__(self, schema: Json) -> None:
        import jsonschema_rs

        options = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKING)
        # offline: a schema is a user's, and without it names files and addresses to be read.
        self.validator: Any = jsonschema_rs.Draft202012Validator(
            _asserting(schema), validate_formats=True, offline=True, pattern_options=options
        )
        self.visits = Visits(schema)
        self.has_choices = any("anyOf" in part or "oneOf" in part for part in parts(schema))


def check_schema(schema: object) -> str | None:
    """Check that Waypost can use a schema.

    Returns:
        Why it cannot, as a sentence; None if it can.
    """
    if not isinstance(schema, dict | bool):
        return f"expected a JSON Schema (an object), found {violation.show(schema)}"
    try:
        size = len(ijson.canonical(ijson.check(schema)))
    except ijson.IJsonError as error:
        return f"not JSON: {error}"
    if size > MAX_SIZE:
        return f"a schema of {size} bytes, the limit is {MAX_SIZE}"
    return _keywords_problem(schema) or _checker.problem(schema)


def _keywords_problem(schema: Json) -> str | None:
    repeated = 0
    for part in parts(schema):
        for keyword in REFERENCES:
            target = part.get(keyword)
            if isinstance(target, str) and not target.startswith("#"):
                return (
                    f"{keyword} {target!r}: only references inside the schema (#/...) are allowed"
                )
        if "$id" in part and part is not schema:
            return f"$id {part['$id']!r} below the root is not supported; remove it"
        repeated += sum(map(patterns.size, patterns.of(part)))
    if repeated > patterns.MAX_SIZE:
        return (
            f"its patterns take {repeated} states with their repetitions written out, the limit "
            f"is {patterns.MAX_SIZE}; use maxLength for lengths"
        )
    return None


def anchor_problem(schema: Json) -> str | None:
    """Which anchor names several schemas; None if each names one."""
    for anchor, times in Counter(name for name, _ in anchors(schema)).items():
        if times > 1:
            return f"the anchor {anchor!r} names several schemas; give each one a different name"
    return None


def compiling_problem(schema: Json) -> str | None:
    """Why the validator cannot use a schema that stands by itself; None if it can."""
    try:
        known = _validator(schema)
    except ValueError as error:
        return f"not a usable JSON Schema: {violation.of_schema(error)}"
    try:
        known.visits.check()
    except TooMany:
        return (
            "checking a value would visit parts of this schema too often: definitions name each "
            "other again and again (in allOf, anyOf, oneOf, $ref); name each one once"
        )
    if defaults.run_away(schema, parts(schema)):
        return f"its defaults fill each other beyond {defaults.LIMIT} characters"
    return None


def validate(schema: Json, value: Json, *, limit: int = 5) -> tuple[Violation, ...]:
    """Validate a value.

    Args:
        schema: A schema that `check_schema` accepts.
        value: The value. One that would take more than MAX_VISITS is not checked; it is a
            violation.
        limit: Maximum number of violations to return.

    Returns:
        The first violations; empty when the value conforms.

    Raises:
        ValueError: `check_schema` refuses the schema.
    """
    return _checker.violations(schema, value, limit)


def takes_as_text(schema: Json, text: str) -> bool:
    """Whether a plain output that does not fit its schema is meant as text: it is a bare word, such
    as the number `9509425e4` or `true`, and the schema takes it as a string.

    Nobody writes an object, a list or a text in quotes and means its characters.
    """
    word = text.strip().removeprefix("\ufeff")
    # U+FFFD stands for bytes that are no text.
    bare = bool(word) and word[0] not in '{["' and "\ufffd" not in word
    return schema is not None and bare and not validate(schema, text)


def validate_here(schema: Json, value: Json, *, limit: int = 5) -> tuple[Violation, ...]:
    """`validate` in this process, whatever is in use: for single values of a static check."""
    known = _validator(schema)
    try:
        cost = known.visits.of(value)
    except TooMany:
        expected = f"a value that is checked in {MAX_VISITS} steps"
        return (Violation("$", expected, f"{violation.show(value)}, which takes more"),)
    if known.validator.is_valid(value):
        return ()
    return _violations(known, value, cost, limit)


def _violations(known: _Known, value: Json, cost: Cost, limit: int) -> tuple[Violation, ...]:
    if known.has_choices and not _within(cost, _FIRST_ERROR):
        expected = "a value that meets its schema, which has alternatives"
        return (Violation("$", expected, violation.show(value)),)
    return tuple(map(violation.of, islice(_errors(known, value, cost), limit)))


def _errors(known: _Known, value: Json, cost: Cost) -> Iterator[Any]:
    """Every error of a value that does not conform, or the first if it takes many visits: the
    library makes all errors, each with a copy of what failed, before it gives one."""
    if _within(cost, _EVERY_ERROR):
        yield from known.validator.iter_errors(value)
    elif not known.has_choices or _within(cost, _FIRST_ERROR):
        import jsonschema_rs

        try:
            known.validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            yield error


def _within(cost: Cost, limit: Cost) -> bool:
    return cost.visits <= limit.visits and cost.copies <= limit.copies


def violating_paths(schema: Json, value: Json) -> Iterator[tuple[str | int, ...]]:
    """The path (keys and indexes) of each part of `value` that violates the schema; of a value
    that takes many visits only the first, or none.

    Raises:
        ValueError: check_schema refuses the schema.
    """
    known = _validator(schema)
    try:
        cost = known.visits.of(value)
    except TooMany:
        return
    if not known.validator.is_valid(value):
        yield from (tuple(error.instance_path) for error in _errors(known, value, cost))


class Checker(Protocol):
    """Validates, and knows which schemas can be used to."""

    def violations(self, schema: Json, value: Json, limit: int) -> tuple[Violation, ...]:
        """As `validate`."""

    def problem(self, schema: Json) -> str | None:
        """As `compiling_problem`."""


class _Here:
    """Checks in this process."""

    def violations(self, schema: Json, value: Json, limit: int) -> tuple[Violation, ...]:
        return validate_here(schema, value, limit=limit)

    def problem(self, schema: Json) -> str | None:
        return compiling_problem(schema)


_HERE: Final = _Here()
_checker: Checker = _HERE


def use(checker: Checker | None) -> None:
    """Check everything in this process with `checker`; in the process again with None."""
    global _checker  # one per process, set once when it starts
    _checker = checker or _HERE


_validators: OrderedDict[str, _Known] = OrderedDict()


def _validator(schema: Json) -> _Known:
    key = ijson.digest(schema)
    known = _validators.get(key)
    if known is None:
        known = _Known(schema)
        _validators[key] = known
        while len(_validators) > _CACHE:
            _validators.popitem(last=False)
    return known


def _asserting(schema: Json) -> Json:
    """The schema without formats that Waypost does not check (docs/semantics.md, S61)."""
    return rewrite(schema, _without_idle_format)


def _without_idle_format(part: dict[str, Json]) -> dict[str, Json]:
    idle = isinstance(part.get("format"), str) and part["format"] not in FORMATS
    return {key: value for key, value in part.items() if key != "format" or not idle}


def rewrite(schema: Json, change: Callable[[dict[str, Json]], Json]) -> Json:
    """A copy of `schema` with every schema in it replaced by `change(schema)`, inner ones first."""
    if isinstance(schema, list):
        return [rewrite(part, change) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy: dict[str, Json] = {}
    for keyword, inner in schema.items():
        if keyword in DATA:
            copy[keyword] = inner
        elif keyword in NAMED and isinstance(inner, dict):
            copy[keyword] = {name: rewrite(part, change) for name, part in inner.items()}
        else:
            copy[keyword] = rewrite(inner, change)
    return change(copy)
