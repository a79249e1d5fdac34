"""The items of a map whose list a new round evaluates again."""

from collections.abc import Iterator
from dataclasses import replace

from waypost.api.changes import changed_items
from waypost.api.items.states import IN_POD, ItemState, format_states, parse_states
from waypost.api.items.status import ItemsStatus
from waypost.api.rerun import Rerun
from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.compiler import node_settings
from waypost.compiler.definition import Definition
from waypost.compiler.graph import Graph
from waypost.compiler.problems import Problem
from waypost.engine.state.observed import Observed
from waypost.kube.items.open_items import with_stop
from waypost.protocol.reasons import Reason


def next_list(definition: Definition, status: NodeStatus, rerun: Rerun) -> ItemsStatus | None:
    """The items of a node that runs again, with the list of its last round; None if it has none."""
    items, path = status.items, status.path
    if items is None:
        return None
    same = status.fingerprint == definition.fingerprints[path]
    began = items.round == (status.round or 1)  # and not only an earlier list
    known = items.source is not None and not _is_asked(definition.graph, rerun, path)
    known = known and path not in definition.graph.finally_nodes  # which runs again in each round
    kept = same and known and (began or bool(items.reusable))
    calls = definition.graph.nodes[path].workflow is not None
    continues = calls and known and (began or bool(items.reusable or items.continues))
    replaced = replace_list(items, reusable=kept, continues=continues and not kept)
    again = sorted({*(items.again or ()), *rerun.items_of(path)})
    return changed_items(replaced, again=again or None)


def rerun_cause(node: Node, status: NodeStatus, rerun: Rerun) -> str:
    """Why the items of a map make it evaluate its list again; "" if they do not."""
    if indexes := rerun.items_of(status.path):
        return _asked_text(indexes)
    if ending := why_ending(status):
        return f"it {ending}"
    items, for_each = status.items, node.for_each
    if status.phase != "Succeeded" or items is None or for_each is None:
        return ""
    if (items.failed or 0) > for_each.allowed_failures(items.total):
        return "more of its items failed than forEach.tolerate allows now"
    return ""


def why_ending(status: NodeStatus) -> str:
    """Why a round cannot adopt a map in progress: none of its other items starts; "" if it can."""
    doomed = status.items.doomed if status.items is not None else None
    if status.phase != "Running" or doomed in (None, Reason.DEADLINE_EXCEEDED):
        return ""  # `is_overdue` has its own text
    return f"was ending with {doomed}"


def _asked_text(indexes: list[int]) -> str:
    """That `rerun.from` names these items, as the cause of a repetition."""
    shown = ", ".join(map(str, indexes[:10])) + (", ..." if len(indexes) > 10 else "")
    return f"{'item' if len(indexes) == 1 else 'items'} {shown} named in rerun.from"


def unknown_items(observed: Observed, rerun: Rerun) -> Iterator[Problem]:
    """Report items that the last list of their node does not have, and those of effect: once."""
    spec, graph = observed.spec, observed.definition.graph
    known = {status.path: status.items for status in observed.status.nodes}
    for name, index in rerun.items():
        items = known.get(name)
        if spec is not None and node_settings.retries_of(spec, graph.nodes[name]).once:
            text = f"items of effect: once cannot be repeated one by one yet; name {name}"
            yield Problem("rerun.from", f"{name}/{index}: {text}")
        elif items is None or not (items.sealed or items.list_record):
            yield Problem("rerun.from", f"{name}/{index}: node {name} has no list yet; name {name}")
        elif index >= items.total:
            text = f"the last list of node {name} has {items.total} items, counted from 0"
            yield Problem("rerun.from", f"{name}/{index}: {text}")


def _is_asked(graph: Graph, rerun: Rerun, path: str) -> bool:
    """Whether a person asked for the node or one before it to run again."""
    named = {*(rerun.from_ or [])}
    return path in named or any(
        path in graph.downstream(name) for name in named & graph.nodes.keys()
    )


def replace_list(items: ItemsStatus, *, reusable: bool, continues: bool = False) -> ItemsStatus:
    """The items of a list that is replaced: running attempts are stopped, nothing else starts.

    Args:
        items: The items of the last round.
        reusable: Whether items of the next list with the same identity keep their results.
        continues: Whether they continue their child runs although they keep no results.
    """
    if items.states is None:
        return changed_items(items, reusable=reusable or None, continues=continues or None)
    states = parse_states(items.states)
    running = {index for index, state in enumerate(states) if state.letter in IN_POD}
    opened = [text for text in items.open or [] if int(text.split(" ", 1)[0]) in running]
    return changed_items(
        items,
        states=format_states(_replaced(state) for state in states),
        open=[with_stop(text, Reason.SUPERSEDED) for text in opened] or None,
        reusable=reusable or None,
        continues=continues or None,
        doomed=None,
    )


def is_running(items: ItemsStatus) -> bool:
    """Whether an attempt of an item has not ended."""
    return items.states is not None and any(
        state.letter in IN_POD for state in parse_states(items.states)
    )


def is_overdue(items: ItemsStatus) -> bool:
    """Whether a deadline of the last round stops the map."""
    return items.doomed == Reason.DEADLINE_EXCEEDED


def _replaced(state: ItemState) -> ItemState:
    if state.letter == "R":
        return replace(state, letter="X")
    return replace(state, letter="C") if state.letter in ("P", "B", "H", "W") else state
