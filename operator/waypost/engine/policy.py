"""Clocks and retries: the settings in force for a node, and what follows a broken attempt."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from waypost.api.agent import Effect
from waypost.api.base import parse_duration
from waypost.api.status import NodeStatus
from waypost.api.workflow import AgentWorkflowSpec, Node, Retry
from waypost.engine.outcomes import Broken
from waypost.protocol.reasons import Reason

DEFAULT_TIMEOUT: Final = 600.0
DEFAULT_QUEUE_TIMEOUT: Final = 600.0
DEFAULT_PARALLELISM: Final = 20
STOP_GRACE: Final = 30.0  # terminationGracePeriodSeconds of node pods
# The runner's own timer comes first; the operator's is there for a runner that hangs.
RUNNER_HEADSTART: Final = 5.0
MAX_DISRUPTIONS: Final = 5
MAX_PROVIDER_RETRIES: Final = 5  # of a provider that says it is busy
_LONGEST_WAIT: Final = 3600.0  # whatever a provider asks for

_NEVER_AGAIN: Final = frozenset(
    {
        Reason.INPUT_INVALID,
        Reason.INPUT_TOO_LARGE,
        Reason.LAUNCH_REJECTED,
        Reason.POD_REJECTED,
        Reason.IMAGE_PULL,
        Reason.UNSCHEDULABLE,
        Reason.MISSING_REFERENCE,
        Reason.CANCELLED,
        Reason.DEADLINE_EXCEEDED,
        Reason.BUDGET_EXCEEDED,
    }
)
_EFFECT_OF_METHOD: Final[dict[str, Effect]] = {
    "GET": "none",
    "HEAD": "none",
    "POST": "once",
    "PATCH": "once",
}
# With effect: once these leave it open whether the effect has happened.
_UNKNOWN: Final = frozenset({Reason.DISRUPTED, Reason.RESULT_LOST})


@dataclass(frozen=True)
class Retries:
    """The retry settings of a node with the run's defaults merged in, times in seconds."""

    limit: int
    initial: float
    factor: int
    max: float
    once: bool


@dataclass(frozen=True)
class Again:
    """Start another attempt after `delay`; the counters as they will then stand."""

    delay: timedelta
    retries: int
    disruptions: int
    provider_retries: int


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
    """What running the node twice would do (semantics.md, "Side effects")."""
    if node.effect is not None:
        return node.effect
    if node.http is None:
        return "idempotent"
    return _EFFECT_OF_METHOD.get(node.http.method or "GET", "idempotent")


def retries_of(spec: AgentWorkflowSpec, node: Node) -> Retries:
    """Retry settings in force: the node's fields over the run's defaults (semantics row 18)."""
    own = node.retry or Retry()
    base = (spec.defaults and spec.defaults.retry) or Retry()
    never = own.never if own.never is not None else own.limit is None and base.never
    limit = own.limit if own.limit is not None else base.limit

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
    )


def after_break(
    *, retries: Retries, status: NodeStatus, broken: Broken, seed: str
) -> Again | GiveUp:
    """What follows a broken attempt. `seed` (run, path, attempt) spreads the waits of nodes that
    failed together; a hash, so that the answer is the same after a crash."""
    used = status.retries or 0
    disrupted = status.disruptions or 0
    busy = status.provider_retries or 0
    if broken.reason in _NEVER_AGAIN:
        return GiveUp(broken.reason, broken.message)
    if retries.once and broken.started:
        if broken.reason in _UNKNOWN:
            text = f"{broken.message}; it may have taken effect, and effect: once forbids to repeat"
            return GiveUp(Reason.UNKNOWN_EFFECT, text)
        return GiveUp(broken.reason, broken.message)
    if broken.reason == Reason.DISRUPTED:
        if disrupted < MAX_DISRUPTIONS:
            return Again(_spread(2.0**disrupted, seed), used, disrupted + 1, busy)
        text = f"{broken.message}; disrupted {disrupted + 1} times, the limit is {MAX_DISRUPTIONS}"
        return GiveUp(Reason.DISRUPTED, text)
    if broken.reason == Reason.RATE_LIMITED and busy < MAX_PROVIDER_RETRIES:
        wait = min(max(5.0 * 2**busy, broken.report.retry_after or 0.0), _LONGEST_WAIT)
        return Again(_spread(wait, seed), used, disrupted, busy + 1)
    if used < retries.limit:
        wait = min(retries.initial * retries.factor**used, retries.max)
        return Again(_spread(wait, seed), used + 1, disrupted, busy)
    return GiveUp(broken.reason, broken.message)


def _spread(seconds: float, seed: str) -> timedelta:
    fraction = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32
    return timedelta(seconds=round(seconds * (1.0 + 0.2 * fraction), 3))
