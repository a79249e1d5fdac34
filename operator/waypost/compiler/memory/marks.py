"""What schemas mark with `x-waypost-sensitive` is not remembered (S749).

A field that reads a marked value by its name is refused. What a whole output or list has of marked
values is replaced when the field is evaluated.
"""

from collections.abc import Iterator, Mapping

from waypost.api.base import JsonObject, JsonValue
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem
from waypost.expressions.templates import paths_in
from waypost.expressions.values import Unavailable
from waypost.protocol.agents.sensitive import MARK, is_marked, marks, without_marked
from waypost.protocol.ijson import Json


def output_without_marked(node: Node, output: JsonValue) -> JsonValue:
    """The output of an execution of a node, without what its outputSchema marks."""
    return _without(output, [node.output_schema])


def without_marks(
    context: JsonObject, spec: AgentWorkflowSpec, nodes: Mapping[str, Node]
) -> JsonObject:
    """The evaluation context of `memory.remember`, without marked inputs and outputs.

    Args:
        context: As of any expression.
        spec: The spec of the run.
        nodes: The nodes that `context` has.
    """
    views = {name: _view(view, nodes[name], nodes) for name, view in context["nodes"].items()}
    inputs = _without(context["inputs"], [spec.input_schema])
    return {**context, "inputs": inputs, "nodes": views}


def _view(view: JsonObject, node: Node, nodes: Mapping[str, Node]) -> JsonObject:
    """What expressions see of a node."""
    declared = _declared(node, nodes)
    if not any(marks(one) for one in declared):
        return view
    changed = dict(view)
    if "output" in view:
        output = view["output"]
        listed = node.for_each is not None and isinstance(output, list)
        changed["output"] = (
            [_without(one, declared) for one in output] if listed else _without(output, declared)
        )
    if "last" in (view.get("error") or {}):
        error = view["error"]
        changed["error"] = {**error, "last": _without(error["last"], declared)}
    return changed


def _declared(node: Node, nodes: Mapping[str, Node]) -> list[Json]:
    """The schemas that an output of the node, of an item of it, or of its candidates has."""
    chosen = node.first.of if node.first is not None else []
    return [one.output_schema for one in (node, *(nodes[name] for name in chosen if name in nodes))]


def _without(value: JsonValue, schemas: list[Json]) -> JsonValue:
    """The value without what any of the schemas marks. What is null, or cannot be read, stays."""
    if value is None or isinstance(value, Unavailable):
        return value
    for schema in schemas:
        value = without_marked(value, schema)
    return value


def mark_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report fields that would remember a marked value, and marks in the schema of facts."""
    memory = spec.memory
    if memory is None:
        return
    if marks(memory.fact_schema):
        text = f"marks a value with {MARK}, and facts are kept; remove the value or the mark"
        yield Problem("memory.factSchema", text)
    nodes = {node.name: node for node in spec.all_nodes}
    yield from _read(spec, nodes, "memory.key", memory.key, None)
    for key, value in (memory.remember or {}).items():
        yield from _read(spec, nodes, f"memory.remember.{key}", value, None)
    for node in spec.all_nodes:
        if node.remember is not None:
            place = f"{node.place}.remember.facts"
            yield from _read(spec, nodes, place, node.remember.facts, node)


def _read(
    spec: AgentWorkflowSpec, nodes: Mapping[str, Node], place: str, value: Json, own: Node | None
) -> Iterator[Problem]:
    seen = set[str]()
    for path in paths_in(value):
        match (path.root, *path.fields):
            case ("inputs", *steps):
                schemas: list[Json] = [spec.input_schema]
            case ("self", "output", *steps) if own is not None:
                schemas = [own.output_schema]
            case ("nodes", name, "output", *steps) if name in nodes:
                schemas = _declared(nodes[name], nodes)  # no path leads into the list of a map
            case _:
                continue
        shown = ".".join((path.root, *path.fields))
        if any(is_marked(one, steps) for one in schemas) and shown not in seen:
            seen.add(shown)
            text = f"reads {shown}, which a schema marks with {MARK}; such values are not kept"
            yield Problem(place, text)
