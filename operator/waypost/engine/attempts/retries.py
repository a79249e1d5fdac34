"""What follows a failed attempt: another one after a pause, or the failure of the node."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, get_args

from waypost.api.status import NodeStatus
from waypost.api.workflow import RetriedReason
from waypost.compiler.node_settings import Retries
from waypost.engine.state.outcome import Failed
from waypost.kube.jitter import jittered
from waypost.protocol.reasons import Reason

MAX_DISRUPTIONS: Final = 5
MAX_LAUNCH_RETRIES: Final = 2  # of a pod that did not start within queueTimeout
MAX_PROVIDER_RETRIES: Final = 5  # of a provider that asks to wait
_LONGEST_WAIT: Final = 3600.0  # whatever a provider asks for

USER_REASONS: Final = frozenset(Reason(name) for name in get_args(RetriedReason))
_LAUNCH_REASONS: Final = frozenset({Reason.UNSCHEDULABLE, Reason.IMAGE_PULL, Reason.POD_REJECTED})
_CLUSTER_REASONS: Final = frozenset({Reason.DISRUPTED, Reason.NODE_LOST})
# With effect: once these leave it open whether the effect has happened.
_UNKNOWN: Final = _CLUSTER_REASONS | {Reason.RESULT_LOST}


class RetryClass(StrEnum):
    """What another attempt is counted against: the counter of that name in the node's status."""

    USER = "retries"  # retry.limit
    PROVIDER = "provider_retries"
    CLUSTER = "disruptions"
    LAUNCH = "launch_retries"


@dataclass(frozen=True)
class Again:
    """Start another attempt after `delay`; the counter of `budget` then stands at `count`."""

    delay: timedelta
    budget: RetryClass
    count: int


@dataclass(frozen=True)
class GiveUp:
    """No further attempt: the node has failed."""

    reason: Reason
    message: str


def retry_class_of(broken: Failed) -> RetryClass | None:
    """What another attempt after this one would be counted against; None when none may follow:
    it would end the same way, or has had a clock of its own."""
    if broken.lasting:
        return None
    asked_to_wait = broken.report.retry_after is not None
    if broken.reason is Reason.RATE_LIMITED or (
        broken.reason is Reason.PROVIDER_ERROR and asked_to_wait
    ):
        return RetryClass.PROVIDER
    if broken.reason in _CLUSTER_REASONS:
        return RetryClass.CLUSTER
    if broken.reason in _LAUNCH_REASONS:
        return RetryClass.LAUNCH
    return RetryClass.USER if broken.reason in USER_REASONS else None


def after_failure(
    *, retries: Retries, status: NodeStatus, broken: Failed, seed: str
) -> Again | GiveUp:
    """What follows a broken attempt. `seed` (run, path, attempt) spreads the waits of nodes that
    failed together; a hash, so that the answer is the same after a crash."""
    budget = retry_class_of(broken)
    if budget is None:
        return GiveUp(broken.reason, broken.message)
    if retries.once and broken.started:
        if broken.reason in _UNKNOWN:
            rule = "it may have taken effect, and effect: once does not allow a second attempt"
            text = f"{broken.message}; {rule}"
            return GiveUp(Reason.UNKNOWN_EFFECT, text)
        return GiveUp(broken.reason, broken.message)
    used = _used(status, budget)
    if budget is RetryClass.CLUSTER:
        if used < MAX_DISRUPTIONS:
            return Again(_delay(2.0**used, seed), budget, used + 1)
        text = f"{broken.message}; disrupted {used + 1} times, the limit is {MAX_DISRUPTIONS}"
        return GiveUp(broken.reason, text)
    if budget is RetryClass.LAUNCH:
        if used < MAX_LAUNCH_RETRIES:
            return Again(_delay(10.0 * 2**used, seed), budget, used + 1)
        return GiveUp(broken.reason, f"{broken.message}; gave up after {used + 1} launches")
    asked = min(broken.report.retry_after or 0.0, _LONGEST_WAIT)
    if budget is RetryClass.PROVIDER and used < MAX_PROVIDER_RETRIES:
        return Again(_delay(max(5.0 * 2**used, asked), seed), budget, used + 1)
    return _by_the_user(retries, status=status, broken=broken, asked=asked, seed=seed)


def _by_the_user(
    retries: Retries, *, status: NodeStatus, broken: Failed, asked: float, seed: str
) -> Again | GiveUp:
    used = _used(status, RetryClass.USER)
    if used >= retries.limit:
        return GiveUp(broken.reason, broken.message)
    if barred := _barred(retries, broken):
        return GiveUp(broken.reason, f"{broken.message}; {barred}")
    wait = min(retries.initial * retries.factor**used, retries.max)
    return Again(_delay(max(wait, asked), seed), RetryClass.USER, used + 1)


def _barred(retries: Retries, broken: Failed) -> str:
    """Why the user's own settings allow no retry of this failure; "" if they do (S49)."""
    codes, code = retries.exit_codes, broken.exit_code
    if codes is not None and code is not None:
        if codes.retry is not None:
            listed = ", ".join(map(str, sorted(codes.retry)))
            return "" if code in codes.retry else f"retry.exitCodes.retry has only {listed}"
        if code in (codes.fail or []):
            return f"retry.exitCodes.fail has {code}"
    if retries.reasons is not None and broken.reason not in retries.reasons:
        return f"retry.reasons has only {', '.join(sorted(retries.reasons))}"
    return ""


def _used(status: NodeStatus, budget: RetryClass) -> int:
    used: int | None = getattr(status, budget)
    return used or 0


def _delay(seconds: float, seed: str) -> timedelta:
    return jittered(seconds, seed=seed, spread=0.2)
