"""Inputs of nodes that are known before the run: values of `spec.inputs` that are passed on."""

from collections.abc import Iterator, Mapping
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.graph import Graph
from waypost.compiler.problems import Problem, Severity
from waypost.compiler.types.called import CalledTypes
from waypost.expressions.expression import Absent, Compiled, EvaluationError, evaluate
from waypost.expressions.templates import Template, parse_template
from waypost.protocol import schema
from waypost.protocol.ijson import Json

# Keywords about single inputs. Others may depend on inputs that are not known yet.
_OF_ONE_INPUT: Final = ("$schema", "$defs", "definitions", "properties")


def known_input_problems(
    spec: AgentWorkflowSpec, graph: Graph, inputs: JsonObject, called: Mapping[str, CalledTypes]
) -> Iterator[Problem]:
    """Report known inputs that do not match the inputSchema of their node, or of the template that
    it calls.

    It is an error if the node certainly starts, and a warning if it may be skipped.

    Args:
        spec: The spec.
        graph: Its graph.
        inputs: The run's inputs with defaults applied.
        called: The types of the templates that nodes call, by the name of the node.
    """
    for node in spec.all_nodes:
        takers = [("inputSchema", node.input_schema)]
        if node.name in called:
            types = called[node.name]
            takers.append((f"inputSchema of {types.template}", types.takes))
        declared = [(taker, takes) for taker, takes in takers if isinstance(takes, dict)]
        known = dict(_known(node, inputs)) if declared else {}
        if not known:
            continue
        alone = not graph.dependencies[node.name].all
        starts = node.when is None and alone and node.name not in graph.finally_nodes
        severity: Severity = "error" if starts else "warning"
        for taker, takes in declared:
            properties = {keyword: takes[keyword] for keyword in _OF_ONE_INPUT if keyword in takes}
            for violation in schema.validate(properties, known):
                field = f"{node.place}.inputs{violation.path.removeprefix('$')}"
                text = f"{taker} expects {violation.expected}, found {violation.found}"
                yield Problem(field, text, severity)


def _known(node: Node, inputs: JsonObject) -> Iterator[tuple[str, Json]]:
    for key, text in (node.inputs or {}).items():
        compiled = _single_path(text)
        if compiled is not None and compiled.roots == {"inputs"}:
            value = evaluate(compiled, {"inputs": inputs})
            if not isinstance(value, Absent | EvaluationError):
                yield key, value


def _single_path(text: Json) -> Compiled | None:
    template = parse_template(text) if isinstance(text, str) else None
    if not isinstance(template, Template) or not template.is_single:
        return None
    part = template.parts[0]
    return part if isinstance(part, Compiled) and part.is_path else None
