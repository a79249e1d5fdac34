"""Shares of the run's budget: reserve one at launch, wait while other attempts hold the rest."""

from collections.abc import Iterator

from waypost.api.kinds.table import kind_of
from waypost.api.meta import EventReason
from waypost.api.state.usage import Allotment
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.compiler import node_settings
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.node_settings import DEFAULT_PARALLELISM
from waypost.engine.budget.lending import budget_of, from_parent
from waypost.engine.budget.usage import Exhausted, allot, enlarged, short_of
from waypost.engine.nodes.limits import left_of, used_up
from waypost.engine.scheduling import joins
from waypost.engine.state.transition import Transition
from waypost.kube.items.open_map import OpenMap
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten


def reserve(transition: Transition, path: str) -> Allotment | Exhausted | None:
    """Reserve a share of the run's budget for the next attempt of a node.

    Returns:
        The share; Exhausted if nothing is left; None if the run has no budget or nodes of this
        kind use none.
    """
    node, budget = transition.node(path), budget_of(transition)
    limits_of = compiler_kind(node).limits
    if limits_of is None:
        return None
    if text := used_up(limits_of(transition.spec, node), transition.statuses[path].loop):
        return Exhausted(text, held=False)
    if budget is None:
        return None
    limits = left_of(limits_of(transition.spec, node), transition.statuses[path].loop)
    opened = list(_open_items(transition))
    nodes = [*transition.node_statuses, *opened]
    before = _ran_out(transition.statuses[path])
    name = None if before is None else short_of(before)
    # Another attempt gets all that is left: a further split could be too small for every node.
    sharers = _sharers(transition) if name is None else 1
    retired = transition.observed.status.retired_usage
    share = allot(
        budget,
        transition.node_statuses,
        items=opened,
        sharers=sharers,
        limits=limits,
        retired=retired,
        from_parent=from_parent(transition),
    )
    if before is None or name is None:
        return share
    resumes = transition.settings.gateway_url is not None  # the gateway stores its journal
    return enlarged(share, before, name=name, nodes=nodes, resumes=resumes)


def may_get_larger_share(transition: Transition, path: str) -> bool:
    """Whether another attempt with a larger share of the run's budget may follow the one that has
    just ended, because its share and not the node's own limits ended it."""
    status, node = transition.statuses[path], transition.node(path)
    before = _ran_out(status)
    if before is None or compiler_kind(node).limits is None or before.number != status.attempt:
        return False
    once = node_settings.retries_of(transition.spec, node).once
    return not once and short_of(before) is not None


def wait_for_larger_share(transition: Transition, path: str, message: str) -> None:
    """Start the node again, in this pass or once other attempts have returned enough budget."""
    reason = str(Reason.BUDGET_EXCEEDED)
    transition.update(path, phase="Pending", reason=reason, message=shorten(message, 1024))
    transition.event("Warning", EventReason.NODE_ATTEMPT_FAILED, f"{path}: {reason}: {message}")


def _ran_out(status: NodeStatus) -> AttemptStatus | None:
    """The last attempt of the node's current round that ended with BudgetExceeded."""
    ended = [
        attempt
        for attempt in status.attempts or []
        if attempt.reason == Reason.BUDGET_EXCEEDED
        and attempt.round == status.round
        and (status.loop is None or attempt.iteration == status.loop.number)
    ]
    return ended[-1] if ended else None


def lend(transition: Transition, path: str) -> bool:
    """Reserve a share for the child run of a node; whether it can start now."""
    share = reserve(transition, path)
    if isinstance(share, Exhausted):
        wait_for_budget(transition, path, share)
        return False
    if share is not None:
        transition.lent[path] = share
    return True


def wait_for_budget(transition: Transition, path: str, exhausted: Exhausted) -> None:
    """Wait for the budget that running attempts may return; fail if none is reserved (S64)."""
    if not exhausted.held:
        transition.end(path, "Failed", Reason.BUDGET_EXCEEDED, exhausted.message)
        return
    text = f"{exhausted.message}, the rest is reserved by running attempts"
    transition.update(path, phase="Pending", reason=str(Reason.BUDGET_EXCEEDED), message=text)


def _sharers(transition: Transition) -> int:
    """How many attempts of agents of the stage could start now, including the one that reserves.

    Of a map, as many items count as maxParallel and parallelism allow: with one, the first item
    would get all, and with all of them, none would get enough.
    """
    waiting = [
        path
        for path in transition.of_stage("Pending", "Backoff")
        if compiler_kind(transition.node(path)).limits
        and joins.judge(transition, path) is joins.READY
    ]
    counts = {p: _startable_items(opened, transition) for p, opened in transition.maps.items()}
    maps = {path: m for path in waiting if (m := transition.node(path).for_each) is not None}
    counts |= {path: for_each.places for path, for_each in maps.items()}
    calls = {path for path in counts if not kind_of(transition.node(path)).has_pod}
    children = sum(counts.pop(path) for path in calls)  # they do not count for parallelism
    places = transition.spec.parallelism or DEFAULT_PARALLELISM
    return max(len(waiting) - len(maps) + min(sum(counts.values()), places) + children, 1)


def _open_items(transition: Transition) -> Iterator[NodeStatus]:
    for opened in transition.maps.values():
        yield from opened.open.values()


def _startable_items(opened: OpenMap, transition: Transition) -> int:
    """How many items of a map that is in progress could start now."""
    node = transition.node(opened.place.path)
    if compiler_kind(node).limits is None or opened.doomed is not None or node.for_each is None:
        return 0
    return min(opened.waiting, max(node.for_each.places - opened.running, 0))
