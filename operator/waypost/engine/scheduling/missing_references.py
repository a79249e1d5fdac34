"""Nodes that could start but for something outside the graph: a resource that is not there yet, a
budget that is used up or lent out. They stay Pending, say why, and end by their own clock."""

from datetime import datetime, timedelta

from waypost.api.status import NodeStatus
from waypost.compiler import node_settings
from waypost.engine.state.inputs import Missing
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten


def wait_for_reference(transition: Transition, path: str, missing: Missing) -> None:
    """Wait for what is missing, at most queueTimeout (S63). The node fails only on
    a live look: until then the cache may be behind."""
    deadline = _deadline(transition, path)
    if transition.now >= deadline and transition.observed.references_live:
        transition.end(path, "Failed", Reason.MISSING_REFERENCE, missing.message)
        return
    if transition.statuses[path].reason != Reason.MISSING_REFERENCE:
        transition.event("Warning", str(Reason.MISSING_REFERENCE), f"{path}: {missing.message}")
    transition.update(
        path,
        phase="Pending",
        reason=str(Reason.MISSING_REFERENCE),
        message=shorten(missing.message, 1024),
        wake_at=timestamps.timestamp(deadline),
    )
    transition.requeue_at(deadline)


def needs_live_references(status: NodeStatus | None, now: datetime) -> bool:
    """Whether a held node's time is up, so that what it misses must be looked for once more."""
    if status is None or status.phase != "Pending":
        return False
    deadline = timestamps.parse_timestamp(status.wake_at)
    missing = status.reason == Reason.MISSING_REFERENCE
    return missing and deadline is not None and now >= deadline


def _deadline(transition: Transition, path: str) -> datetime:
    status = transition.statuses[path]
    known = timestamps.parse_timestamp(status.wake_at)
    if status.reason == Reason.MISSING_REFERENCE and known is not None:
        return known
    return transition.now + timedelta(
        seconds=node_settings.queue_timeout_of(transition.spec, transition.node(path))
    )
