"""The schemas of the evaluation context (`engine/state/visible`), before anything runs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.nodes.artifacts import ARTIFACT_SCHEMA
from waypost.api.workflow import AgentWorkflowSpec, CompensationNode, Node
from waypost.compiler.graph import Graph
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.memory.types import memory_type
from waypost.compiler.modifiers.modifier import Typing
from waypost.compiler.modifiers.table import modifier_of
from waypost.compiler.on_failure import has_fallback, tolerates
from waypost.compiler.types.called import CalledTypes
from waypost.compiler.types.schemas import (
    TEXT,
    WHOLE,
    Linked,
    Unknown,
    closed,
    conjuncts,
    linked,
    meet,
    properties_of,
    union,
)
from waypost.protocol import schema
from waypost.protocol.ijson import Json

_PHASES: Final = {"enum": ["Succeeded", "Failed", "Skipped", "Cancelled"]}
_ERROR: Final = closed(
    {"reason": TEXT, "message": TEXT, "exitCode": WHOLE, "tail": TEXT}, ["reason", "message"]
)
_ANY_OBJECT: Final = {"type": "object", "additionalProperties": True}
_RUN_FIELDS: Final = {
    **dict.fromkeys(("name", "namespace", "uid", "createdAt", "scheduledAt"), TEXT),
    "round": WHOLE,
}
_RUN: Final = closed(_RUN_FIELDS)
_RUN_IN_FINALLY: Final = closed(
    {
        **_RUN_FIELDS,
        "phase": {"enum": ["Succeeded", "Failed", "Cancelled"]},
        "reason": TEXT,
        "message": TEXT,
        "failures": {
            "type": "array",
            "items": closed(dict.fromkeys(("node", "reason", "message"), TEXT)),
        },
    }
)


class Environment:
    """The evaluation contexts of one workflow, as JSON Schemas."""

    def __init__(
        self,
        spec: AgentWorkflowSpec,
        graph: Graph,
        inputs: JsonObject | None,
        called: Mapping[str, CalledTypes] | None = None,
        remembered: Mapping[str, Json] | None = None,
    ) -> None:
        self._memory = memory_type(spec, remembered)
        self._graph = graph
        self.inputs = _inputs(spec, inputs)
        once = Linked()
        self.called = called or {}
        # Of one execution: an item or iteration if the node has a modifier.
        self.ones = {
            name: compiler_kind(node).output_type(node, once) for name, node in graph.nodes.items()
        }
        for name, types in self.called.items():
            if graph.nodes[name].output_schema is None:
                self.ones[name] = types.gives(once)
        self.outputs = {
            name: modifier.output(node, self.ones[name])
            if (modifier := modifier_of(node))
            else self.ones[name]
            for name, node in graph.nodes.items()
        }
        for name in graph.choosers:
            candidates = compiler_kind(graph.nodes[name]).candidates(graph.nodes[name])
            self.ones[name] = _one_of(self.outputs[candidate] for candidate in candidates)
            self.outputs[name] = self.ones[name]
        self._sure = _surely_given(graph)

    def is_sure(self, name: str) -> bool:
        """Whether a node has an output whenever a node downstream of it starts."""
        return name in self._sure

    def of_node(self, name: str) -> JsonObject:
        """The context of the inputs and the condition of a node."""
        node = self._graph.nodes[name]
        if isinstance(node, CompensationNode):
            return self._of_compensation(node)
        dependencies = self._graph.dependencies[name]
        # Finally begins whatever happened, so nothing but a hard dependency is certain there.
        last = name in self._graph.finally_nodes
        sure = frozenset() if last else self._sure
        nodes = {x: x in dependencies.hard or x in sure for x in dependencies.joined}
        return self._view(nodes, _RUN_IN_FINALLY if last else _RUN)

    def _of_compensation(self, node: CompensationNode) -> JsonObject:
        """The context of the inputs of a compensation, without `self`: its node has started."""
        needed = self._needed_by(node.undoes)
        seen = self._graph.upstream(node.undoes)
        return self._view({x: x in needed or x in self._sure for x in seen}, _RUN_IN_FINALLY)

    def _needed_by(self, name: str) -> frozenset[str]:
        """The nodes that have succeeded if this one has: hard dependencies, also through others."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            hard = self._graph.dependencies[waiting.pop()].hard - found
            found |= hard
            waiting += hard
        return frozenset(found)

    def of_undone(self, name: str, view: JsonObject, inputs: Json, *, once: bool) -> JsonObject:
        """The context of the inputs of a compensation: `view` with the undone node, or the item
        of it that is undone, as `self`.

        Args:
            name: The node that is undone.
            view: The context without `self`.
            inputs: The schema of its resolved inputs.
            once: It has `effect: once`, so its effect may be unknown, without an output.
        """
        present = ["inputs", "name", "idempotencyKey", *(() if once else ("output",))]
        known = {"name": TEXT, "idempotencyKey": TEXT, "output": self.ones[name]}
        me = closed({"inputs": inputs, **known}, present)
        seen: JsonObject = closed({**view["properties"], "self": me})
        return seen

    def of_outputs(self) -> JsonObject:
        """The context of spec.outputs, with all outputs: one without a source is left out (S43)."""
        return self._view(dict.fromkeys(self._names(), True))

    def of_run(self) -> JsonObject:
        """The context of `concurrency.key` of the run, which no node precedes."""
        return self._view({})

    def of_all(self) -> JsonObject:
        """All that any field can read."""
        return self._view(dict.fromkeys(self._names(), True), _RUN_IN_FINALLY)

    def _names(self) -> list[str]:
        return [name for name in self._graph.nodes if name not in self._graph.compensations]

    def scoped(self, name: str, infer: Callable[[JsonValue], Json]) -> Mapping[str, Json]:
        """The schemas of the variables of the node's modifier; none if it has no modifier.

        Args:
            name: The node.
            infer: The inferred schema of a value with templates, in the context of its `when`.
        """
        node = self._graph.nodes[name]
        modifier = modifier_of(node)
        return {} if modifier is None else modifier.types(node, Typing(self.ones[name], infer))

    def own(self, view: JsonObject, inputs: Json) -> Json:
        """The context of a node's own fields: that of its inputs, and `self` with the schema of its
        resolved inputs."""
        me = closed({"inputs": inputs, "name": TEXT, "attempt": WHOLE, "idempotencyKey": TEXT})
        return closed({**view["properties"], "self": me})

    def of_remembered(self, name: str) -> Json:
        """The context of the facts that a node, or an item of it, remembers."""
        seen = {"inputs": self.inputs, "run": _RUN, "self": closed({"output": self.ones[name]})}
        return closed(seen)

    def of_modifier(self, name: str, view: JsonObject, field: str) -> Json:
        """The context of a field of the node's modifier; `view` is that of its inputs."""
        modifier = modifier_of(self._graph.nodes[name])
        assert modifier is not None, "the field belongs to one"
        hidden = set(modifier.variables) - set(modifier.visible_in(field))
        seen = {key: schema for key, schema in view["properties"].items() if key not in hidden}
        if modifier.own_self is not None:
            seen["self"] = modifier.own_self(self.ones[name])
        return closed(seen)

    def of_candidate(self, view: JsonObject, name: str) -> JsonObject:
        """The context of the condition for a candidate, which has succeeded; `view` is that of the
        inputs of the node that chooses."""
        candidate = closed({"name": {"const": name}, "output": self.outputs[name]})
        seen: JsonObject = closed({**view["properties"], "candidate": candidate})
        return seen

    def _view(self, nodes: Mapping[str, bool], run: Json = _RUN) -> JsonObject:
        """The context with these nodes; a value says whether the output is certainly present."""
        seen = {name: self._node(name, surely=surely) for name, surely in nodes.items()}
        memory = {} if self._memory is None else {"memory": self._memory}
        view: JsonObject = closed(
            {"inputs": self.inputs, "nodes": closed(seen), "run": run, **memory}
        )
        return view

    def _error(self, name: str) -> Json:
        modifier = modifier_of(self._graph.nodes[name])
        more = modifier.error(self.ones[name]) if modifier is not None else {}
        return closed({**_ERROR["properties"], **more}, _ERROR["required"]) if more else _ERROR

    def _node(self, name: str, *, surely: bool) -> Json:
        artifacts = self._graph.nodes[name].artifacts
        made = [one.name for one in (artifacts and artifacts.out) or ()]
        modifier = modifier_of(self._graph.nodes[name])
        results = {
            "output": self.outputs[name],
            "artifacts": closed(dict.fromkeys(made, _made_by(self._graph.nodes[name]))),
            **(modifier.beside_output if modifier else {}),
        }
        properties = {**results, "phase": _PHASES, "error": self._error(name)}
        return closed(properties, [*results, "phase"] if surely else ["phase"])


def _made_by(node: Node) -> Json:
    """The schema of an artifact of a node; of a map, of the list of those of its items."""
    if node.for_each is None:
        return ARTIFACT_SCHEMA
    nullable = {"anyOf": [ARTIFACT_SCHEMA, {"type": "null"}]}
    one = nullable if node.for_each.tolerates_failures else ARTIFACT_SCHEMA
    return {"type": "array", "items": one}


def _surely_given(graph: Graph) -> frozenset[str]:
    """The nodes that have an output whenever a node downstream of them starts: they are never
    skipped, and if they fail, they have a fallback or no other node starts."""
    sure: set[str] = set()
    candidates = {one for name in graph.choosers for one in graph.dependencies[name].candidates}
    for name in graph.order:
        node = graph.nodes[name]
        if name in candidates:  # stopped, perhaps, when another one is chosen
            continue
        never_skipped = node.when is None and graph.dependencies[name].hard <= sure
        if never_skipped and (not tolerates(node) or has_fallback(node)):
            sure.add(name)
    return frozenset(sure)


def _one_of(schemas: Iterable[Json]) -> Json:
    """The schema of a value that meets one of these; Unknown if one of them is."""
    distinct: list[Json] = []
    for one in schemas:
        if one not in distinct:
            distinct.append(one)
    return union(distinct)


def _inputs(spec: AgentWorkflowSpec, given: JsonObject | None) -> Json:
    """The schema of the run's inputs: as declared; given inputs and defaults are present."""
    if given is None:  # of a template: what its runs must give is present
        return _ANY_OBJECT if spec.input_schema is None else _declared(spec.input_schema)
    if spec.input_schema is None:
        unknown: dict[str, Json] = {name: Unknown() for name in given}
        return closed(unknown)
    return {"allOf": [linked(spec.input_schema), _present(given)]}


def _declared(input_schema: JsonObject) -> Json:
    """The schema of inputs that are not known yet: properties with a default are present."""
    defaults = schema.apply_defaults(input_schema, {})
    return {"allOf": [linked(input_schema), _present(defaults)]}


def _present(value: Json) -> Json:
    """A schema that requires the properties of `value`, without types: those may change."""
    if not isinstance(value, dict) or not value:
        return True
    properties = {name: _present(item) for name, item in value.items()}
    return {"properties": properties, "required": list(value)}


def own_inputs(takes: Json, given: Mapping[str, Json], required: Iterable[str]) -> Json:
    """The schema of a node's resolved inputs: as declared, else as inferred.

    Args:
        takes: The linked inputSchema; None if there is none.
        given: The inferred schema of each input.
        required: The names of the inputs that are certainly present.
    """
    declared: dict[str, Json] = {}
    if takes is not None:
        declared = properties_of(conjuncts(takes)).declared
    properties = {name: meet([schema, declared.get(name, True)]) for name, schema in given.items()}
    defaults = {
        name: schema
        for name, schema in declared.items()
        if name not in given and any("default" in part for part in conjuncts(schema))
    }
    return closed({**properties, **defaults}, [*required, *defaults])
