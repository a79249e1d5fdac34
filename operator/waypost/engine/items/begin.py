"""How a map begins: its list is evaluated once, stored, and compared with the list of an earlier
round. One status write then records the items and their first attempts."""

from collections import Counter
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.items.states import MAX_ITEMS, MAX_QUESTIONS, NOT_STARTED, ItemState, format_states
from waypost.api.items.status import ItemsStatus
from waypost.api.kinds.table import kind_of
from waypost.api.modifiers.repeat import Iterations
from waypost.api.workflow import CompensationNode, Node
from waypost.engine.items import matching, records
from waypost.engine.items.working import place_of
from waypost.engine.nodes.table import engine_kind
from waypost.engine.scheduling.inputs import (
    context_for,
    inputs_of_item,
    invalid_reason,
    view_of_item,
)
from waypost.engine.scheduling.unread import unread_records
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import RenderError, render_json
from waypost.kube import timestamps
from waypost.kube.facts.read_problems import ReadProblem
from waypost.kube.items import undone_iterations
from waypost.kube.items.identity import identities
from waypost.kube.items.marks import format_counts
from waypost.kube.items.open_map import OpenMap
from waypost.kube.items.undone import listed
from waypost.kube.node_records import EVALUATED
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.violation import show

LIST_BYTES: Final = EVALUATED - 32 * 1024  # beside it, the record has the identities


def begin(transition: Transition, path: str) -> None:
    """Evaluate the list of a map that may start, and record its items.

    The map fails if its list is not one, or too large. It waits while the list cannot be stored.
    """
    node = transition.node(path)
    if isinstance(node, CompensationNode):
        _begin_to_undo(transition, path, node.undoes)
        return
    context = context_for(transition, path)
    values = _list_of(transition.node(path), context)
    if isinstance(values, Invalid):
        reason = invalid_reason(transition, values.message)
        transition.end(path, "Failed", reason, values.message)
        return
    size = len(ijson.canonical(values))
    if size > LIST_BYTES:
        text = f"forEach.items has {size} bytes, the limit is {LIST_BYTES}; pass references instead"
        transition.end(path, "Failed", Reason.INPUT_TOO_LARGE, text)
        return
    known = identities(_contents(transition, path, values, context))
    again, counts = _named(transition, path)
    content: JsonObject = {"items": values, "identities": known}
    continued = _continued(transition, path, known, again)
    if continued:
        content["children"] = continued
    if repeats := format_counts(counts[identity] if identity else 0 for identity in known):
        content["repeats"] = repeats
    problem = transition.items_problem(path)  # also of the blocks with results that it keeps
    if problem is not None:
        transition.without_record(path, problem, what="its list")
        return
    kept = _reused(transition, path, known)
    kept = {index: end for index, end in kept.items() if known[index] not in again}
    _record(transition, path, content, kept)


def _begin_to_undo(transition: Transition, path: str, name: str) -> None:
    """Record the items of the map, or the iterations of the loop, `name` that must be undone as the
    items of its compensation."""
    status, owner = transition.statuses[name], transition.owner
    if isinstance(transition.node(path).for_each, Iterations):
        found = undone_iterations.listed(status, run=owner.name, run_uid=owner.uid)
    else:
        found = listed(status, transition.payloads)
    if isinstance(found, str):
        transition.end(path, "Failed", invalid_reason(transition, found), found)
        return
    if (problem := transition.items_problem(path)) is not None:
        transition.without_record(path, problem, what="its list")
        return
    indexes, marks = [index for index, _ in found], [mark for _, mark in found]
    _record(transition, path, {"items": indexes, "identities": marks}, {})


def before_begin(transition: Transition, path: str) -> ReadProblem | None:
    """Why what an earlier list left could not be read; None if it could."""
    items = transition.statuses[path].items
    if items is None or not matching.is_read(items):
        return None
    needed = matching.records_to_read(items, transition.observed.payloads)
    if items.sealed is not None:
        needed |= {items.sealed}
    return unread_records(transition, needed)


def _list_of(node: Node, context: JsonObject) -> list[JsonValue] | Invalid:
    assert node.for_each is not None, "called for maps only"
    values = render_json(node.for_each.items, context)
    if isinstance(values, RenderError):
        return Invalid(f"forEach.items: {values.message}")
    if not isinstance(values, list):
        return Invalid(f"forEach.items: expected a list, found {show(values)}")
    most = MAX_QUESTIONS if kind_of(node).is_gate else MAX_ITEMS
    if len(values) > most:
        text = f"expected at most {most} items, found {len(values)}"
        return Invalid(f"forEach.items: {text}; pass several items together with chunk(list, n)")
    return values


def _contents(
    transition: Transition, path: str, values: list[JsonValue], context: JsonObject
) -> list[JsonValue | None]:
    """What determines the work of each item: its inputs, what else its fields read of it, and what
    people are shown."""
    shown = engine_kind(transition.node(path)).shown
    others = transition.observed.definition.item_variables(path)
    contents: list[JsonValue | None] = []
    for index, item in enumerate(values):
        view = view_of_item(transition, path, context, item, index)
        inputs = inputs_of_item(transition, path, view)
        seen = Invalid("") if isinstance(inputs, Invalid) else shown(transition, path, inputs, view)
        if isinstance(inputs, Invalid) or isinstance(seen, Invalid):
            contents.append(None)
            continue
        content: JsonObject = {"inputs": inputs}
        if seen is not None:
            content["shown"] = seen
        if "item" in others:
            content["item"] = item
        if "index" in others:
            content["index"] = index
        contents.append(content)
    return contents


def _named(transition: Transition, path: str) -> tuple[set[str], Counter[str]]:
    """The identities that rerun.from names now, and how often each one was named until now."""
    before = transition.statuses[path].items
    if before is None or not matching.is_read(before):
        return set(), Counter()
    return matching.named_before(before, transition.payloads)


def _reused(transition: Transition, path: str, known: list[str]) -> dict[int, JsonObject]:
    """The results of an earlier list for items with the same identity, by their new index."""
    before, node = transition.statuses[path].items, transition.node(path)
    if before is None or not before.reusable or node.for_each is None:
        return {}
    keeps = node.for_each.keeps_outputs
    results = matching.results_by_identity(before, transition.payloads, keeps_outputs=keeps)
    return {index: results[identity] for index, identity in enumerate(known) if identity in results}


def _continued(
    transition: Transition, path: str, known: list[str], again: set[str]
) -> dict[str, JsonValue]:
    """The child runs of an earlier list that items without a result continue, by new index."""
    before = transition.statuses[path].items
    if before is None or not (before.reusable or before.continues):
        return {}
    if transition.node(path).workflow is None:
        return {}
    children = matching.children_by_identity(before, transition.payloads)
    return {
        str(index): children[identity]
        for index, identity in enumerate(known)
        if identity in children and identity not in again
    }


def _record(
    transition: Transition, path: str, content: JsonObject, kept: dict[int, JsonObject]
) -> None:
    status, node = transition.statuses[path], transition.node(path)
    assert node.for_each is not None, "called for maps only"
    total = len(content["items"])
    states = [ItemState("S") if index in kept else NOT_STARTED for index in range(total)]
    moment = timestamps.timestamp(transition.now)
    items = ItemsStatus(
        round=status.round or 1,
        total=total,
        at=moment,
        before=status.attempt,
        source=transition.observed.definition.list_source(path),
        list_record=records.put(transition, path, content),
        states=format_states(states),
        repeated="repeats" in content or None,
        size=sum(len(ijson.canonical(end.get("o"))) for end in kept.values()) or None,
    )
    transition.update(
        path,
        phase="Running",
        reason=None,
        message=None,
        wake_at=None,
        started_at=status.started_at or moment,
        items=items,
        child=None,  # of a round in which it was no map
    )
    opened = OpenMap.of(
        items,
        place_of(transition, path, items),
        keeps_outputs=node.for_each.keeps_outputs,
    )
    opened.content = content
    opened.has_journal = kind_of(node).has_journal
    if opened.keeps_outputs:
        opened.fresh = dict(kept)
    transition.maps[path] = opened
