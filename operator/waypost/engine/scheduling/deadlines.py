"""The deadlines of a node and of the run.

Both are absolute times that follow from the stored status, so neither a crash nor a suspension
extends them. Running attempts are stopped first and judged once they are over, as after a cancel:
a result that was written in time counts.
"""

from datetime import datetime, timedelta

from waypost.api.base import parse_duration
from waypost.api.status import AgentWorkflowStatus, AttemptStatus
from waypost.api.workflow import DEFAULT_FINALLY_DEADLINE, AgentWorkflowSpec
from waypost.compiler import node_settings
from waypost.engine.state.observed import Observed
from waypost.engine.state.paths import node_of
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.protocol.reasons import Reason


def begin(transition: Transition, path: str) -> None:
    """Set a node's deadline, once, when all its dependencies have ended."""
    text = transition.node(path).deadline
    if text is None or transition.statuses[path].deadline_at is not None:
        return
    at = transition.now + timedelta(seconds=parse_duration(text))
    transition.update(path, deadline_at=timestamps.timestamp(at))
    transition.requeue_at(at)


def of_node(transition: Transition, path: str) -> datetime | None:
    """When a node must have ended; None before its deadline was set, or if it has none."""
    return timestamps.parse_timestamp(transition.statuses[path].deadline_at)


def of_start(observed: Observed, path: str, attempt: AttemptStatus) -> datetime:
    """When the container of an attempt must have started: its queueTimeout, which does not run
    while a queue holds its Job (S552)."""
    assert observed.spec is not None, "only accepted specs have attempts"
    since = attempt.queued_until or attempt.launched_at
    launched = timestamps.parse_timestamp(since) or observed.created_at
    node = observed.definition.graph.nodes[node_of(path)]
    return launched + timedelta(seconds=node_settings.queue_timeout_of(observed.spec, node))


def of_run(transition: Transition) -> datetime | None:
    """When the stage must have ended; None if it is not limited.

    The run's deadline counts from the start of its round, and not for compensations and finally,
    which have their own.
    """
    if transition.cleans_up:
        return of_clean_up(transition.observed.status)
    if transition.spec.deadline is None:
        return None
    status = transition.observed.status
    began = (
        timestamps.parse_timestamp(status.round_started_at or status.started_at) or transition.now
    )
    return began + timedelta(seconds=parse_duration(transition.spec.deadline))


def of_clean_up(status: AgentWorkflowStatus) -> datetime | None:
    """When the compensations, or the nodes of finally, must have ended."""
    at = status.finally_deadline_at
    return timestamps.parse_timestamp(
        status.compensate_deadline_at if status.stage == "Compensating" else at
    )


def node_over(transition: Transition, path: str) -> bool:
    """Whether a node's deadline has passed."""
    at = of_node(transition, path)
    return at is not None and transition.now >= at


def run_over(transition: Transition) -> bool:
    """Whether the deadline of the run, or that of compensations or finally, has passed."""
    at = of_run(transition)
    return at is not None and transition.now >= at


def why_not_started(transition: Transition, path: str) -> Reason | None:
    """Why a recorded attempt without a Job must not be launched; None if it may be."""
    if transition.is_cancelled:
        return Reason.CANCELLED
    late = node_over(transition, path) or run_over(transition)
    return Reason.DEADLINE_EXCEEDED if late else None


def end(transition: Transition, path: str, *, detail: str = "", tail: str = "") -> None:
    """End a node without a running attempt, for its own deadline or else for that of the stage.

    Args:
        transition: The next status of the run.
        path: The node.
        detail: Added to the message: what the node was doing.
        tail: The end of the log of its last attempt.
    """
    more = f"; {detail}" if detail else ""
    own = of_node(transition, path)  # without one, it was that of the stage, though it may be lost
    if own is not None and (transition.now >= own or of_run(transition) is None):
        limit = transition.node(path).deadline or transition.statuses[path].deadline_at
        text = f"exceeded its deadline of {limit}{more}"
        transition.end(path, "Failed", Reason.DEADLINE_EXCEEDED, text, tail=tail)
    else:
        text = f"{over_text(transition)}{more}"
        transition.end(path, "Cancelled", Reason.DEADLINE_EXCEEDED, text, tail=tail)


def over_text(transition: Transition) -> str:
    """That the deadline of the stage has passed, for a message."""
    if transition.cleans_up:
        what = "finally" if transition.stage == "Finalizing" else "compensation"
        return f"{what} exceeded its deadline of {finally_deadline(transition.spec)}"
    limit = transition.spec.deadline
    return f"the run exceeded its deadline{f' of {limit}' if limit else ''}"


def finally_deadline(spec: AgentWorkflowSpec) -> str:
    """How long finally may take, and all compensations: spec.finallyDeadline or its default."""
    return spec.finally_deadline or DEFAULT_FINALLY_DEADLINE
