"""Timeouts, retries, effect and isolation of a node: its own fields, else the run's defaults."""

from dataclasses import dataclass
from typing import Final

from waypost.api.base import Effect, parse_duration
from waypost.api.effects.retry import ExitCodes, Retry
from waypost.api.isolation.model import Isolation, merged
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.table import compiler_kind
from waypost.protocol.reasons import Reason

DEFAULT_TIMEOUT: Final = 600.0  # seconds
DEFAULT_QUEUE_TIMEOUT: Final = 600.0  # seconds
DEFAULT_PARALLELISM: Final = 20


@dataclass(frozen=True)
class Retries:
    """The retry settings of a node merged over the run's defaults. Times are in seconds."""

    limit: int
    initial: float
    factor: int
    max: float
    once: bool
    reasons: frozenset[Reason] | None = None  # the reasons that are retried; None: all
    exit_codes: ExitCodes | None = None


def timeout_of(spec: AgentWorkflowSpec, node: Node) -> float:
    """How many seconds one attempt may run."""
    text = node.timeout or (spec.defaults and spec.defaults.timeout)
    return parse_duration(text) if text else DEFAULT_TIMEOUT


def queue_timeout_of(spec: AgentWorkflowSpec, node: Node) -> float:
    """How many seconds an attempt may take from launch to the start of its container."""
    text = node.queue_timeout or (spec.defaults and spec.defaults.queue_timeout)
    return parse_duration(text) if text else DEFAULT_QUEUE_TIMEOUT


def effect_of(node: Node) -> Effect:
    """The effect of running the node twice (S53)."""
    if node.effect is not None:
        return node.effect
    return compiler_kind(node).effect(node)


def isolation_of(spec: AgentWorkflowSpec, node: Node) -> Isolation:
    """The isolation of a node with a pod (S370)."""
    return merged(spec.defaults.isolation if spec.defaults else None, node.isolation)


def retries_of(spec: AgentWorkflowSpec, node: Node) -> Retries:
    """The retry settings of a node: its own fields, else the run's defaults (S50)."""
    own = node.retry or Retry()
    base = (spec.defaults and spec.defaults.retry) or Retry()
    never = own.never if own.never is not None else own.limit is None and base.never
    limit = own.limit if own.limit is not None else base.limit
    reasons = own.reasons if own.reasons is not None else base.reasons

    codes = own.exit_codes or base.exit_codes

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
        exit_codes=codes if compiler_kind(node).has_exit_codes else None,
    )
