"""Rules for nodes with forEach."""

from collections.abc import Iterator

from waypost.api.modifiers.for_each import is_tolerance
from waypost.api.workflow import AgentWorkflowSpec, CompensationNode
from waypost.compiler.problems import Problem
from waypost.expressions.templates import Template, parse_template


def map_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report lists that are not one expression, and tolerances without a meaning."""
    for node in spec.all_nodes:
        if node.for_each is None or isinstance(node, CompensationNode):
            continue
        place = f"{node.place}.forEach"
        template = parse_template(node.for_each.items)
        if isinstance(template, Template) and not template.is_single:
            text = f'expected one expression like "${{inputs.urls}}", found {node.for_each.items!r}'
            yield Problem(f"{place}.items", text)
        tolerate = node.for_each.tolerate
        if tolerate is not None and not is_tolerance(tolerate):
            text = f"expected a count such as 2, or a percentage such as 10%, found {tolerate!r}"
            yield Problem(f"{place}.tolerate", text)
