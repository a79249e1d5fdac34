"""The stage of compensations: what is undone, when it begins, and what the conditions say about it.

A run that failed or was cancelled undoes its nodes before finally. Their compensations become
entries of the status in the write that records the verdict, so the graph of a pass has those only.
"""

from dataclasses import replace
from typing import Final

from waypost.api.changes import changed_run
from waypost.api.meta import Condition, ConditionReason, EventReason
from waypost.api.paths import NodePath, parse_path
from waypost.api.status import AgentWorkflowStatus, NodeStatus, Verdict
from waypost.compiler.graph import with_compensations
from waypost.engine.scheduling import clean_up
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.kube.conditions import Conditions
from waypost.kube.items import undone, undone_iterations
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_SHOWN: Final = 10


def with_recorded(observed: Observed) -> Observed:
    """The run with the compensations in its graph that its status has."""
    recorded = {s.path for s in observed.status.nodes if s.stage == "Compensating"}
    definition = observed.definition
    if not recorded or definition.spec is None:
        return observed
    graph = with_compensations(definition.spec, definition.graph, recorded)
    return replace(observed, definition=replace(definition, graph=graph))


def needed(transition: Transition) -> list[str]:
    """The nodes that must be undone, later ones first: those with a compensation that succeeded, or
    whose effect is unknown."""
    with_one = {node.undoes for node in transition.spec.compensations}
    return [
        name
        for name in reversed(transition.of_stage())
        if name in with_one and _took_effect(transition, name)
    ]


def begin(
    transition: Transition, status: AgentWorkflowStatus, verdict: Verdict, undone: list[str]
) -> AgentWorkflowStatus:
    """`status` with the verdict of the main nodes, with the stage, and with an entry for the
    compensation of each of the nodes `undone`."""
    text = f"{verdict.phase} ({verdict.reason}): {_listed(undone)} will be undone"
    transition.event("Normal", EventReason.COMPENSATION_BEGUN, text)
    entries = [_entry(transition, name) for name in undone]
    return changed_run(
        status,
        stage="Compensating",
        verdict=verdict,
        compensate_deadline_at=clean_up.end_of_stage(transition),
        nodes=[*status.nodes, *entries],
    )


def not_undone(transition: Transition) -> list[str]:
    """The nodes whose compensation has ended without success."""
    return [
        parse_path(status.path).node
        for status in _entries(transition)
        if status.phase in ("Failed", "Cancelled", "Skipped")
    ]


def explain(transition: Transition) -> str:
    """Which nodes were not undone, for the message of the run; empty if there are none."""
    left = not_undone(transition)
    return f"not undone: {_listed(left)}" if left else ""


def set_condition(transition: Transition, conditions: Conditions, *, finished: bool) -> None:
    """Set CompensationSucceeded, for a run with compensations."""
    kind = Condition.COMPENSATION_SUCCEEDED
    entries = _entries(transition)
    known = transition.spec.compensations or conditions.has(kind, "Unknown")
    if not entries and not known:
        return
    over = finished or transition.stage == "Finalizing"
    if not over and transition.stage == "Compensating":
        text = clean_up.explain_progress(transition)
        conditions.set(kind, "Unknown", reason=ConditionReason.COMPENSATING, message=text)
    elif not over:
        text = "compensations run if the run fails or is cancelled"
        conditions.set(kind, "Unknown", reason=ConditionReason.RUNNING, message=text)
    elif not entries:
        text = "no node had to be undone"
        reason = ConditionReason.NOTHING_TO_COMPENSATE
        conditions.set(kind, "True", reason=reason, message=text)
    elif failed := [status for status in entries if _has_failed(status)]:
        text = _explain_failures(transition, failed)
        reason = ConditionReason.COMPENSATION_FAILED
        conditions.set(kind, "False", reason=reason, message=text)
    elif left := not_undone(transition):
        text = f"skipFinally stopped compensation; not undone: {_listed(left)}"
        reason = ConditionReason.COMPENSATION_SKIPPED
        conditions.set(kind, "False", reason=reason, message=text)
    else:
        text = f"undone: {_listed([parse_path(status.path).node for status in entries])}"
        conditions.set(kind, "True", reason=ConditionReason.COMPLETED, message=text)


def _entries(transition: Transition) -> list[NodeStatus]:
    """The compensations of this round; those of later nodes come first."""
    paths = [path for path in transition.graph.order if path in transition.graph.compensations]
    return [transition.statuses[path] for path in reversed(paths)]


def _has_failed(status: NodeStatus) -> bool:
    """Whether a compensation failed, or the deadline stopped it; not if skipFinally did."""
    late = status.phase == "Cancelled" and status.reason == Reason.DEADLINE_EXCEEDED
    return status.phase == "Failed" or late


def _explain_failures(transition: Transition, failed: list[NodeStatus]) -> str:
    first = failed[0]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    text = shorten(f"{first.path}: {first.reason}: {first.message}", 512)
    return (
        f"{text}{more}; not undone: {_listed(not_undone(transition))}. Undo what they did by hand; "
        "a new round begins only if it names each node whose compensation has started, in "
        "rerun.from to run it again, in rerun.outputs or in rerun.skip"
    )


def _took_effect(transition: Transition, name: str) -> bool:
    status = transition.statuses[name]
    if transition.node(name).for_each is not None:
        return undone.took_effect(status)
    if transition.node(name).repeat is not None:
        return undone_iterations.took_effect(status)
    unknown = status.phase == "Failed" and status.reason == Reason.UNKNOWN_EFFECT
    return status.phase == "Succeeded" or unknown


def _entry(transition: Transition, name: str) -> NodeStatus:
    """A compensation that has not begun. Its attempts continue the count of earlier rounds, and its
    idempotency key is that of this round."""
    round_ = transition.observed.status.round
    return NodeStatus(
        path=str(NodePath(name, compensates=True)),
        stage="Compensating",
        phase="Pending",
        round=round_,
        repeats=(round_ - 1) or None,
        attempt=transition.statuses[name].undo_attempts,
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
