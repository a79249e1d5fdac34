"""Start, skip or retry the nodes whose dependencies are met."""

from waypost.api.kinds.table import kind_of
from waypost.api.status import LoopStatus, NodeStatus
from waypost.compiler.node_settings import DEFAULT_PARALLELISM
from waypost.engine.attempts import launch
from waypost.engine.budget import shares
from waypost.engine.items import advance as items
from waypost.engine.items.begin import before_begin, begin
from waypost.engine.nodes.table import engine_kind
from waypost.engine.run import losers
from waypost.engine.run.closing import closing_reason
from waypost.engine.scheduling import deadlines, joins
from waypost.engine.scheduling.inputs import invalid_reason, resolve
from waypost.engine.scheduling.unread import unread_by
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.transition import IN_POD, Transition, wake_time
from waypost.kube.items.open_map import retired
from waypost.protocol.reasons import Reason

LAUNCHES_PER_PASS = 20  # so that a pass is shorter than the fence, and a cancel acts soon


def start_ready(transition: Transition) -> None:
    """Start, skip or retry all nodes that can, and launch at most LAUNCHES_PER_PASS attempts.

    Changes `transition`. Stops early when a node that fails here closes the run.
    """
    in_pods = (path for path in transition.in_phase(*IN_POD) if path not in transition.maps)
    busy = sum(_has_pod(transition, path) for path in in_pods)
    busy += items.running(transition)
    free = (transition.spec.parallelism or DEFAULT_PARALLELISM) - busy
    limited = free > LAUNCHES_PER_PASS
    free = min(free, LAUNCHES_PER_PASS)
    _begin_choices(transition)
    if closing_reason(transition) is not None:
        return
    for path in transition.of_stage("Pending", "Backoff"):
        status = transition.statuses[path]
        if status.phase == "Pending" and joins.is_far(transition, path):
            continue
        if status.phase == "Pending":
            _skip_or_start(transition, path, room=free > 0)
        elif status.phase == "Backoff":
            _retry(transition, path, status, room=free > 0)
        phase = transition.statuses[path].phase
        if status.phase in ("Pending", "Backoff") and phase != status.phase:
            transition.stamp_fingerprint(path)
        started = phase == "Running" and status.phase != "Running"
        if started and _has_pod(transition, path) and path not in transition.maps:
            free -= 1
        judged = phase != status.phase and _judge_choices(transition, path)
        if (judged or phase == "Failed") and closing_reason(transition) is not None:
            return
    if not transition.spec.suspend:
        free -= _start_items(transition, free)
    if limited and free <= 0:
        # For the rest: the write of this status causes no pass.
        transition.requeue_at(transition.now)


def _start_items(transition: Transition, free: int) -> int:
    """Start items of maps, and how many attempts that were. Maps may end here, because the inputs
    of their last items are invalid."""
    in_progress = [path for path in transition.maps if not transition.ended(path)]
    started = items.start_items(transition, free, _launch, _is_closing, children=LAUNCHES_PER_PASS)
    ended = [path for path in in_progress if transition.ended(path)]
    for path in ended:
        _judge_choices(transition, path)
    if ended:  # for what follows these maps
        transition.requeue_at(transition.now)
    return started


def _is_closing(transition: Transition) -> bool:
    return closing_reason(transition) is not None


def _has_pod(transition: Transition, path: str) -> bool:
    return kind_of(transition.node(path)).has_pod


def _begin_choices(transition: Transition) -> None:
    """Start the nodes that choose between others, before those: what is decided already needs no
    attempt."""
    for path in transition.graph.choosers:
        if transition.statuses[path].phase == "Pending":
            _skip_or_start(transition, path, room=False)
            if transition.statuses[path].phase != "Pending":
                transition.stamp_fingerprint(path)
    losers.drop(transition)


def _judge_choices(transition: Transition, changed: str) -> bool:
    """Let the nodes that choose between others look at one that has changed; whether any did."""
    concerned = [
        path
        for path in transition.graph.choosers
        if changed == path or changed in transition.graph.dependencies[path].candidates
    ]
    for path in concerned:
        if transition.statuses[path].phase == "Waiting":
            engine_kind(transition.node(path)).advance(transition, path, withdraw=False)
    if concerned:
        losers.drop(transition)
    return bool(concerned)


def _skip_or_start(transition: Transition, path: str, *, room: bool) -> None:
    """S33: hard dependencies, then `when`, then inputs and their schema."""
    join = joins.judge(transition, path)
    if join is joins.READY:
        deadlines.begin(transition, path)
    if join is joins.WAIT or (join is joins.READY and transition.spec.suspend):
        return
    if isinstance(join, joins.Skip):
        transition.end(path, "Skipped", join.reason, join.message)
        return
    if _has_pod(transition, path) and not room:
        return
    is_map = transition.node(path).for_each is not None
    if is_map and items.in_progress(transition) >= items.OPEN_MAPS:
        return
    if problem := unread_by(transition, path):
        transition.wait_to_read(path, problem)
        return
    opened = joins.condition(transition, path)
    if isinstance(opened, Invalid):
        _end_invalid(transition, path, opened)
    elif not opened:
        transition.end(path, "Skipped", Reason.CONDITION_FALSE, "when was false")
    else:
        _start(transition, path)


def _start(transition: Transition, path: str) -> None:
    if transition.node(path).for_each is not None:
        if problem := before_begin(transition, path):
            transition.wait_to_read(path, problem)
            return
        begin(transition, path)
        if path in transition.maps:
            items.judge(transition, transition.maps[path])
        return
    status = transition.statuses[path]
    if status.items is not None:
        transition.update(path, items=retired(status.items))  # it was a map in an earlier round
        transition.maps.pop(path, None)
    if transition.node(path).repeat is not None and status.loop is None:
        first = LoopStatus(number=0, first_attempt=(status.attempt or 0) + 1)
        transition.update(path, loop=first)
    inputs = resolve(transition, path)
    if isinstance(inputs, Invalid):
        _end_invalid(transition, path, inputs)
        return
    _launch(transition, path, inputs)


def _launch(transition: Transition, path: str, inputs: Inputs) -> None:
    """Start the next attempt, or the child run, of a node or of an item."""
    start = engine_kind(transition.node(path)).start
    if start is None:
        launch.launch(transition, path, inputs)
    elif shares.lend(transition, path):
        start(transition, path, inputs)


def _end_invalid(transition: Transition, path: str, invalid: Invalid) -> None:
    reason = invalid_reason(transition, invalid.message)
    transition.end(path, "Failed", reason, invalid.message)


def _retry(transition: Transition, path: str, status: NodeStatus, *, room: bool) -> None:
    due = wake_time(status)
    if due is not None and transition.now < due:
        transition.requeue_at(due)
    elif room and not transition.spec.suspend:
        if problem := unread_by(transition, path):
            transition.wait_to_read(path, problem)
        else:
            _start(transition, path)
