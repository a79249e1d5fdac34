"""What a round does with the choices of first nodes, and with the candidates that lost (S232)."""

from collections.abc import Iterator, Mapping

from waypost.api.kinds.table import kind_of
from waypost.api.status import NodeStatus
from waypost.compiler.graph import Graph
from waypost.protocol.reasons import Reason


def kept_losers(
    graph: Graph, known: Mapping[str, NodeStatus], reopened: frozenset[str]
) -> frozenset[str]:
    """The candidates that stay as they are, because the first node that stopped them keeps its
    choice.

    Args:
        graph: The graph of the round.
        known: The statuses before the round, by path.
        reopened: The first nodes that choose again.
    """
    return frozenset(
        name
        for chooser in graph.choosers
        if chooser not in reopened
        for name in losers_of(graph, chooser, known)
    )


def losers_of(graph: Graph, chooser: str, known: Mapping[str, NodeStatus]) -> Iterator[str]:
    """The candidates without a result that a first node has stopped or stops."""
    work, status = graph.nodes[chooser].first, known.get(chooser)
    if work is None or work.others == "Finish" or status is None or status.first is None:
        return
    if status.phase in ("Succeeded", "Failed"):
        for name in work.of:
            if name in known and known[name].phase not in ("Succeeded", "Pending"):
                yield name


def deciding(graph: Graph, path: str, status: NodeStatus) -> frozenset[str]:
    """The nodes whose change makes a node run again: a choice depends on the chosen candidate only,
    because it was made before the others ended."""
    dependencies = graph.dependencies[path]
    chosen = status.first.chosen if status.first is not None else None
    return dependencies.all if chosen is None else dependencies.joined | {chosen}


def why_stopped(graph: Graph, path: str, known: Mapping[str, NodeStatus]) -> str:
    """Why a loser in progress cannot be adopted when its race begins again; "" if it can."""
    status = known[path]
    latest, child = status.open_attempt, status.child
    stops = latest is not None and latest.stopping == Reason.NOT_CHOSEN
    stops = stops or (child is not None and child.stopping == Reason.NOT_CHOSEN)
    # Also of one that the same update takes out of its race.
    if status.phase == "Running" and stops:
        return "it was being stopped, because another candidate had been chosen"
    if not any(path in losers_of(graph, chooser, known) for chooser in graph.choosers):
        return ""
    if status.phase == "Waiting" and kind_of(graph.nodes[path]).is_gate:
        return "its question was being withdrawn, because another candidate had been chosen"
    return ""


def is_loser(status: NodeStatus) -> bool:
    """Whether a candidate was stopped because another one was chosen."""
    return status.phase == "Cancelled" and status.reason == Reason.NOT_CHOSEN
