"""The NodeRecords that the items of a map need in a pass."""

from collections.abc import Iterator

from waypost.api.items.states import ENDED, parse_states
from waypost.api.items.status import ItemsStatus
from waypost.api.modifiers.repeat import Iterations
from waypost.api.status import NodeStatus
from waypost.api.workflow import CompensationNode, Node
from waypost.engine.items import matching, records
from waypost.engine.items.finish import records_with_results
from waypost.engine.items.working import place_in
from waypost.engine.state import parked
from waypost.engine.state.observed import Observed
from waypost.kube.items import open_items, undone, undone_iterations
from waypost.protocol.reasons import Reason


def watched_items(observed: Observed, status: NodeStatus) -> Iterator[NodeStatus]:
    """The items of a map whose attempts have not ended, that have a child run, or that wait for a
    resource or for an answer, as nodes."""
    items = status.items
    if items is None or items.states is None or not items.open:
        return
    place, states = place_in(observed, status, items), parse_states(items.states)
    for text in items.open:
        item = open_items.from_text(text, place, states).status
        open_ = open_items.is_running(item) or item.child is not None
        if open_ or item.phase == "Waiting" or item.reason == Reason.MISSING_REFERENCE:
            yield item


def parked_reads(observed: Observed, status: NodeStatus) -> set[str]:
    """The names of the NodeRecords that items of a map need whose models asked for gated calls."""
    items = status.items
    if items is None or items.states is None or not any(" p" in text for text in items.open or ()):
        return set()
    place, states = place_in(observed, status, items), parse_states(items.states)
    found = (open_items.from_text(text, place, states).status for text in items.open or ())
    return {name for item in found for name in parked.reads_of(observed, item)}


def _reads_of_undo(observed: Observed, node: Node, status: NodeStatus | None) -> set[str]:
    """The names of the NodeRecords that the compensation of a map or a loop reads of it."""
    if status is None or not isinstance(node, CompensationNode) or node.for_each is None:
        return set()
    done = next((one for one in observed.status.nodes if one.path == node.undoes), None)
    if done is None:
        return set()
    if isinstance(node.for_each, Iterations):
        run, uid = observed.name, observed.uid
        return undone_iterations.reads(done, status, observed.payloads, run=run, run_uid=uid)
    return undone.reads(done, status, observed.payloads)


def payload_reads(observed: Observed, node: Node, status: NodeStatus | None) -> set[str]:
    """The names of the NodeRecords that a map reads: its list while items can start, what its next
    block names, the results once all have ended, and those of an earlier list when it begins. Its
    compensation reads what must be undone."""
    items = status.items if status is not None else None
    of_undo = _reads_of_undo(observed, node, status)
    if status is None or items is None:
        return of_undo
    if status.phase == "Pending" or (status.phase == "Superseding" and node.for_each is not None):
        read = matching.is_read(items)
        return matching.records_to_read(items, observed.payloads) if read else set()
    if status.phase != "Running" or items.states is None:
        return set()
    return of_undo | _of_running(observed, node, items)


def _of_running(observed: Observed, node: Node, items: ItemsStatus) -> set[str]:
    if any(state.letter not in ENDED for state in parse_states(items.states or "")):
        listed = {items.list_record} if items.list_record else set()
        return listed | records.reads_of_next(items)
    if items.doomed is not None or node.for_each is None or not node.for_each.keeps_outputs:
        return set()
    fresh = {int(index): end for index, end in (items.fresh or {}).items()}
    return records_with_results(items.blocks or (), fresh, observed.payloads)
