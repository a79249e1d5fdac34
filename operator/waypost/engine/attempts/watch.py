"""Attempts of nodes that have a pod: launch, watch, stop; `closing` has how they end.

That an attempt has neither Job nor pod is concluded from a live read only (A1, A2);
a pod that exists is the attempt, whatever became of its Job.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.status import AttemptStatus
from waypost.compiler import node_settings
from waypost.engine.attempts import lost_machines, missing_mounts, stored_results
from waypost.engine.attempts.close import complete, complete_with, fail
from waypost.engine.attempts.judge import from_stored_result, never_started
from waypost.engine.attempts.launch import prepare
from waypost.engine.attempts.reads import STOP_AGAIN, look_at
from waypost.engine.scheduling import deadlines
from waypost.engine.scheduling.inputs import Invalid, Missing, resolve
from waypost.engine.state.decision import Launch, StopAttempt
from waypost.engine.state.outcome import Failed, reason_of
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.jobs import JobFact
from waypost.kube.kinds.table import pod_kind
from waypost.kube.manifests.pod import RUNNER_HEADSTART
from waypost.kube.pods import PodFact, idle_of, trouble_of
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

IN_POD: Final = ("Running", "Superseding")  # phases of a node whose attempt has a pod
_FENCE: Final = 12.0  # the ten seconds of a fence (runtime/act.py), and what clocks differ by


def advance(transition: Transition, path: str) -> None:
    """Take the result of a running attempt, or see to its clocks and troubles."""
    attempt = transition.statuses[path].open_attempt
    if attempt is None:  # a status nobody should have written; start over under the next number
        transition.update(path, phase="Pending")
        return
    pods = transition.observed.pods_of(path, attempt.number)
    if not pods:
        _without_pod(transition, path, attempt)
    elif all(
        pod.over or lost_machines.loss_reason(transition.observed, pod, transition.now)
        for pod in pods
    ):
        complete(transition, path, attempt, pods)
    else:
        _watch_pods(transition, path, attempt, pods)


def stop(transition: Transition, path: str, reason: Reason) -> None:
    """Ask the cluster to end the current attempt; it is judged once its pod is over."""
    attempt = transition.statuses[path].open_attempt
    if attempt is None:
        return
    if attempt.stopping is None:
        attempt = attempt.model_copy(update={"stopping": str(reason)})
        transition.record_attempt(path, attempt)
    live_pods = tuple(p for p in transition.observed.pods_of(path, attempt.number) if not p.over)
    if not live_pods or not all(p.deleting for p in live_pods):
        transition.after.append(StopAttempt(job=attempt.job, pods=live_pods))
    transition.requeue_at(transition.now + timedelta(seconds=STOP_AGAIN))


def _without_pod(transition: Transition, path: str, attempt: AttemptStatus) -> None:
    problem = transition.observed.launches.get(attempt.job)
    if problem is not None and problem.permanent:
        fail(transition, path, attempt, Failed(Reason.LAUNCH_REJECTED, problem.message, "", False))
        return
    if not transition.observed.live:
        transition.requeue_at(look_at(transition.observed, attempt))
        return
    job = transition.observed.jobs.get(attempt.job)
    if job is None:
        _without_job(transition, path, attempt, problem.message if problem else "")
    else:
        _job_without_pod(transition, path, attempt, job)
    if not transition.ended(path):
        transition.requeue_at(look_at(transition.observed, attempt))


def _without_job(transition: Transition, path: str, attempt: AttemptStatus, problem: str) -> None:
    stopped = attempt.stopping or deadlines.why_not_started(transition, path)
    if stopped:
        # Another operator may have recorded it, and may create its Job for as long as its fence
        # lasts: closed before, the attempt would start after its end.
        launched = timestamps.parse_timestamp(attempt.launched_at) or transition.observed.created_at
        if transition.now < (until := launched + timedelta(seconds=_FENCE)):
            transition.requeue_at(until)
            return
        broken = Failed(reason_of(stopped), "stopped before it started", "", False)
        fail(transition, path, attempt, broken)
        return
    _name_trouble(transition, path, Reason.LAUNCH_REJECTED, problem)
    if transition.now >= _queue_deadline(transition, path, attempt):
        status = transition.statuses[path]
        if status.reason == Reason.LAUNCH_REJECTED:
            text = problem or status.message or ""
            fail(transition, path, attempt, Failed(Reason.LAUNCH_REJECTED, text, "", False))
            return
        # Nobody refused it: there was no operator or no API server to ask. Its time begins now.
        moment = timestamps.timestamp(transition.now)
        transition.record_attempt(path, attempt.model_copy(update={"launched_at": moment}))
    inputs = resolve(transition, path)
    action = inputs if isinstance(inputs, Invalid) else prepare(transition, path, inputs, attempt)
    # The same evaluation succeeded when the attempt was recorded, and its data cannot change;
    # what it refers to can be gone by now, and come back.
    if isinstance(action, Launch):
        transition.after.append(action)
    elif isinstance(action, Missing):
        _name_trouble(transition, path, Reason.MISSING_REFERENCE, action.message)


def _job_without_pod(
    transition: Transition, path: str, attempt: AttemptStatus, job: JobFact
) -> None:
    if attempt.stopping and (job.suspended or job.ended):
        text = transition.statuses[path].message or "stopped before it started"
        fail(transition, path, attempt, Failed(reason_of(attempt.stopping), text, "", False))
    elif attempt.stopping:
        stop(transition, path, reason_of(attempt.stopping))
    elif job.ended and (found := stored_results.stored_result(transition, path, attempt)):
        complete_with(
            transition,
            path,
            attempt,
            from_stored_result(found, transition.node(path).output_schema),
            transition.now,
        )
    elif job.ended:
        fail(
            transition, path, attempt, Failed(Reason.DISRUPTED, "its pod is gone without a result")
        )
    elif transition.now >= _queue_deadline(transition, path, attempt):
        _name_trouble(transition, path, Reason.POD_REJECTED, job.trouble or "no pod was created")
        stop(transition, path, Reason.POD_REJECTED)
    else:
        _name_trouble(transition, path, Reason.POD_REJECTED, job.trouble)
        transition.requeue_at(_queue_deadline(transition, path, attempt))


def _watch_pods(
    transition: Transition, path: str, attempt: AttemptStatus, pods: list[PodFact]
) -> None:
    node = transition.node(path)
    pod = next(p for p in pods if not p.over)
    if look := lost_machines.look_at(transition.observed, pod):
        transition.requeue_at(look)
    if attempt.stopping:
        stop(transition, path, reason_of(attempt.stopping))
    elif pod.started_at is None:
        deadline = _queue_deadline(transition, path, attempt)
        reason, late = never_started(pod), transition.now >= deadline
        _name_trouble(transition, path, reason, trouble_of(pod) or (idle_of(pod) if late else ""))
        if late and not pod.deleting:
            stop(transition, path, reason)
        else:
            transition.requeue_at(deadline)
            if missing_mounts.waits_for_key(pod):
                transition.requeue_at(missing_mounts.look_at(transition.observed, pod, attempt))
    else:
        if silent := lost_machines.trouble(transition.observed, pod):
            _name_trouble(transition, path, Reason.NODE_LOST, silent)
        elif transition.statuses[path].reason:
            transition.update(path, reason=None, message=None)
        allowed = node_settings.timeout_of(transition.spec, node)
        if pod_kind(node).runs_waypost:
            allowed += RUNNER_HEADSTART
        deadline = pod.started_at + timedelta(seconds=allowed)
        if pod.terminated:
            return  # its output is being carried out, for as long as the kubelet's grace
        if transition.now >= deadline and not pod.deleting:
            stop(transition, path, Reason.TIMEOUT)
        elif transition.now < deadline:
            transition.requeue_at(deadline)


def _name_trouble(transition: Transition, path: str, reason: Reason, text: str) -> None:
    # The first text is kept while the reason stands: the kubelet alternates between a detailed
    # and a terse one, and each change would be a status write.
    if text and transition.statuses[path].reason != reason:
        transition.update(path, reason=str(reason), message=shorten(text, 1024))
        transition.event("Warning", str(reason), f"{path}: {text}")


def _queue_deadline(transition: Transition, path: str, attempt: AttemptStatus) -> datetime:
    launched = timestamps.parse_timestamp(attempt.launched_at) or transition.observed.created_at
    return launched + timedelta(
        seconds=node_settings.queue_timeout_of(transition.spec, transition.node(path))
    )
