"""Clocks and retries: the settings in force for a node, and what follows a broken attempt."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, get_args

from waypost.api.agent import Effect
from waypost.api.base import parse_duration
from waypost.api.status import NodeStatus
from waypost.api.workflow import AgentWorkflowSpec, Node, RetriedReason, Retry
from waypost.engine.outcomes import Broken
from waypost.protocol.reasons import Reason

DEFAULT_TIMEOUT: Final = 600.0
DEFAULT_QUEUE_TIMEOUT: Final = 600.0
DEFAULT_PARALLELISM: Final = 20
STOP_GRACE: Final = 30.0  # terminationGracePeriodSeconds of node pods
# The runner's own timer comes first; the operator's is there for a runner that hangs.
RUNNER_HEADSTART: Final = 5.0
MAX_DISRUPTIONS: Final = 5
MAX_LAUNCH_RETRIES: Final = 2  # of a pod that did not start within queueTimeout
MAX_PROVIDER_RETRIES: Final = 5  # of a provider that asks to wait
_LONGEST_WAIT: Final = 3600.0  # whatever a provider asks for

USER_REASONS: Final = frozenset(Reason(name) for name in get_args(RetriedReason))
_LAUNCH_REASONS: Final = frozenset({Reason.UNSCHEDULABLE, Reason.IMAGE_PULL, Reason.POD_REJECTED})
_CLUSTER_REASONS: Final = frozenset({Reason.DISRUPTED, Reason.NODE_LOST})
_EFFECT_OF_METHOD: Final[dict[str, Effect]] = {
    "GET": "none",
    "HEAD": "none",
    "POST": "once",
    "PATCH": "once",
}
# With effect: once these leave it open whether the effect has happened.
_UNKNOWN: Final = _CLUSTER_REASONS | {Reason.RESULT_LOST}


class Budget(StrEnum):
    """What another attempt is counted against: the counter of that name in the node's status."""

    USER = "retries"  # retry.limit
    PROVIDER = "provider_retries"
    CLUSTER = "disruptions"
    LAUNCH = "launch_retries"


@dataclass(frozen=True)
class Retries:
    """The retry settings of a node with the run's defaults merged in, times in seconds."""

    limit: int
    initial: float
    factor: int
    max: float
    once: bool
    reasons: frozenset[Reason] | None = None  # those that are tried again; None: all


@dataclass(frozen=True)
class Again:
    """Start another attempt after `delay`; the counter of `budget` then stands at `count`."""

    delay: timedelta
    budget: Budget
    count: int


@dataclass(frozen=True)
class GiveUp:
    """No further attempt: the node has failed."""

    reason: Reason
    message: str


def timeout_of(spec: AgentWorkflowSpec, node: Node) -> float:
    """Seconds one attempt may run."""
    text = node.timeout or (spec.defaults and spec.defaults.timeout)
    return parse_duration(text) if text else DEFAULT_TIMEOUT


def queue_timeout_of(spec: AgentWorkflowSpec, node: Node) -> float:
    """Seconds from launch to the start of the container."""
    text = node.queue_timeout or (spec.defaults and spec.defaults.queue_timeout)
    return parse_duration(text) if text else DEFAULT_QUEUE_TIMEOUT


def effect_of(node: Node) -> Effect:
    """What running the node twice would do (S53)."""
    if node.effect is not None:
        return node.effect
    if node.http is None:
        return "idempotent"
    return _EFFECT_OF_METHOD.get(node.http.method or "GET", "idempotent")


def retries_of(spec: AgentWorkflowSpec, node: Node) -> Retries:
    """Retry settings in force: the node's fields over the run's defaults (S50)."""
    own = node.retry or Retry()
    base = (spec.defaults and spec.defaults.retry) or Retry()
    never = own.never if own.never is not None else own.limit is None and base.never
    limit = own.limit if own.limit is not None else base.limit
    reasons = own.reasons if own.reasons is not None else base.reasons

    def backoff(name: str, fallback: str) -> str:
        for source in (own.backoff, base.backoff):
            value = getattr(source, name) if source else None
            if value is not None:
                return str(value)
        return fallback

    return Retries(
        limit=0 if never else (limit or 0),
        initial=parse_duration(backoff("initial", "1s")),
        factor=int(backoff("factor", "2")),
        max=parse_duration(backoff("max", "5m")),
        once=bool(never) or effect_of(node) == "once",
        reasons=None if reasons is None else frozenset(Reason(name) for name in reasons),
    )


def budget_of(broken: Broken) -> Budget | None:
    """What another attempt after this one would be counted against; None when none may follow:
    it would end the same way, or has had a clock of its own."""
    asked_to_wait = broken.report.retry_after is not None
    if broken.reason is Reason.RATE_LIMITED or (
        broken.reason is Reason.PROVIDER_ERROR and asked_to_wait
    ):
        return Budget.PROVIDER
    if broken.reason in _CLUSTER_REASONS:
        return Budget.CLUSTER
    if broken.reason in _LAUNCH_REASONS:
        return Budget.LAUNCH
    return Budget.USER if broken.reason in USER_REASONS else None


def after_break(
    *, retries: Retries, status: NodeStatus, broken: Broken, seed: str
) -> Again | GiveUp:
    """What follows a broken attempt. `seed` (run, path, attempt) spreads the waits of nodes that
    failed together; a hash, so that the answer is the same after a crash."""
    budget = budget_of(broken)
    if budget is None:
        return GiveUp(broken.reason, broken.message)
    if retries.once and broken.started:
        if broken.reason in _UNKNOWN:
            text = f"{broken.message}; it may have taken effect, and effect: once forbids to repeat"
            return GiveUp(Reason.UNKNOWN_EFFECT, text)
        return GiveUp(broken.reason, broken.message)
    used = _used(status, budget)
    if budget is Budget.CLUSTER:
        if used < MAX_DISRUPTIONS:
            return Again(_spread(2.0**used, seed), budget, used + 1)
        text = f"{broken.message}; disrupted {used + 1} times, the limit is {MAX_DISRUPTIONS}"
        return GiveUp(broken.reason, text)
    if budget is Budget.LAUNCH:
        if used < MAX_LAUNCH_RETRIES:
            return Again(_spread(10.0 * 2**used, seed), budget, used + 1)
        return GiveUp(broken.reason, f"{broken.message}; launched {used + 1} times in vain")
    asked = min(broken.report.retry_after or 0.0, _LONGEST_WAIT)
    if budget is Budget.PROVIDER and used < MAX_PROVIDER_RETRIES:
        return Again(_spread(max(5.0 * 2**used, asked), seed), budget, used + 1)
    return _by_the_user(retries, status=status, broken=broken, asked=asked, seed=seed)


def _by_the_user(
    retries: Retries, *, status: NodeStatus, broken: Broken, asked: float, seed: str
) -> Again | GiveUp:
    used = _used(status, Budget.USER)
    if used >= retries.limit:
        return GiveUp(broken.reason, broken.message)
    if retries.reasons is not None and broken.reason not in retries.reasons:
        listed = ", ".join(sorted(retries.reasons))
        return GiveUp(broken.reason, f"{broken.message}; retry.reasons has only {listed}")
    wait = min(retries.initial * retries.factor**used, retries.max)
    return Again(_spread(max(wait, asked), seed), Budget.USER, used + 1)


def _used(status: NodeStatus, budget: Budget) -> int:
    used: int | None = getattr(status, budget)
    return used or 0


def _spread(seconds: float, seed: str) -> timedelta:
    fraction = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32
    return timedelta(seconds=round(seconds * (1.0 + 0.2 * fraction), 3))
