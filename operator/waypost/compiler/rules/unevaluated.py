"""`${...}` and `{{ }}` in fields that are not evaluated: an error, or a warning if it may be meant.

All fields of a node are checked, so that a new field needs no entry here.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from waypost.api.workflow import AgentWorkflowSpec, CompensationNode, Node
from waypost.compiler.graph import evaluated_fields
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.problems import Problem
from waypost.compiler.rules.scopes import at_the_end, scoped_in
from waypost.expressions.templates import Template, parse_template, strings_in
from waypost.protocol.ijson import Json

_OPEN: Final = "${"
# What expressions of other systems begin with.
_FOREIGN_STARTS: Final = ("{{", "$(", "#{", "<%")
_PROGRAM_TEXTS_OF_DEFAULTS: Final = ("agent.settings.stopSequences",)
# Fields of all kinds that are evaluated completely or hold a schema.
_LEFT_OUT: Final[dict[str, Any]] = {
    "name": True,
    "inputs": True,
    "input_schema": True,
    "output_schema": True,
    "compensate": True,  # checked as a node
}
_OUR_EXPRESSION: Final = re.compile(r"\$\{\s*(inputs|nodes|self|run)\b[^}]*\}")
_OF_OTHERS: Final = r"\s*(inputs|nodes|params|tasks|steps|workspaces|context|outputs)\.[\w.-]+\s*"
_FOREIGN: Final = re.compile(
    r"\{\{[-=]?\s*[A-Za-z_.$][^{}]*\}\}"
    rf"|\$\({_OF_OTHERS}\)|#\{{{_OF_OTHERS}\}}"
    r"|<%=[^%]*%>"
)
_BARE_PATH: Final = re.compile(r"(?:\$\.?|=)?\s*(inputs|nodes)\.(\w+)(?:\.\w+|\[\d+\])*")
_SHOWN: Final = 60


def unevaluated_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report `${` in fields that are not evaluated."""
    defaults = spec.defaults.model_dump(by_alias=True, exclude_none=True) if spec.defaults else {}
    for path, text in strings_in(defaults, keys=True):
        if _OPEN in text and not _is_below(path, _PROGRAM_TEXTS_OF_DEFAULTS):
            yield _refused(f"defaults.{path}", text)
    for node in spec.all_nodes:
        for path, text in _strings_of(node):
            literal = compiler_kind(node).program_texts
            if _OPEN in text and not _is_below(path, (*literal, *_evaluated(node))):
                yield _refused(f"{node.place}.{path}", text)


def lookalike_warnings(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Warn of text that looks like an expression but is not evaluated: `{{ }}`, `$( )`, `#{ }` and
    `<%= %>` of other systems, and our own expressions in `command`."""
    for place, text in _literal_texts(spec):
        match = _FOREIGN.search(text)
        if match is not None:
            shown = _short(match.group())
            message = (
                f"{shown} is passed on as text; expressions are written ${{...}}, "
                "such as ${inputs.x} or ${nodes.a.output}"
            )
            yield Problem(place, message, "warning")
    yield from _bare_paths(spec)
    for node in spec.all_nodes:
        for path, text in _strings_of(node):
            match = _OUR_EXPRESSION.search(text)
            if match is not None and _is_below(path, compiler_kind(node).program_texts):
                message = (
                    f"{_short(match.group())} is not evaluated here; pass the value by inputs, "
                    "args or env"
                )
                yield Problem(f"{node.place}.{path}", message, "warning")


def _bare_paths(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """A text that is only the path of an output or an input: its author left out the braces."""
    nodes, inputs = {node.name for node in spec.all_nodes}, spec.inputs or {}
    values = [
        (f"{node.place}.{path}", value)
        for node in spec.all_nodes
        for path, value in evaluated_fields(node)
    ]
    values += at_the_end(spec)
    for place, value in values:
        for path, text in strings_in(value):
            match = _BARE_PATH.fullmatch(text)
            if match is not None and match[2] in (nodes if match[1] == "nodes" else inputs):
                meant = text.lstrip("$.")
                message = (
                    f"{_short(text)} is passed on as text; write ${{{meant}}} if the value is meant"
                )
                yield Problem(f"{place}.{path}" if path else place, message, "warning")


def _literal_texts(spec: AgentWorkflowSpec) -> Iterator[tuple[str, str]]:
    """(field, text) of all text that is not evaluated, without code and schemas."""
    for node in spec.all_nodes:
        place = node.place
        for path, value in evaluated_fields(node):
            yield from _around_expressions(f"{place}.{path}", value)
        for path, text in _strings_of(node):
            if _may_be_foreign(text) and not _is_below(path, _evaluated(node)):
                yield f"{place}.{path}", text
    for place, value in at_the_end(spec):
        yield from _around_expressions(place, value)
    for path, text in strings_in(spec.inputs or {}):
        yield f"inputs.{path}", text


def _may_be_foreign(text: str) -> bool:
    return any(start in text for start in _FOREIGN_STARTS)


def _around_expressions(place: str, value: Json) -> Iterator[tuple[str, str]]:
    for path, text in strings_in(value):
        if not _may_be_foreign(text):
            continue
        template = parse_template(text)
        parts = template.parts if isinstance(template, Template) else ()
        for part in parts:
            if isinstance(part, str):
                yield f"{place}.{path}" if path else place, part


def _strings_of(node: Node) -> Iterator[tuple[str, str]]:
    kind = compiler_kind(node)
    left_out = {**_LEFT_OUT, kind.name: {*kind.schema_fields, *kind.code_fields}}
    if isinstance(node, CompensationNode):
        left_out["for_each"] = True  # checked in the node that it undoes
    dumped = node.model_dump(by_alias=True, exclude_none=True, exclude=left_out)
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
    if scoped_in(text) is not None:
        return Problem(
            place,
            f"{shown} is not evaluated: this field is fixed before the run starts; for several "
            "values write a node for each",
        )
    return Problem(place, f"{shown} is not evaluated here; write the value itself")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
