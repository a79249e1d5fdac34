"""Which values of a run are written by the senders of its events (S611).

A value is followed through everything that passes it on as it is: inputs, the list of a map, the
iterations of a loop, `first` nodes, inputs and outputs of child runs, and the memory. Programs,
agents, people and servers make new values, which are not followed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from waypost.api.base import JsonObject, JsonValue
from waypost.api.template.called import Called
from waypost.api.template.spec import BODY_FIELDS
from waypost.api.workflow import AgentWorkflowSpec, CompensationNode, Node
from waypost.compiler.calls import local_templates
from waypost.expressions.references import Path
from waypost.expressions.templates import paths_in
from waypost.kube.objects import items

Names = frozenset[str]  # of inputs or outputs; `*` stands for all

EVERY: Final[Names] = frozenset({"*"})
NONE: Final[Names] = frozenset()
_OF_AN_EVENT: Final[Names] = frozenset({"payload", "id"})


@dataclass(frozen=True)
class Host:
    """A place where a value of senders chooses the host of a request.

    Attributes:
        place: The field.
        shown: The value, as the expression names it.
        request: The URL in the template of a child run that the value reaches; "" for this field.
    """

    place: str
    shown: str
    request: str = ""


@dataclass(frozen=True)
class Child:
    """What a child run makes of the inputs that senders write."""

    outputs: Names = NONE
    hosts: tuple[Host, ...] = ()


Hosts = Callable[["Flow"], Iterable[Host]]


class Calls:
    """The child runs of a spec, as far as their templates are known."""

    def __init__(
        self, spec: AgentWorkflowSpec, templates: Mapping[str, JsonObject], hosts: Hosts
    ) -> None:
        own = [one.model_dump(by_alias=True, exclude_none=True) for one in spec.templates or ()]
        self._local: dict[str, dict[str, JsonObject]] = {"": local_templates({"templates": own})}
        self._templates, self._hosts = templates, hosts
        self._known: dict[tuple[str, Called, Names], Child] = {}

    def child(self, owner: str, called: Called, inputs: Names) -> Child:
        """What a child run does.

        Args:
            owner: The template that calls it, whose local templates count; "" for the spec.
            called: Its template.
            inputs: Its inputs that senders write.
        """
        place = (owner if called.local else "", called, inputs)
        if place not in self._known:
            self._known[place] = Child()  # for a template that calls itself
            spec = self._spec(owner, called, inputs)
            if spec is not None:
                inside = owner if called.local else called.name
                flow = Flow(spec, inputs, self, inside)
                self._known[place] = Child(flow.returned(), tuple(self._hosts(flow)))
        return self._known[place]

    def _spec(self, owner: str, called: Called, inputs: Names) -> AgentWorkflowSpec | None:
        """What it runs; None if that is not known, or nothing in it can come from senders."""
        body = self._locals(owner).get(called.name) if called.local else None
        if not called.local:
            body = self._templates.get(called.name)
        nodes = [*items(body, "nodes"), *items(body, "finally")]
        if not inputs and not any(kind in node for node in nodes for kind in ("event", "workflow")):
            return None
        fields = {key: value for key, value in (body or {}).items() if key in BODY_FIELDS}
        try:
            return AgentWorkflowSpec.model_validate(fields)
        except ValidationError:
            return None  # the check of the template reports it

    def _locals(self, owner: str) -> Mapping[str, JsonObject]:
        if owner not in self._local:
            self._local[owner] = local_templates(self._templates.get(owner, {}))
        return self._local[owner]


class Flow:
    """What senders write of the values in one spec."""

    def __init__(
        self, spec: AgentWorkflowSpec, inputs: Names, calls: Calls, owner: str = ""
    ) -> None:
        self.spec, self._inputs = spec, inputs
        self._calls, self._owner = calls, owner
        self._nodes = {node.name: node for node in spec.all_nodes}
        self._outputs: dict[str, Names] = dict.fromkeys(self._nodes, NONE)
        self._remembered, self._facts = NONE, False
        # An iteration reads the one before, and a run what an earlier one remembered.
        while self._grows():
            pass

    def writes(self, path: Path, node: Node | None, *, in_inputs: bool = False) -> bool:
        """Whether senders write what a path of an expression names.

        Args:
            path: The path.
            node: The node that has the expression; None at the end of the run.
            in_inputs: The expression is in `inputs` of the node, or makes the list of its map.
        """
        match (path.root, *path.fields):
            case ("inputs", *steps):
                return _has(self._inputs, steps)
            case ("nodes", name, "output", *steps):
                return self._of_output(name, steps)
            case ("memory", *steps):
                return self._of_memory(steps)
            case _:
                return node is not None and self._of_scope(path, node, in_inputs)

    def any(self, value: JsonValue, node: Node | None, *, in_inputs: bool = False) -> Path | None:
        """The first path in a value that senders write."""
        found = (path for path in paths_in(value) if self.writes(path, node, in_inputs=in_inputs))
        return next(found, None)

    def returned(self) -> Names:
        """The outputs of the run that senders write."""
        return self._keys(self.spec.outputs, None)

    def calls(self, node: Node, inputs: Names) -> Child:
        """What the child run of a node makes of these inputs."""
        assert node.workflow is not None, "called for workflow nodes"
        return self._calls.child(self._owner, node.workflow.called, inputs)

    def given(self, node: Node) -> Names:
        """The inputs of a node that senders write."""
        return self._keys(node.inputs, node, in_inputs=True)

    def _keys(self, values: JsonObject | None, node: Node | None, **where: bool) -> Names:
        return frozenset(
            key for key, value in (values or {}).items() if self.any(value, node, **where)
        )

    def _grows(self) -> bool:
        before = (dict(self._outputs), self._remembered, self._facts)
        for name, node in self._nodes.items():
            self._outputs[name] = self._passed_on(node)
            if node.remember is not None and self.any(node.remember.facts, node):
                self._facts = True
        if self.spec.memory is not None:
            self._remembered = self._keys(self.spec.memory.remember, None)
        return before != (self._outputs, self._remembered, self._facts)

    def _passed_on(self, node: Node) -> Names:
        """The fields of an output that senders write."""
        if node.event is not None:
            return _OF_AN_EVENT
        if node.first is not None:
            return NONE.union(*(self._outputs.get(one, NONE) for one in node.first.of))
        if node.workflow is None or (node.for_each and not node.for_each.keeps_outputs):
            return NONE
        found = self.calls(node, self.given(node)).outputs
        return EVERY if found and node.for_each is not None else found

    def _of_output(self, name: str, steps: list[str]) -> bool:
        return _has(self._outputs.get(name, NONE), steps)

    def _of_memory(self, steps: list[str]) -> bool:
        memory = self.spec.memory
        match steps:
            case ["key", *_]:
                return memory is not None and self.any(memory.key, None) is not None
            case ["last" | "lastSucceeded", "outputs", *keys]:
                return _has(self._remembered, keys)
            case [("last" | "lastSucceeded"), _, *_]:
                return False  # its time, or the name of the run
            case [("facts" | "bySubject"), *_]:
                return self._facts
            case _:
                return bool(self._remembered)

    def _of_scope(self, path: Path, node: Node, in_inputs: bool) -> bool:
        """Variables that only this node has. Those in the inputs of a compensation are of the node
        that it undoes."""
        undone = self._nodes.get(node.undoes) if isinstance(node, CompensationNode) else None
        match (path.root, *path.fields):
            case ("self", "inputs", *steps):
                owner = undone if in_inputs else node
                value: JsonValue = dict(owner.inputs or {}) if owner is not None else None
                return self.any(_below(value, steps), owner, in_inputs=True) is not None
            case ("self" | "previous", "output", *steps):
                return self._of_output((undone or node).name, steps)
            case ("item", *_) if node.for_each is not None:
                listed = undone or node
                return self.any(node.for_each.items, listed, in_inputs=True) is not None
            case _:
                return False


def _has(names: Names, steps: list[str]) -> bool:
    return bool(names) if not steps or names == EVERY else steps[0] in names


def _below(value: JsonValue, steps: list[str]) -> JsonValue:
    """The part of a value of the author that a path names."""
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            break
        value = value[step]
    return value


def child_hosts(flow: Flow, node: Node) -> Iterator[Host]:
    """Inputs of a child run that senders write and that choose the host of a request there."""
    own = set(flow.calls(node, NONE).hosts)  # what its own events choose, it reports itself
    for name in sorted(flow.given(node)):
        more = [one for one in flow.calls(node, frozenset({name})).hosts if one not in own]
        value = flow.any((node.inputs or {})[name], node, in_inputs=True)
        if more and value is not None and node.workflow is not None:
            request = more[0].request or f"{more[0].place} of template {node.workflow.called}"
            yield Host(f"{node.place}.inputs.{name}", shown(value), request)


def shown(path: Path) -> str:
    """A path as a message names it."""
    return ".".join((path.root, *path.fields))
