"""Templates: the static check of one, and the definition of a run that refers to one.

A run of a template is resolved to the spec that it would have if its nodes stood in it. So compiler
and engine treat it like any other run.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from waypost.api.base import JsonObject, parse_duration
from waypost.api.kinds.agent import Budget
from waypost.api.template.spec import BODY_FIELDS, RUN_FIELDS
from waypost.compiler.definition import Definition, define
from waypost.compiler.graph import evaluated_fields
from waypost.compiler.problems import Problem
from waypost.compiler.rules.nodes.outside import address_problems
from waypost.compiler.rules.recursion import recursion_problems
from waypost.compiler.rules.scopes import at_the_end
from waypost.compiler.rules.spec import MAX_PROBLEMS
from waypost.expressions.templates import paths_in


@dataclass(frozen=True)
class TemplateBody:
    """What runs take from a template: `fields` are those of `WorkflowBody`, as JSON. `local`: it is
    a local template of the parent run."""

    name: str
    fields: JsonObject
    local: bool = False


def body_of(name: str, spec: Any) -> TemplateBody:
    """What runs take from a template with this name and `spec`."""
    given = spec if isinstance(spec, Mapping) else {}
    fields = {key: given[key] for key in BODY_FIELDS if given.get(key) is not None}
    return TemplateBody(name, fields)


def define_template(
    spec: Any, *, name: str = "", templates: Mapping[str, JsonObject] | None = None
) -> Definition:
    """Check the spec of a template as that of a run whose inputs are not known yet.

    Args:
        spec: `spec` of the template, as JSON.
        name: Its name; "" if that is not known.
        templates: `spec` of the AgentWorkflowTemplates that are known, by name: those that it
            calls, and those that these call.

    Returns:
        The definition; each defect is a Problem that names its field. Never raises.
    """
    fields = body_of("", spec).fields
    definition = define(fields, any_inputs=True, templates=templates)
    recursion = recursion_problems(name, fields, templates or {}) if name else ()
    definition = replace(definition, problems=(*definition.problems, *recursion))
    definition = _of_sources(definition, spec, templates)
    if definition.problems or not _reads_undeclared_inputs(definition):
        return definition
    text = "is not set, so the inputs of runs and the expressions that read them are not checked"
    warning = Problem("inputSchema", text, "warning")
    return replace(definition, warnings=(warning, *definition.warnings)[:MAX_PROBLEMS])


def _of_sources(
    definition: Definition, spec: Any, templates: Mapping[str, JsonObject] | None
) -> Definition:
    """The definition of a template, with what its triggers add: senders give its inputs."""
    if definition.spec is None or not (isinstance(spec, Mapping) and spec.get("triggers")):
        return definition
    known = {one.field for one in definition.warnings}
    found = tuple(address_problems(definition.spec, templates=templates, may_start=True))
    more = [one for one in found if one.field not in known]
    warnings = (*definition.warnings, *more)[:MAX_PROBLEMS]
    return replace(definition, warnings=warnings, outside=found[:MAX_PROBLEMS])


def define_own(spec: Any, templates: Mapping[str, JsonObject]) -> Definition:
    """Check a run with its own nodes and the templates that these call.

    Args:
        spec: `spec` of the run, as JSON.
        templates: As for `define_template`.
    """
    definition = define(spec, templates=templates)
    if definition.problems:
        return definition
    recursion = tuple(recursion_problems("", body_of("", spec).fields, templates))
    return replace(definition, problems=recursion[:MAX_PROBLEMS]) if recursion else definition


def define_run(
    spec: Any, template: TemplateBody, templates: Mapping[str, JsonObject] | None = None
) -> Definition:
    """Check a run of a template completely.

    Args:
        spec: `spec` of the run, as JSON. Its templateRef names the template.
        template: What it takes from the template.
        templates: As for `define_template`.

    Returns:
        The definition, as that of a run with its own nodes; a problem of the template is one of
        `templateRef`. Warnings about the template are left out: they are for its author. Never
        raises.
    """
    alone = define(spec)
    if alone.problems:
        return alone
    definition = define(resolve(spec, template), templates=templates)
    own_name = "" if template.local else template.name
    recursion = recursion_problems(own_name, template.fields, templates or {})
    problems = (*_too_high(spec, template), *definition.problems, *recursion)
    own = frozenset(spec) | {"inputs"}
    return replace(
        definition,
        problems=tuple(_told_apart(problems, own, template.name))[:MAX_PROBLEMS],
        warnings=tuple(one for one in definition.warnings if _top(one) in own),
    )


def resolve(spec: JsonObject, template: TemplateBody) -> JsonObject:
    """The spec of a run as if what it takes from its template stood in it."""
    given = {key: spec[key] for key in RUN_FIELDS if spec.get(key) is not None}
    resolved = {**template.fields, **given}
    budgets = [part.get("budget") for part in (template.fields, given)]
    if any(budgets):
        resolved["budget"] = {key: each[key] for each in budgets if each for key in each}
    return resolved


def _too_high(spec: JsonObject, template: TemplateBody) -> Iterator[Problem]:
    """Report limits of a run that are higher than those of its template."""
    try:
        if "deadline" in spec and "deadline" in template.fields:
            own, theirs = spec["deadline"], template.fields["deadline"]
            if parse_duration(own) > parse_duration(theirs):
                yield _higher("deadline", own, theirs, template.name)
        own_budget = Budget.model_validate(spec.get("budget") or {})
        budget = Budget.model_validate(template.fields.get("budget") or {})
    except (TypeError, ValueError):
        return  # the check of the resolved spec reports it
    for name, field in Budget.model_fields.items():
        mine, most = getattr(own_budget, name), getattr(budget, name)
        if mine is not None and most is not None and Decimal(mine) > Decimal(most):
            yield _higher(f"budget.{field.alias or name}", mine, most, template.name)


def _higher(field: str, found: object, most: object, template: str) -> Problem:
    text = f"{found} is more than the {most} of template {template}; a run can only lower it"
    return Problem(field, text)


def _told_apart(
    problems: Iterable[Problem], own: frozenset[str], template: str
) -> Iterator[Problem]:
    """Problems in fields of the run as they are, all others as problems of templateRef."""
    for problem in problems:
        if _top(problem) in own:
            yield problem
        else:
            yield Problem("templateRef", f"template {template}: {problem}", problem.severity)


def _top(problem: Problem) -> str:
    return problem.field.partition(".")[0].partition("[")[0]


def _reads_undeclared_inputs(definition: Definition) -> bool:
    spec = definition.spec
    if spec is None or spec.input_schema is not None:
        return False
    values = [value for node in spec.all_nodes for _, value in evaluated_fields(node)]
    values += [value for _, value in at_the_end(spec)]
    values.append(spec.memory.key if spec.memory is not None else "")
    return any(path.root == "inputs" for value in values for path in paths_in(value))
