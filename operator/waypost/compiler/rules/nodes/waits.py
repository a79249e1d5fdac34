"""Rules for nodes that wait: for a time, or for an event."""

from collections.abc import Iterator

from waypost.api.kinds.table import kind_of
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.graph import Graph
from waypost.compiler.problems import Problem
from waypost.compiler.rules.scopes import at_the_end
from waypost.expressions.templates import references_in

_WAITING = ("wait", "event")


def waiting_warnings(spec: AgentWorkflowSpec, graph: Graph) -> Iterator[Problem]:
    """Warn of waits that hold nothing back in a run of several nodes (S76)."""
    used = {name for one in graph.dependencies.values() for name in one.all}
    used |= {one.node for _, value in at_the_end(spec) for one in references_in(value)}
    for node in spec.nodes:
        if len(spec.nodes) > 1 and node.name not in used and kind_of(node).name in _WAITING:
            text = (
                "no node and no output refers to it, so nothing waits for it, and the run stays "
                "open until it ends; add it to dependsOn of the node that has to wait"
            )
            yield Problem(node.place, text, "warning")
