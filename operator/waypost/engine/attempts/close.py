"""How an attempt is closed: its outcome judged, checkpointed or followed by another attempt."""

from datetime import datetime
from typing import Final

from waypost.api.status import AttemptStatus
from waypost.compiler import node_settings
from waypost.compiler.graph import kind_of
from waypost.engine.attempts import lost_machines, retries, stored_results, traces
from waypost.engine.attempts.judge import judge_pod
from waypost.engine.budget import shares
from waypost.engine.budget.usage import as_status_usage, total
from waypost.engine.scheduling import deadlines
from waypost.engine.state.outcome import Failed, Outcome, Succeeded
from waypost.engine.state.text import shorten
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.pods import PodFact
from waypost.protocol.reasons import Reason

_WHOLE_SECONDS: Final = 1.0  # in which the kubelet tells times


def complete(draft: Transition, path: str, attempt: AttemptStatus, pods: list[PodFact]) -> None:
    """Close an attempt whose pods are over by what they gave."""
    judged = [(pod, _judge(draft, path, attempt, pod)) for pod in pods]
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
    if report.carried is not None:
        attempt = attempt.model_copy(update={"carried": as_status_usage(report.carried)})
    trace = traces.keep_trace(draft, path, attempt.number, report.trace)
    attempt = attempt.model_copy(update={"trace": trace})
    complete_with(draft, path, attempt, outcome, pod.finished_at or draft.now)


def complete_with(
    draft: Transition, path: str, attempt: AttemptStatus, outcome: Outcome, ended: datetime
) -> None:
    """Close an attempt with this outcome, and the node with it if that is the last word."""
    if draft.statuses[path].phase == "Superseding":
        _supersede(draft, path, attempt, ended)
    elif isinstance(outcome, Succeeded):
        _record_end(draft, path, attempt, ended, "Succeeded", None)
        draft.succeed(path, outcome)
    else:
        fail(draft, path, attempt, outcome, ended)


def _judge(draft: Transition, path: str, attempt: AttemptStatus, pod: PodFact) -> Outcome:
    node = draft.node(path)
    return judge_pod(
        pod,
        kind=kind_of(node),
        expect=stored_results.expected_identity(draft.whose(path, attempt.number), pod.uid),
        output_schema=node.output_schema,
        stopping=_stopped_for(draft, path, attempt, pod),
        log=draft.observed.logs.get(pod.uid),
        trouble=_named_trouble(draft, path, attempt),
        kept=stored_results.stored_result(draft, path, attempt),
        lost=lost_machines.loss_reason(draft.observed, pod, draft.now),
    )


def _stopped_for(draft: Transition, path: str, attempt: AttemptStatus, pod: PodFact) -> str | None:
    """Why the operator stopped the attempt. One that is told nothing takes a pod that has long
    ended for one that runs, and would blame the timeout for whatever had ended it."""
    if attempt.stopping != Reason.TIMEOUT or pod.started_at is None or pod.finished_at is None:
        return attempt.stopping
    ran = (pod.finished_at - pod.started_at).total_seconds()
    allowed = node_settings.timeout_of(draft.spec, draft.node(path))
    return None if ran < allowed - _WHOLE_SECONDS else attempt.stopping


def _record_end(
    draft: Transition,
    path: str,
    attempt: AttemptStatus,
    ended: datetime,
    reason: str,
    message: str | None,
) -> None:
    changes = {
        "finished_at": timestamps.timestamp(ended),
        "reason": reason,
        "message": shorten(message, 256) if message else None,
        "stopping": None,
    }
    draft.record_attempt(path, attempt.model_copy(update=changes))
    if attempt.usage is not None or attempt.carried is not None:
        used = total((draft.statuses[path].usage, attempt.usage, attempt.carried))
        draft.change(path, usage=used)


def _supersede(draft: Transition, path: str, attempt: AttemptStatus, ended: datetime) -> None:
    """Close an attempt of a definition that no longer stands, whatever it gave."""
    text = "a new round began while it ran"
    _record_end(draft, path, attempt, ended, str(Reason.SUPERSEDED), text)
    draft.change(path, phase="Pending", reason=None, message=None, tail=None)


def fail(
    draft: Transition,
    path: str,
    attempt: AttemptStatus,
    broken: Failed,
    ended: datetime | None = None,
) -> None:
    """Close the attempt and follow the retry policy."""
    if broken.refused:
        draft.refusals.append(broken.refused)
    if not broken.started:
        attempt = attempt.model_copy(update={"never_started": True})
    if draft.statuses[path].phase == "Superseding":
        _supersede(draft, path, attempt, ended or draft.now)
        return
    _record_end(draft, path, attempt, ended or draft.now, str(broken.reason), broken.message)
    if broken.reason == Reason.CANCELLED:
        draft.end(path, "Cancelled", Reason.CANCELLED, broken.message)
        return
    if broken.reason == Reason.DEADLINE_EXCEEDED:
        deadlines.end(draft, path, detail=broken.message, tail=broken.tail)
        return
    if shares.may_get_larger_share(draft, path):
        shares.wait_for_larger_share(draft, path, broken.message)
        return
    verdict = retries.after_failure(
        retries=node_settings.retries_of(draft.spec, draft.node(path)),
        status=draft.statuses[path],
        broken=broken,
        seed=f"{draft.observed.uid}/{path}/{attempt.number}",
    )
    if isinstance(verdict, retries.GiveUp):
        draft.end(path, "Failed", verdict.reason, verdict.message, tail=broken.tail)
        return
    wake_at = draft.now + verdict.delay
    draft.change(
        path,
        phase="Backoff",
        reason=str(broken.reason),
        message=shorten(broken.message, 1024),
        tail=broken.tail[-1024:] or None,
        wake_at=timestamps.timestamp(wake_at),
        **{verdict.budget.value: verdict.count},
    )
    draft.note("Warning", "NodeAttemptFailed", f"{path}: {broken.reason}: {broken.message}")
    draft.wake(wake_at)


def _named_trouble(draft: Transition, path: str, attempt: AttemptStatus) -> str:
    """What was told of an attempt that was then stopped for it: its pod no longer knows."""
    status = draft.statuses[path]
    if status.reason == attempt.stopping:
        return status.message or ""
    late = attempt.stopping == Reason.DEADLINE_EXCEEDED and status.reason
    return f"{status.reason}: {status.message}" if late else ""
