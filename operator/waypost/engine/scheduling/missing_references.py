"""Nodes that could start but for something outside the graph: a resource that is not there yet, a
budget that is used up or lent out. They stay Pending, say why, and end by their own clock."""

from datetime import datetime, timedelta

from waypost.api.status import NodeStatus
from waypost.compiler import node_settings
from waypost.engine.scheduling.inputs import Missing
from waypost.engine.state.text import shorten
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.protocol.reasons import Reason


def wait_for_reference(draft: Transition, path: str, missing: Missing) -> None:
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
        wake_at=timestamps.timestamp(deadline),
    )
    draft.wake(deadline)


def needs_live_references(status: NodeStatus | None, now: datetime) -> bool:
    """Whether a held node's time is up, so that what it misses must be looked for once more."""
    if status is None or status.phase != "Pending":
        return False
    deadline = timestamps.parse_timestamp(status.wake_at)
    missing = status.reason == Reason.MISSING_REFERENCE
    return missing and deadline is not None and now >= deadline


def _deadline(draft: Transition, path: str) -> datetime:
    status = draft.statuses[path]
    known = timestamps.parse_timestamp(status.wake_at)
    if status.reason == Reason.MISSING_REFERENCE and known is not None:
        return known
    return draft.now + timedelta(
        seconds=node_settings.queue_timeout_of(draft.spec, draft.node(path))
    )
