"""Check the values that nodes pass to each other against their schemas, before anything runs.

Three checks for each expression: its paths exist, its operators accept their operands, and its
result fits the field. docs/semantics.md, "Typed edges".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.graph import REMEMBERED, Graph, evaluated_fields, softened_by, undone_by
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.memory.types import facts_type
from waypost.compiler.modifiers.table import modifier_of
from waypost.compiler.node_settings import retries_of
from waypost.compiler.problems import Problem
from waypost.compiler.rules.scopes import at_the_end
from waypost.compiler.types import candidates, cel_checker, wording
from waypost.compiler.types.assignability import Comparison
from waypost.compiler.types.branches import branch_warnings
from waypost.compiler.types.called import CalledTypes
from waypost.compiler.types.environment import Environment, own_inputs
from waypost.compiler.types.fields import element_of, required_by, taken_by
from waypost.compiler.types.inference import Inference, Inferred
from waypost.compiler.types.narrowing import Steps, Tested, tested_by
from waypost.compiler.types.schemas import TEXT, Linked, Unknown, closed
from waypost.compiler.types.wording import (
    Remark,
    Typed,
    all_remarks,
    constant_remark,
    failing,
    message,
    remarked,
    severity,
)
from waypost.expressions.cel import Declared
from waypost.expressions.expression import Compiled
from waypost.expressions.references import SCOPED
from waypost.expressions.templates import Template, parse_template, paths_in, references_in
from waypost.protocol.ijson import Json

_BOOLEAN: Final = {"type": "boolean"}
_OF_ONE_NODE: Final = frozenset(("self", *SCOPED)) - {"memory"}


def type_problems(
    spec: AgentWorkflowSpec,
    graph: Graph,
    inputs: JsonObject | None,
    called: Mapping[str, CalledTypes],
) -> list[Problem]:
    """The type errors and warnings of a spec without other problems, in the order of the spec.

    Args:
        spec: The spec.
        graph: Its graph.
        inputs: The run's inputs with defaults applied; None for a template.
        called: The types of the templates that its nodes call, by the name of the node.
    """
    environment = _environment(spec, graph, inputs, called)
    branches = branch_warnings(spec.nodes, environment.of_all())
    return [*_Check(spec, graph, environment).problems(), *branches]


def item_schemas(spec: AgentWorkflowSpec, graph: Graph, inputs: JsonObject) -> dict[str, Json]:
    """The schema of an item of each map, by the name of the node; arguments as `type_problems`."""
    return _Check(spec, graph, _environment(spec, graph, inputs)).item_schemas()


def remembered_types(spec: AgentWorkflowSpec, graph: Graph, inputs: JsonObject) -> dict[str, Json]:
    """The schema of each key of `memory.remember`; arguments as `type_problems`."""
    return _Check(spec, graph, _environment(spec, graph, inputs)).remembered()


def _environment(
    spec: AgentWorkflowSpec,
    graph: Graph,
    inputs: JsonObject | None,
    called: Mapping[str, CalledTypes] | None = None,
) -> Environment:
    """The contexts. What earlier runs remember has the types of what this run remembers."""
    first = Environment(spec, graph, inputs, called)
    if spec.memory is None or not spec.memory.remember:
        return first
    return Environment(spec, graph, inputs, called, _Check(spec, graph, first).remembered())


@dataclass
class _Check:
    spec: AgentWorkflowSpec
    graph: Graph
    environment: Environment
    comparison: Comparison = field(default_factory=Comparison)
    taken: Linked = field(default_factory=Linked)
    _called: Linked = field(default_factory=Linked)
    _own_inputs: dict[str, Json] = field(default_factory=dict)  # of the nodes checked so far
    _softened: dict[str, str] = field(default_factory=dict)  # of the node that is being checked

    def __post_init__(self) -> None:
        self._shared = self._path_types()
        self._types = self._shared_types = cel_checker.environment(self._shared)

    def problems(self) -> Iterator[Problem]:
        upstream: dict[str, Tested] = {}
        tested: dict[str, Tested] = {}
        for name in self.graph.order:
            undone = undone_by(self.graph.nodes[name])
            if undone is not None:
                upstream[name] = tested[name] = tested[undone]
                continue
            gates = (tested[other] for other in self.graph.dependencies[name].hard)
            upstream[name] = reduce(or_, gates, Tested())
            tested[name] = upstream[name] | tested_by(self.graph.nodes[name])
        for node in self.spec.all_nodes:
            yield from self._node(node, upstream[node.name], tested[node.name])
        yield from self._outputs()
        view, spec = self.environment.of_run(), self.spec
        for below, block in (("concurrency.key", spec.concurrency), ("memory.key", spec.memory)):
            if block is not None:
                yield from self._text(below, below, block.key, view, Tested())
        yield from self._undeclared()

    def item_schemas(self) -> dict[str, Json]:
        found = {}
        for node in self.spec.all_nodes:
            if node.for_each is not None:
                view = self.environment.of_node(node.name)
                items = self._value(node.for_each.items, view, Tested()).schema
                found[node.name] = element_of(items, None)
        return found

    def remembered(self) -> dict[str, Json]:
        return {key: value.schema for key, value in self._ends("memory.remember.").items()}

    def _ends(self, field: str) -> dict[str, Typed]:
        """The types of what is evaluated at the end of the run, below `field`."""
        view, self._softened = self.environment.of_outputs(), {}
        found = ((place.partition(field)[2], value) for place, value in at_the_end(self.spec))
        return {key: self._value(value, view, Tested()) for key, value in found if key}

    def _node(self, node: Node, upstream: Tested, tested: Tested) -> Iterator[Problem]:
        self._softened = {name: soft.cause for name, soft in softened_by(node).items()}
        yield from self._surprising_joins(node)
        before = self._before(node)

        def infer(value: JsonValue) -> Json:
            return self._value(value, before, tested).schema

        variables = self.environment.scoped(node.name, infer)
        view = closed({**before["properties"], **variables})
        if variables:
            self._types = cel_checker.environment({**self._shared, **self._scoped(node, view)})
        yield from self._fields(node, before, view, upstream, tested)
        self._types = self._shared_types

    def _before(self, node: Node) -> JsonObject:
        """The context of a node's `when`, and of its inputs without a modifier."""
        before, undone = self.environment.of_node(node.name), undone_by(node)
        if undone is None:
            return before
        once = retries_of(self.spec, self.graph.nodes[undone]).once
        return self.environment.of_undone(undone, before, self._own_inputs[undone], once=once)

    def _fields(
        self, node: Node, before: Json, view: JsonObject, upstream: Tested, tested: Tested
    ) -> Iterator[Problem]:
        """The problems of a node's fields, with their contexts: of `when` `before`, of inputs
        `view`."""
        place = node.place
        modifier = modifier_of(node)
        given: dict[str, Typed] = {}
        for key, value in (node.inputs or {}).items():
            given[key] = self._value(value, view, tested)
        takes = None if node.input_schema is None else self.taken.of(node.input_schema)
        yield from self._given(place, given, takes, "inputSchema", defaults=True)
        yield from self._call(node, given)
        required = [key for key, value in given.items() if value.present]
        inputs = own_inputs(takes, {key: v.schema for key, v in given.items()}, required)
        self._own_inputs[node.name] = inputs
        own = self.environment.own(view, inputs)
        for below, value in evaluated_fields(node):
            if below == "when":
                # The condition cannot rely on its own tests.
                yield from self._condition(f"{place}.when", value, before, upstream)
            elif below == REMEMBERED:
                yield from self._facts(node, value, tested)
            elif modifier is not None and below.startswith(f"{modifier.name}."):
                looped = self.environment.of_modifier(node.name, view, below)
                check = self._condition if below in modifier.conditions else self._list
                yield from check(f"{place}.{below}", value, looped, tested)
            elif below in compiler_kind(node).conditions:
                yield from self._for_candidates(node, below, value, view, tested)
            elif not below.startswith("inputs."):
                yield from self._text(f"{place}.{below}", below, value, own, tested)

    def _facts(self, node: Node, value: JsonValue, tested: Tested) -> Iterator[Problem]:
        place, view = f"{node.place}.{REMEMBERED}", self.environment.of_remembered(node.name)
        yield from remarked(place, given := self._value(value, view, tested))
        for one in self.comparison.misfits(given.schema, facts_type(self.spec, self.taken)):
            text = message(one, "memory.factSchema")
            yield Problem(f"{place}{one.path}", text, severity(one))

    def _call(self, node: Node, given: dict[str, Typed]) -> Iterator[Problem]:
        """The inputs of a node that calls a template, and what it declares of the outputs."""
        called = self.environment.called.get(node.name)
        if called is None:
            return
        if called.takes is not None:
            takes, taker = self.taken.of(called.takes), f"inputSchema of {called.template}"
            yield from self._given(node.place, given, takes, taker, defaults=True)
        if node.output_schema is not None:
            declared = self.taken.of(node.output_schema)
            for misfit in self.comparison.misfits(called.gives(self._called), declared):
                place = f"{node.place}.outputSchema{misfit.path}"
                text = message(misfit, "outputSchema of the node")
                yield Problem(place, f"{called.template}: {text}", severity(misfit))

    def _given(
        self,
        place: str,
        given: dict[str, Typed],
        takes: Json,
        taker: str,
        *,
        defaults: bool,
    ) -> Iterator[Problem]:
        """Compare an object of several fields with its linked schema; `place` is the node's."""
        base = f"{place}.inputs" if place else "outputs"
        required = required_by(takes)
        for key, value in given.items():
            for remark in value.remarks:
                urgent = remark.absent and key in required
                text = f"{remark.message}; {taker} requires {key!r}" if urgent else remark.message
                yield Problem(f"{base}.{key}", text, "error" if urgent else remark.severity)
        if takes is None:
            return
        schemas = {key: value.schema for key, value in given.items()}
        gives = closed(schemas, [key for key, value in given.items() if value.present])
        for misfit in self.comparison.misfits(gives, takes, defaults=defaults):
            yield Problem(f"{base}{misfit.path}", message(misfit, taker), severity(misfit))

    def _condition(
        self, place: str, value: JsonValue, view: Json, tested: Tested
    ) -> Iterator[Problem]:
        yield from remarked(place, given := self._value(value, view, tested))
        if not given.present:
            yield Problem(place, wording.NO_CONDITION, "warning")
        for misfit in self.comparison.misfits(given.schema, _BOOLEAN):
            yield Problem(place, message(misfit, "a condition"), severity(misfit))

    def _for_candidates(
        self, node: Node, below: str, value: JsonValue, view: JsonObject, tested: Tested
    ) -> Iterator[Problem]:
        """The problems of a condition that is evaluated for each candidate of a node."""
        found: dict[str, list[Problem]] = {}
        for name in compiler_kind(node).candidates(node):
            seen = self.environment.of_candidate(view, name)
            self._types = cel_checker.environment({**self._shared, **self._scoped(node, seen)})
            found[name] = list(self._condition(f"{node.place}.{below}", value, seen, tested))
        yield from candidates.merged(found, value)

    def _list(self, place: str, value: JsonValue, view: Json, tested: Tested) -> Iterator[Problem]:
        """The problems of a field that gives the items of a map."""
        yield from remarked(place, given := self._value(value, view, tested))
        if not given.present:
            yield Problem(place, wording.NO_LIST, "warning")
        for misfit in self.comparison.misfits(given.schema, wording.ITEMS):
            yield Problem(place, message(wording.of_items(misfit), "this field"), severity(misfit))

    def _text(
        self, place: str, below: str, value: JsonValue, view: Json, tested: Tested
    ) -> Iterator[Problem]:
        yield from remarked(place, given := self._value(value, view, tested))
        takes = taken_by(below, is_text=isinstance(value, str))
        for misfit in self.comparison.misfits(given.schema, takes):
            text = message(wording.of_field(below, misfit), "this field")
            yield Problem(place, text, severity(misfit))

    def _surprising_joins(self, node: Node) -> Iterator[Problem]:
        """Warn of dependencies that are soft only because the node tests for a property."""
        if self.graph.stage_of(node.name) is not None:
            return  # it runs in any case, as intended
        for name, soft in softened_by(node).items():
            if soft.of_property and name in self.graph.nodes and not self.environment.is_sure(name):
                text = (
                    f"runs also when {name} was skipped or failed, because of {soft.cause}; if "
                    f"only that property is optional, add {name} to dependsOn, else say so with "
                    f"after: [{name}]"
                )
                yield Problem(node.place, text, "warning")

    def _outputs(self) -> Iterator[Problem]:
        for key, value in self._ends("memory.remember.").items():
            yield from remarked(f"memory.remember.{key}", value)
        schema = self.spec.output_schema
        takes = None if schema is None else self.taken.of(schema)
        yield from self._given("", self._ends("outputs."), takes, "outputSchema", defaults=False)

    def _undeclared(self) -> Iterator[Problem]:
        """Warn of outputs whose fields are read although no schema declares them (S20)."""
        used: dict[str, str] = {}
        for place, value in self._evaluated():
            for reference in references_in(value):
                if reference.fields[:1] == ("output",) and len(reference.fields) > 1:
                    read = f"{place}: {'.'.join(reference.fields)}"
                    chosen = self.graph.dependencies[reference.node].candidates
                    for name in chosen or (reference.node,):
                        used.setdefault(name, read)
        for node in self.spec.all_nodes:
            if node.name in used and isinstance(self.environment.outputs[node.name], Unknown):
                text = f"has no outputSchema, so what reads it is not checked ({used[node.name]})"
                yield Problem(node.place, text, "warning")

    def _value(self, value: JsonValue, view: Json, tested: Tested) -> Typed:
        """The type of a JSON value after its templates are evaluated."""
        if isinstance(value, str):
            return self._string(value, view, tested)
        if isinstance(value, dict):
            inner = {key: self._value(item, view, tested) for key, item in value.items()}
            present = [key for key, item in inner.items() if item.present]
            schema = closed({key: item.schema for key, item in inner.items()}, present)
            return Typed(schema, remarks=all_remarks(inner.values()))
        if isinstance(value, list):
            items = [self._value(item, view, tested) for item in value]
            made: dict[str, Any] = {
                "type": "array",
                "prefixItems": [
                    item.schema if item.present else {"anyOf": [item.schema, {"const": None}]}
                    for item in items
                ],
                "items": False,
                "minItems": len(items),
                "maxItems": len(items),
            }
            return Typed(made, remarks=all_remarks(items))
        return Typed({"const": value})

    def _string(self, text: str, view: Json, tested: Tested) -> Typed:
        template = parse_template(text)
        assert isinstance(template, Template), "checked before"
        compiled = [part for part in template.parts if isinstance(part, Compiled)]
        if not compiled:
            return Typed({"const": "".join(map(str, template.parts))})
        results: list[Inferred] = []
        remarks: list[Remark] = []
        for part in compiled:
            result, more = self._expression(part, view, tested)
            results.append(result)
            remarks += more
        if not template.is_single or text.strip("${} ").isdecimal():
            remarks += [Remark(constant_remark(source), "warning") for source in template.constants]
        if template.is_single:
            only = results[0]
            return Typed(only.schema, present=not only.optional, remarks=tuple(remarks))
        for part, result in zip(compiled, results, strict=True):
            if result.optional:
                message = (
                    f"{part.source} may be absent, which has no text: end it with .orValue('')"
                )
                remarks.append(Remark(message, "warning", absent=True))
        return Typed(TEXT, remarks=tuple(remarks))

    def _expression(
        self, compiled: Compiled, view: Json, tested: Tested
    ) -> tuple[Inferred, list[Remark]]:
        typed = cel_checker.check(compiled, self._types)
        inference = Inference(compiled, typed, view, tested, self._softened)
        result = inference.result()
        if any(remark.severity == "error" for remark in inference.remarks):
            return result, inference.remarks
        texts = [text for text, _ in typed.problems]
        unfit = cel_checker.not_json(compiled, typed)
        problems = [
            Remark(f"{compiled.source}: {text}", "error") for text in [*texts, unfit] if text
        ]
        problems = problems or [Remark(*one) for one in failing(compiled)]
        return result, [*inference.remarks, *problems[:1]]

    def _evaluated(self) -> Iterator[tuple[str, JsonValue]]:
        for node in self.spec.all_nodes:
            for below, value in evaluated_fields(node):
                yield f"{node.place}.{below}", value
        yield from at_the_end(self.spec)

    def _path_types(self) -> dict[Steps, Declared]:
        """The CEL types of the paths of all expressions, without variables that differ from
        node to node."""
        used = (path for _, value in self._evaluated() for path in paths_in(value))
        shared = [path for path in used if path.root not in _OF_ONE_NODE]
        return cel_checker.path_types(self.environment.of_all(), shared)

    def _scoped(self, node: Node, view: Json) -> dict[Steps, Declared]:
        """The CEL types of the paths of the variables of a node's modifier."""
        used = (path for _, value in evaluated_fields(node) for path in paths_in(value))
        return cel_checker.path_types(view, [path for path in used if path.root in SCOPED])
