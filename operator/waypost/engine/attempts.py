"""Attempts of nodes that have a pod: launch, watch, stop; `closing` has how they end.

That an attempt has neither Job nor pod is concluded from a live read only (A1, A2);
a pod that exists is the attempt, whatever became of its Job.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.status import AttemptStatus, NodeStatus
from waypost.engine import deadlines, holding, kept, machines, mounts, names, policy
from waypost.engine.agents import Missing
from waypost.engine.closing import break_off, settle_as, take_result
from waypost.engine.draft import Draft, shorten
from waypost.engine.inputs import Inputs, Invalid, resolve
from waypost.engine.jobs import TooLarge
from waypost.engine.launching import prepare
from waypost.engine.model import JobFact, Launch, Observed, PodFact, StopAttempt
from waypost.engine.outcomes import (
    Broken,
    idle_of,
    known_reason,
    never_started,
    taken,
    trouble_of,
    wants_log,
)
from waypost.engine.usage import Exhausted
from waypost.protocol.reasons import Reason

IN_POD: Final = ("Running", "Superseding")  # phases of a node whose attempt has a pod
_LOOK_FIRST: Final = 3.0  # seconds after launch until a missing pod is looked for
_LOOK_LAST: Final = 60.0
_STOP_AGAIN: Final = 5.0
_FENCE: Final = 12.0  # the ten seconds of a fence (runtime/act.py), and what clocks differ by


def launch(draft: Draft, path: str, inputs: Inputs) -> None:
    """Record the next attempt of a node and ask for its Job; hold the node while something that
    it refers to is missing, or while its budget is lent out."""
    status = draft.statuses[path]
    number = (status.attempt or 0) + 1
    moment = names.timestamp(draft.now)
    job = names.job_name(run=draft.owner.name, run_uid=draft.owner.uid, path=path, attempt=number)
    attempt = AttemptStatus(number=number, job=job, launched_at=moment, round=status.round)
    share = holding.share_of(draft, path)
    if isinstance(share, Exhausted):
        holding.without_budget(draft, path, share)
        return
    attempt = attempt.model_copy(update={"allotment": share})
    action = prepare(draft, path, inputs, attempt)
    if isinstance(action, Missing):
        holding.hold(draft, path, action)
        return
    if isinstance(action, Invalid):
        draft.end(path, "Failed", Reason.INPUT_INVALID, action.message)
        return
    if isinstance(action, TooLarge):
        draft.end(path, "Failed", Reason.INPUT_TOO_LARGE, str(action))
        return
    draft.record_attempt(path, attempt)
    draft.change(
        path,
        phase="Running",
        reason=None,
        message=None,
        tail=None,
        wake_at=None,
        attempt=number,
        input_digest=inputs.digest,
        started_at=status.started_at or moment,
    )
    draft.after.append(action)
    draft.wake(draft.now + timedelta(seconds=_LOOK_FIRST))


def settle(draft: Draft, path: str) -> None:
    """Take the result of a running attempt, or see to its clocks and troubles."""
    attempt = draft.current_attempt(path)
    if attempt is None:  # a status nobody should have written; start over under the next number
        draft.change(path, phase="Pending")
        return
    pods = draft.pods_of(path, attempt.number)
    if not pods:
        _without_pod(draft, path, attempt)
    elif all(pod.over or machines.lost(draft.observed, pod, draft.now) for pod in pods):
        take_result(draft, path, attempt, pods)
    else:
        _watch_pods(draft, path, attempt, pods)


def stop(draft: Draft, path: str, reason: Reason) -> None:
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
    draft.wake(draft.now + timedelta(seconds=_STOP_AGAIN))


def wants_live(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """Whether a running attempt has no pod in the cache and it is time to look for one."""
    attempt = status.latest_attempt
    if attempt is None or attempt.finished_at is not None:
        return False
    if any(p.path == status.path and p.attempt == attempt.number for p in observed.pods):
        return False
    return now >= _look_at(observed, status.path, attempt)


def wanted_logs(observed: Observed, status: NodeStatus, kind: str) -> list[PodFact]:
    """The pods of a running attempt whose logs would explain their end."""
    attempt = status.latest_attempt
    return [
        pod
        for pod in observed.pods
        if attempt is not None
        and (pod.path, pod.attempt) == (status.path, attempt.number)
        and pod.over
        and pod.uid not in observed.logs
        and wants_log(pod, kind=kind)
    ]


def wanted_mounts(observed: Observed, status: NodeStatus, now: datetime) -> list[PodFact]:
    """The pods of a running attempt of which it is time to ask whether a key is missing."""
    return mounts.wanted(observed, status.latest_attempt, path=status.path, now=now)


def _look_at(observed: Observed, path: str, attempt: AttemptStatus) -> datetime:
    """When the API server is next asked for a pod that has not been seen: soon, then rarely."""
    launched = names.parse_timestamp(attempt.launched_at) or observed.created_at
    looked = observed.live_at if observed.live_at and observed.live_at >= launched else None
    if looked is None:
        known = attempt.job in observed.jobs
        return launched + timedelta(seconds=_LOOK_FIRST) if known else launched
    if attempt.stopping:
        return looked + timedelta(seconds=_STOP_AGAIN)
    age = (looked - launched).total_seconds()
    return looked + timedelta(seconds=min(max(age / 2, _LOOK_FIRST), _LOOK_LAST))


def _without_pod(draft: Draft, path: str, attempt: AttemptStatus) -> None:
    problem = draft.observed.launches.get(attempt.job)
    if problem is not None and problem.permanent:
        break_off(draft, path, attempt, Broken(Reason.LAUNCH_REJECTED, problem.message, "", False))
        return
    if not draft.observed.live:
        draft.wake(_look_at(draft.observed, path, attempt))
        return
    job = draft.observed.jobs.get(attempt.job)
    if job is None:
        _without_job(draft, path, attempt, problem.message if problem else "")
    else:
        _job_without_pod(draft, path, attempt, job)
    if not draft.ended(path):
        draft.wake(_look_at(draft.observed, path, attempt))


def _without_job(draft: Draft, path: str, attempt: AttemptStatus, problem: str) -> None:
    stopped = attempt.stopping or deadlines.why_not_started(draft, path)
    if stopped:
        # Another operator may have recorded it, and may create its Job for as long as its fence
        # lasts: closed before, the attempt would start after its end.
        launched = names.parse_timestamp(attempt.launched_at) or draft.observed.created_at
        if draft.now < (until := launched + timedelta(seconds=_FENCE)):
            draft.wake(until)
            return
        broken = Broken(known_reason(stopped), "stopped before it started", "", False)
        break_off(draft, path, attempt, broken)
        return
    _name_trouble(draft, path, Reason.LAUNCH_REJECTED, problem)
    if draft.now >= _queue_deadline(draft, path, attempt):
        status = draft.statuses[path]
        if status.reason == Reason.LAUNCH_REJECTED:
            text = problem or status.message or ""
            break_off(draft, path, attempt, Broken(Reason.LAUNCH_REJECTED, text, "", False))
            return
        # Nobody refused it: there was no operator or no API server to ask. Its time begins now.
        moment = names.timestamp(draft.now)
        draft.record_attempt(path, attempt.model_copy(update={"launched_at": moment}))
    inputs = resolve(draft, path)
    action = inputs if isinstance(inputs, Invalid) else prepare(draft, path, inputs, attempt)
    # The same evaluation succeeded when the attempt was recorded, and its data cannot change;
    # what it refers to can be gone by now, and come back.
    if isinstance(action, Launch):
        draft.after.append(action)
    elif isinstance(action, Missing):
        _name_trouble(draft, path, Reason.MISSING_REFERENCE, action.message)


def _job_without_pod(draft: Draft, path: str, attempt: AttemptStatus, job: JobFact) -> None:
    if attempt.stopping and (job.suspended or job.ended):
        text = draft.statuses[path].message or "stopped before it started"
        break_off(draft, path, attempt, Broken(known_reason(attempt.stopping), text, "", False))
    elif attempt.stopping:
        stop(draft, path, known_reason(attempt.stopping))
    elif job.ended and (found := kept.found(draft, path, attempt)):
        settle_as(draft, path, attempt, taken(found, draft.node(path).output_schema), draft.now)
    elif job.ended:
        break_off(
            draft, path, attempt, Broken(Reason.DISRUPTED, "its pod is gone without a result")
        )
    elif draft.now >= _queue_deadline(draft, path, attempt):
        _name_trouble(draft, path, Reason.POD_REJECTED, job.trouble or "no pod was created")
        stop(draft, path, Reason.POD_REJECTED)
    else:
        _name_trouble(draft, path, Reason.POD_REJECTED, job.trouble)
        draft.wake(_queue_deadline(draft, path, attempt))


def _watch_pods(draft: Draft, path: str, attempt: AttemptStatus, pods: list[PodFact]) -> None:
    node = draft.node(path)
    pod = next(p for p in pods if not p.over)
    if look := machines.look_at(draft.observed, pod):
        draft.wake(look)
    if attempt.stopping:
        stop(draft, path, known_reason(attempt.stopping))
    elif pod.started_at is None:
        deadline = _queue_deadline(draft, path, attempt)
        reason, late = never_started(pod), draft.now >= deadline
        _name_trouble(draft, path, reason, trouble_of(pod) or (idle_of(pod) if late else ""))
        if late and not pod.deleting:
            stop(draft, path, reason)
        else:
            draft.wake(deadline)
            if mounts.waits(pod):
                draft.wake(mounts.look_at(draft.observed, pod, attempt))
    else:
        if silent := machines.trouble(draft.observed, pod):
            _name_trouble(draft, path, Reason.NODE_LOST, silent)
        elif draft.statuses[path].reason:
            draft.change(path, reason=None, message=None)
        allowed = policy.timeout_of(draft.spec, node)
        if not node.container:
            allowed += policy.RUNNER_HEADSTART
        deadline = pod.started_at + timedelta(seconds=allowed)
        if pod.terminated:
            return  # its output is being carried out, for as long as the kubelet's grace
        if draft.now >= deadline and not pod.deleting:
            stop(draft, path, Reason.TIMEOUT)
        elif draft.now < deadline:
            draft.wake(deadline)


def _name_trouble(draft: Draft, path: str, reason: Reason, text: str) -> None:
    # The first text is kept while the reason stands: the kubelet alternates between a detailed
    # and a terse one, and each change would be a status write.
    if text and draft.statuses[path].reason != reason:
        draft.change(path, reason=str(reason), message=shorten(text, 1024))
        draft.note("Warning", str(reason), f"{path}: {text}")


def _queue_deadline(draft: Draft, path: str, attempt: AttemptStatus) -> datetime:
    launched = names.parse_timestamp(attempt.launched_at) or draft.observed.created_at
    return launched + timedelta(seconds=policy.queue_timeout_of(draft.spec, draft.node(path)))
