"""Nodes that could start but for something outside the graph: a resource that is not there yet, a
budget that is used up or lent out. They stay Pending, say why, and end by their own clock."""

from datetime import datetime, timedelta

from waypost.api.agent import AgentLimits
from waypost.api.status import Allotment, NodeStatus
from waypost.engine import joins, names, policy
from waypost.engine.agents import Missing, merged
from waypost.engine.draft import Draft, shorten
from waypost.engine.usage import Exhausted, allot
from waypost.protocol.reasons import Reason


def hold(draft: Draft, path: str, missing: Missing) -> None:
    """Wait for what is missing, at most queueTimeout (semantics row 29). The node fails only on
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
    base = draft.spec.defaults.agent if draft.spec.defaults else None
    limits = merged(AgentLimits, base.limits if base else None, agent.limits)
    return allot(
        budget,
        draft.statuses.values(),
        sharers=_sharers(draft),
        limits=limits,
        retired=draft.observed.status.retired_usage,
    )


def without_budget(draft: Draft, path: str, exhausted: Exhausted) -> None:
    """Wait for what others may give back; fail when nothing is lent out (semantics row 31)."""
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
