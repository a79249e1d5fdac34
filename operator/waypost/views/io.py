"""Inputs and output of a node, of an item or of an iteration, beside their schemas.

The inputs of a node are not stored: status has their digest. They are evaluated again from the
definition and the outputs that they read, with the engine's own function.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from waypost.api.base import JsonObject, JsonValue
from waypost.api.items.states import parse_states
from waypost.api.items.status import ItemsStatus
from waypost.api.kinds.table import kind_of
from waypost.api.status import NodeStatus
from waypost.api.workflow import CompensationNode, Node
from waypost.compiler.definition import Definition
from waypost.engine.items.working import place_of
from waypost.engine.scheduling.inputs import resolve, resolve_iteration
from waypost.engine.state import visible
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.expressions.values import Unavailable
from waypost.kube.items.identity import possible_identities
from waypost.kube.items.open_items import fresh_item
from waypost.kube.items.open_map import OpenMap
from waypost.kube.items.stored import list_of, stored
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.node_records import LARGEST, record_fact
from waypost.protocol import schema
from waypost.views.documents import NodeIo
from waypost.views.observed import observed_run
from waypost.views.run.map_items import STATE_NAMES
from waypost.views.run.parts import Part, end_of_item, find_part, records_of_part

Records = Mapping[str, JsonObject | None]
_GONE = "what the status has of it is that of a later round"


def needed_records(
    run: JsonObject,
    definition: Definition,
    path: str,
    *,
    records: Records,
    now: datetime,
) -> frozenset[str]:
    """The names of the NodeRecords that `node_io` shows or evaluates, without those in `records`.

    One may name others: read them, and ask again until none is missing. Raises CannotShow.
    """
    part = find_part(observed_run(run, definition, now=now), path)
    return records_of_part(part, _payloads(records)) - records.keys()


def node_io(
    run: JsonObject,
    definition: Definition,
    path: str,
    *,
    records: Records,
    now: datetime,
) -> NodeIo:
    """The inputs and the output of a node, an item, an iteration, or of a compensation of one.

    Args:
        run: The AgentWorkflow object.
        definition: Its definition.
        path: The path of the node or of a part of it, such as `scan/3` or `charge/compensate`.
        records: The NodeRecords of `needed_records`, by name; None for one that cannot be read.
        now: The time.

    Raises:
        CannotShow: The path names nothing in the run, or its status cannot be read.
    """
    part = find_part(observed_run(run, definition, now=now), path)
    node, status = part.node, part.status
    shown = NodeIo(
        name=part.observed.name,
        namespace=part.observed.namespace,
        path=path,
        kind=kind_of(node).name,
        phase=status.phase if status is not None else "Pending",
        reason=status.reason if status is not None else None,
        message=status.message if status is not None else None,
        input_schema=node.input_schema,
        output_schema=node.output_schema,
        tail=status.tail if status is not None else None,
    )
    if status is None or (status.phase == "Pending" and status.items is None):
        note = "the node has not started"
        return shown.model_copy(update={"inputs_note": note, "output_note": note})
    given = _payloads(records)
    missing = {name: _unread(name) for name in records_of_part(part, given) - given.keys()}
    transition = Transition(part.observed, now=now, settings=PodSettings(runner_image=""))
    transition.payloads.update(given | missing)
    if part.path.index is None:
        changes = _inputs(transition, node, status) | _output(node, status, transition.payloads)
    elif part.items is not None:
        changes = _of_item(transition, part, part.items)
    else:
        changes = _of_iteration(transition, part, status)
    return shown.model_copy(update=changes)


def _payloads(records: Records) -> dict[str, JsonValue]:
    """The values of NodeRecords, by name."""
    found: dict[str, JsonValue] = {}
    for name, body in records.items():
        fact = record_fact(body, limit=LARGEST) if body is not None else None
        found[name] = visible.readable(fact) if fact is not None else _unread(name)
    return found


def _unread(name: str) -> Unavailable:
    return Unavailable(f"NodeRecord {name} cannot be read")


def _inputs(transition: Transition, node: Node, status: NodeStatus) -> dict[str, Any]:
    if node.for_each is not None:
        return {"inputs_note": f"each item has its own inputs; name one, such as {status.path}/0"}
    if status.input_digest is None:
        return {"inputs_note": "the node has ended without inputs"}
    found = resolve(transition, status.path)
    if isinstance(found, Invalid):
        return {"inputs_note": found.message}
    return {"inputs": found.values, "same": found.digest == status.input_digest}


def _output(node: Node, status: NodeStatus, payloads: Mapping[str, JsonValue]) -> dict[str, Any]:
    if not visible.has_output(node, status):
        return {"output_note": f"the node is {status.phase} and has no output"}
    value = visible.output_of(node, status, payloads)
    return _value(value, None if node.for_each is not None else node.output_schema)


def _value(value: JsonValue, declared: JsonValue) -> dict[str, Any]:
    """An output that exists, and how it breaks its schema."""
    if isinstance(value, Unavailable):
        return {"output_note": value.why}
    found: dict[str, Any] = {"output": value, "has_output": True}
    if declared is not None:
        found["violations"] = [str(one) for one in schema.validate(declared, value)]
    return found


def _of_item(transition: Transition, part: Part, items: ItemsStatus) -> dict[str, Any]:
    """What is shown of an item of a map, or of the compensation of one."""
    path, index = part.path, part.path.index or 0
    found = stored(items, transition.payloads)
    states = parse_states(str(found.get("states") or ""))
    content = list_of(found, transition.payloads)
    if index >= len(states) or not content:
        why = getattr(transition.payloads.get(items.sealed or ""), "why", _GONE)
        return {"phase": "Unknown", "inputs_note": why, "output_note": why}
    letter = states[index].letter
    shown: dict[str, Any] = {"phase": STATE_NAMES[letter], "tail": None}
    shown |= {"reason": None, "message": None}
    place = place_of(transition, path.entry, items)
    opened = OpenMap.of(items, place, keeps_outputs=True)
    opened.content = dict(content)
    transition.maps[path.entry] = opened
    transition.statuses.setdefault(str(path), fresh_item(place, index))
    shown |= _inputs_of_item(transition, part, content)
    end = end_of_item(items, transition.payloads, index)
    if "e" in end:
        shown |= {"reason": end["e"].get("reason"), "message": end["e"].get("message")}
    keeps = part.node.for_each is None or part.node.for_each.keeps_outputs
    if letter == "S" and keeps:
        value = transition.payloads[end["r"]] if "r" in end else end.get("o")
        return shown | _value(value, part.node.output_schema)
    note = "it keeps no outputs" if letter == "S" else f"the item is {STATE_NAMES[letter]}"
    return shown | {"output_note": f"{note} and has no output" if letter != "S" else note}


def _inputs_of_item(
    transition: Transition, part: Part, content: Mapping[str, Any]
) -> dict[str, Any]:
    index = part.path.index or 0
    found = resolve(transition, str(part.path))
    if isinstance(found, Invalid):
        return {"inputs_note": found.message}
    shown: dict[str, Any] = {"inputs": found.values}
    if isinstance(part.node, CompensationNode) or kind_of(part.node).is_gate:
        return shown  # their identities do not follow from inputs alone
    others = transition.observed.definition.item_variables(part.path.entry)
    was: JsonObject = {"inputs": found.values}
    was |= {"item": content["items"][index]} if "item" in others else {}
    was |= {"index": index} if "index" in others else {}
    same = str(content["identities"][index]) in possible_identities(was, index)
    return shown | {"same": same}


def _of_iteration(transition: Transition, part: Part, status: NodeStatus) -> dict[str, Any]:
    """What is shown of an iteration of a node with repeat."""
    number, loop, done = part.path.index or 0, status.loop, part.iterations()
    current = loop is not None and number == loop.number
    shown: dict[str, Any] = {}
    if not current:
        shown = {"phase": "Succeeded", "reason": None, "message": None, "tail": None}
    found = resolve_iteration(transition, part.path.entry, number)
    if isinstance(found, Invalid):
        shown |= {"inputs_note": found.message}
    else:
        same = found.digest == status.input_digest if current and number not in done else None
        shown |= {"inputs": found.values, "same": same}
    if number in done:
        return shown | _value(transition.payloads[done[number].record], part.node.output_schema)
    note = f"the iteration is {status.phase} and has no output" if current else _GONE
    return shown | {"output_note": note}
