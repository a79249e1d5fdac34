"""Rules for modifiers of nodes, and for the variables that exist only in some fields."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonValue
from waypost.api.kinds.table import kind_of
from waypost.api.workflow import AgentWorkflowSpec, CompensationNode, Node
from waypost.compiler.graph import REMEMBERED, evaluated_fields
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.modifiers.table import MODIFIERS, modifier_of, modifiers_with
from waypost.compiler.problems import Problem
from waypost.expressions.references import SCOPED
from waypost.expressions.templates import expressions_in
from waypost.expressions.tree import Comprehension, is_local_variable, walk
from waypost.protocol.ijson import Json

# Variables of fields that no modifier has, with the place where they exist.
_PLACES: Final = {
    "candidate": "in first.accept",
    **dict.fromkeys(("body", "headers"), "in the rules of an EventSource"),
}


def modifier_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report two modifiers of a node, and one on a kind that cannot have it."""
    for node in spec.all_nodes:
        place = node.place
        found = [modifier for modifier in MODIFIERS.values() if modifier.is_set(node)]
        if len(found) > 1:
            names = " and ".join(modifier.name for modifier in found)
            text = f"has {names}; keep one of them, and use the other in a node before or after it"
            yield Problem(place, text)
        kind = kind_of(node).name
        for modifier in found:
            if kind not in modifier.kinds:
                instead = modifier.instead.get(kind)
                advice = f"; {instead}" if instead else ""
                listed = ", ".join(sorted(modifier.kinds))
                text = f"cannot be used with {kind}, only with {listed}{advice}"
                yield Problem(f"{place}.{modifier.name}", text)


def scope_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report variables that do not exist in the field that reads them, and loop variables that
    would hide one that exists."""
    for node in spec.all_nodes:
        for field, value in evaluated_fields(node):
            visible = () if field == REMEMBERED else (*_visible_in(node, field), *_of_run(spec))
            place = f"{node.place}.{field}"
            for name in sorted(_read_in(value) - set(visible)):
                yield Problem(place, _absence(name, node, field))
            for name in sorted(_loop_variables_in(value) & set(visible)):
                text = f"`{name}` is already defined here: choose another loop variable"
                yield Problem(place, text)
    for place, value in at_the_end(spec):
        for name in sorted(_read_in(value) - set(_of_run(spec))):
            yield Problem(place, _absence(name, None, ""))


def at_the_end(spec: AgentWorkflowSpec) -> Iterator[tuple[str, JsonValue]]:
    """(field path, value) of what is evaluated at the end of the run."""
    for key, value in (spec.outputs or {}).items():
        yield f"outputs.{key}", value
    remembered = spec.memory.remember if spec.memory is not None else None
    for key, value in (remembered or {}).items():
        yield f"memory.remember.{key}", value


def _of_run(spec: AgentWorkflowSpec) -> tuple[str, ...]:
    """The variables that exist in all fields of this run and not of every run."""
    return ("memory",) if spec.memory is not None else ()


def scoped_in(text: str) -> str | None:
    """The variable of a modifier that a template reads, for messages; None if it reads none."""
    return next(iter(sorted(_read_in(text))), None)


def _visible_in(node: Node, field: str) -> tuple[str, ...]:
    """The variables that exist in a field of a node and not in every field of every node."""
    modifier = modifier_of(node)
    own = compiler_kind(node).variables.get(field, ())
    return own if modifier is None else (*own, *modifier.visible_in(field))


def _read_in(value: Json) -> set[str]:
    return {
        path.root
        for compiled in expressions_in(value)
        for path in compiled.paths
        if path.root in SCOPED
    }


def _loop_variables_in(value: Json) -> set[str]:
    return {
        part.iter_var
        for compiled in expressions_in(value)
        for part in walk(compiled.tree.expr)
        if isinstance(part, Comprehension) and not is_local_variable(part)
    }


def _absence(name: str, node: Node | None, field: str) -> str:
    if field == REMEMBERED:
        return f"{name} does not exist in {field}; it sees self.output, inputs and run"
    if name == "memory":
        return "this run has no memory block; add memory: {key: ...}"
    if name in _PLACES:
        return f"{name} exists only {_PLACES[name]}"
    owners = modifiers_with(name)
    modifier = None if node is None else modifier_of(node)
    if modifier is not None and name in modifier.variables:
        # Only when and forEach.items lack the variables of the node itself.
        parts = "items" if modifier.name == "forEach" else "iterations"
        place = f"{field}, which is evaluated before the {parts}"
        return f"{name} does not exist in {place}; use it in inputs"
    if isinstance(node, CompensationNode) and name == "previous":
        return "previous does not exist in a compensation; use self, which is the iteration"
    where = " or ".join(owners) or "forEach"
    return f"{name} exists only in a node with {where}"
