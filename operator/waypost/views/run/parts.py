"""What a path names for `waypost io`: a node, an item, an iteration, or a compensation of one; and
the NodeRecords with its inputs and its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waypost.api.base import JsonValue
from waypost.api.items.status import ItemsStatus
from waypost.api.paths import NodePath, parse_path
from waypost.api.status import NodeStatus
from waypost.api.workflow import CompensationNode, Node
from waypost.engine.run.compensating import with_recorded
from waypost.engine.state import visible
from waypost.engine.state.observed import Observed
from waypost.kube.items import undone_iterations
from waypost.kube.items.stored import ends_of, list_of, records_of_item, stored
from waypost.kube.loops import Iteration, iterations
from waypost.views.errors import CannotShow

Payloads = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Part:
    """What a path names in a run.

    Attributes:
        path: The path.
        node: The node or the compensation that it belongs to.
        status: Its entry in the status; None if it has none yet.
        observed: The run, with its compensations in the graph.
    """

    path: NodePath
    node: Node
    status: NodeStatus | None
    observed: Observed

    @property
    def items(self) -> ItemsStatus | None:
        """The items of the map that an item belongs to; None for another part."""
        if self.path.index is None or self.status is None:
            return None
        return self.status.items

    def undone(self) -> NodeStatus | None:
        """The map or the loop of which this part undoes a part; None for another part."""
        node = self.node
        if self.path.index is None or not isinstance(node, CompensationNode):
            return None
        return next((one for one in self.observed.status.nodes if one.path == node.undoes), None)

    def iterations(self) -> dict[int, Iteration]:
        """The iterations of the node that succeeded, by number."""
        if self.status is None:
            return {}
        run, uid = self.observed.name, self.observed.uid
        found = iterations(self.status, run=run, run_uid=uid)
        return {one.number: one for one in found}


def find_part(observed: Observed, path: str) -> Part:
    """What a path names. Raises CannotShow if it names nothing."""
    observed = with_recorded(observed)
    try:
        parsed = parse_path(path)
    except ValueError:
        parsed = NodePath(path)
    node = observed.definition.graph.nodes.get(parsed.entry)
    if node is None:
        raise CannotShow(f"no node {parsed.entry!r} in {observed.name}")
    status = next((one for one in observed.status.nodes if one.path == parsed.entry), None)
    part = Part(parsed, node, status, observed)
    if parsed.index is not None and status is not None:
        _check_index(part, status)
    return part


def _check_index(part: Part, status: NodeStatus) -> None:
    index, items, loop = part.path.index or 0, status.items, status.loop
    if items is None and loop is None:
        raise CannotShow(f"{status.path} has no items or iterations; leave out /{index}")
    if items is not None and index >= items.total:
        raise CannotShow(f"{status.path} has {items.total} items, counted from 0")
    if items is None and loop is not None and index > loop.number:
        raise CannotShow(f"{status.path} has had {loop.number + 1} iterations, counted from 0")


def records_of_part(part: Part, payloads: Payloads) -> frozenset[str]:
    """The names of the NodeRecords that a part needs, as far as they are known; once all of them
    are in `payloads`, no other one is named."""
    status, graph = part.status, part.observed.definition.graph
    known = {one.path: one for one in part.observed.status.nodes}
    names: set[str] = set()
    for name in graph.dependencies[part.path.entry].all:
        if name in known:
            names |= visible.records_of(graph.nodes[name], known[name])
    memory = part.observed.status.memory
    if memory is not None and part.observed.definition.memory_readers:
        names.add(memory.record)
    if status is None:
        return frozenset(names)
    if part.path.index is None:
        own = (status.output_record, status.loop.previous if status.loop else None)
        return frozenset(names | {name for name in own if name})
    if part.items is not None:
        return frozenset(names | _of_item(part, part.items, payloads))
    found = part.iterations()
    around = (found.get(at) for at in (part.path.index, part.path.index - 1))
    return frozenset(names | {one.record for one in around if one is not None})


def _of_item(part: Part, items: ItemsStatus, payloads: Payloads) -> set[str]:
    index = part.path.index or 0
    names = records_of_item(items, payloads, index)
    done = part.undone()
    if done is None or not names <= payloads.keys():
        return names
    undone = listed_value(items, payloads, index)
    if not isinstance(undone, int):
        return names
    if done.items is not None:
        return names | records_of_item(done.items, payloads, undone)
    run, uid = part.observed.name, part.observed.uid
    return names | undone_iterations.records_of(done, [undone], run=run, run_uid=uid)


def listed_value(items: ItemsStatus, payloads: Payloads, index: int) -> JsonValue:
    """An element of the list of a map; None if it is not known. In the list of a compensation it is
    the index of the item that is undone."""
    listed = list_of(stored(items, payloads), payloads).get("items") or []
    return listed[index] if index < len(listed) else None


def end_of_item(items: ItemsStatus, payloads: Payloads, index: int) -> Mapping[str, Any]:
    """The result of an item as it is stored; empty if there is none."""
    end: Mapping[str, Any] = ends_of(stored(items, payloads), payloads).get(str(index)) or {}
    return end
