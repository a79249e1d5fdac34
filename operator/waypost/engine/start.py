"""Nodes that can start: skipped, started, or started once more."""

from waypost.api.status import NodeStatus
from waypost.api.workflow import POD_KINDS
from waypost.compiler.graph import kind_of
from waypost.compiler.node_settings import DEFAULT_PARALLELISM
from waypost.engine.attempts import launch, watch
from waypost.engine.nodes import approval, wait
from waypost.engine.run import ending, summary
from waypost.engine.scheduling import deadlines, joins
from waypost.engine.scheduling.inputs import Invalid, resolve
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason

LAUNCHES_PER_PASS = 20  # so that acting on a fence stays short, and a cancel is seen


def start_ready(draft: Transition) -> None:
    busy = len(draft.in_phase(*watch.IN_POD))
    free = (draft.spec.parallelism or DEFAULT_PARALLELISM) - busy
    capped = free > LAUNCHES_PER_PASS
    free = min(free, LAUNCHES_PER_PASS)
    for path in draft.graph.order:
        status = draft.statuses[path]
        if status.phase == "Pending":
            _skip_or_start(draft, path, room=free > 0)
        elif status.phase == "Backoff":
            _retry(draft, path, status, room=free > 0)
        phase = draft.statuses[path].phase
        if status.phase in ("Pending", "Backoff") and phase != status.phase:
            draft.stamp(path)
        if phase == "Running" and status.phase != "Running":
            free -= 1
        closing = ending.closing_reason(draft) if phase == "Failed" else None
        if closing is not None:
            ending.wind_down(draft, closing)
            return
    if capped and free <= 0:
        draft.wake(draft.now)  # for the rest: the write of this status wakes nobody


def _skip_or_start(draft: Transition, path: str, *, room: bool) -> None:
    """Semantics row 8: hard dependencies, then `when`, then inputs and their schema."""
    join = joins.judge(draft, path)
    if join is joins.READY:
        deadlines.begin(draft, path)
    if join is joins.WAIT or (join is joins.READY and draft.spec.suspend):
        return
    if isinstance(join, joins.Skip):
        draft.end(path, "Skipped", join.reason, join.message)
        return
    has_pod = kind_of(draft.node(path)) in POD_KINDS
    if has_pod and not room:
        return
    opened = joins.condition(draft, path)
    if isinstance(opened, Invalid):
        draft.end(path, "Failed", Reason.INPUT_INVALID, opened.message)
    elif not opened:
        draft.end(path, "Skipped", Reason.CONDITION_FALSE, "when was false")
    else:
        _start(draft, path)


def _start(draft: Transition, path: str) -> None:
    inputs = resolve(draft, path)
    if isinstance(inputs, Invalid):
        draft.end(path, "Failed", Reason.INPUT_INVALID, inputs.message)
        return
    kind = kind_of(draft.node(path))
    if kind == "approval":
        approval.start(draft, path, inputs)
    elif kind == "wait":
        wait.start(draft, path, inputs)
    else:
        launch.launch(draft, path, inputs)


def _retry(draft: Transition, path: str, status: NodeStatus, *, room: bool) -> None:
    due = summary.wake_time(status)
    if due is not None and draft.now < due:
        draft.wake(due)
    elif room and not draft.spec.suspend:
        _start(draft, path)
