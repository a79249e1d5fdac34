"""Templates: `${...}` inside text and JSON values is parsed, checked and evaluated exactly once.

A string that is one expression keeps the expression's type; expressions inside text become text.
The result of an expression is never evaluated again, so data cannot contain templates.
`$${` is a literal `${`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache

from waypost.expressions.estimates.cost import MAX_RENDERED, Budget
from waypost.expressions.expression import (
    ABSENT,
    Absent,
    Compiled,
    EvaluationError,
    ExpressionError,
    Json,
    Reference,
    compile_expression,
    evaluate,
    evaluate_condition,
    json_text,
    merge,
)
from waypost.expressions.references import Path
from waypost.expressions.scanner import expression_end

_OPEN = "${"
_ESCAPED = "$${"


_TOO_LONG = f"the field would have more than {MAX_RENDERED >> 20} MiB with its templates evaluated"
# ${...} in a shell: a variable, with or without an operator, and positional parameters.
_SHELL = re.compile(
    r"[#!]?(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]+)(?:\[[^\]]*\])?(?:[:#%/^,@+=?-].*)?"
)


class NullPolicy(Enum):
    """How null is converted to text."""

    TEXT = "text"  # the word null: message, prompt, instructions
    REFUSE = "refuse"  # an error: args, env, url, query, headers


@dataclass(frozen=True)
class Template:
    """Literal text and expressions in their order."""

    parts: tuple[str | Compiled, ...]

    @property
    def is_single(self) -> bool:
        """Whether it is exactly one expression without text, whose value keeps its type."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Compiled)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """The references of all expressions of the template."""
        compiled = (part for part in self.parts if isinstance(part, Compiled))
        return merge(reference for part in compiled for reference in part.references)

    @property
    def constants(self) -> tuple[str, ...]:
        """The expressions that read no variable, such as `1`: probably intended for a shell."""
        return tuple(
            part.source for part in self.parts if isinstance(part, Compiled) and part.is_constant
        )


@dataclass(frozen=True)
class RenderError:
    """Why a field has no value; `path` is that of the string in the field: `items[0].url`."""

    path: str
    message: str


@dataclass(frozen=True)
class TemplateProblem:
    """A template that can never be evaluated; reported before anything runs."""

    path: str
    message: str
    offset: int = 0


def _never_closed(rest: str) -> str:
    fix = "write $${ for a literal"
    if "//" in rest and "}" in rest:
        fix = "what follows // is a comment: write / to divide"
    return f"`${{` is never closed by `}}`; {fix}"


@lru_cache(maxsize=1024)
def parse_template(text: str) -> Template | ExpressionError:
    """Split `text` and compile its expressions; the offset of an error is an index in `text`."""
    parts: list[str | Compiled] = []
    literal = ""
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        literal += text[at:dollar]
        if text.startswith(_ESCAPED, dollar):
            literal, at = literal + _OPEN, dollar + len(_ESCAPED)
            continue
        if not text.startswith(_OPEN, dollar):
            literal, at = literal + "$", dollar + 1
            continue
        begin = dollar + len(_OPEN)
        end = expression_end(text, begin)
        if end is None:
            return ExpressionError(_never_closed(text[begin:]), dollar)
        compiled = compile_expression(text[begin:end].strip())
        if isinstance(compiled, ExpressionError):
            blanks = len(text[begin:end]) - len(text[begin:end].lstrip())
            source = text[begin:end].strip()
            hint = (
                f"; write $${{{source}}} if a shell is to read it" if _is_of_shells(source) else ""
            )
            return ExpressionError(compiled.message + hint, begin + blanks + compiled.offset)
        parts += [literal, compiled] if literal else [compiled]
        literal, at = "", end + 1
    literal += text[at:]
    return Template((*parts, literal) if literal or not parts else tuple(parts))


def sources_in(text: str) -> Iterator[str]:
    """The source of each expression in `text`, without compiling it."""
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        if text.startswith(_ESCAPED, dollar):
            at = dollar + len(_ESCAPED)
        elif text.startswith(_OPEN, dollar):
            begin = dollar + len(_OPEN)
            end = expression_end(text, begin)
            if end is None:
                return
            yield text[begin:end].strip()
            at = end + 1
        else:
            at = dollar + 1


def references_in(value: Json) -> tuple[Reference, ...]:
    """The nodes that the templates in `value` refer to; strings with problems have none."""
    if isinstance(value, str):
        alone = parse_template(value)
        return alone.references if isinstance(alone, Template) else ()
    templates = (parse_template(text) for _, text in strings_in(value))
    return merge(
        reference
        for template in templates
        if isinstance(template, Template)
        for reference in template.references
    )


def expressions_in(value: Json) -> Iterator[Compiled]:
    """Every expression in the templates of `value`; strings with problems have none."""
    for _, text in strings_in(value):
        template = parse_template(text)
        for part in template.parts if isinstance(template, Template) else ():
            if isinstance(part, Compiled):
                yield part


def paths_in(value: Json) -> Iterator[Path]:
    """Every use of a variable in the templates of `value`; strings with problems have none."""
    for compiled in expressions_in(value):
        yield from compiled.paths


def problems_in(value: Json) -> tuple[TemplateProblem, ...]:
    """Every template in `value` that cannot be accepted, with the path to its string."""
    return tuple(_problems(value))


def render_json(
    value: Json, data: Mapping[str, Json], budget: Budget | None = None
) -> Json | RenderError:
    """Evaluate the templates in the JSON value `value`.

    A single `${...}` that is absent leaves its key out of its object; it is null in a list, and if
    it is the whole field. Keys are never evaluated. Several fields can share a `budget`.
    """
    try:
        rendered = _render(value, data, "", budget or Budget())
    except _Failed as failed:
        return failed.error
    return None if rendered is ABSENT else rendered


def render_text(
    text: str,
    data: Mapping[str, Json],
    *,
    null: NullPolicy,
    encode: Callable[[str], str] = str,
    budget: Budget | None = None,
) -> str | RenderError:
    """Evaluate the templates in `text`; the result is always a string.

    Args:
        text: The field.
        data: The variables by name.
        null: How null is converted.
        encode: Applied to the values of expressions, except one at the start of `text`.
        budget: The budget of the field that contains `text`.
    """
    budget = budget or Budget()
    template = parse_template(text)
    if isinstance(template, ExpressionError):
        return RenderError("", template.message)
    filled = []
    for at, part in enumerate(template.parts):
        piece = part if isinstance(part, str) else _text_of(part, data, null, budget)
        if isinstance(piece, RenderError):
            return piece
        if at and not isinstance(part, str):
            piece = encode(piece)
        if budget.is_exceeded_by(piece):
            return RenderError("", _TOO_LONG)
        filled.append(piece)
    return "".join(filled)


def render_condition(text: str, data: Mapping[str, Json]) -> bool | RenderError:
    """The value of a `when`: one expression that must be true or false."""
    template = parse_template(text)
    if isinstance(template, ExpressionError):
        return RenderError("", template.message)
    only = template.parts[0]
    if len(template.parts) != 1 or not isinstance(only, Compiled):
        return RenderError("", "a condition is one ${...} with nothing around it")
    verdict = evaluate_condition(only, data)
    return RenderError("", verdict.message) if isinstance(verdict, EvaluationError) else verdict


def strings_in(value: Json, path: str = "", *, keys: bool = False) -> Iterator[tuple[str, str]]:
    """Every string in `value` with its path; with `keys` the keys of objects too."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            inner = _join(path, key)
            if keys:
                yield inner, str(key)
            yield from strings_in(item, inner, keys=keys)
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield from strings_in(item, f"{path}[{at}]", keys=keys)


class _Failed(Exception):
    def __init__(self, error: RenderError) -> None:
        super().__init__(error.message)
        self.error = error


def _problems(value: Json) -> Iterator[TemplateProblem]:
    for path, text in strings_in(value):
        template = parse_template(text)
        if isinstance(template, ExpressionError):
            yield TemplateProblem(path, template.message, template.offset)


def _render(value: Json, data: Mapping[str, Json], path: str, budget: Budget) -> Json | Absent:
    if isinstance(value, str):
        return _render_string(value, data, path, budget)
    if isinstance(value, Mapping):
        rendered = {
            key: _render(item, data, _join(path, key), budget) for key, item in value.items()
        }
        return {key: item for key, item in rendered.items() if item is not ABSENT}
    if isinstance(value, list | tuple):
        items = [_render(item, data, f"{path}[{at}]", budget) for at, item in enumerate(value)]
        return [None if item is ABSENT else item for item in items]
    return value


def _render_string(text: str, data: Mapping[str, Json], path: str, budget: Budget) -> Json | Absent:
    template = parse_template(text)
    if isinstance(template, Template) and template.is_single:
        only = template.parts[0]
        assert isinstance(only, Compiled)  # because it is_single
        value = evaluate(only, data, budget)
        if isinstance(value, EvaluationError):
            raise _Failed(RenderError(path, value.message))
        if value is not ABSENT and budget.is_exceeded_by(value):
            raise _Failed(RenderError(path, _TOO_LONG))
        return value
    filled = render_text(text, data, null=NullPolicy.TEXT, budget=budget)
    if isinstance(filled, RenderError):
        raise _Failed(RenderError(path, filled.message))
    return filled


def _text_of(
    part: Compiled, data: Mapping[str, Json], null: NullPolicy, budget: Budget
) -> str | RenderError:
    value = evaluate(part, data, budget)
    if isinstance(value, EvaluationError):
        return RenderError("", value.message)
    if value is ABSENT:
        return RenderError("", f"{part.source} is absent: give a default with .orValue(...)")
    if value is None and null is NullPolicy.REFUSE:
        return RenderError("", f"{part.source} is null, which this field cannot contain as text")
    return value if isinstance(value, str) else json_text(value)


def _is_of_shells(source: str) -> bool:
    return len(source) < 80 and _SHELL.fullmatch(source) is not None


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
