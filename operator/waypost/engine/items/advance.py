"""What a pass does for the items of a map: results, retries, starts, stops, and the tolerance."""

from collections.abc import Callable, Iterator
from typing import Final

from waypost.api.items.status import MAX_OPEN
from waypost.api.kinds.table import kind_of
from waypost.api.modifiers.for_each import DEFAULT_MAX_PARALLEL
from waypost.engine.attempts import stop
from waypost.engine.items import working
from waypost.engine.items.finish import finish
from waypost.engine.nodes.children import requests
from waypost.engine.scheduling.inputs import invalid_reason, resolve
from waypost.engine.scheduling.unread import unread_by
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.transition import IN_POD, Transition, wake_time
from waypost.kube.items import open_items
from waypost.kube.items.open_map import OpenMap
from waypost.kube.node_records import EVALUATED
from waypost.protocol.reasons import Reason

# Functions of `engine.attempts`, which treat an item as a node.
Watch = Callable[[Transition, str], None]
Launch = Callable[[Transition, str, Inputs], None]
IsClosing = Callable[[Transition], bool]  # `engine.run.closing`
_CANCELLED: Final = frozenset("C")
OPEN_MAPS: Final = 8  # of a run: more would not fit a status


def advance(transition: Transition, path: str, watch: Watch) -> None:
    """Complete the attempts of a map whose pods are over, and end the map if all items have.

    `watch` does that for one attempt, as for a node.
    """
    opened = transition.maps[path]
    for index in sorted(opened.open):
        if open_items.is_running(opened.open[index]):
            working.change(transition, opened, index, watch)
    judge(transition, opened)


def judge(transition: Transition, opened: OpenMap) -> None:
    """Decide whether the map has failed, from the states of its items; end it if all have ended."""
    path = opened.place.path
    if transition.statuses[path].phase == "Superseding":
        opened.cancel_waiting()
        if opened.has_ended:
            transition.update(path, phase="Pending", reason=None, message=None)
        return
    for_each = transition.node(path).for_each
    if opened.doomed is None and for_each is not None:
        if opened.failed > for_each.allowed_failures(opened.total):
            opened.doomed = str(Reason.ITEMS_FAILED)
        elif opened.keeps_outputs and opened.size > EVALUATED:
            opened.doomed = str(Reason.OUTPUT_TOO_LARGE)
        elif opened.count(_CANCELLED):  # a question was withdrawn
            opened.doomed = str(Reason.CANCELLED)
    if opened.doomed is not None:
        opened.cancel_waiting()
    if opened.has_ended:
        finish(transition, opened)


def stop_all(transition: Transition, path: str, reason: Reason) -> None:
    """Stop the running attempts of a map, and end its other items; it fails for `reason`."""
    opened = transition.maps[path]
    if not opened.has_ended:
        opened.doomed = opened.doomed or str(reason)
    for index in sorted(opened.open):
        status = opened.open[index]
        if open_items.is_running(status) and open_items.is_stopping(status) is None:
            working.change(transition, opened, index, lambda t, p: _stop(t, p, reason))
    judge(transition, opened)


def _stop(transition: Transition, path: str, reason: Reason) -> None:
    if transition.statuses[path].child is not None:
        requests.stop(transition, path, reason)
    else:
        stop.stop(transition, path, reason)


def let_end(transition: Transition, path: str, reason: Reason) -> None:
    """Start no other item of a map, because of `reason`; those that run may end, and questions are
    withdrawn."""
    opened = transition.maps[path]
    if opened.has_waiting or opened.asking:
        opened.doomed = opened.doomed or str(reason)
    judge(transition, opened)


def in_progress(transition: Transition) -> int:
    """Number of maps that have begun and not ended, also in this pass."""
    return sum(transition.statuses[path].phase in IN_POD for path in transition.maps)


def running(transition: Transition) -> int:
    """Number of items whose attempts have not ended, without those with child runs."""
    return sum(
        opened.running for path, opened in transition.maps.items() if _has_pod(transition, path)
    )


def _has_pod(transition: Transition, path: str) -> bool:
    return kind_of(transition.node(path)).has_pod


def start_items(
    transition: Transition, room: int, launch: Launch, is_closing: IsClosing, *, children: int
) -> int:
    """Start items of the maps of a run, at most `room` attempts and `children` child runs.

    The next one is always of the map with the fewest running items, then of the first in the order
    of the graph: no map keeps another from running. `launch` starts the next attempt of one item,
    as of a node. No item starts once the
    run `is_closing`.

    Returns:
        How many attempts were recorded.
    """
    rooms = {True: room, False: children}  # by whether an item has a pod
    waiting = {
        path: _startable(transition, transition.maps[path], _due(transition, transition.maps[path]))
        for path in transition.graph.order
        if path in transition.maps and transition.statuses[path].phase == "Running"
    }
    for path in list(waiting):
        if problem := unread_by(transition, path):
            transition.wait_to_read(path, problem)
            del waiting[path]
    while waiting:
        path = min(waiting, key=lambda name: transition.maps[name].running)
        opened, has_pod = transition.maps[path], _has_pod(transition, path)
        index = next(waiting[path], None) if rooms[has_pod] > 0 else None
        if rooms[has_pod] <= 0 and not has_pod:
            transition.requeue_at(transition.now)
        if index is None or opened.doomed is not None:
            del waiting[path]
            continue
        before = _busy(opened)
        _start(transition, opened, index, launch)
        rooms[has_pod] -= _busy(opened) - before
        if _busy(opened) == before:
            judge(transition, opened)
            if is_closing(transition):
                break
    return room - rooms[True]


def _startable(transition: Transition, opened: OpenMap, due: list[int]) -> Iterator[int]:
    """The items of a map that may start now, by index, while it has room."""
    limit = _places(transition, opened.place.path)
    undoes = opened.place.path in transition.graph.compensations
    while _busy(opened) < limit:
        # Items are undone one after another, their retries included.
        blocked = opened.has_held or opened.is_full or (undoes and bool(opened.open))
        new = opened.next_not_started() if not blocked else None
        if due and (new is None or due[0] < new):
            yield due.pop(0)
        elif new is not None:
            yield new
            if undoes:  # what the next one reads is loaded for one at a time
                if not opened.open:
                    transition.requeue_at(transition.now)
                return
        else:
            return


def _busy(opened: OpenMap) -> int:
    """Number of items that hold a place of maxParallel."""
    return opened.running + len(opened.asking)


def _places(transition: Transition, path: str) -> int:
    """How many items of a map may run, or ask, at the same time. People are asked at once."""
    node = transition.node(path)
    limit = node.for_each.max_parallel if node.for_each is not None else None
    return limit or (MAX_OPEN if kind_of(node).is_gate else DEFAULT_MAX_PARALLEL)


def _due(transition: Transition, opened: OpenMap) -> list[int]:
    """The items whose next attempt may start now; requeues the run for the others."""
    due = []
    for index in sorted(opened.open):
        status = opened.open[index]
        at = wake_time(status)
        if status.phase == "Pending":  # its resource may exist now
            due.append(index)
        elif status.phase == "Backoff" and at is not None and transition.now < at:
            transition.requeue_at(at)
        elif status.phase == "Backoff":
            due.append(index)
    return due


def _start(transition: Transition, opened: OpenMap, index: int, launch: Launch) -> None:
    if index not in opened.open:
        fresh = opened.begun(index)
        opened.open[index] = fresh
        transition.statuses[fresh.path] = fresh
        opened.identify(index)

    def step(transition: Transition, path: str) -> None:
        if problem := unread_by(transition, path):
            transition.wait_to_read(path, problem)
            return
        inputs = resolve(transition, path)
        if isinstance(inputs, Invalid):
            reason = invalid_reason(transition, inputs.message)
            transition.end(path, "Failed", reason, inputs.message)
        else:
            launch(transition, path, inputs)

    working.change(transition, opened, index, step)
