"""The stage of `spec.finally`: when it begins, and what the conditions say about it.

The verdict of the run is recorded in the write that ends the last main node, with the stage that
follows and its deadline: Compensating (`compensating`) or Finalizing. The clean-up starts in a
later pass, after a live read has shown that no program of an earlier round is left.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

from waypost.api.changes import changed_run
from waypost.api.checkpoints import checkpoint_of
from waypost.api.meta import Condition, ConditionReason, EventReason
from waypost.api.status import AgentWorkflowStatus, Verdict
from waypost.compiler import on_failure
from waypost.engine.attempts import cleanup, lost_machines
from waypost.engine.attempts.reads import FENCE, STOP_AGAIN
from waypost.engine.nodes.children import leftovers
from waypost.engine.scheduling import clean_up
from waypost.engine.state.decision import StopAttempt
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition, cleans_up, is_finished
from waypost.kube import timestamps
from waypost.kube.conditions import Conditions
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import OBJECTS
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_SHOWN: Final = 10


def begin(
    transition: Transition, status: AgentWorkflowStatus, verdict: Verdict
) -> AgentWorkflowStatus:
    """`status` with the verdict of the main nodes and with the stage of finally."""
    text = f"finally begins after {verdict.phase} ({verdict.reason}): {verdict.message}"
    transition.event("Normal", EventReason.FINALLY_BEGUN, text)
    at = clean_up.end_of_stage(transition)
    return changed_run(status, stage="Finalizing", verdict=verdict, finally_deadline_at=at)


def needs_live_read(observed: Observed) -> bool:
    """Whether compensations or finally may only start after a live read of the run's pods and
    Jobs."""
    status = observed.status
    return cleans_up(status) and not is_finished(status) and not _has_started(observed)


def may_start(transition: Transition) -> bool:
    """Whether nodes of the stage may start. True for the graph.

    Compensations and finally wait for programs that no checkpoint knows: those of nodes that a
    round has removed from the spec. They are stopped here.
    """
    observed = transition.observed
    if not needs_live_read(observed):
        return True
    earliest = _fence_end(observed)
    if earliest is not None and observed.looked_at(transition.now) < earliest:
        transition.requeue_at(earliest)
        return False
    if unread := observed.unread.get(OBJECTS):
        for path in transition.of_stage("Pending"):
            transition.wait_to_read(path, unread)
        return False
    running = (pod for pod in observed.pods if _may_run(transition, pod))
    pods = cleanup.made_by_jobs(transition, running)
    jobs = [
        job.name
        for job in observed.jobs.values()
        if checkpoint_of(transition.statuses, job.path) is None
        and not (job.ended or job.halted or job.deleting)
    ]
    for name in jobs:
        transition.after.append(StopAttempt(job=name))
    if pods or jobs or leftovers.undone(transition) or not observed.live:
        transition.requeue_at(transition.now + timedelta(seconds=STOP_AGAIN))
        return False
    return True


def failures(transition: Transition) -> list[str]:
    """The nodes of finally that make the run fail: those that failed, unless that is tolerated, and
    those that the deadline of finally stopped."""
    return [
        path
        for path in transition.of_stage("Failed", "Cancelled")
        if (
            not on_failure.tolerates(transition.node(path))
            if transition.statuses[path].phase == "Failed"
            else transition.statuses[path].reason == Reason.DEADLINE_EXCEEDED
        )
    ]


def explain_failures(transition: Transition, failed: list[str]) -> str:
    """Which nodes of finally failed, and why the first one did."""
    status = transition.statuses[failed[0]]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    text = f"finally failed: {failed[0]}: {status.reason}: {status.message}{more}"
    return shorten(text, 1024)


def set_condition(transition: Transition, conditions: Conditions, *, finished: bool) -> None:
    """Set FinallySucceeded, for a run that has nodes in finally."""
    if not transition.graph.finally_nodes:
        if finished and conditions.has(Condition.FINALLY_SUCCEEDED, "Unknown"):
            text = "finally did not run, because the spec that declares it is not valid any more"
            _put(conditions, "False", ConditionReason.FINALLY_SKIPPED, text)
    elif transition.stage != "Finalizing":
        text = "finally begins when all nodes have ended"
        _put(conditions, "Unknown", ConditionReason.RUNNING, text)
    elif not finished:
        text = clean_up.explain_progress(transition)
        _put(conditions, "Unknown", ConditionReason.FINALIZING, text)
    elif failed := failures(transition):
        text = explain_failures(transition, failed)
        _put(conditions, "False", ConditionReason.FINALLY_FAILED, text)
    elif skipped := transition.of_stage("Cancelled"):
        text = f"skipFinally stopped finally; not done: {_listed(skipped)}"
        _put(conditions, "False", ConditionReason.FINALLY_SKIPPED, text)
    else:
        tolerated = transition.of_stage("Failed")
        more = f"; tolerated failures: {_listed(tolerated)}" if tolerated else ""
        text = f"all nodes of finally have ended{more}"
        _put(conditions, "True", ConditionReason.COMPLETED, text)


def _put(
    conditions: Conditions, status: Literal["True", "False", "Unknown"], reason: str, message: str
) -> None:
    conditions.set(Condition.FINALLY_SUCCEEDED, status, reason=reason, message=message)


def _listed(paths: list[str]) -> str:
    return ", ".join(paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")


def _has_started(observed: Observed) -> bool:
    return any(
        status.stage == observed.status.stage and status.phase != "Pending"
        for status in observed.status.nodes
    )


def _fence_end(observed: Observed) -> datetime | None:
    """Until when another operator may still create a Job that the previous round recorded."""
    began = timestamps.parse_timestamp(observed.status.round_started_at)
    return began and began + timedelta(seconds=FENCE)


def _may_run(transition: Transition, pod: PodFact) -> bool:
    """Whether a pod of a node that is no longer in the spec may still run its program."""
    if pod.over or checkpoint_of(transition.statuses, pod.path) is not None:
        return False
    suspected = lost_machines.suspected_since(pod)
    patience = timedelta(seconds=transition.observed.node_lost_seconds)
    return suspected is None or transition.now < suspected + patience
