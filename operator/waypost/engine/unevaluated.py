"""`${...}` and `{{ }}` where nothing evaluates them: refused, or warned of where they may be meant.

Every field of a node is looked at, so that a new one is covered without an entry here.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.engine.graph import evaluated_fields
from waypost.engine.problems import Problem
from waypost.engine.templates import Template, parse_template, strings_in
from waypost.protocol.ijson import Json

_OPEN: Final = "${"
_BRACES: Final = "{{"
# Texts for other programs, in which ${ has a meaning of its own.
_FOREIGN: Final = ("container.command", "agent.settings.stopSequences")
# What is left out before a node is looked at: evaluated as a whole, or code and schemas.
_LEFT_OUT: Final[Any] = {
    "name": True,
    "inputs": True,
    "input_schema": True,
    "output_schema": True,
    "python": {"source"},
    "approval": {"answer_schema"},
    "http": {"response_schema"},
}
_OUR_EXPRESSION: Final = re.compile(r"\$\{\s*(inputs|nodes|self|run)\b[^}]*\}")
_DOUBLE_BRACES: Final = re.compile(r"\{\{-?\s*[A-Za-z_.$][^{}]*\}\}")
_SHOWN: Final = 60


def unevaluated_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Fields with `${` in which nothing is evaluated."""
    defaults = spec.defaults.model_dump(by_alias=True, exclude_none=True) if spec.defaults else {}
    for path, text in strings_in(defaults, keys=True):
        if _OPEN in text and not _is_below(path, _FOREIGN):
            yield _refused(f"defaults.{path}", text)
    for node in spec.nodes:
        for path, text in _strings_of(node):
            if _OPEN in text and not _is_below(path, (*_FOREIGN, *_evaluated(node))):
                yield _refused(f"nodes.{node.name}.{path}", text)


def lookalike_warnings(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Text that looks like an expression and is passed on as it is: `{{ }}` of other systems, and
    our own expressions in `command`."""
    for place, text in _literal_texts(spec):
        found = _DOUBLE_BRACES.search(text)
        if found is not None:
            shown = _short(found.group())
            message = (
                f"{shown} is passed on as text; expressions are written ${{...}}, "
                "such as ${inputs.x} or ${nodes.a.output}"
            )
            yield Problem(place, message, "warning")
    for node in spec.nodes:
        for at, text in enumerate((node.container and node.container.command) or []):
            found = _OUR_EXPRESSION.search(text)
            if found is not None:
                message = (
                    f"{_short(found.group())} is not evaluated in command; pass the value by args, "
                    "env or inputs"
                )
                yield Problem(f"nodes.{node.name}.container.command[{at}]", message, "warning")


def _literal_texts(spec: AgentWorkflowSpec) -> Iterator[tuple[str, str]]:
    """Every text that stays as it is, expressions and foreign code left out."""
    for node in spec.nodes:
        place = f"nodes.{node.name}"
        for path, value in evaluated_fields(node):
            yield from _around_expressions(f"{place}.{path}", value)
        for path, text in _strings_of(node):
            if _BRACES in text and not _is_below(path, _evaluated(node)):
                yield f"{place}.{path}", text
    for key, value in (spec.outputs or {}).items():
        yield from _around_expressions(f"outputs.{key}", value)
    for path, text in strings_in(spec.inputs or {}):
        yield f"inputs.{path}", text


def _around_expressions(place: str, value: Json) -> Iterator[tuple[str, str]]:
    for path, text in strings_in(value):
        if _BRACES not in text:
            continue
        template = parse_template(text)
        parts = template.parts if isinstance(template, Template) else ()
        for part in parts:
            if isinstance(part, str):
                yield f"{place}.{path}" if path else place, part


def _strings_of(node: Node) -> Iterator[tuple[str, str]]:
    dumped = node.model_dump(by_alias=True, exclude_none=True, exclude=_LEFT_OUT)
    yield from strings_in(dumped, keys=True)


def _evaluated(node: Node) -> tuple[str, ...]:
    return tuple(place for place, _ in evaluated_fields(node))


def _is_below(path: str, places: tuple[str, ...]) -> bool:
    return any(
        path == place or path.startswith((f"{place}.", f"{place}[", f'{place}["'))
        for place in places
    )


def _refused(place: str, text: str) -> Problem:
    shown = _short(text[text.index(_OPEN) :].partition("}")[0] + "}")
    return Problem(place, f"{shown} is not evaluated here; write the value itself")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
