"""Retries that have an effect: reasons and exit codes that nothing would ever read are refused."""

from collections.abc import Iterator
from typing import Final

from waypost.api.effects.retry import ExitCodes, Retry
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.node_settings import Retries, retries_of
from waypost.compiler.problems import Problem
from waypost.protocol.reasons import Reason

_NO_ATTEMPT: Final = "has no effect without extra attempts; set retry.limit, or remove this"
_ONCE: Final = (
    "has no effect with effect: once, as a program that ended with an exit code has started, and "
    "is not started again; remove this, or set effect: idempotent or none"
)


def retry_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Problems of the retries of all nodes, and of defaults (S49, S52)."""
    merged = [(node, retries_of(spec, node)) for node in spec.all_nodes]
    for node, retries in merged:
        own = node.retry or Retry()
        if own.reasons and not retries.limit:
            yield Problem(f"{node.place}.retry.reasons", _NO_ATTEMPT)
        if own.exit_codes:
            place = f"{node.place}.retry.exitCodes"
            yield from _exactly_one(place, own.exit_codes)
            if not compiler_kind(node).has_exit_codes:
                yield Problem(place, "is only used with container; use retry.reasons")
            elif text := _idle(own.exit_codes, retries):
                yield Problem(place, text)
    base = (spec.defaults and spec.defaults.retry) or Retry()
    if spec.templates:
        return  # the nodes of local templates may use defaults
    if base.reasons and not any((base.limit, *(retries.limit for _, retries in merged))):
        yield Problem("defaults.retry.reasons", _NO_ATTEMPT)
    if base.exit_codes:
        able = [retries for node, retries in merged if compiler_kind(node).has_exit_codes]
        yield from _defaults(base.exit_codes, able)


def _defaults(codes: ExitCodes, able: list[Retries]) -> Iterator[Problem]:
    """`able`: the retries of the nodes whose programs have an exit code."""
    place = "defaults.retry.exitCodes"
    yield from _exactly_one(place, codes)
    if not able:
        yield Problem(place, "is only used with container, and no node is one; remove it")
    elif all(texts := [_idle(codes, retries) for retries in able]):
        yield Problem(place, texts[0])


def _idle(codes: ExitCodes, retries: Retries) -> str:
    """Why these exit codes decide nothing in a node with these retries; "" if they do."""
    if not retries.limit:
        return _NO_ATTEMPT
    if retries.once:
        return _ONCE
    if codes.fail and retries.reasons is not None and Reason.NODE_ERROR not in retries.reasons:
        listed = ", ".join(sorted(retries.reasons))
        return (
            f"fail has no effect, as retry.reasons ({listed}) has no NodeError: no exit code is "
            "retried; add NodeError to retry.reasons, or remove this"
        )
    return ""


def _exactly_one(place: str, codes: ExitCodes) -> Iterator[Problem]:
    if (codes.retry is None) == (codes.fail is None):
        yield Problem(place, "expected exactly one of retry, fail")
