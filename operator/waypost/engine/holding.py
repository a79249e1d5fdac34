"""Nodes that could start but for something outside the graph: a resource that is not there yet, a
budget that is used up or lent out. They stay Pending, say why, and end by their own clock."""

from datetime import datetime, timedelta

from waypost.api.agent import AgentKind, AgentLimits
from waypost.api.status import Allotment, AttemptStatus, NodeStatus
from waypost.engine import joins, names, policy
from waypost.engine.agents import Missing, merged
from waypost.engine.draft import Draft, shorten
from waypost.engine.usage import Exhausted, allot, enlarged, short_of
from waypost.protocol.reasons import Reason


def hold(draft: Draft, path: str, missing: Missing) -> None:
    """Wait for what is missing, at most queueTimeout (S63). The node fails only on
    a live look: until then the cache may be behind."""
    deadline = _deadline(draft, path)
    if draft.now >= deadline and draft.observed.references_live:
        draft.end(path, "Failed", Reason.MISSING_REFERENCE, missing.message)
        return
    if draft.statuses[path].reason != Reason.MISSING_REFERENCE:
        draft.note("Warning", str(Reason.MISSING_REFERENCE), f"{path}: {missing.message}")
    draft.change(
        path,
        phase="Pending",
        reason=str(Reason.MISSING_REFERENCE),
        message=shorten(missing.message, 1024),
        wake_at=names.timestamp(deadline),
    )
    draft.wake(deadline)


def wants_references(status: NodeStatus | None, now: datetime) -> bool:
    """Whether a held node's time is up, so that what it misses must be looked for once more."""
    if status is None or status.phase != "Pending":
        return False
    deadline = names.parse_timestamp(status.wake_at)
    missing = status.reason == Reason.MISSING_REFERENCE
    return missing and deadline is not None and now >= deadline


def share_of(draft: Draft, path: str) -> Allotment | Exhausted | None:
    """What the next attempt of an agent node may use of the run's budget; None without one."""
    agent, budget = draft.node(path).agent, draft.spec.budget
    if agent is None or budget is None:
        return None
    limits, nodes = _limits(draft, agent), draft.statuses.values()
    before = _ran_out(draft.statuses[path])
    name = None if before is None else short_of(before)
    # Another attempt gets all that is left: parted again, it might help nobody.
    sharers = _sharers(draft) if name is None else 1
    retired = draft.observed.status.retired_usage
    share = allot(budget, nodes, sharers=sharers, limits=limits, retired=retired)
    if before is None or name is None:
        return share
    goes_on = draft.settings.gateway_url is not None  # which keeps its journal
    return enlarged(share, before, name=name, nodes=nodes, goes_on=goes_on)


def may_get_more(draft: Draft, path: str) -> bool:
    """Whether the attempt that has just ended may be followed by one with another share of the
    run's budget, as no limit of the node's own ended it."""
    status, node = draft.statuses[path], draft.node(path)
    before = _ran_out(status)
    if before is None or node.agent is None or before.number != status.attempt:
        return False
    once = policy.retries_of(draft.spec, node).once
    return not once and short_of(before) is not None


def wait_for_more(draft: Draft, path: str, message: str) -> None:
    """Start again, in this pass or as soon as others have given enough back."""
    reason = str(Reason.BUDGET_EXCEEDED)
    draft.change(path, phase="Pending", reason=reason, message=shorten(message, 1024))
    draft.note("Warning", "NodeAttemptFailed", f"{path}: {reason}: {message}")


def _ran_out(status: NodeStatus) -> AttemptStatus | None:
    """The last attempt of the node's present round that ended so."""
    ended = [
        attempt
        for attempt in status.attempts or []
        if attempt.reason == Reason.BUDGET_EXCEEDED and attempt.round == status.round
    ]
    return ended[-1] if ended else None


def _limits(draft: Draft, agent: AgentKind) -> AgentLimits:
    base = draft.spec.defaults.agent if draft.spec.defaults else None
    return merged(AgentLimits, base.limits if base else None, agent.limits)


def without_budget(draft: Draft, path: str, exhausted: Exhausted) -> None:
    """Wait for what others may give back; fail when nothing is lent out (S64)."""
    if not exhausted.held:
        draft.end(path, "Failed", Reason.BUDGET_EXCEEDED, exhausted.message)
        return
    text = f"{exhausted.message}, the rest is lent to attempts under way"
    draft.change(path, phase="Pending", reason=str(Reason.BUDGET_EXCEEDED), message=text)


def _sharers(draft: Draft) -> int:
    """Agent nodes that could start now, the one that asks among them."""
    waiting = [
        path
        for path in draft.in_phase("Pending", "Backoff")
        if draft.node(path).agent and joins.judge(draft, path) is joins.READY
    ]
    return max(len(waiting), 1)


def _deadline(draft: Draft, path: str) -> datetime:
    status = draft.statuses[path]
    known = names.parse_timestamp(status.wake_at)
    if status.reason == Reason.MISSING_REFERENCE and known is not None:
        return known
    return draft.now + timedelta(seconds=policy.queue_timeout_of(draft.spec, draft.node(path)))
