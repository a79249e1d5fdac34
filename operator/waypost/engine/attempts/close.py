"""How an attempt is closed: its outcome judged, checkpointed or followed by another attempt."""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.changes import changed_attempt
from waypost.api.meta import EventReason
from waypost.api.status import AttemptStatus
from waypost.compiler import node_settings
from waypost.engine.attempts import images, lost_machines, outdated, retries, stored_results, traces
from waypost.engine.attempts.judge import NOT_STARTED, judge_pod
from waypost.engine.attempts.launched_as import kind_of_pod, output_schema_of
from waypost.engine.budget import shares
from waypost.engine.budget.usage import as_status_usage
from waypost.engine.isolation import controls
from waypost.engine.scheduling import deadlines, loops, remembering
from waypost.engine.scheduling.unread import unread_by
from waypost.engine.slots import take as slots
from waypost.engine.state.outcome import Failed, Outcome, Parked, Succeeded, reason_of
from waypost.engine.state.transition import TAIL, Transition
from waypost.engine.state.usage import total
from waypost.kube import timestamps
from waypost.kube.facts import refusals
from waypost.kube.facts.jobs import WriteProblem, lasts_long
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import ReadProblem
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_KUBELET_WAITED: Final = (Reason.IMAGE_PULL, Reason.MISSING_REFERENCE)
_WHOLE_SECONDS: Final = 1.0  # the resolution of the times that the kubelet reports


def complete(
    transition: Transition, path: str, attempt: AttemptStatus, pods: list[PodFact]
) -> None:
    """Close an attempt whose pods are over, with the outcome that they give.

    The attempt stays open while its result or trace cannot be written. Of several pods, the first
    one that succeeded counts, else the last one that ended: every operator judges the same.
    """
    unread = stored_results.unread(transition, path, attempt)
    superseded = transition.statuses[path].phase == "Superseding"
    if unread is not None and not superseded:
        _wait_to_read(transition, path, attempt, unread)
        return
    if traces.waits(transition, path, attempt.number):
        return
    pods = sorted(pods, key=lambda pod: (pod.finished_at or transition.now, pod.uid))
    judged = [(pod, _judge(transition, path, attempt, pod)) for pod in pods]
    pod, outcome = next((j for j in judged if isinstance(j[1], Succeeded)), judged[-1])
    if not superseded:
        images.keep(transition, path, pod)
    attempt = changed_attempt(
        attempt,
        pod_uid=pod.uid,
        scheduled_at=_at(transition, pod.scheduled_at),
        prepared_at=_at(transition, pod.prepared_at),
        started_at=_at(transition, pod.started_at),
    )
    report = outcome.report
    if report.usage is not None:
        attempt = changed_attempt(attempt, usage=as_status_usage(report.usage))
    if report.inherited_usage is not None:
        attempt = changed_attempt(attempt, carried=as_status_usage(report.inherited_usage))
    trace = traces.keep_trace(transition, path, attempt.number, report.trace)
    attempt = changed_attempt(attempt, trace=trace)
    problem = transition.trace_problem(path, attempt.number)
    if problem is not None and not _gives_up(transition, attempt, problem):
        transition.hold(path, problem)
        return
    # The clock of a machine may be ahead.
    ended = min(pod.finished_at or transition.now, transition.now)
    complete_with(transition, path, attempt, outcome, ended)


def _at(transition: Transition, time: datetime | None) -> str | None:
    return None if time is None else timestamps.timestamp(min(time, transition.now))


def _wait_to_read(
    transition: Transition, path: str, attempt: AttemptStatus, problem: ReadProblem
) -> None:
    """Keep an attempt open that cannot be judged, unless it has to end and the problem lasts."""
    if attempt.stopping is not None and problem.lasts_long(transition.now):
        text = f"its result cannot be used: {problem.text}"
        fail(transition, path, attempt, Failed(reason_of(attempt.stopping), text))
    else:
        transition.wait_to_read(path, problem)


def complete_with(
    transition: Transition, path: str, attempt: AttemptStatus, outcome: Outcome, ended: datetime
) -> None:
    """Close an attempt with `outcome`, and its node too if no other attempt follows."""
    if transition.statuses[path].phase == "Superseding":
        _supersede(transition, path, attempt, ended)
        return
    if isinstance(outcome, Succeeded) and loops.is_loop(transition, path):
        unread = unread_by(transition, path)  # by repeat.until
        if unread is not None:
            _wait_to_read(transition, path, attempt, unread)
            return
    if isinstance(outcome, Parked):
        _park(transition, path, attempt, ended)
        return
    if isinstance(outcome, Succeeded) and not loops.is_loop(transition, path):
        outcome = remembering.checked(transition, path, outcome)
    problem = _write_problem(transition, path, outcome)
    if problem is not None and not _gives_up(transition, attempt, problem):
        transition.hold(path, problem)
    elif problem is not None:
        fail(transition, path, attempt, _not_stored(attempt, problem), ended)
    elif isinstance(outcome, Succeeded):
        outcome = transition.as_stored(path, outcome)
        _record_end(transition, path, attempt, ended, reason="Succeeded", message=None)
        if loops.is_loop(transition, path):
            loops.end_iteration(transition, path, outcome)
        else:
            remembering.succeed(transition, path, outcome)
    else:
        fail(transition, path, attempt, outcome, ended)


def _write_problem(transition: Transition, path: str, outcome: Outcome) -> WriteProblem | None:
    """Why the result of an attempt that succeeded, or what it remembers, cannot be stored."""
    if not isinstance(outcome, Succeeded):
        return None
    return transition.result_problem(path, outcome) or remembering.problem(transition, path)


def _park(transition: Transition, path: str, attempt: AttemptStatus, ended: datetime) -> None:
    """Close an attempt that waits for people: no retry is used, and its kind asks them in this
    pass or the next."""
    calls = stored_results.stored_calls(transition, path, attempt)
    if calls is not None:  # its kind reads them in this pass
        transition.payloads[calls.name] = calls.payload.value
    reason = str(Reason.AWAITING_APPROVAL)
    _record_end(transition, path, attempt, ended, reason=reason, message=None)
    transition.update(
        path,
        phase="Waiting",
        parked=attempt.number,
        approval=None,
        wake_at=None,
        reason=None,
        message=None,
        tail=None,
    )
    transition.requeue_at(transition.now)


def _gives_up(transition: Transition, attempt: AttemptStatus, problem: WriteProblem) -> bool:
    """Whether to stop trying to write: the API server will always refuse, or the attempt has to
    end now."""
    return problem.permanent or (
        attempt.stopping is not None and lasts_long(problem, transition.now)
    )


def _not_stored(attempt: AttemptStatus, problem: WriteProblem) -> Failed:
    text = f"its result could not be stored: {problem.message}"
    return Failed(
        Reason.RECORD_REJECTED if problem.permanent else reason_of(attempt.stopping), text
    )


def _judge(transition: Transition, path: str, attempt: AttemptStatus, pod: PodFact) -> Outcome:
    definition = transition.observed.definition
    outcome = judge_pod(
        pod,
        kind=kind_of_pod(definition, path, pod),
        expect=stored_results.expected_identity(
            transition.attempt_ref(path, attempt.number), pod.uid
        ),
        output_schema=output_schema_of(definition, path, pod),
        stopping=_stopped_for(transition, path, attempt, pod),
        log=transition.observed.logs.get(pod.uid),
        trouble=_named_trouble(transition, path, attempt),
        stored_result=stored_results.stored_result(transition, path, attempt),
        stored_calls=stored_results.stored_calls(transition, path, attempt),
        lost=lost_machines.loss_reason(transition.observed, pod, transition.now),
        # Named while the pod waited, and taken back once its container had started.
        waited=transition.statuses[path].reason in _KUBELET_WAITED,
    )
    return stored_results.with_artifacts(transition, path, attempt, outcome, pod)


def _stopped_for(
    transition: Transition, path: str, attempt: AttemptStatus, pod: PodFact
) -> str | None:
    """The reason for which the operator stopped the attempt; None if the stop did not end it.

    An operator with a stale watch may time out a pod that has already finished: a pod that ran
    for less than its timeout did not end with Timeout, and one whose init container failed
    within queueTimeout did not wait until queueTimeout had passed.
    """
    if attempt.stopping in NOT_STARTED and _failed_in_time(transition, path, attempt, pod):
        return None
    if attempt.stopping != Reason.TIMEOUT or pod.started_at is None or pod.finished_at is None:
        return attempt.stopping
    ran = (pod.finished_at - pod.started_at).total_seconds()
    allowed = node_settings.timeout_of(transition.spec, transition.node(path))
    return None if ran < allowed - _WHOLE_SECONDS else attempt.stopping


def _failed_in_time(
    transition: Transition, path: str, attempt: AttemptStatus, pod: PodFact
) -> bool:
    """Whether an init container failed before queueTimeout had passed, and so before the stop."""
    if pod.init is None or pod.init.ended_at is None:
        return False
    refused = transition.statuses[path].reason == Reason.STOP_REJECTED  # names no other trouble
    if refused or refusals.lasts(_named_trouble(transition, path, attempt)):
        return False  # perhaps stopped early: that may have ended a sidecar that had started
    until = deadlines.of_start(transition.observed, path, attempt)
    return pod.init.ended_at < until - timedelta(seconds=_WHOLE_SECONDS)


def _record_end(
    transition: Transition,
    path: str,
    attempt: AttemptStatus,
    ended: datetime,
    *,
    reason: str,
    message: str | None,
    exit_code: int | None = None,
) -> None:
    attempt = changed_attempt(
        attempt,
        exit_code=exit_code,
        finished_at=timestamps.timestamp(ended),
        reason=reason,
        message=shorten(message, 256) if message else None,
        stopping=None,
        stopping_at=None,
    )
    transition.record_attempt(path, attempt)
    slots.free(transition, path, attempt)
    controls.count(transition, path, attempt)
    if attempt.usage is not None or attempt.carried is not None:
        used = total((transition.statuses[path].usage, attempt.usage, attempt.carried))
        transition.update(path, usage=used)


def _supersede(transition: Transition, path: str, attempt: AttemptStatus, ended: datetime) -> None:
    """Close an attempt whose definition a new round has replaced; its outcome is not used."""
    text = "a new round began while it ran"
    _record_end(transition, path, attempt, ended, reason=str(Reason.SUPERSEDED), message=text)
    transition.update(path, phase="Pending", reason=None, message=None, tail=None)


def fail(
    transition: Transition,
    path: str,
    attempt: AttemptStatus,
    failure: Failed,
    ended: datetime | None = None,
) -> None:
    """Close an attempt that failed, and follow the retry policy.

    Args:
        transition: The next status of the run.
        path: The node.
        attempt: The attempt, not yet recorded as ended.
        failure: Why it failed.
        ended: When it ended; the time of this pass if that is not known.
    """
    if failure.refused:
        transition.refusals.append(failure.refused)
    if not failure.started:
        attempt = changed_attempt(attempt, never_started=True)
    if transition.statuses[path].phase == "Superseding":
        _supersede(transition, path, attempt, ended or transition.now)
        return
    _record_end(
        transition,
        path,
        attempt,
        ended or transition.now,
        reason=str(failure.reason),
        message=failure.message,
        exit_code=failure.exit_code,
    )
    if failure.reason == Reason.SLOT_TAKEN and not failure.started:
        # No attempt of its node: it waits for a slot as before, and nothing is counted.
        transition.update(path, phase="Pending", reason=None, message=None, tail=None)
        return
    if attempt.stopping == Reason.NOT_CHOSEN:  # whatever its program says: no node needs it (S228)
        transition.end(path, "Cancelled", Reason.NOT_CHOSEN, failure.message)
        return
    if failure.reason == Reason.CANCELLED:
        transition.end(path, "Cancelled", Reason.CANCELLED, failure.message)
        return
    if failure.reason == Reason.DEADLINE_EXCEEDED:
        deadlines.end(transition, path, detail=failure.message, tail=failure.tail)
        return
    if outdated.follow(transition, path, attempt, failure):
        return
    if shares.may_get_larger_share(transition, path):
        shares.wait_for_larger_share(transition, path, failure.message)
        return
    next_step = retries.after_failure(
        retries=node_settings.retries_of(transition.spec, transition.node(path)),
        status=transition.statuses[path],
        failure=failure,
        seed=f"{transition.observed.uid}/{path}/{attempt.number}",
    )
    if isinstance(next_step, retries.GiveUp):
        transition.end(path, "Failed", next_step.reason, next_step.message, tail=failure.tail)
        return
    wake_at = transition.now + next_step.delay
    transition.update(
        path,
        phase="Backoff",
        reason=str(failure.reason),
        message=shorten(failure.message, 1024),
        tail=failure.tail[-TAIL:] or None,
        wake_at=timestamps.timestamp(wake_at),
    )
    if next_step.count:
        transition.update(path, **retries.counter(next_step.retry_class, next_step.count))
    message = f"{path}: {failure.reason}: {failure.message}"
    transition.event("Warning", EventReason.NODE_ATTEMPT_FAILED, message)
    transition.requeue_at(wake_at)


def _named_trouble(transition: Transition, path: str, attempt: AttemptStatus) -> str:
    """The problem for which an attempt was stopped, from the node's status; "" if there is none.

    The pod's own status no longer shows it once the pod has been stopped.
    """
    status = transition.statuses[path]
    if status.reason == attempt.stopping:
        return status.message or ""
    late = attempt.stopping == Reason.DEADLINE_EXCEEDED and status.reason
    return f"{status.reason}: {status.message}" if late else ""
