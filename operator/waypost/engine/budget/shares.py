"""Shares of the run's budget: reserve one at launch, wait while other attempts hold the rest."""

from waypost.api.meta import EventReason
from waypost.api.status import Allotment, AttemptStatus, NodeStatus
from waypost.compiler import node_settings
from waypost.compiler.kinds.table import compiler_kind
from waypost.engine.budget.usage import Exhausted, allot, enlarged, short_of
from waypost.engine.scheduling import joins
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten


def reserve(transition: Transition, path: str) -> Allotment | Exhausted | None:
    """What the next attempt of a node may use of the run's budget; None where there is no budget,
    or the kind of the node uses none."""
    node, budget = transition.node(path), transition.spec.budget
    limits_of = compiler_kind(node).limits
    if limits_of is None or budget is None:
        return None
    limits, nodes = limits_of(transition.spec, node), transition.statuses.values()
    before = _ran_out(transition.statuses[path])
    name = None if before is None else short_of(before)
    # Another attempt gets all that is left: parted again, it might help nobody.
    sharers = _sharers(transition) if name is None else 1
    retired = transition.observed.status.retired_usage
    share = allot(budget, nodes, sharers=sharers, limits=limits, retired=retired)
    if before is None or name is None:
        return share
    goes_on = transition.settings.gateway_url is not None  # which keeps its journal
    return enlarged(share, before, name=name, nodes=nodes, goes_on=goes_on)


def may_get_larger_share(transition: Transition, path: str) -> bool:
    """Whether the attempt that has just ended may be followed by one with another share of the
    run's budget, as no limit of the node's own ended it."""
    status, node = transition.statuses[path], transition.node(path)
    before = _ran_out(status)
    if before is None or compiler_kind(node).limits is None or before.number != status.attempt:
        return False
    once = node_settings.retries_of(transition.spec, node).once
    return not once and short_of(before) is not None


def wait_for_larger_share(transition: Transition, path: str, message: str) -> None:
    """Start again, in this pass or as soon as others have given enough back."""
    reason = str(Reason.BUDGET_EXCEEDED)
    transition.update(path, phase="Pending", reason=reason, message=shorten(message, 1024))
    transition.event("Warning", EventReason.NODE_ATTEMPT_FAILED, f"{path}: {reason}: {message}")


def _ran_out(status: NodeStatus) -> AttemptStatus | None:
    """The last attempt of the node's present round that ended so."""
    ended = [
        attempt
        for attempt in status.attempts or []
        if attempt.reason == Reason.BUDGET_EXCEEDED and attempt.round == status.round
    ]
    return ended[-1] if ended else None


def wait_for_budget(transition: Transition, path: str, exhausted: Exhausted) -> None:
    """Wait for what others may give back; fail when nothing is lent out (S64)."""
    if not exhausted.held:
        transition.end(path, "Failed", Reason.BUDGET_EXCEEDED, exhausted.message)
        return
    text = f"{exhausted.message}, the rest is lent to attempts under way"
    transition.update(path, phase="Pending", reason=str(Reason.BUDGET_EXCEEDED), message=text)


def _sharers(transition: Transition) -> int:
    """Agent nodes that could start now, the one that asks among them."""
    waiting = [
        path
        for path in transition.in_phase("Pending", "Backoff")
        if compiler_kind(transition.node(path)).limits
        and joins.judge(transition, path) is joins.READY
    ]
    return max(len(waiting), 1)
