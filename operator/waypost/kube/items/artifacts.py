"""Artifacts of the items of a map: they are in the NodeRecord with all else of its items.

The list of each name is in the order of the items, with null where an item failed.
"""

from collections.abc import Iterable, Iterator, Mapping

from waypost.api.base import JsonObject, JsonValue
from waypost.api.nodes.artifacts import ArtifactStatus, from_made_texts
from waypost.api.status import NodeStatus
from waypost.api.workflow import Node

MADE = "a"  # key of the artifacts in the result of an item


def makes_lists(node: Node) -> bool:
    """Whether a node is a map whose items make artifacts."""
    return node.for_each is not None and bool(node.artifacts and node.artifacts.out)


def takes(node: Node) -> bool:
    """Whether a node, or its child run, can take artifacts."""
    by_agent = node.agent and node.agent.attachments
    shown = node.approval and node.approval.attachments
    taken = node.artifacts and node.artifacts.in_
    return bool(taken or by_agent or shown or node.workflow)


def record_of(node: Node, status: NodeStatus) -> str | None:
    """The NodeRecord with the artifacts of the items of a map that succeeded; None if there is
    none."""
    if status.phase != "Succeeded" or status.items is None or not makes_lists(node):
        return None
    return status.items.sealed


def records_of(nodes: Mapping[str, Node], statuses: Iterable[NodeStatus]) -> set[str]:
    """The same of all maps of a run."""
    found = (record_of(nodes[one.path], one) for one in statuses if one.path in nodes)
    return {name for name in found if name is not None}


def content(node: Node, results: Mapping[int, JsonObject], total: int) -> JsonObject:
    """What the NodeRecord has of them: a text or null for each item, by name.

    Args:
        node: The map.
        results: The results of its items, by index.
        total: Number of its items.
    """
    names = [one.name for one in (node.artifacts and node.artifacts.out) or ()]
    lists: dict[str, list[JsonValue]] = {name: [None] * total for name in names}
    for index, end in results.items():
        for text in end.get(MADE) or ():
            lists[text.partition(" ")[0]][index] = text
    return {"artifacts": lists}


def lists_in(payload: JsonValue) -> dict[str, list[ArtifactStatus | None]]:
    """The artifacts in such a NodeRecord, by name; empty if it was not read."""
    stored = payload.get("artifacts") if isinstance(payload, dict) else None
    return {
        name: [from_made_texts([text])[0] if text else None for text in texts]
        for name, texts in (stored or {}).items()
    }


def all_in(payload: JsonValue) -> Iterator[ArtifactStatus]:
    """All artifacts in such a NodeRecord."""
    for made in lists_in(payload).values():
        yield from (one for one in made if one is not None)
