"""Nodes whose dependencies are met but that wait for a missing resource.

They stay Pending, show the reason, and fail after queueTimeout.
"""

from datetime import datetime, timedelta

from waypost.api.status import NodeStatus
from waypost.compiler import node_settings
from waypost.engine.state.inputs import Missing
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.read_problems import REFERENCES
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten


def wait_for_reference(transition: Transition, path: str, missing: Missing) -> None:
    """Wait for a missing resource, at most queueTimeout (S63).

    The node fails only after a live read, because the cache may be stale.
    """
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
    if REFERENCES not in transition.observed.unread:
        transition.requeue_at(deadline)


def needs_live_references(status: NodeStatus | None, now: datetime) -> bool:
    """Whether a waiting node is about to fail, so that its missing resource must be read live."""
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
