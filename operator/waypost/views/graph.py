"""The graph of a run as a document, and as text of Mermaid and Graphviz."""

import json
from collections.abc import Iterator
from typing import Final

from waypost.compiler.definition import Definition
from waypost.compiler.graph import Dependencies
from waypost.views.documents import GraphEdge, GraphNode, RunGraph
from waypost.views.models import NodeView, RunView

_COLOURS = {
    "Succeeded": "#c8e6c9",
    "Failed": "#ffcdd2",
    "Running": "#b3e5fc",
    "Waiting": "#fff9c4",
    "Backoff": "#ffe0b2",
    "Skipped": "#eeeeee",
    "Cancelled": "#e0e0e0",
}
GATES: Final = ("approval", "wait", "event", "first")  # kinds that only wait
_DASHED = frozenset({"soft", "candidate"})


def run_graph(run: RunView, definition: Definition | None) -> RunGraph:
    """The graph of a run. Without a definition that can be used, it has no edges."""
    nodes = [_node(node) for node in run.nodes]
    found = RunGraph(name=run.name, namespace=run.namespace, phase=run.phase, nodes=nodes)
    if definition is None or not definition.graph.order:
        return found.model_copy(update={"note": "the definition cannot be read: no edges"})
    known = {node.path for node in run.nodes}
    edges = [
        edge
        for path in definition.graph.order
        for edge in _edges(path, definition.graph.dependencies[path])
        if edge.from_ in known and edge.to in known
    ]
    return found.model_copy(update={"edges": edges})


def _node(node: NodeView) -> GraphNode:
    return GraphNode(
        path=node.path,
        kind=node.kind,
        phase=node.phase,
        stage=node.stage,
        reason=node.reason,
        total=node.items.total if node.items else None,
        attempts=node.attempt,
    )


def _edges(path: str, dependencies: Dependencies) -> Iterator[GraphEdge]:
    groups = {
        "hard": dependencies.hard,
        "soft": dependencies.soft,
        "candidate": dependencies.candidates,
    }
    for kind, names in groups.items():
        for name in sorted(names):
            yield GraphEdge(**{"from": name}, to=path, kind=kind)


def mermaid(graph: RunGraph) -> str:
    """The graph as Mermaid. Names of nodes have no characters that it interprets."""
    ids = {node.path: f"n{at}" for at, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    for node in graph.nodes:
        left, right = ("{{", "}}") if node.kind in GATES else ("[", "]")
        lines.append(f'  {ids[node.path]}{left}"{_label(node, "<br/>")}"{right}')
    for edge in graph.edges:
        arrow = "-.->" if edge.kind in _DASHED else "-->"
        lines.append(f"  {ids[edge.from_]} {arrow} {ids[edge.to]}")
    for phase, colour in _COLOURS.items():
        members = [ids[node.path] for node in graph.nodes if node.phase == phase]
        if members:
            lines.append(f"  classDef {phase} fill:{colour},color:#000")
            lines.append(f"  class {','.join(members)} {phase}")
    return "\n".join(lines) + "\n"


def dot(graph: RunGraph) -> str:
    """The graph as Graphviz."""
    lines = [f"digraph {json.dumps(graph.name)} {{", "  node [shape=box, style=filled];"]
    for node in graph.nodes:
        colour = _COLOURS.get(node.phase, "#ffffff")
        shape = ", shape=hexagon" if node.kind in GATES else ""
        label = json.dumps(_label(node, "\n"))
        lines.append(f'  {json.dumps(node.path)} [label={label}, fillcolor="{colour}"{shape}];')
    for edge in graph.edges:
        style = " [style=dashed]" if edge.kind in _DASHED else ""
        lines.append(f"  {json.dumps(edge.from_)} -> {json.dumps(edge.to)}{style};")
    return "\n".join([*lines, "}"]) + "\n"


def _label(node: GraphNode, line: str) -> str:
    kind = f"{node.kind} x {node.total}" if node.total is not None else node.kind
    more = f" ({node.reason})" if node.reason else ""
    return f"{node.path}{line}{kind}{line}{node.phase}{more}"
