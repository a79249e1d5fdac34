"""How an attempt is closed: its outcome judged, checkpointed or followed by another attempt."""

from datetime import datetime
from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.meta import EventReason
from waypost.api.status import AttemptStatus
from waypost.compiler import node_settings
from waypost.engine.attempts import lost_machines, retries, stored_results, traces
from waypost.engine.attempts.judge import judge_pod
from waypost.engine.budget import shares
from waypost.engine.budget.usage import as_status_usage, total
from waypost.engine.scheduling import deadlines
from waypost.engine.state.outcome import Failed, Outcome, Succeeded, reason_of
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.jobs import LaunchProblem, lasts_long
from waypost.kube.facts.pods import PodFact
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_KUBELET_WAITED: Final = (Reason.IMAGE_PULL, Reason.MISSING_REFERENCE)
_WHOLE_SECONDS: Final = 1.0  # in which the kubelet tells times


def complete(
    transition: Transition, path: str, attempt: AttemptStatus, pods: list[PodFact]
) -> None:
    """Close an attempt whose pods are over by what they gave; keep it open while that cannot be
    kept. Of several pods the one that ended first counts, whoever looks."""
    pods = sorted(pods, key=lambda pod: (pod.finished_at or transition.now, pod.uid))
    judged = [(pod, _judge(transition, path, attempt, pod)) for pod in pods]
    pod, outcome = next((j for j in judged if isinstance(j[1], Succeeded)), judged[-1])
    attempt = attempt.model_copy(
        update={
            "pod_uid": pod.uid,
            "started_at": timestamps.timestamp(pod.started_at) if pod.started_at else None,
        }
    )
    report = outcome.report
    if report.usage is not None:
        attempt = attempt.model_copy(update={"usage": as_status_usage(report.usage)})
    if report.inherited_usage is not None:
        attempt = attempt.model_copy(update={"carried": as_status_usage(report.inherited_usage)})
    trace = traces.keep_trace(transition, path, attempt.number, report.trace)
    attempt = attempt.model_copy(update={"trace": trace})
    problem = transition.unkept_trace(path, attempt.number)
    if problem is not None and not _gives_up(transition, attempt, problem):
        transition.hold(path, problem)
        return
    complete_with(transition, path, attempt, outcome, pod.finished_at or transition.now)


def complete_with(
    transition: Transition, path: str, attempt: AttemptStatus, outcome: Outcome, ended: datetime
) -> None:
    """Close an attempt with this outcome, and the node with it if that is the last word."""
    if transition.statuses[path].phase == "Superseding":
        _supersede(transition, path, attempt, ended)
        return
    problem = transition.unkept_result(path, outcome) if isinstance(outcome, Succeeded) else None
    if problem is not None and not _gives_up(transition, attempt, problem):
        transition.hold(path, problem)
    elif problem is not None:
        fail(transition, path, attempt, _unkept(attempt, problem), ended)
    elif isinstance(outcome, Succeeded):
        _record_end(transition, path, attempt, ended, "Succeeded", None)
        transition.succeed(path, outcome)
    else:
        fail(transition, path, attempt, outcome, ended)


def _gives_up(transition: Transition, attempt: AttemptStatus, problem: LaunchProblem) -> bool:
    """Whether what cannot be written is given up: it is refused for good, or the attempt has to
    end now."""
    return problem.permanent or (
        attempt.stopping is not None and lasts_long(problem, transition.now)
    )


def _unkept(attempt: AttemptStatus, problem: LaunchProblem) -> Failed:
    text = f"its result could not be kept: {problem.message}"
    return Failed(
        Reason.RECORD_REJECTED if problem.permanent else reason_of(attempt.stopping), text
    )


def _judge(transition: Transition, path: str, attempt: AttemptStatus, pod: PodFact) -> Outcome:
    node = transition.node(path)
    return judge_pod(
        pod,
        kind=kind_of(node).name,
        expect=stored_results.expected_identity(
            transition.attempt_ref(path, attempt.number), pod.uid
        ),
        output_schema=node.output_schema,
        stopping=_stopped_for(transition, path, attempt, pod),
        log=transition.observed.logs.get(pod.uid),
        trouble=_named_trouble(transition, path, attempt),
        kept=stored_results.stored_result(transition, path, attempt),
        lost=lost_machines.loss_reason(transition.observed, pod, transition.now),
        # Named while the pod waited, and taken back once its container had started.
        waited=transition.statuses[path].reason in _KUBELET_WAITED,
    )


def _stopped_for(
    transition: Transition, path: str, attempt: AttemptStatus, pod: PodFact
) -> str | None:
    """Why the operator stopped the attempt. One that is told nothing takes a pod that has long
    ended for one that runs, and would blame the timeout for whatever had ended it."""
    if attempt.stopping != Reason.TIMEOUT or pod.started_at is None or pod.finished_at is None:
        return attempt.stopping
    ran = (pod.finished_at - pod.started_at).total_seconds()
    allowed = node_settings.timeout_of(transition.spec, transition.node(path))
    return None if ran < allowed - _WHOLE_SECONDS else attempt.stopping


def _record_end(
    transition: Transition,
    path: str,
    attempt: AttemptStatus,
    ended: datetime,
    reason: str,
    message: str | None,
    *,
    exit_code: int | None = None,
) -> None:
    changes = {
        "exit_code": exit_code,
        "finished_at": timestamps.timestamp(ended),
        "reason": reason,
        "message": shorten(message, 256) if message else None,
        "stopping": None,
        "stopping_at": None,
    }
    transition.record_attempt(path, attempt.model_copy(update=changes))
    if attempt.usage is not None or attempt.carried is not None:
        used = total((transition.statuses[path].usage, attempt.usage, attempt.carried))
        transition.update(path, usage=used)


def _supersede(transition: Transition, path: str, attempt: AttemptStatus, ended: datetime) -> None:
    """Close an attempt of a definition that no longer stands, whatever it gave."""
    text = "a new round began while it ran"
    _record_end(transition, path, attempt, ended, str(Reason.SUPERSEDED), text)
    transition.update(path, phase="Pending", reason=None, message=None, tail=None)


def fail(
    transition: Transition,
    path: str,
    attempt: AttemptStatus,
    broken: Failed,
    ended: datetime | None = None,
) -> None:
    """Close the attempt and follow the retry policy."""
    if broken.refused:
        transition.refusals.append(broken.refused)
    if not broken.started:
        attempt = attempt.model_copy(update={"never_started": True})
    if transition.statuses[path].phase == "Superseding":
        _supersede(transition, path, attempt, ended or transition.now)
        return
    _record_end(
        transition,
        path,
        attempt,
        ended or transition.now,
        str(broken.reason),
        broken.message,
        exit_code=broken.exit_code,
    )
    if broken.reason == Reason.CANCELLED:
        transition.end(path, "Cancelled", Reason.CANCELLED, broken.message)
        return
    if broken.reason == Reason.DEADLINE_EXCEEDED:
        deadlines.end(transition, path, detail=broken.message, tail=broken.tail)
        return
    if shares.may_get_larger_share(transition, path):
        shares.wait_for_larger_share(transition, path, broken.message)
        return
    verdict = retries.after_failure(
        retries=node_settings.retries_of(transition.spec, transition.node(path)),
        status=transition.statuses[path],
        broken=broken,
        seed=f"{transition.observed.uid}/{path}/{attempt.number}",
    )
    if isinstance(verdict, retries.GiveUp):
        transition.end(path, "Failed", verdict.reason, verdict.message, tail=broken.tail)
        return
    wake_at = transition.now + verdict.delay
    transition.update(
        path,
        phase="Backoff",
        reason=str(broken.reason),
        message=shorten(broken.message, 1024),
        tail=broken.tail[-1024:] or None,
        wake_at=timestamps.timestamp(wake_at),
        **{verdict.budget.value: verdict.count},
    )
    message = f"{path}: {broken.reason}: {broken.message}"
    transition.event("Warning", EventReason.NODE_ATTEMPT_FAILED, message)
    transition.requeue_at(wake_at)


def _named_trouble(transition: Transition, path: str, attempt: AttemptStatus) -> str:
    """What was told of an attempt that was then stopped for it: its pod no longer knows."""
    status = transition.statuses[path]
    if status.reason == attempt.stopping:
        return status.message or ""
    late = attempt.stopping == Reason.DEADLINE_EXCEEDED and status.reason
    return f"{status.reason}: {status.message}" if late else ""
