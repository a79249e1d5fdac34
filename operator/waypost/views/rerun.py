"""What a new round would do, before it is requested: the decision of the operator's own rules."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from waypost.api.base import JsonObject
from waypost.api.kinds.table import kind_of
from waypost.api.state.usage import Usage
from waypost.api.status import NodeStatus
from waypost.compiler.definition import Definition
from waypost.compiler.node_settings import effect_of
from waypost.compiler.problems import Problem
from waypost.engine.memory.refresh import reads_again
from waypost.engine.rounds import begin
from waypost.engine.run.deferred_round import is_deferred
from waypost.engine.state.observed import Observed
from waypost.views.documents import RerunPreview, RoundCost, RoundMemory, RoundNode
from waypost.views.observed import observed_run

_KEPT = ("Reused", "Adopted", "Given", "SkippedByUser")


def rerun_preview(run: JsonObject, definition: Definition, *, now: datetime) -> RerunPreview:
    """What the round does that `spec.rerun` of this run requests.

    Args:
        run: The AgentWorkflow object with the requested `spec.rerun`, as it would be stored.
        definition: The definition that this spec has.
        now: The time.

    Raises:
        CannotShow: The status cannot be read.
    """
    observed = observed_run(run, definition, now=now)
    before, requested = observed.status, _requested(run)
    problems = definition.problems or _cancelled(run) or begin.problems(observed)
    preview = RerunPreview(
        name=observed.name,
        namespace=observed.namespace,
        round=requested,
        after_cleanup=True if is_deferred(observed) else None,
        memory=_memory(observed),
        problems=[str(problem) for problem in problems],
        cost=RoundCost(),
    )
    if problems or not begin.is_requested(observed):
        return preview
    known = {status.path: status for status in before.nodes}
    begun = begin.begin_round(observed, now)
    nodes = [_node(observed, status, known.get(status.path)) for status in begun.status.nodes]
    return preview.model_copy(update={"nodes": nodes, "cost": round_cost(nodes, known)})


def _requested(run: JsonObject) -> int:
    rerun = (run.get("spec") or {}).get("rerun") or {}
    number = rerun.get("round")
    return number if isinstance(number, int) else 0


def _cancelled(run: JsonObject) -> tuple[Problem, ...]:
    """The API server refuses a round of a cancelled run, also of one that had ended before."""
    if (run.get("spec") or {}).get("cancel") is not True:
        return ()
    return (Problem("rerun.round", "the run was cancelled, which is final; create a new run"),)


def _memory(observed: Observed) -> RoundMemory | None:
    """What the run has read of its memory, and whether the round reads it again."""
    known = observed.status.memory
    if known is None or observed.spec is None or observed.spec.memory is None:
        return None
    return RoundMemory(
        scope=known.scope,
        key=known.key,
        episodes=known.episodes,
        facts=known.facts,
        refresh=reads_again(observed),
    )


def _node(observed: Observed, status: NodeStatus, before: NodeStatus | None) -> RoundNode:
    node = observed.definition.graph.nodes[status.path]
    latest = before.open_attempt if before is not None else None
    stopped = status.phase == "Superseding" and (before is None or before.phase != "Superseding")
    return RoundNode(
        path=status.path,
        kind=kind_of(node).name,
        action=_action(status),
        phase=before.phase if before is not None else "Pending",
        disposition=status.disposition,
        message=status.disposition_message,
        effect=effect_of(node),
        stops=(latest.job if latest is not None else before.path) if stopped and before else None,
    )


def _action(status: NodeStatus) -> str:
    """What happens to the node, in one of the words of RoundNode."""
    if status.disposition == "SkippedByUser":
        return "skip"
    if status.disposition in _KEPT:
        return "keep"
    return "run"


def round_cost(nodes: list[RoundNode], known: Mapping[str, NodeStatus]) -> RoundCost:
    """What the nodes that run used when they last ran."""
    calls = tokens = 0
    dollars = Decimal(0)
    estimated = False
    unknown = []
    for node in nodes:
        if node.action != "run":
            continue
        used = _last_usage(known.get(node.path))
        if used is None:
            if node.kind in ("agent", "workflow"):
                unknown.append(node.path)
            continue
        calls += used.model_calls or 0
        tokens += (used.input_tokens or 0) + (used.output_tokens or 0)
        dollars += Decimal(used.cost_usd or 0)
        estimated = estimated or bool(used.estimated_model_calls)
    return RoundCost(
        model_calls=calls,
        total_tokens=tokens,
        costUSD=f"{dollars:f}" if dollars else None,
        estimated=True if estimated else None,
        unknown=unknown,
    )


def _last_usage(status: NodeStatus | None) -> Usage | None:
    """What the last attempt used that reported it; of a map or a loop all attempts together."""
    if status is None:
        return None
    if status.items is not None or status.loop is not None or status.child is not None:
        return status.usage
    reported = [attempt.usage for attempt in status.attempts or () if attempt.usage is not None]
    return reported[-1] if reported else status.usage
