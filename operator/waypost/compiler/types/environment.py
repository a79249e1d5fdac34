"""The schemas of what expressions see (`engine/state/visible`), before anything runs."""

from collections.abc import Iterable, Mapping
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.graph import Graph
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.on_failure import has_fallback, tolerates
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
)
from waypost.protocol.ijson import Json

_PHASES: Final = {"enum": ["Succeeded", "Failed", "Skipped", "Cancelled"]}
_ERROR: Final = closed({"reason": TEXT, "message": TEXT, "exitCode": WHOLE}, ["reason", "message"])
_RUN: Final = closed(
    {
        **dict.fromkeys(("name", "namespace", "uid", "createdAt", "scheduledAt"), TEXT),
        "round": WHOLE,
    }
)


class Environment:
    """What the expressions of one workflow see, by node."""

    def __init__(self, spec: AgentWorkflowSpec, graph: Graph, inputs: JsonObject) -> None:
        self._graph = graph
        self.inputs = _inputs(spec, inputs)
        once = Linked()
        self.outputs = {
            name: compiler_kind(node).output_type(node, once) for name, node in graph.nodes.items()
        }
        self._sure = _surely_given(graph)

    def is_sure(self, name: str) -> bool:
        """Whether a node has an output whenever another starts after it."""
        return name in self._sure

    def of_node(self, name: str) -> Json:
        """What is visible where the inputs and the condition of a node are computed."""
        edges = self._graph.dependencies[name]
        return self._view({x: x in edges.hard or x in self._sure for x in edges.all})

    def of_outputs(self) -> Json:
        """What is visible to spec.outputs: one whose source is missing is left out (S43)."""
        return self._view(dict.fromkeys(self._graph.nodes, True))

    def own(self, name: str, inputs: Json) -> Json:
        """What a node's own fields see; `inputs` is the schema of its resolved inputs."""
        me = closed({"inputs": inputs, "name": TEXT, "attempt": WHOLE, "idempotencyKey": TEXT})
        seen: JsonObject = self.of_node(name)
        return closed({**seen["properties"], "self": me})

    def _view(self, nodes: Mapping[str, bool]) -> Json:
        """`nodes`: whether their output is surely there."""
        seen = {name: self._node(name, surely=surely) for name, surely in nodes.items()}
        return closed({"inputs": self.inputs, "nodes": closed(seen), "run": _RUN})

    def _node(self, name: str, *, surely: bool) -> Json:
        properties = {"output": self.outputs[name], "phase": _PHASES, "error": _ERROR}
        return closed(properties, ["output", "phase"] if surely else ["phase"])


def _surely_given(graph: Graph) -> frozenset[str]:
    """Nodes that have an output whenever another node starts after them: they are never skipped,
    and when they fail there is a fallback, or nothing starts any more."""
    sure: set[str] = set()
    for name in graph.order:
        node = graph.nodes[name]
        never_skipped = node.when is None and graph.dependencies[name].hard <= sure
        if never_skipped and (not tolerates(node) or has_fallback(node)):
            sure.add(name)
    return frozenset(sure)


def _inputs(spec: AgentWorkflowSpec, given: JsonObject) -> Json:
    """The run's inputs: as declared, and what is given (defaults included) is surely there."""
    if spec.input_schema is None:
        unknown: dict[str, Json] = {name: Unknown() for name in given}
        return closed(unknown)
    return {"allOf": [linked(spec.input_schema), _present(given)]}


def _present(value: Json) -> Json:
    """What is there in `value`, without its types: the next run's may differ."""
    if not isinstance(value, dict) or not value:
        return True
    properties = {name: _present(item) for name, item in value.items()}
    return {"properties": properties, "required": list(value)}


def own_inputs(takes: Json, given: Mapping[str, Json], required: Iterable[str]) -> Json:
    """The schema of a node's resolved inputs: as declared where declared, else as computed.
    `takes`: the linked inputSchema, None when there is none."""
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
