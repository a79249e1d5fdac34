"""Rules for the candidates of first nodes."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.graph import Graph, dependencies_of
from waypost.compiler.kinds.first import ACCEPT, work
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.on_failure import pauses
from waypost.compiler.problems import Problem
from waypost.expressions.templates import references_in

_KNOWN: Final = 12


def candidate_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report each candidate that cannot be one, before the graph is made."""
    nodes = {node.name: node for node in spec.nodes}
    choosers: dict[str, str] = {}  # the first node of each candidate
    for node in spec.nodes:
        if node.first is None:
            continue
        place = f"{node.place}.first.of"
        for name, count in Counter(node.first.of).items():
            if count > 1:
                yield Problem(place, f"lists {name} {count} times; keep it once")
            yield from _may_be_candidate(place, node, name, nodes)
            if name in choosers:
                text = f"{name} is a candidate of {choosers[name]} too; keep it in one of them"
                yield Problem(place, text)
            choosers[name] = node.name
        yield from _reads_no_candidate(node)


def _may_be_candidate(
    place: str, chooser: Node, name: str, nodes: dict[str, Node]
) -> Iterator[Problem]:
    if name == chooser.name:
        yield Problem(place, f"{name} cannot be its own candidate; remove it")
    elif name not in nodes:
        known = ", ".join(sorted(set(nodes) - {chooser.name})[:_KNOWN])
        yield Problem(place, f"there is no node {name!r} in spec.nodes; nodes: {known}")
    elif nodes[name].first is not None:
        text = f"{name} is a first node, which cannot be a candidate; list its candidates instead"
        yield Problem(place, text)
    elif pauses(nodes[name]):
        text = (
            f"{name} has onFailure: Pause, which a candidate cannot have; use "
            "Continue, or remove it"
        )
        yield Problem(place, text)


def _reads_no_candidate(node: Node) -> Iterator[Problem]:
    """A first node must not wait for a candidate in another way: that would end the race."""
    candidates = set(work(node).of)
    for key, listed in (("dependsOn", node.depends_on), ("after", node.after)):
        for name in listed or []:
            if name in candidates:
                text = f"{name} is a candidate of this node, which does not wait for it; remove it"
                yield Problem(f"{node.place}.{key}", text)
    for field, value in (("when", node.when), (ACCEPT, work(node).accept)):
        read = {reference.node for reference in references_in(value)} if value else set()
        for name in sorted(read & candidates):
            instead = (
                "read candidate.output instead, with candidate.name if the candidates differ"
                if field == ACCEPT
                else f"move the condition to {ACCEPT}"
            )
            text = f"{name} is a candidate of this node, which does not wait for it; {instead}"
            yield Problem(f"{node.place}.{field}", text)


def candidate_warnings(spec: AgentWorkflowSpec, graph: Graph) -> Iterator[Problem]:
    """Warn of nodes that need a candidate that may be stopped when another one is chosen."""
    for node in spec.nodes:
        hard = dependencies_of(node).hard
        for chooser in spec.nodes:
            if chooser.first is None or chooser.first.others == "Finish":
                continue
            behind = graph.downstream(chooser.name)
            for name in chooser.first.of:
                if name in hard and node.name not in chooser.first.of and node.name not in behind:
                    text = (
                        f"is skipped if {chooser.name} chooses another candidate than {name}; "
                        f"read nodes.{chooser.name}.output, or nodes.{name}.?output, or set "
                        f"others: Finish in {chooser.name}"
                    )
                    yield Problem(node.place, text, "warning")


def with_tolerant_candidates(spec: AgentWorkflowSpec) -> AgentWorkflowSpec:
    """`spec` in which each candidate without onFailure has onFailure: Continue, the default of
    candidates."""
    candidates = {name for node in spec.nodes for name in compiler_kind(node).candidates(node)}
    if not any(node.name in candidates and node.on_failure is None for node in spec.nodes):
        return spec
    nodes = [
        node.model_copy(update={"on_failure": "Continue"})
        if node.name in candidates and node.on_failure is None
        else node
        for node in spec.nodes
    ]
    return spec.model_copy(update={"nodes": nodes})
