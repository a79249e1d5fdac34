"""Which programs of a node may have run, by its checkpoint."""

from waypost.api.status import NodeStatus
from waypost.kube.loops import ended_in


def attempts_since_iteration(status: NodeStatus) -> int:
    """How many attempts were recorded after the last iteration that succeeded; all of them if the
    node is not repeated."""
    done = ended_in(status.loop) if status.loop is not None else ()
    return (status.attempt or 0) - (done[-1].attempt if done else 0)


def may_have_run(status: NodeStatus) -> bool:
    """Whether the program of any attempt may have started; attempts that the status no longer lists
    count as started. Of a loop, those of the iteration that has not succeeded count."""
    since = attempts_since_iteration(status)
    last = (status.attempt or 0) - since
    listed = [attempt for attempt in status.attempts or [] if attempt.number > last]
    return since > len(listed) or any(not a.never_started for a in listed)


def has_run_before(status: NodeStatus) -> bool:
    """As `may_have_run`, over all iterations of a loop."""
    return bool(status.loop is not None and status.loop.done) or may_have_run(status)
