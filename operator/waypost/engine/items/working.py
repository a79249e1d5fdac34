"""The maps of a run during a pass: their open items become nodes, and become items again."""

from collections.abc import Callable
from functools import partial
from typing import Final

from waypost.api.changes import changed_node
from waypost.api.items.status import ItemsStatus
from waypost.api.kinds.table import kind_of
from waypost.api.state.usage import Usage
from waypost.api.status import FINAL_PHASES, AttemptStatus, NodeStatus
from waypost.engine.items import records
from waypost.engine.state.decision import RunEvent
from waypost.engine.state.observed import Observed
from waypost.engine.state.slots import slot_of
from waypost.engine.state.transition import INLINE_ITEMS, INLINE_TOTAL, Transition
from waypost.engine.state.usage import grown, more_calls, total
from waypost.kube import names, timestamps
from waypost.kube.items.child_items import child_of_kept
from waypost.kube.items.open_items import Place, shown_message
from waypost.kube.items.open_map import OpenMap
from waypost.protocol.reasons import Reason
from waypost.protocol.text import is_cut, shorten

_EVENTS: Final = 10  # of the items of one map in one pass
_MESSAGE: Final = 512
# Each write of the run repeats the results that are in no block, and each block is one more write.
_SMALL_BLOCK: Final = 4 * 1024  # bytes of results that are worth a block,
_MANY: Final = 5  # and their number


def place_of(transition: Transition, path: str, items: ItemsStatus) -> Place:
    """What the texts of the open items of a map leave out."""
    return place_in(transition.observed, transition.statuses[path], items)


def place_in(observed: Observed, status: NodeStatus, items: ItemsStatus) -> Place:
    """As `place_of`, before a pass begins to decide."""
    return Place(
        path=status.path,
        round=status.round,
        at=timestamps.parse_timestamp(items.at) or observed.created_at,
        before=items.before or 0,
        deadline_at=status.deadline_at,
        repeats=status.repeats,
        job_of=partial(_job, observed.name, observed.uid),
        child_of=partial(_child, observed.name, observed.uid),
        approval_of=partial(_approval, observed.name, observed.uid),
    )


def _job(run: str, run_uid: str, path: str, attempt: int) -> str:
    return names.job_name(run=run, run_uid=run_uid, path=path, attempt=attempt)


def _child(run: str, run_uid: str, path: str, generation: int) -> str:
    return names.child_name(run=run, run_uid=run_uid, path=path, generation=generation)


def _approval(run: str, run_uid: str, path: str, round_: int, level: int) -> str:
    return names.approval_name(run=run, run_uid=run_uid, path=path, round_=round_, level=level)


def open_maps(transition: Transition) -> None:
    """Add the open items of all maps to `transition.statuses`."""
    for path in transition.in_phase("Running", "Superseding"):
        items = transition.statuses[path].items
        if items is None or items.states is None:
            continue
        node = transition.node(path)
        keeps = node.for_each is None or node.for_each.keeps_outputs
        opened = OpenMap.of(items, place_of(transition, path, items), keeps_outputs=keeps)
        opened.has_journal = kind_of(node).has_journal
        opened.content = transition.payloads.get(items.list_record or "")
        opened.superseding = transition.statuses[path].phase == "Superseding"
        transition.maps[path] = opened
        for status in opened.open.values():
            transition.statuses[status.path] = status


def change(
    transition: Transition,
    opened: OpenMap,
    index: int,
    step: Callable[[Transition, str], None],
) -> None:
    """Take one step of an open item as of a node, and record what has become of it."""
    path = opened.place.path_of(index)
    running, child = transition.statuses[path].open_attempt, transition.statuses[path].child
    step(transition, path)
    after = transition.statuses[path].child
    if child is not None and after is not None and after.name != child.name:
        opened.seen.pop(index, None)
        opened.origins.pop(index, None)
    _note_end(transition, path, running)
    _explain(transition, path)
    _add_usage(transition, opened, index)
    status = transition.statuses[path]
    opened.take(index, status)
    if index in opened.open:
        return
    del transition.statuses[path]


def _note_end(transition: Transition, path: str, running: AttemptStatus | None) -> None:
    """Note the end of an attempt or of a question for spans and metrics: the status of a map does
    not keep it."""
    status = transition.statuses[path]
    if status.approval is not None and status.phase in FINAL_PHASES:
        transition.ended_items.append(status)
    for attempt in status.attempts or ():
        if running is not None and attempt.number == running.number and attempt.finished_at:
            transition.ended_items.append(changed_node(status, attempts=[attempt]))


def _explain(transition: Transition, path: str) -> None:
    """Say of an output that breaks outputSchema that this is the schema of one item: many people
    write that of the whole list."""
    status = transition.statuses[path]
    declared = transition.node(path).output_schema is not None
    if status.phase == "Failed" and status.reason == Reason.OUTPUT_INVALID and declared:
        text = f"outputSchema describes one item: {status.message or ''}"
        transition.update(path, message=text)


def _add_usage(transition: Transition, opened: OpenMap, index: int) -> None:
    """Add what an attempt has reported to the usage of the map: the text of an item has no room."""
    path, item = opened.place.path, opened.place.path_of(index)
    reported = transition.statuses[item].usage
    if transition.statuses[item].child is not None:
        _add_usage_of_child(transition, opened, index)
        return
    if reported is not None:
        used = total((transition.statuses[path].usage, reported))
        transition.update(path, usage=used)
        transition.update(item, usage=None)
        opened.reported[index] = opened.reported.get(index, 0) + 1


def _add_usage_of_child(transition: Transition, opened: OpenMap, index: int) -> None:
    """Add what a child run has used since the last pass. Calls by tool have no room in the text of
    an item, so they are added at its end."""
    path, item = opened.place.path, opened.place.path_of(index)
    status = transition.statuses[item]
    if status.usage is None:
        return
    parts = [transition.statuses[path].usage, grown(status.usage, opened.seen.get(index))]
    if status.phase in FINAL_PHASES:
        parts.append(more_calls(status.usage, _used_before(opened, index)))
    transition.update(path, usage=total(parts))
    opened.seen[index] = status.usage


def _used_before(opened: OpenMap, index: int) -> Usage | None:
    """What the child run of an item had used when it continued, which the map has counted."""
    content = opened.content if isinstance(opened.content, dict) else {}
    kept = (content.get("children") or {}).get(str(index))
    found = child_of_kept(kept, opened.place.child_name)
    child = opened.open[index].child
    if found is None or child is None or found[0].child.name != child.name:
        return None
    return found[1]


def close_maps(transition: Transition) -> None:
    """Remove the items from `transition.statuses`, and record those of each map in its status."""
    for path, opened in transition.maps.items():
        _clear_reads(transition, opened)
        for status in opened.open.values():
            if status.child is not None:
                transition.open_children[status.path] = status
            if status.phase == "Waiting":
                transition.open_questions[status.path] = status
        for status in list(transition.statuses.values()):
            if status.path.startswith(f"{path}/"):
                transition.slots.held_by_items += slot_of(status) is not None
                del transition.statuses[status.path]
        status = transition.statuses[path]
        if status.items is None or status.items.states is None:
            continue  # it has ended
        _flush(transition, path, opened)
        transition.update(path, items=opened.status(), attempt=opened.latest or status.attempt)
        if not opened.held and status.phase == "Running":
            _name_trouble(transition, path, opened)
    transition.maps = {}
    transition.events = _without_repetition(transition)


def _clear_reads(transition: Transition, opened: OpenMap) -> None:
    """Clear the reason of items whose reads succeed; the map waits while one of them does."""
    for index, status in opened.open.items():
        if status.path in transition.waits_to_read:
            transition.waits_to_read.add(opened.place.path)
        elif status.reason == Reason.READ_REJECTED:
            opened.open[index] = changed_node(status, reason=None, message=None)


def _flush(transition: Transition, path: str, opened: OpenMap) -> None:
    """Put the results into NodeRecords that would make the status too large."""
    size, count = opened.fresh_size, len(opened.fresh)
    worth = (size > _SMALL_BLOCK, count >= _MANY)
    crowded = transition.inline_size + size > INLINE_TOTAL
    if not (size > INLINE_ITEMS or all(worth) or (crowded and any(worth))):
        return
    problem = transition.items_problem(path)
    if problem is not None:
        opened.held = True
        transition.hold(path, problem)
        return
    opened.blocks = records.add_blocks(transition, path, opened.blocks, opened.fresh)
    opened.fresh = {}


def _name_trouble(transition: Transition, path: str, opened: OpenMap) -> None:
    """Show what the first item in trouble waits for as the message of the map."""
    for index in sorted(opened.open):
        item = opened.open[index]
        if item.reason:
            before = transition.statuses[path].message or ""
            text = _whole(f"{person(index, opened)}: {item.reason}: ", item, before)
            transition.update(path, reason=item.reason, message=shorten(text, _MESSAGE))
            return
    waits = path in transition.waits_to_read
    if transition.statuses[path].reason and not waits:
        transition.update(path, reason=None, message=None)


def person(index: int, opened: OpenMap) -> str:
    """An item as a person counts: `item 4 of 60 (scan/3)`."""
    return f"item {index + 1} of {opened.total} ({opened.place.path_of(index)})"


def _without_repetition(transition: Transition) -> list[RunEvent]:
    """The events of the pass, with at most _EVENTS about items."""
    about_items = [e for e in transition.events if "/" in e.message.partition(":")[0]]
    extra = {id(event) for event in about_items[_EVENTS:]}
    return [event for event in transition.events if id(event) not in extra]


def _whole(begin: str, item: NodeStatus, before: str) -> str:
    """The message about an item. Its text in the status keeps only the beginning, so a pass that
    does not compute the message again keeps `before`, if that begins alike."""
    kept = shown_message(item)
    if not is_cut(kept):
        return begin + kept
    said = (item.message or "").strip()
    if len(said) > len(kept):
        return begin + said
    return before if before.startswith(begin + kept[:-1]) else begin + kept
