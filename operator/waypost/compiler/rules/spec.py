"""The static check behind the condition Accepted.

Each rule is one function that yields problems; the chains are at the end of the file. A problem
names the field, the actual value and how to correct it.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Final

from waypost.api.base import JsonValue, parse_duration
from waypost.api.kinds.table import KINDS, has_one_kind
from waypost.api.template.spec import BESIDE, TEMPLATE_ONLY
from waypost.api.workflow import AgentWorkflowSpec, CompensationNode
from waypost.compiler.graph import REMEMBERED, evaluated_fields
from waypost.compiler.kinds.table import KINDS as COMPILER_KINDS
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.memory.rules import memory_problems
from waypost.compiler.modifiers.table import MODIFIERS, modifier_of
from waypost.compiler.node_output import violations
from waypost.compiler.problems import Problem
from waypost.compiler.rules.candidates import candidate_problems
from waypost.compiler.rules.concurrency import concurrency_problems
from waypost.compiler.rules.exec_texts import exec_problems
from waypost.compiler.rules.finally_nodes import (
    compensation_kind_problems,
    compensation_problems,
    finally_problems,
)
from waypost.compiler.rules.maps import map_problems
from waypost.compiler.rules.nodes.artifacts import artifact_problems
from waypost.compiler.rules.nodes.egress import egress_problems
from waypost.compiler.rules.nodes.isolation import isolation_problems
from waypost.compiler.rules.nodes.key_hosts import key_host_problems
from waypost.compiler.rules.nodes.literals import literal_problems
from waypost.compiler.rules.nodes.retries import retry_problems
from waypost.compiler.rules.nodes.volume_claims import volume_claim_problems
from waypost.compiler.rules.python_code import modules
from waypost.compiler.rules.rerun import rerun_problems
from waypost.compiler.rules.schemas import YAML_BOOLEANS
from waypost.compiler.rules.scopes import at_the_end, modifier_problems, scope_problems
from waypost.compiler.rules.unevaluated import unevaluated_problems
from waypost.compiler.shared_schemas import schema_fields
from waypost.expressions.expression import Compiled, Variable, compile_expression
from waypost.expressions.templates import (
    Template,
    parse_template,
    problems_in,
    references_in,
    sources_in,
    strings_in,
)
from waypost.expressions.tree import is_plain_path
from waypost.protocol import ijson, schema

MAX_INPUT_BYTES: Final = 256 * 1024
MAX_EXPRESSIONS: Final = 256 * 1024
MAX_PROBLEMS: Final = 10
# Fields without `self`: evaluated before the inputs of the node are known, or of a node without.
_BEFORE_SELF: Final = ("inputs.", "when", "first.")
_AFTER_ITS_END: Final = (".repeat.until", f".{REMEMBERED}")
_CONDITIONS: Final = frozenset(("when",)).union(
    *(modifier.conditions for modifier in MODIFIERS.values()),
    *(kind.conditions for kind in COMPILER_KINDS.values()),
)
# Fields that other programs read, for example a shell.
_BRACES: Final = re.compile(r"\$\{([^{}]*)\}")
_FOR_PROGRAMS: Final = ("container.args", "container.env", "python.env", "agent.env")

Rule = Callable[[AgentWorkflowSpec], Iterator[Problem]]


def check(spec: AgentWorkflowSpec) -> tuple[Problem, ...]:
    """All static problems of a spec but cycles and the inputs themselves; at most ten."""
    return _first(spec, (*_STRUCTURAL, *_OTHERS))


def structural_problems(spec: AgentWorkflowSpec) -> tuple[Problem, ...]:
    """The problems without whose repair a spec has no usable graph; at most ten."""
    return _first(spec, _STRUCTURAL)


def _first(spec: AgentWorkflowSpec, rules: tuple[Rule, ...]) -> tuple[Problem, ...]:
    problems: list[Problem] = []
    for rule in rules:
        problems.extend(rule(spec))
        if len(problems) >= MAX_PROBLEMS:
            break
    return tuple(problems[:MAX_PROBLEMS])


def source_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report a run without exactly one of nodes and templateRef, and what a run of a template
    cannot set. For such a run also the rules that need no graph."""
    if spec.template_ref is None:
        if not spec.nodes:
            text = "neither nodes nor templateRef is set; write the nodes of the run, or name an "
            yield Problem("nodes", f"{text}AgentWorkflowTemplate in templateRef")
        return
    given = {spec.__class__.model_fields[name].alias or name for name in spec.model_fields_set}
    for field in TEMPLATE_ONLY:
        if field in given:
            text = f"stands in the template; a run of a template has only {BESIDE}. Remove it"
            yield Problem(field, text)
    yield from _first(spec, (_keys_are_as_written, _inputs_are_bounded, _durations_are_positive))


def kind_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report nodes without exactly one kind. Call it before any code that needs the kind."""
    for node in spec.all_nodes:
        if not has_one_kind(node) and not isinstance(node, CompensationNode):
            yield Problem(node.place, f"expected exactly one of {', '.join(KINDS)}")
    yield from compensation_kind_problems(spec)


def _unique_names(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    seen: set[str] = set()
    for node in spec.all_nodes:
        if node.name in seen:
            yield Problem(node.place, "two nodes have this name; rename one of them")
        seen.add(node.name)


def _keys_are_as_written(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    places = [("inputs", spec.inputs), ("outputs", spec.outputs)]
    if spec.memory is not None:
        places.append(("memory.remember", spec.memory.remember))
    places += [(f"{node.place}.inputs", node.inputs) for node in spec.all_nodes]
    for place, values in places:
        for key, words in YAML_BOOLEANS.items():
            if key in (values or {}):
                text = f"is how YAML reads the key {words} without quotes; put the key in quotes"
                yield Problem(f"{place}.{key}", text)


def _inputs_are_bounded(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    size = len(ijson.canonical(spec.inputs or {}))
    if size > MAX_INPUT_BYTES:
        yield Problem(
            "inputs",
            f"{size} bytes of JSON, the limit is {MAX_INPUT_BYTES}; pass a reference to the "
            "data (a URL, a bucket key) instead of the data",
        )


def _schemas_are_usable(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    judged: dict[str, str | None] = {}
    for place, value in schema_fields(spec):
        text = json.dumps(value, sort_keys=True)
        if text not in judged:  # most runs use a few schemas many times
            judged[text] = schema.check_schema(value)
        reason = judged[text]
        if reason:
            yield Problem(place, reason)


def _anchors_are_unique(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    for place, value in schema_fields(spec):
        reason = schema.anchor_problem(value)
        if reason:
            yield Problem(place, reason)


def _durations_are_positive(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    defaults = spec.defaults
    places = [("defaults.timeout", defaults and defaults.timeout)]
    places.append(("defaults.queueTimeout", defaults and defaults.queue_timeout))
    places.append(("deadline", spec.deadline))
    places.append(("finallyDeadline", spec.finally_deadline))
    if spec.memory is not None:
        places.append(("memory.expireAfter", spec.memory.expire_after))
    for node in spec.all_nodes:
        places.append((f"{node.place}.timeout", node.timeout))
        places.append((f"{node.place}.queueTimeout", node.queue_timeout))
        places.append((f"{node.place}.deadline", node.deadline))
        own = compiler_kind(node).durations(node)
        places += [(f"{node.place}.{field}", text) for field, text in own]
        modifier = modifier_of(node)
        if modifier is not None:
            looped = modifier.durations(node)
            places += [(f"{node.place}.{field}", text) for field, text in looped]
    for place, text in places:
        if text and parse_duration(text) == 0:
            yield Problem(place, f"{text} must be longer than 0s; remove it or set a duration")


def _all_evaluated(spec: AgentWorkflowSpec) -> Iterator[tuple[str, JsonValue, str]]:
    """(field path, value, field path below its node or '') of everything that is evaluated."""
    for node in spec.all_nodes:
        for place, value in evaluated_fields(node):
            undoes = isinstance(node, CompensationNode) and place.startswith("inputs.")
            yield f"{node.place}.{place}", value, f"compensate.{place}" if undoes else place
    for place, value in at_the_end(spec):
        yield place, value, "outputs"
    if spec.memory is not None:
        yield "memory.key", spec.memory.key, "outputs"
    if spec.concurrency is not None:
        yield "concurrency.key", spec.concurrency.key, "outputs"


def _expressions_are_bounded(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Limit the total size of expressions: a long one takes 10 ms to compile and check, and a spec
    can hold hundreds. Plain paths are free."""
    left = MAX_EXPRESSIONS
    for place, value, _ in _all_evaluated(spec):
        for _, text in strings_in(value):
            left -= sum(len(source) for source in sources_in(text) if not is_plain_path(source))
        if left < 0:
            text = (
                f"the expressions up to here have more than {MAX_EXPRESSIONS} characters, paths "
                "without paths such as inputs.a; compute in a node, or split the workflow"
            )
            yield Problem(place, text)
            return


def _expressions_compile(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    for place, value, below in _all_evaluated(spec):
        problems = problems_in(value)
        for problem in problems:
            inside = f".{problem.path}" if problem.path else ""
            yield Problem(f"{place}{inside}", problem.message)
        if problems:
            continue
        if (below == "outputs" or below.startswith(_BEFORE_SELF)) and _uses_self(value):
            text = "self is not available here; it is for fields such as message, args and env"
            yield Problem(place, text)
        if below in _CONDITIONS and not _is_one_expression(value):
            text = f'expected one expression like "${{inputs.urgent}}", found {value!r}'
            yield Problem(place, text + _with_braces(value))


def _with_braces(value: object) -> str:
    """What to write instead of an expression without braces."""
    text = str(value)
    if "${" in text:
        inner = _BRACES.sub(r"\1", text)
        whole = isinstance(compile_expression(inner), Compiled) and "${" not in inner
        return f'; put the whole into one: "${{{inner}}}"' if whole else ""
    is_one = isinstance(compile_expression(text), Compiled)
    return f'; write "${{{text}}}"' if is_one and "{" not in text else ""


def _constants_are_meant(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    for place, value, below in _all_evaluated(spec):
        if not below.startswith(_FOR_PROGRAMS) or problems_in(value):
            continue
        for constant in _constants_in(value):
            text = (
                f"${{{constant}}} does not read the run; write $${{{constant}}} for a "
                "shell, or the value itself"
            )
            yield Problem(place, text)


def _constants_in(value: JsonValue) -> Iterator[str]:
    for _, text in strings_in(value):
        template = parse_template(text)
        if isinstance(template, Template):
            yield from template.constants


def _uses_self(value: JsonValue) -> bool:
    templates = (parse_template(text) for _, text in strings_in(value))
    return any(
        Variable.SELF in part.roots
        for template in templates
        if isinstance(template, Template)
        for part in template.parts
        if not isinstance(part, str)
    )


def _is_one_expression(value: JsonValue) -> bool:
    template = parse_template(str(value))
    return isinstance(template, Template) and template.is_single


def _references_resolve(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    compensations = {node.name for node in spec.compensations}
    names = {node.name for node in spec.all_nodes} - compensations
    known = ", ".join(sorted(names)[:12])
    for place, value, _ in _all_evaluated(spec):
        owner = place.split(".")[1] if place.startswith(("nodes.", "finally.")) else ""
        for reference in references_in(value):
            if reference.node not in names:
                yield Problem(place, f"there is no node {reference.node!r}; nodes: {known}")
            elif reference.node == owner:
                ended = (
                    place.endswith((".repeat.until", f".{REMEMBERED}")) or ".compensate." in place
                )
                own = "self.output" if ended else "self.inputs"
                text = f"a node cannot refer to itself; for its {own.removeprefix('self.')}"
                yield Problem(place, f"{text} use {own}")
    for node in spec.all_nodes:
        for key, listed in (("dependsOn", node.depends_on), ("after", node.after)):
            for name in listed or []:
                if name not in names:
                    text = f"there is no node {name!r}; nodes: {known}"
                    yield Problem(f"{node.place}.{key}", text)


def _kinds_are_well_formed(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    for node in spec.all_nodes:
        yield from compiler_kind(node).problems(spec, node)


def _fallbacks_fit(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    for node in spec.all_nodes:
        if "fallback_output" not in node.model_fields_set:
            continue
        place = f"{node.place}.fallbackOutput"
        if node.on_failure != "Continue":
            yield Problem(place, "is only used with onFailure: Continue; add it or remove this")
        try:
            ijson.check(node.fallback_output)
        except ijson.IJsonError as error:
            yield Problem(f"{place}{error.path.removeprefix('$')}", error.problem)
            continue
        if node.output_schema is None or not schema.check_schema(node.output_schema):
            for violation in violations(node, node.fallback_output):
                yield Problem(place, f"does not meet outputSchema: {violation}")


_STRUCTURAL: Final[tuple[Rule, ...]] = (
    _unique_names,  # before anything that looks nodes up by name
    _schemas_are_usable,  # 2020-12, local $ref only
    _expressions_are_bounded,  # before they are compiled
    _expressions_compile,  # before references are read from them
    scope_problems,  # item, index, previous where they do not exist
    _references_resolve,  # names, dependsOn, after
    candidate_problems,  # which nodes can be candidates of first
    finally_problems,  # kinds, references between nodes and finally
    compensation_problems,  # what compensations refer to, and how many there are
)
# A run that an earlier release accepted continues, whatever these find (S24).
_OTHERS: Final[tuple[Rule, ...]] = (
    _keys_are_as_written,  # YAML reads an unquoted n, no, on... as a boolean
    _inputs_are_bounded,
    _anchors_are_unique,  # an anchor leads to one schema
    _durations_are_positive,
    retry_problems,  # reasons and exit codes without a retry
    _constants_are_meant,  # ${1} of a shell
    exec_problems,  # a NUL in args
    unevaluated_problems,  # ${ where it would be ignored
    map_problems,  # forEach.items, tolerate
    concurrency_problems,  # kinds without it, keys that are too long
    memory_problems,  # keys that cannot be used
    artifact_problems,  # kinds, folders
    isolation_problems,  # what the pod cannot have
    volume_claim_problems,  # claims that nothing mounts, mounts without a claim
    egress_problems,  # what the node cannot work with, destinations that are none
    key_host_problems,  # keys to hosts that data choose
    literal_problems,  # images, resources, URLs and headers that cannot be used
    modifier_problems,  # repeat on kinds that cannot have it
    _kinds_are_well_formed,  # what each kind asks for
    _fallbacks_fit,  # fallbackOutput against outputSchema
    modules,  # names, syntax
    rerun_problems,  # names, results given by people
)
