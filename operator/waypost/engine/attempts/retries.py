"""What follows a failed attempt: another one after a pause, or the failure of the node."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, get_args

from waypost.api.changes import NodeChanges
from waypost.api.effects.retry import RetriedReason
from waypost.api.status import NodeStatus
from waypost.compiler.node_settings import Retries
from waypost.engine.state.outcome import Failed
from waypost.kube.jitter import jittered
from waypost.protocol.reasons import Reason

MAX_DISRUPTIONS: Final = 5
MAX_LAUNCH_RETRIES: Final = 2  # of a pod that did not start within queueTimeout
MAX_PROVIDER_RETRIES: Final = 5  # of requests that a provider retry_after to repeat later
KEY_WAIT: Final = 60.0  # seconds between two looks for a key that does not exist
_LONGEST_WAIT: Final = 3600.0  # seconds; an upper limit on the Retry-After of a provider

USER_REASONS: Final = frozenset(Reason(name) for name in get_args(RetriedReason))
_LAUNCH_REASONS: Final = frozenset(
    {
        Reason.UNSCHEDULABLE,
        Reason.IMAGE_PULL,
        Reason.POD_REJECTED,
        Reason.ISOLATION_UNVERIFIED,
    }
)
_CLUSTER_REASONS: Final = frozenset(
    {Reason.DISRUPTED, Reason.NODE_LOST, Reason.SLOT_TAKEN, Reason.PREEMPTED}
)
# After these it is unknown whether a node with `effect: once` has taken effect.
_UNKNOWN: Final = _CLUSTER_REASONS | {Reason.RESULT_LOST, Reason.CONTAINER_RESTARTED}


class RetryClass(StrEnum):
    """What another attempt counts against; the value is the name of the counter in NodeStatus."""

    USER = "retries"  # retry.limit
    PROVIDER = "provider_retries"
    CLUSTER = "disruptions"
    LAUNCH = "launch_retries"


@dataclass(frozen=True)
class Again:
    """Start another attempt after `delay`, and set the counter of `retry_class` to `count`."""

    delay: timedelta
    retry_class: RetryClass
    count: int


@dataclass(frozen=True)
class GiveUp:
    """No further attempt: the node has failed."""

    reason: Reason
    message: str


def retry_class_of(failure: Failed) -> RetryClass | None:
    """What another attempt would count against; None if no other attempt may follow, because it
    would fail in the same way or its reason is never retried."""
    if failure.lasting:
        return None
    has_retry_after = failure.report.retry_after is not None
    if failure.reason in (Reason.RATE_LIMITED, Reason.KEY_MISSING) or (
        failure.reason is Reason.PROVIDER_ERROR and has_retry_after
    ):
        return RetryClass.PROVIDER
    if failure.reason in _CLUSTER_REASONS:
        return RetryClass.CLUSTER
    if failure.reason in _LAUNCH_REASONS:
        return RetryClass.LAUNCH
    as_failed = failure.reason in USER_REASONS or failure.reason is Reason.CONTAINER_RESTARTED
    return RetryClass.USER if as_failed else None


def counter(retry_class: RetryClass, count: int) -> NodeChanges:
    """The change of a node's status by which a retry of this class is counted."""
    match retry_class:
        case RetryClass.USER:
            return {"retries": count}
        case RetryClass.PROVIDER:
            return {"provider_retries": count}
        case RetryClass.CLUSTER:
            return {"disruptions": count}
        case RetryClass.LAUNCH:
            return {"launch_retries": count}


def after_failure(
    *, retries: Retries, status: NodeStatus, failure: Failed, seed: str
) -> Again | GiveUp:
    """What follows a failed attempt.

    Args:
        retries: The retry policy of the node.
        status: The status of the node, with the counters of its retries.
        failure: How the attempt failed.
        seed: Identifies run, path and attempt. Its hash spreads the delays of nodes that failed
            together, and gives the same delay after a crash.
    """
    retry_class = retry_class_of(failure)
    if retry_class is None:
        return GiveUp(failure.reason, failure.message)
    if retries.once and failure.started and not failure.idle:
        if failure.reason in _UNKNOWN:
            rule = "it may have taken effect, and effect: once does not allow a second attempt"
            text = f"{failure.message}; {rule}"
            return GiveUp(Reason.UNKNOWN_EFFECT, text)
        return GiveUp(failure.reason, failure.message)
    used = _used(status, retry_class)
    if failure.reason is Reason.PREEMPTED:  # as often as its queue does: that has its own limits
        return Again(_delay(1.0, seed), retry_class, used)
    if failure.reason is Reason.KEY_MISSING:  # until a person creates it: no retry is used (S638)
        return Again(_delay(KEY_WAIT, seed), retry_class, used)
    if retry_class is RetryClass.CLUSTER:
        if used < MAX_DISRUPTIONS:
            return Again(_delay(2.0**used, seed), retry_class, used + 1)
        text = f"{failure.message}; disrupted {used + 1} times, the limit is {MAX_DISRUPTIONS}"
        return GiveUp(failure.reason, text)
    if retry_class is RetryClass.LAUNCH:
        if used < MAX_LAUNCH_RETRIES:
            return Again(_delay(10.0 * 2**used, seed), retry_class, used + 1)
        return GiveUp(failure.reason, f"{failure.message}; gave up after {used + 1} launches")
    retry_after = min(failure.report.retry_after or 0.0, _LONGEST_WAIT)
    if retry_class is RetryClass.PROVIDER and used < MAX_PROVIDER_RETRIES:
        return Again(_delay(max(5.0 * 2**used, retry_after), seed), retry_class, used + 1)
    return _user_retry(retries, status=status, failure=failure, retry_after=retry_after, seed=seed)


def _user_retry(
    retries: Retries, *, status: NodeStatus, failure: Failed, retry_after: float, seed: str
) -> Again | GiveUp:
    used = _used(status, RetryClass.USER)
    if used >= retries.limit:
        return GiveUp(failure.reason, failure.message)
    if obstacle := _obstacle(retries, failure):
        return GiveUp(failure.reason, f"{failure.message}; {obstacle}")
    wait = min(retries.initial * retries.factor**used, retries.max)
    return Again(_delay(max(wait, retry_after), seed), RetryClass.USER, used + 1)


def _obstacle(retries: Retries, failure: Failed) -> str:
    """Why the user's own settings allow no retry of this failure; "" if they do (S49)."""
    codes, code = retries.exit_codes, failure.exit_code
    if codes is not None and code is not None:
        if codes.retry is not None:
            listed = ", ".join(map(str, sorted(codes.retry)))
            return "" if code in codes.retry else f"retry.exitCodes.retry has only {listed}"
        if code in (codes.fail or []):
            return f"retry.exitCodes.fail has {code}"
    if retries.reasons is not None and failure.reason not in retries.reasons:
        return f"retry.reasons has only {', '.join(sorted(retries.reasons))}"
    return ""


def _used(status: NodeStatus, retry_class: RetryClass) -> int:
    used: int | None = getattr(status, retry_class)
    return used or 0


def _delay(seconds: float, seed: str) -> timedelta:
    return jittered(seconds, seed=seed, spread=0.2)
