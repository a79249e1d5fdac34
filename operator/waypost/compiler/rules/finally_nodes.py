"""Rules for `spec.finally` and `compensate`: the kinds, what they may refer to, and what only they
can read."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonValue
from waypost.api.crd.rules.compensations import COMPENSATED, COMPENSATIONS
from waypost.api.kinds.table import has_one_kind, kind_of
from waypost.api.workflow import (
    MAX_NODES,
    NOT_IN_FINALLY,
    AgentWorkflowSpec,
    CompensationNode,
    Node,
)
from waypost.compiler.graph import dependencies_of, evaluated_fields, reached_from
from waypost.compiler.on_failure import pauses
from waypost.compiler.problems import Problem
from waypost.compiler.rules.scopes import at_the_end
from waypost.expressions.templates import paths_in, references_in

# Fields of `run` that exist once all nodes of `spec.nodes` have ended.
VERDICT_FIELDS: Final = ("phase", "reason", "message", "failures")
_BEGINS: Final = "finally begins when all nodes have ended"


def finally_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report each defect of `spec.finally`, and each use of it outside."""
    main = {node.name for node in spec.nodes}
    last = {node.name for node in spec.finally_ or ()}
    for clean_up in spec.finally_ or ():
        yield from _waits_for_nobody(clean_up)
        yield from _hard_references(clean_up, main)
    for node in spec.nodes:
        yield from _references_to_finally(node, last)
        for place, value in evaluated_fields(node):
            yield from _reads_of_the_verdict(f"{node.place}.{place}", value)
    for place, value in at_the_end(spec):
        yield from _reads_of_the_verdict(place, value)


def _waits_for_nobody(node: Node) -> Iterator[Problem]:
    for kind in NOT_IN_FINALLY:
        if getattr(node, kind) is not None:
            text = (
                f"{kind} is not allowed in finally, because a clean-up waits for nobody; move it "
                "to nodes, or use a python, container, agent or http node"
            )
            yield Problem(f"{node.place}.{kind}", text)
    for index, tools in enumerate((node.agent.tools if node.agent is not None else None) or []):
        if tools.require_approval:
            text = (
                "requireApproval is not allowed in finally, because a clean-up waits for nobody; "
                "remove it, or move the node to nodes"
            )
            yield Problem(f"{node.place}.agent.tools[{index}].requireApproval", text)
    if pauses(node):
        text = (
            "Pause is not allowed in finally, because a clean-up waits for nobody; use Continue, "
            "or remove it"
        )
        yield Problem(f"{node.place}.onFailure", text)


def _hard_references(node: Node, main: set[str]) -> Iterator[Problem]:
    """A node of the graph may have failed or never run, so finally cannot need its output."""
    hard = set(dependencies_of(node).hard & main)
    why = "may have failed or never run when finally begins"
    for name in node.depends_on or []:
        if name in hard:
            text = f"node {name} {why}; use after: [{name}], or remove it"
            yield Problem(f"{node.place}.dependsOn", text)
    hard -= set(node.depends_on or [])
    for place, value in evaluated_fields(node):
        for reference in references_in(value):
            if reference.node in hard:
                hard.discard(reference.node)
                path = f"nodes.{reference.node}"
                text = (
                    f"node {reference.node} {why}, so {path}.output may not exist; write "
                    f"{path}.?output with orValue(...), or test it with has({path}.output)"
                )
                yield Problem(f"{node.place}.{place}", text)


def _references_to_finally(node: Node, last: set[str]) -> Iterator[Problem]:
    for key, listed in (("dependsOn", node.depends_on), ("after", node.after)):
        for name in last & set(listed or []):
            yield Problem(f"{node.place}.{key}", _too_early(name))
    for place, value in evaluated_fields(node):
        for name in sorted({reference.node for reference in references_in(value)} & last):
            yield Problem(f"{node.place}.{place}", _too_early(name))


def _too_early(name: str) -> str:
    return (
        f"node {name} is in finally, and {_BEGINS}, so no node can wait for it; move {name} to "
        "nodes, or this node to finally"
    )


def _reads_of_the_verdict(place: str, value: JsonValue) -> Iterator[Problem]:
    for path in paths_in(value):
        if path.root == "run" and path.fields[:1] and path.fields[0] in VERDICT_FIELDS:
            text = f"run.{path.fields[0]} is only available in nodes of finally: {_BEGINS}"
            yield Problem(place, text)


def compensation_kind_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report compensations without exactly one kind, and nodes that cannot have one."""
    for node in spec.nodes:
        given = node.compensate
        if given is None or not has_one_kind(node):
            continue
        place = f"{node.place}.compensate"
        if sum(getattr(given, name) is not None for name in COMPENSATIONS) != 1:
            yield Problem(place, f"expected exactly one of {', '.join(COMPENSATIONS)}")
        if text := _refusal(node):
            yield Problem(place, f"{text}; undo what it does in a node of finally")
    for clean_up in spec.finally_ or ():
        if clean_up.compensate is not None:
            text = "a node of finally is never undone; remove compensate"
            yield Problem(f"{clean_up.place}.compensate", text)


def _refusal(node: Node) -> str:
    kind = kind_of(node).name
    if kind not in COMPENSATED:
        return f"cannot be used with {kind}, only with {', '.join(COMPENSATED)}"
    return ""


def compensation_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report references of compensations to nodes that come later, and too many of them."""
    compensations = spec.compensations
    count = len(spec.nodes) + len(compensations) + len(spec.finally_ or ())
    if compensations and count > MAX_NODES:
        text = (
            f"the run has {count} nodes, those in finally and compensations included; the limit is "
            f"{MAX_NODES}: remove some, or split the workflow"
        )
        yield Problem("nodes", text)
    dependencies = {node.name: dependencies_of(node) for node in spec.nodes}
    names = {node.name for node in spec.all_nodes}
    outputs = {node.name: node.for_each.keeps_outputs for node in spec.nodes if node.for_each}
    for node in compensations:
        if not outputs.get(node.undoes, True):
            yield from _reads_of_no_output(node)
        later = names - reached_from(node.undoes, dependencies) - {node.undoes}
        yield from _later_references(node, later)


def _reads_of_no_output(node: CompensationNode) -> Iterator[Problem]:
    for key, value in (node.inputs or {}).items():
        if any(path.root == "self" and path.fields[:1] == ("output",) for path in paths_in(value)):
            text = (
                "self.output does not exist, because forEach.collect: None keeps no outputs of "
                "items; remove collect, or use self.inputs or self.idempotencyKey"
            )
            yield Problem(f"{node.place}.inputs.{key}", text)


def _later_references(node: CompensationNode, later: set[str]) -> Iterator[Problem]:
    for place, value in evaluated_fields(node):
        for name in sorted({reference.node for reference in references_in(value)} & later):
            text = (
                f"node {name} does not come before {node.undoes}, so it may be undone already; "
                f"refer only to self and to nodes that {node.undoes} waits for"
            )
            yield Problem(f"{node.place}.{place}", text)
