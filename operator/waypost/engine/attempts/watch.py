"""Attempts of nodes that have a pod: watch and stop them; `close` records how they end.

That an attempt has neither Job nor pod is concluded from a live read only (A1, A2);
a pod that exists is the attempt, even if its Job is gone.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from waypost.api.changes import changed_attempt
from waypost.api.kinds.table import kind_of
from waypost.api.status import AttemptStatus
from waypost.compiler import node_settings
from waypost.engine.attempts import lost_machines, outdated, silent_pods, stored_results
from waypost.engine.attempts.close import complete, complete_with, fail
from waypost.engine.attempts.judge import from_stored_result, never_started
from waypost.engine.attempts.launch import prepare
from waypost.engine.attempts.reads import FENCE, look_at
from waypost.engine.attempts.stop import stop
from waypost.engine.queues import taken
from waypost.engine.queues import waiting as queues
from waypost.engine.scheduling import deadlines
from waypost.engine.scheduling.inputs import invalid_reason, resolve
from waypost.engine.scheduling.unread import unread_by
from waypost.engine.state.decision import Launch
from waypost.engine.state.inputs import Forbidden, Invalid, Missing
from waypost.engine.state.outcome import Failed, reason_of
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts import jobs, refusals, restarts
from waypost.kube.facts.jobs import JobFact, WriteProblem
from waypost.kube.facts.pods import PodFact, idle_of, trouble_of
from waypost.kube.facts.read_problems import OBJECTS
from waypost.kube.kinds.table import pod_kind
from waypost.kube.manifests.pod import RUNNER_HEADSTART
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten


def advance(transition: Transition, path: str) -> None:
    """Complete a running attempt whose pods are over, else check its time limits and problems."""
    attempt = transition.statuses[path].open_attempt
    if attempt is None:  # no operator writes such a status; start again with the next number
        transition.update(path, phase="Pending")
        return
    kind = kind_of(transition.node(path))
    superseded = transition.statuses[path].phase == "Superseding"  # perhaps of another kind
    if not kind.has_pod and not superseded:  # nor such a status
        text = f"status has an attempt, but a node of kind {kind.name} has no pod"
        fail(transition, path, attempt, Failed(Reason.LAUNCH_REJECTED, text, "", False))
        return
    pods = transition.observed.pods_of(path, attempt)
    if not pods:
        _without_pod(transition, path, attempt)
        return
    attempt = queues.seen_pods(transition, path, attempt, pods)
    if taken.keeps_open(transition, path, attempt, pods):
        return
    if all(
        pod.over or lost_machines.loss_reason(transition.observed, pod, transition.now)
        for pod in pods
    ):
        complete(transition, path, attempt, pods)
    else:
        _watch_pods(transition, path, attempt, pods)


def _without_pod(transition: Transition, path: str, attempt: AttemptStatus) -> None:
    problem = transition.observed.child_problems.get(attempt.job)
    if problem is not None and _is_refused_for_good(transition, problem) and not attempt.stopping:
        _reject(transition, path, problem.message)
        return
    if unread := transition.observed.unread.get(OBJECTS):
        transition.wait_to_read(path, unread)
        return
    if not transition.observed.live:
        transition.requeue_at(look_at(transition.observed, path, attempt))
        return
    job = transition.observed.jobs.get(attempt.job)
    if job is None:
        _without_job(transition, path, attempt, problem)
    else:
        _job_without_pod(transition, path, attempt, job)
    if not transition.ended(path):
        transition.requeue_at(look_at(transition.observed, path, attempt))


def _is_refused_for_good(transition: Transition, problem: WriteProblem) -> bool:
    """If passes have failed since, somebody may have given the right that was missing (S520)."""
    return problem.permanent and jobs.is_recent(problem, transition.now)


def _without_job(
    transition: Transition, path: str, attempt: AttemptStatus, problem: WriteProblem | None
) -> None:
    if attempt.stopping:
        _close_stopped(transition, path, attempt)
        return
    if _slot_is_taken(transition, path, attempt):
        return
    if reason := deadlines.why_not_started(transition, path):
        stop(transition, path, reason)
        return
    if outdated.is_outdated(transition, path, attempt):
        transition.name_trouble(path, Reason.SUPERSEDED, outdated.WHY)
        stop(transition, path, Reason.SUPERSEDED)
        return
    if problem is not None:
        transition.name_trouble(path, Reason.LAUNCH_REJECTED, problem.message)
    if transition.spec.suspend:
        return  # nothing starts (S80), so the operator cannot know what the API server would say
    if transition.now >= deadlines.of_start(transition.observed, path, attempt):
        if problem is not None and jobs.is_recent(problem, transition.now):
            _reject(transition, path, problem.message)
            return
        # Not tried of late: operator or API server were not available, or the run was suspended.
        # An earlier refusal may have passed, so queueTimeout begins now.
        moment = timestamps.timestamp(transition.now)
        attempt = changed_attempt(attempt, launched_at=moment)
        transition.record_attempt(path, attempt)
    _launch_again(transition, path, attempt)


def _launch_again(transition: Transition, path: str, attempt: AttemptStatus) -> None:
    if unread := unread_by(transition, path):
        transition.wait_to_read(path, unread)
        return
    inputs = resolve(transition, path)
    action = inputs if isinstance(inputs, Invalid) else prepare(transition, path, inputs, attempt)
    # The same evaluation succeeded when the attempt was recorded, and its data cannot change;
    # but what it refers to may be gone: a resource can come back, a result cannot.
    if isinstance(action, Invalid):
        reason = invalid_reason(transition, action.message)
        transition.name_trouble(path, reason, action.message)
        stop(transition, path, reason)
    elif isinstance(action, Launch):
        transition.after.append(action)
    elif isinstance(action, Missing):
        transition.name_trouble(path, Reason.MISSING_REFERENCE, action.message)
    elif isinstance(action, Forbidden):  # the policy has changed since the attempt was recorded
        transition.name_trouble(path, Reason.NOT_PERMITTED, action.message)
        stop(transition, path, Reason.NOT_PERMITTED)


def _reject(transition: Transition, path: str, problem: str) -> None:
    """Stop an attempt whose Job the API server refuses (S471).

    It is closed only after the time of a fence: another operator may create the Job until then, if
    it is refused no longer.
    """
    named = shorten(problem, 1024) == transition.statuses[path].message
    transition.name_trouble(path, Reason.LAUNCH_REJECTED, problem, replaces=not named)
    stop(transition, path, Reason.LAUNCH_REJECTED)


def _slot_is_taken(transition: Transition, path: str, attempt: AttemptStatus) -> bool:
    """Stop an attempt whose slot another one has taken first; it is no attempt of its node.

    It is closed only after the time of a fence: another operator may find the slot free by then.
    """
    problem = transition.observed.child_problems.get(attempt.job)
    if problem is None or not problem.slot_taken:
        return False
    text = problem.message
    transition.update(path, reason=str(Reason.SLOT_TAKEN), message=shorten(text, 512))
    stop(transition, path, Reason.SLOT_TAKEN)
    return True


def _close_stopped(transition: Transition, path: str, attempt: AttemptStatus) -> None:
    """Close an attempt that has no Job, 12 s after its stop was read from the stored status.

    An operator that read live before the stop was written may still create the Job for ten
    seconds.
    """
    seen = timestamps.parse_timestamp(attempt.stopping_at)
    if seen is None:
        moment = timestamps.timestamp(transition.now)
        transition.record_attempt(path, changed_attempt(attempt, stopping_at=moment))
        transition.requeue_at(transition.now + timedelta(seconds=FENCE))
    elif transition.observed.looked_at(transition.now) < (until := seen + timedelta(seconds=FENCE)):
        transition.requeue_at(until)
    else:
        status = transition.statuses[path]
        known = status.message if status.reason == attempt.stopping else None
        text = known or "stopped before it started"
        fail(transition, path, attempt, Failed(reason_of(attempt.stopping), text, "", False))


def _job_without_pod(
    transition: Transition, path: str, attempt: AttemptStatus, job: JobFact
) -> None:
    # A Job that only a queue or a person has suspended can be resumed (A9): it is stopped again.
    if attempt.stopping and (job.halted or job.ended):
        status = transition.statuses[path]
        known = status.message if status.reason != Reason.STOP_REJECTED else None
        text = known or "stopped before it started"
        failure = Failed(reason_of(attempt.stopping), text, "", False)
        hopeless = failure.reason == Reason.POD_REJECTED and refusals.lasts(text)
        fail(transition, path, attempt, replace(failure, lasting=hopeless))
    elif attempt.stopping:
        _stop_again(transition, path, attempt)
    elif job.ended and (unread := stored_results.unread(transition, path, attempt)):
        transition.wait_to_read(path, unread)
    elif job.ended and (record := stored_results.stored_result(transition, path, attempt)):
        complete_with(
            transition,
            path,
            attempt,
            stored_results.with_artifacts(
                transition,
                path,
                attempt,
                from_stored_result(record, transition.node(path).output_schema),
            ),
            transition.now,
        )
    elif job.ended:
        cause = f"; its Job has failed: {job.failure}" if job.failure else ""
        text = f"its pod is gone without a result{cause}"
        fail(transition, path, attempt, Failed(Reason.DISRUPTED, text))
    elif queues.holds(transition, path, attempt, job):
        return
    elif refusals.lasts(job.trouble) or transition.now >= deadlines.of_start(
        transition.observed, path, attempt
    ):
        text = _podless(job) or "no pod was created"
        transition.name_trouble(path, Reason.POD_REJECTED, text)
        stop(transition, path, Reason.POD_REJECTED)
    else:
        transition.name_trouble(path, Reason.POD_REJECTED, _podless(job))
        transition.requeue_at(deadlines.of_start(transition.observed, path, attempt))


def _podless(job: JobFact) -> str:
    """Why a Job has no pod although it should run; "" if that is not known."""
    if job.suspended and job.queue:
        return queues.why_suspended(job)
    if job.suspended:
        return f"Job {job.name} is suspended, by a queue (such as Kueue) or by a person"
    return job.trouble


def _watch_pods(
    transition: Transition, path: str, attempt: AttemptStatus, pods: list[PodFact]
) -> None:
    pod = next(p for p in pods if not p.over)
    if look := lost_machines.look_at(transition.observed, pod):
        transition.requeue_at(look)
    if attempt.stopping:
        _stop_again(transition, path, attempt)
    elif pod.starts_again:
        _stop_repeated(transition, path, pod)
    elif pod.started_at is None:
        _watch_unstarted(transition, path, attempt, pod)
    else:
        _watch_running(transition, path, attempt, pod, pod.started_at)


def _watch_unstarted(
    transition: Transition, path: str, attempt: AttemptStatus, pod: PodFact
) -> None:
    deadline = deadlines.of_start(transition.observed, path, attempt)
    reason, trouble = never_started(pod), trouble_of(pod)
    # An Event, and the state of an added container, are hints, which decide nothing.
    hint = trouble in (pod.event_trouble, pod.other_trouble)
    hopeless = not hint and refusals.lasts(trouble)
    late = transition.now >= deadline or hopeless
    said = trouble or (idle_of(pod) if late else silent_pods.slow_init(pod, transition.now))
    replaces = silent_pods.is_another_cause(pod, transition.statuses[path].message or "")
    transition.name_trouble(path, reason, said, replaces=replaces)
    if late and not pod.deleting:
        stop(transition, path, reason)
    else:
        transition.requeue_at(deadline)
        for at in silent_pods.looks(transition.observed, pod, attempt, transition.now):
            transition.requeue_at(at)


def _watch_running(
    transition: Transition, path: str, attempt: AttemptStatus, pod: PodFact, started_at: datetime
) -> None:
    node = transition.node(path)
    if problem := lost_machines.trouble(transition.observed, pod):
        transition.name_trouble(path, Reason.NODE_LOST, problem)
    elif transition.statuses[path].reason:
        transition.update(path, reason=None, message=None)
    allowed = node_settings.timeout_of(transition.spec, node)
    if pod_kind(node).runs_waypost:
        allowed += RUNNER_HEADSTART
    deadline = _began(transition, path, attempt, started_at) + timedelta(seconds=allowed)
    if pod.terminated:
        return  # the sidecar is writing its output, within the kubelet's grace period
    if transition.now >= deadline and not pod.deleting:
        stop(transition, path, Reason.TIMEOUT)
    elif transition.now < deadline:
        transition.requeue_at(deadline)


def _stop_repeated(transition: Transition, path: str, pod: PodFact) -> None:
    """Stop an attempt whose container the kubelet starts again, and name why (S524)."""
    text = restarts.words(pod.restart_policy, pod.restarts)
    transition.name_trouble(path, Reason.CONTAINER_RESTARTED, text)
    if not pod.deleting:
        stop(transition, path, Reason.CONTAINER_RESTARTED)


def _began(
    transition: Transition, path: str, attempt: AttemptStatus, started_at: datetime
) -> datetime:
    """When a container that runs started at the latest: the clock of its machine may be ahead."""
    if started_at <= transition.now:
        return started_at
    return min(started_at, deadlines.of_start(transition.observed, path, attempt))


def _stop_again(transition: Transition, path: str, attempt: AttemptStatus) -> None:
    stop(transition, path, reason_of(attempt.stopping))
    if refused := transition.observed.child_problems.get(attempt.job):
        text = f"its Job cannot be stopped: {refused.message}"
        transition.name_trouble(path, Reason.STOP_REJECTED, text)
