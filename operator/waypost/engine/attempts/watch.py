"""Attempts of nodes that have a pod: launch, watch, stop; `closing` has how they end.

That an attempt has neither Job nor pod is concluded from a live read only (correctness A1, A2);
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
from waypost.engine.state.text import shorten
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.jobs import JobFact
from waypost.kube.manifests.pod import RUNNER_HEADSTART
from waypost.kube.pods import PodFact, idle_of, trouble_of
from waypost.protocol.reasons import Reason

IN_POD: Final = ("Running", "Superseding")  # phases of a node whose attempt has a pod
_FENCE: Final = 12.0  # the ten seconds of a fence (runtime/act.py), and what clocks differ by


def advance(draft: Transition, path: str) -> None:
    """Take the result of a running attempt, or see to its clocks and troubles."""
    attempt = draft.current_attempt(path)
    if attempt is None:  # a status nobody should have written; start over under the next number
        draft.change(path, phase="Pending")
        return
    pods = draft.pods_of(path, attempt.number)
    if not pods:
        _without_pod(draft, path, attempt)
    elif all(pod.over or lost_machines.loss_reason(draft.observed, pod, draft.now) for pod in pods):
        complete(draft, path, attempt, pods)
    else:
        _watch_pods(draft, path, attempt, pods)


def stop(draft: Transition, path: str, reason: Reason) -> None:
    """Ask the cluster to end the current attempt; it is judged once its pod is over."""
    attempt = draft.current_attempt(path)
    if attempt is None:
        return
    if attempt.stopping is None:
        attempt = attempt.model_copy(update={"stopping": str(reason)})
        draft.record_attempt(path, attempt)
    live_pods = tuple(p for p in draft.pods_of(path, attempt.number) if not p.over)
    if not live_pods or not all(p.deleting for p in live_pods):
        draft.after.append(StopAttempt(job=attempt.job, pods=live_pods))
    draft.wake(draft.now + timedelta(seconds=STOP_AGAIN))


def _without_pod(draft: Transition, path: str, attempt: AttemptStatus) -> None:
    problem = draft.observed.launches.get(attempt.job)
    if problem is not None and problem.permanent:
        fail(draft, path, attempt, Failed(Reason.LAUNCH_REJECTED, problem.message, "", False))
        return
    if not draft.observed.live:
        draft.wake(look_at(draft.observed, path, attempt))
        return
    job = draft.observed.jobs.get(attempt.job)
    if job is None:
        _without_job(draft, path, attempt, problem.message if problem else "")
    else:
        _job_without_pod(draft, path, attempt, job)
    if not draft.ended(path):
        draft.wake(look_at(draft.observed, path, attempt))


def _without_job(draft: Transition, path: str, attempt: AttemptStatus, problem: str) -> None:
    stopped = attempt.stopping or deadlines.why_not_started(draft, path)
    if stopped:
        # Another operator may have recorded it, and may create its Job for as long as its fence
        # lasts: closed before, the attempt would start after its end.
        launched = timestamps.parse_timestamp(attempt.launched_at) or draft.observed.created_at
        if draft.now < (until := launched + timedelta(seconds=_FENCE)):
            draft.wake(until)
            return
        broken = Failed(reason_of(stopped), "stopped before it started", "", False)
        fail(draft, path, attempt, broken)
        return
    _name_trouble(draft, path, Reason.LAUNCH_REJECTED, problem)
    if draft.now >= _queue_deadline(draft, path, attempt):
        status = draft.statuses[path]
        if status.reason == Reason.LAUNCH_REJECTED:
            text = problem or status.message or ""
            fail(draft, path, attempt, Failed(Reason.LAUNCH_REJECTED, text, "", False))
            return
        # Nobody refused it: there was no operator or no API server to ask. Its time begins now.
        moment = timestamps.timestamp(draft.now)
        draft.record_attempt(path, attempt.model_copy(update={"launched_at": moment}))
    inputs = resolve(draft, path)
    action = inputs if isinstance(inputs, Invalid) else prepare(draft, path, inputs, attempt)
    # The same evaluation succeeded when the attempt was recorded, and its data cannot change;
    # what it refers to can be gone by now, and come back.
    if isinstance(action, Launch):
        draft.after.append(action)
    elif isinstance(action, Missing):
        _name_trouble(draft, path, Reason.MISSING_REFERENCE, action.message)


def _job_without_pod(draft: Transition, path: str, attempt: AttemptStatus, job: JobFact) -> None:
    if attempt.stopping and (job.suspended or job.ended):
        text = draft.statuses[path].message or "stopped before it started"
        fail(draft, path, attempt, Failed(reason_of(attempt.stopping), text, "", False))
    elif attempt.stopping:
        stop(draft, path, reason_of(attempt.stopping))
    elif job.ended and (found := stored_results.stored_result(draft, path, attempt)):
        complete_with(
            draft,
            path,
            attempt,
            from_stored_result(found, draft.node(path).output_schema),
            draft.now,
        )
    elif job.ended:
        fail(draft, path, attempt, Failed(Reason.DISRUPTED, "its pod is gone without a result"))
    elif draft.now >= _queue_deadline(draft, path, attempt):
        _name_trouble(draft, path, Reason.POD_REJECTED, job.trouble or "no pod was created")
        stop(draft, path, Reason.POD_REJECTED)
    else:
        _name_trouble(draft, path, Reason.POD_REJECTED, job.trouble)
        draft.wake(_queue_deadline(draft, path, attempt))


def _watch_pods(draft: Transition, path: str, attempt: AttemptStatus, pods: list[PodFact]) -> None:
    node = draft.node(path)
    pod = next(p for p in pods if not p.over)
    if look := lost_machines.look_at(draft.observed, pod):
        draft.wake(look)
    if attempt.stopping:
        stop(draft, path, reason_of(attempt.stopping))
    elif pod.started_at is None:
        deadline = _queue_deadline(draft, path, attempt)
        reason, late = never_started(pod), draft.now >= deadline
        _name_trouble(draft, path, reason, trouble_of(pod) or (idle_of(pod) if late else ""))
        if late and not pod.deleting:
            stop(draft, path, reason)
        else:
            draft.wake(deadline)
            if missing_mounts.waits_for_key(pod):
                draft.wake(missing_mounts.look_at(draft.observed, pod, attempt))
    else:
        if silent := lost_machines.trouble(draft.observed, pod):
            _name_trouble(draft, path, Reason.NODE_LOST, silent)
        elif draft.statuses[path].reason:
            draft.change(path, reason=None, message=None)
        allowed = node_settings.timeout_of(draft.spec, node)
        if not node.container:
            allowed += RUNNER_HEADSTART
        deadline = pod.started_at + timedelta(seconds=allowed)
        if pod.terminated:
            return  # its output is being carried out, for as long as the kubelet's grace
        if draft.now >= deadline and not pod.deleting:
            stop(draft, path, Reason.TIMEOUT)
        elif draft.now < deadline:
            draft.wake(deadline)


def _name_trouble(draft: Transition, path: str, reason: Reason, text: str) -> None:
    # The first text is kept while the reason stands: the kubelet alternates between a detailed
    # and a terse one, and each change would be a status write.
    if text and draft.statuses[path].reason != reason:
        draft.change(path, reason=str(reason), message=shorten(text, 1024))
        draft.note("Warning", str(reason), f"{path}: {text}")


def _queue_deadline(draft: Transition, path: str, attempt: AttemptStatus) -> datetime:
    launched = timestamps.parse_timestamp(attempt.launched_at) or draft.observed.created_at
    return launched + timedelta(
        seconds=node_settings.queue_timeout_of(draft.spec, draft.node(path))
    )
