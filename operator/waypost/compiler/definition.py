"""A spec becomes a Definition: parsed, its graph sorted, its problems listed, its inputs completed.

It depends only on the spec, so the runtime computes it once per generation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from pydantic import ValidationError

from waypost.api.base import JsonObject, JsonValue
from waypost.api.meta import Condition
from waypost.api.status import AgentWorkflowStatus
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.calls import local_templates
from waypost.compiler.fingerprints import fingerprints
from waypost.compiler.graph import (
    Graph,
    dependencies_of,
    evaluated_fields,
    find_cycle,
    sort,
    with_compensations,
)
from waypost.compiler.item_sources import item_variables, list_source
from waypost.compiler.memory.rules import memory_warnings, notes_of
from waypost.compiler.memory.types import memory_type
from waypost.compiler.problems import Problem
from waypost.compiler.rules.called_types import called_types
from waypost.compiler.rules.candidates import candidate_warnings, with_tolerant_candidates
from waypost.compiler.rules.concurrency import called_key_problems, concurrency_warnings
from waypost.compiler.rules.known_inputs import known_input_problems
from waypost.compiler.rules.local_templates import Judged, judge
from waypost.compiler.rules.nodes.artifacts import artifact_warnings
from waypost.compiler.rules.nodes.escalation import escalation_warnings
from waypost.compiler.rules.nodes.outside import address_problems
from waypost.compiler.rules.nodes.waits import waiting_warnings
from waypost.compiler.rules.schemas import misread_keys, schema_warnings, typed_inputs
from waypost.compiler.rules.scopes import at_the_end
from waypost.compiler.rules.spec import (
    MAX_PROBLEMS,
    check,
    kind_problems,
    source_problems,
    structural_problems,
)
from waypost.compiler.rules.unevaluated import lookalike_warnings
from waypost.compiler.shared_schemas import bundled, unknown_names
from waypost.compiler.types.assignability import may_be
from waypost.compiler.types.called import CalledTypes
from waypost.compiler.types.check import item_schemas, remembered_types, type_problems
from waypost.compiler.validation_errors import problems_of
from waypost.expressions.templates import paths_in
from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json

_EMPTY_GRAPH = Graph(nodes={}, dependencies={}, order=())


@dataclass(frozen=True)
class Definition:
    """The form of a spec that the engine works with.

    The run may be accepted if and only if `problems` is empty. Use `graph` and `inputs` only then,
    or if the run was accepted before.
    """

    spec: AgentWorkflowSpec | None  # with self-contained schemas; None if the models refuse it
    graph: Graph = _EMPTY_GRAPH
    inputs: JsonObject = field(default_factory=dict)  # with the defaults of inputSchema
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    cancelled: bool = False  # spec.cancel, also of a spec that is refused
    outside: tuple[Problem, ...] = ()  # hosts that senders choose: warnings, errors in strict mode
    stand_ins: frozenset[str] = (
        frozenset()
    )  # nodes whose definition is lost, or not that of the pod
    refused: str = ""  # the problems of the rejected spec that this replaces (cancel_rejected)

    @cached_property
    def fingerprints(self) -> Mapping[str, str]:
        """The fingerprint of each node, by name."""
        assert self.spec is not None, "read for accepted specs only"
        return fingerprints(self.spec, self.graph, self.inputs)

    @cached_property
    def item_schemas(self) -> Mapping[str, Json]:
        """The schema of an item of each map, by the name of the node: its numbers are declared by
        it."""
        if self.spec is None or not any(node.for_each for node in self.graph.nodes.values()):
            return {}
        complete = with_compensations(self.spec, self.graph)
        return item_schemas(self.spec, complete, self.inputs)

    @cached_property
    def remembered_types(self) -> Mapping[str, Json]:
        """The schema of each key of `memory.remember`: entries of an earlier definition may not
        meet it."""
        if self.spec is None or self.spec.memory is None:
            return {}
        return remembered_types(self.spec, with_compensations(self.spec, self.graph), self.inputs)

    def may_remember(self, key: str, value: JsonValue) -> bool:
        """Whether a value that an earlier run remembered has the type that `memory.remember` gives
        it today. Nothing is said of keys that it does not have."""
        schema = self.remembered_types.get(key)
        return schema is None or may_be(value, schema)

    @cached_property
    def memory_schema(self) -> Json:
        """The schema of `memory`: its numbers are declared by it."""
        return memory_type(self.spec, self.remembered_types) if self.spec is not None else None

    @cached_property
    def memory_readers(self) -> frozenset[str]:
        """The nodes whose expressions read `memory`, and the agents that are given notes; "" stands
        for the end of the run."""
        if self.spec is None or self.spec.memory is None:
            return frozenset()
        complete = with_compensations(self.spec, self.graph)
        found = {
            name
            for name, node in complete.nodes.items()
            if notes_of(self.spec, node) is not None
            or any(_reads_memory(value) for _, value in evaluated_fields(node))
        }
        at_end = any(_reads_memory(value) for _, value in at_the_end(self.spec))
        return frozenset(found | {""} if at_end else found)

    def list_source(self, name: str) -> str | None:
        """A digest of what determines the list of a map in the spec; None for another node."""
        assert self.spec is not None, "read for accepted specs only"
        return list_source(self.graph.nodes[name], self.inputs)

    def item_variables(self, name: str) -> frozenset[str]:
        """Which of `item` and `index` the fields of a map read beside its inputs."""
        return item_variables(self.graph.nodes[name])

    def stops(self, status: AgentWorkflowStatus) -> bool:
        """Whether the problems stop a run with this status.

        An accepted run continues even if this release finds problems, because the release
        that accepted it did not check for them (S24).
        """
        accepted = any(
            c.type == Condition.ACCEPTED and c.status == "True" for c in status.conditions
        )
        return bool(self.problems) and not (accepted and self.graph.order)


def define(
    raw_spec: Any, *, any_inputs: bool = False, templates: Mapping[str, JsonObject] | None = None
) -> Definition:
    """Check a spec completely.

    Args:
        raw_spec: `spec` of the object, as JSON.
        any_inputs: The spec is that of a template, whose runs will give the inputs.
        templates: The AgentWorkflowTemplates that its workflow nodes call and that are known:
            their `spec`, by name. Inputs and outputs of other calls are not checked.

    Returns:
        The definition; each defect is a Problem that names its field. Never raises. Of a run of
        a template without a graph: `templates.define_run` gives the complete one.
    """
    cancelled = isinstance(raw_spec, Mapping) and raw_spec.get("cancel") is True
    checked = _checked(raw_spec, templates or {}, any_inputs=any_inputs)
    return replace(checked, cancelled=cancelled)


def _checked(
    raw_spec: Any, templates: Mapping[str, JsonObject], *, any_inputs: bool, nested: bool = False
) -> Definition:
    try:
        # First, because values that are nested too deep or have no digest break all later checks.
        ijson.check(raw_spec)
    except ijson.IJsonError as error:
        place = error.path.removeprefix("$").removeprefix(".")
        return Definition(spec=None, problems=(Problem(place or "spec", error.problem),))
    try:
        spec = AgentWorkflowSpec.model_validate(_as_stored(raw_spec))
    except ValidationError as error:
        return Definition(spec=None, problems=problems_of(error, AgentWorkflowSpec))
    problems = _some(source_problems(spec))
    if problems or spec.template_ref is not None:
        return Definition(spec=spec, problems=problems)
    problems = _some(kind_problems(spec)) or _some(unknown_names(spec))
    if problems:
        return Definition(spec=spec, problems=problems)
    spec = with_tolerant_candidates(bundled(spec))
    problems = check(spec)
    if problems:
        return _with_problems(spec, problems)
    # Those of a local template are checked with it.
    judge_local = partial(_judge_local, templates)
    local = Judged() if nested or not spec.templates else judge(raw_spec, judge_local)
    if local.problems:
        return _with_problems(spec, _some(local.problems))
    graph, problems = _graph_of(spec)
    if problems:
        return Definition(spec=spec, problems=problems)
    inputs, problems = _complete_inputs(spec)
    if problems and not any_inputs:
        return Definition(spec=spec, problems=problems)
    locals_ = local_templates(raw_spec)
    called = called_types(spec, locals_, templates)
    value_problems = _value_problems(spec, graph, None if any_inputs else inputs, called)
    value_problems += called_key_problems(spec, locals_, templates)
    outside = _some(address_problems(spec, templates=templates))
    return Definition(
        spec=spec,
        graph=graph,
        inputs=inputs,
        outside=outside,
        problems=_some(problem for problem in value_problems if problem.severity == "error"),
        warnings=_some(
            [
                *(problem for problem in value_problems if problem.severity == "warning"),
                *local.warnings,
                *lookalike_warnings(spec),
                *schema_warnings(spec),
                *typed_inputs(spec),
                *misread_keys(spec),
                *artifact_warnings(spec),
                *candidate_warnings(spec, graph),
                *concurrency_warnings(spec),
                *escalation_warnings(spec),
                *waiting_warnings(spec, graph),
                *memory_warnings(spec, locals_, templates),
                *outside,
            ]
        ),
    )


def _judge_local(templates: Mapping[str, JsonObject], fields: JsonObject) -> Judged:
    definition = _checked(fields, templates, any_inputs=True, nested=True)
    return Judged(definition.problems, definition.warnings)


def _graph_of(spec: AgentWorkflowSpec) -> tuple[Graph, tuple[Problem, ...]]:
    nodes = {node.name: node for node in (*spec.nodes, *(spec.finally_ or ()))}
    dependencies = {name: dependencies_of(node) for name, node in nodes.items()}
    cycle = find_cycle(dependencies)
    if cycle:
        text = (
            f"the nodes wait for each other: {' -> '.join(cycle)}; remove one of these references"
        )
        return _EMPTY_GRAPH, (Problem(field="nodes", message=text),)
    last = frozenset(node.name for node in spec.finally_ or ())
    return sort(nodes, dependencies, last), ()


def _with_problems(spec: AgentWorkflowSpec, problems: tuple[Problem, ...]) -> Definition:
    """A definition that is refused, with the graph for a run that an earlier release accepted
    where the problems leave one."""
    refused = Definition(spec=spec, problems=problems)
    if structural_problems(spec):
        return refused
    (graph, cycle), (inputs, violations) = _graph_of(spec), _complete_inputs(spec)
    return refused if cycle or violations else replace(refused, graph=graph, inputs=inputs)


def _value_problems(
    spec: AgentWorkflowSpec,
    graph: Graph,
    inputs: JsonObject | None,
    called: Mapping[str, CalledTypes],
) -> list[Problem]:
    """The errors and warnings about the values that nodes pass to each other.

    `inputs` is None if they are not known yet: each run of a template gives its own.
    """
    complete = with_compensations(spec, graph)
    typed = list(dict.fromkeys(type_problems(spec, complete, inputs, called)))
    if inputs is None:
        return typed
    certain = {problem.field for problem in typed if problem.severity == "error"}
    known = [
        one for one in known_input_problems(spec, graph, inputs, called) if one.field not in certain
    ]
    # If the value is known, doubts about its type do not matter.
    judged = {problem.field for problem in known}
    return [one for one in typed if one.field not in judged] + known


def _as_stored(value: JsonValue) -> JsonValue:
    """`value` with sorted keys, as the API server returns it.

    So a file gets the same problems, in the same order, as the object that is created from it.
    """
    if isinstance(value, dict):
        return {key: _as_stored(value[key]) for key in sorted(value)}
    return [_as_stored(item) for item in value] if isinstance(value, list) else value


def _some(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(problems)[:MAX_PROBLEMS]


def _complete_inputs(spec: AgentWorkflowSpec) -> tuple[JsonObject, tuple[Problem, ...]]:
    given = spec.inputs or {}
    if spec.input_schema is None:
        return given, ()
    completed = schema.apply_defaults(spec.input_schema, given)
    violations = schema.validate(spec.input_schema, completed)
    problems = tuple(
        Problem(field=f"inputs{violation.path.removeprefix('$')}", message=str(violation))
        for violation in violations
    )
    return (completed if isinstance(completed, dict) else given), problems


def _reads_memory(value: JsonValue) -> bool:
    return any(path.root == "memory" for path in paths_in(value))


def inputs_changed(definition: Definition) -> bool:
    """Whether defaults were added, so that the status should show the completed inputs."""
    given = definition.spec.inputs if definition.spec else None
    return ijson.canonical(definition.inputs) != ijson.canonical(given or {})
