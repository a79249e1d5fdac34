"""The graph of a run as SVG: columns by the longest way to a node, at most 20 nodes in one."""

from typing import Final

from waypost.cli.report.html.markup import Markup, element, joined
from waypost.protocol.text import shorten
from waypost.views.documents import GraphEdge, GraphNode, RunGraph
from waypost.views.graph import GATES

LARGEST: Final = 300  # boxes; the table below has all nodes
_ROWS: Final = 20  # boxes above each other
_WIDTH: Final = 180
_HEIGHT: Final = 44
_STEP_X: Final = 240
_STEP_Y: Final = 60
_LABEL: Final = 22  # characters that fit a box

Place = tuple[int, int]  # x and y of the upper left corner


def drawing(graph: RunGraph) -> Markup:
    """The graph; a sentence for one that is too large."""
    if len(graph.nodes) > LARGEST:
        return element("p", f"{len(graph.nodes):,} nodes are too many to draw: see the table.")
    if not graph.nodes:
        return element("p", "The run has no nodes yet.")
    places = _places(graph)
    edges = [_edge(edge, places) for edge in graph.edges]
    boxes = [_box(node, places[node.path]) for node in graph.nodes]
    width = max(x for x, _ in places.values()) + _WIDTH + 10
    height = max(y for _, y in places.values()) + _HEIGHT + 10
    svg = element(
        "svg",
        joined(*edges, *boxes),
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=f"graph with {len(graph.nodes)} nodes",
    )
    return element("div", svg, class_="scroll graph")


def _places(graph: RunGraph) -> dict[str, Place]:
    columns: dict[int, list[str]] = {}
    for path, column in _columns(graph).items():
        columns.setdefault(column, []).append(path)
    places: dict[str, Place] = {}
    x = 10
    for column in sorted(columns):
        paths = columns[column]
        for at, path in enumerate(paths):
            places[path] = (x + at // _ROWS * _STEP_X, 10 + at % _ROWS * _STEP_Y)
        x += (1 + (len(paths) - 1) // _ROWS) * _STEP_X
    return places


def _columns(graph: RunGraph) -> dict[str, int]:
    """The column of each node: one more than those before it. Nodes of later stages come after."""
    before: dict[str, list[str]] = {node.path: [] for node in graph.nodes}
    for edge in graph.edges:
        before[edge.to].append(edge.from_)
    found: dict[str, int] = {}
    left = [node.path for node in graph.nodes]
    while left:
        ready = [path for path in left if all(name in found for name in before[path])]
        for path in ready or left:  # a graph has no circles; a broken document may
            found[path] = 1 + max((found.get(name, -1) for name in before[path]), default=-1)
        left = [path for path in left if path not in found]
    main = max((found[node.path] for node in graph.nodes if node.stage is None), default=-1)
    return {
        node.path: found[node.path] + (main + 1 if node.stage is not None else 0)
        for node in graph.nodes
    }


def _box(node: GraphNode, place: Place) -> Markup:
    x, y = place
    known = node.phase if node.phase.isalpha() and node.phase.isascii() else "other"
    shape = element("rect", x=x, y=y, width=_WIDTH, height=_HEIGHT, rx=22 if _is_gate(node) else 4)
    kind = f"{node.kind} × {node.total}" if node.total is not None else node.kind
    more = f" ({node.reason})" if node.reason else ""
    title = element("title", f"{node.path}: {kind}, {node.phase}{more}")
    name = element("text", shorten(node.path, _LABEL), x=x + 10, y=y + 18, class_="name")
    below = element("text", shorten(f"{kind} · {node.phase}", 28), x=x + 10, y=y + 35)
    return element("g", title, shape, name, below, class_=f"node {known}")


def _is_gate(node: GraphNode) -> bool:
    return node.kind in GATES


def _edge(edge: GraphEdge, places: dict[str, Place]) -> Markup:
    (x1, y1), (x2, y2) = places[edge.from_], places[edge.to]
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    middle = (x1 + x2) // 2
    style = "edge" if edge.kind == "hard" else "edge soft"
    line = f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"
    return element("path", d=line, class_=style)
