"""How a run ends: closing down after a failure or a cancel, outputs, the last conditions."""

from datetime import timedelta

from waypost.api.base import JsonObject
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.compiler import on_failure
from waypost.compiler.definition import inputs_changed
from waypost.engine import attempts, deadlines, pausing, summary
from waypost.engine.bounds import fit
from waypost.engine.draft import Draft, has_closed
from waypost.engine.model import Decision, DeleteRun, Observed, ReleasePod
from waypost.engine.state import visible
from waypost.engine.usage import total
from waypost.expressions.cost import Budget
from waypost.expressions.templates import RenderError, references_in, render_json
from waypost.kube import timestamps
from waypost.protocol import ijson, schema
from waypost.protocol.reasons import Reason

OUTPUTS_LIMIT = 32 * 1024


def closing_reason(draft: Draft) -> Reason | None:
    """Why nothing new may start: the run was cancelled, its deadline has passed, or a node failed
    that must not. One that waits for a person does not close the run."""
    if draft.spec.cancel or draft.observed.status.cancelled_at:
        return Reason.CANCELLED
    if deadlines.run_over(draft) and _is_cut_short(draft):
        return Reason.DEADLINE_EXCEEDED
    for path in draft.in_phase("Failed"):
        node = draft.node(path)
        if not on_failure.tolerates(node) and not on_failure.pauses(node):
            return Reason.DEPENDENCY_FAILED
    return None


def _is_cut_short(draft: Draft) -> bool:
    """Whether a deadline that has passed makes a difference: not if all was done before."""
    undone = any(not draft.ended(path) for path in draft.graph.order)
    return undone or bool(draft.in_phase("Cancelled")) or bool(pausing.paused(draft))


def end_overdue(draft: Draft) -> None:
    """End nodes whose deadline has passed, their attempts first; wake for those to come."""
    for path in draft.in_phase("Pending", "Running", "Backoff"):
        at = deadlines.of_node(draft, path)
        if at is None:
            continue
        if draft.now < at:
            draft.wake(at)
        elif draft.statuses[path].phase == "Running":
            _stop(draft, path, Reason.DEADLINE_EXCEEDED)
        else:
            status = draft.statuses[path]
            trouble = f"{status.reason}: {status.message}" if status.reason else ""
            deadlines.end(draft, path, detail=trouble)
    at = deadlines.of_run(draft)
    if at is not None and draft.now < at:
        draft.wake(at)


def close(draft: Draft, reason: Reason) -> None:
    """Semantics rows 3 and 27. After a failure running attempts finish and are recorded; after a
    cancel, and at the run's deadline, they are stopped. Gates are withdrawn where they are
    settled."""
    failed = {p for p in draft.in_phase("Failed") if not on_failure.tolerates(draft.node(p))}
    doomed = {name for path in failed for name in draft.graph.downstream(path)}
    for path in draft.in_phase("Pending", "Backoff", "Waiting"):
        status = draft.statuses[path]
        if status.phase == "Waiting" and draft.node(path).approval:
            draft.wake(draft.now + timedelta(seconds=1))
        elif reason is Reason.CANCELLED:
            draft.end(path, "Cancelled", Reason.CANCELLED, "the run was cancelled")
        elif reason is Reason.DEADLINE_EXCEEDED:
            deadlines.end(draft, path)
        elif status.phase == "Pending" and path in doomed:
            draft.end(path, "Skipped", Reason.DEPENDENCY_FAILED, _blame(draft, path, failed))
        else:
            draft.end(path, "Cancelled", Reason.CANCELLED, "another node failed the run")
    if reason in (Reason.CANCELLED, Reason.DEADLINE_EXCEEDED):
        for path in draft.in_phase("Running"):
            _stop(draft, path, reason)


def _stop(draft: Draft, path: str, reason: Reason) -> None:
    attempt = draft.current_attempt(path)
    if attempt is not None and attempt.stopping is None:
        attempts.stop(draft, path, reason)


def conclude(draft: Draft) -> Decision:
    """The whole next status, with the run ended if all its nodes have."""
    status = _with_nodes(draft)
    if not summary.is_finished(draft.observed.status):
        finished = all(draft.ended(path) for path in draft.graph.order) and (
            closing_reason(draft) is not None or not pausing.paused(draft)
        )
        if finished:
            status = _finish(draft, status)
        status = summary.describe(draft, status, finished=finished)
    elif status.observed_generation != draft.observed.generation:
        status = summary.restamp(status, draft.observed.generation)
    draft.after += _expire(draft, status)
    return Decision(
        status=fit(status),
        before=tuple(draft.before),
        after=tuple(draft.after),
        notes=tuple(draft.notes),
        refusals=tuple(draft.refusals),
        traces=dict(draft.traces),
        requeue_at=min(draft.timers, default=None),
    )


def release_all(observed: Observed) -> tuple[ReleasePod, ...]:
    """A run that is being deleted starts nothing and writes nothing; it only lets go."""
    return tuple(ReleasePod(name=p.name, uid=p.uid) for p in observed.pods if p.held)


def release_closed(observed: Observed) -> tuple[ReleasePod, ...]:
    """What a run that stands still lets go: pods whose attempts have ended. Others may be of a
    round that has begun since this copy of the run was read."""
    known = {status.path: status for status in observed.status.nodes}
    return tuple(
        ReleasePod(name=pod.name, uid=pod.uid)
        for pod in observed.pods
        if pod.held and pod.path in known and has_closed(known[pod.path], pod)
    )


def records_wanted(observed: Observed, known: dict[str, NodeStatus]) -> set[str]:
    """NodeRecords that the run's outputs refer to, once nothing but the last nodes is open."""
    spec, graph = observed.spec, observed.definition.graph
    if spec is None or not spec.outputs:
        return set()
    wanted = set()
    for reference in references_in(spec.outputs):
        status = known.get(reference.node)
        record = visible.record_of(graph.nodes[reference.node], status) if status else None
        if record:
            wanted.add(record)
    return wanted


def _blame(draft: Draft, path: str, failed: set[str]) -> str:
    causes = sorted(name for name in failed if path in draft.graph.downstream(name))
    return f"{', '.join(causes)} failed"


def _with_nodes(draft: Draft) -> AgentWorkflowStatus:
    before = draft.observed.status
    changes: JsonObject = {
        "nodes": list(draft.statuses.values()),
        "started_at": before.started_at or timestamps.timestamp(draft.now),
    }
    if before.inputs is None and inputs_changed(draft.observed.definition):
        shown = draft.observed.definition.inputs
        if len(ijson.canonical(shown)) <= 8 * 1024:
            changes["inputs"] = shown
    if before.phase == "Rejected":  # corrected since
        changes["finished_at"] = None
    changes["usage"] = total(
        (before.retired_usage, *(status.usage for status in draft.statuses.values()))
    )
    if draft.spec.cancel and not before.cancelled_at and not summary.is_finished(before):
        changes["cancelled_at"] = timestamps.timestamp(draft.now)
    return before.model_copy(update=changes)


def _finish(draft: Draft, status: AgentWorkflowStatus) -> AgentWorkflowStatus:
    outputs, left_out = _outputs(draft)
    result = summary.Result(
        cancelled=closing_reason(draft) is Reason.CANCELLED,
        late=closing_reason(draft) is Reason.DEADLINE_EXCEEDED,
        failed=[p for p in draft.in_phase("Failed") if not on_failure.tolerates(draft.node(p))],
        tolerated=[p for p in draft.in_phase("Failed") if on_failure.tolerates(draft.node(p))],
        left_out=left_out,
        broken_outputs=_broken_outputs(draft, outputs),
    )
    if result.broken_outputs:
        outputs = {}
    changes: JsonObject = {"finished_at": timestamps.timestamp(draft.now)}
    if outputs:
        changes["outputs"] = outputs
    return summary.conclude(draft, status.model_copy(update=changes), result)


def _outputs(draft: Draft) -> tuple[JsonObject, list[str]]:
    """Each output by itself: one whose source is missing is left out and named (row 25)."""
    outputs: JsonObject = {}
    left_out: list[str] = []
    view = draft.view(_referenced(draft))
    budget = Budget.of_many()
    for key, template in (draft.spec.outputs or {}).items():
        value = render_json({key: template}, view, budget)
        if isinstance(value, RenderError):
            left_out.append(f"{key} ({value.message})")
        elif isinstance(value, dict) and key in value:
            outputs[key] = value[key]
        else:
            left_out.append(key)
    return outputs, left_out


def _referenced(draft: Draft) -> set[str]:
    return {reference.node for reference in references_in(draft.spec.outputs or {})}


def _broken_outputs(draft: Draft, outputs: JsonObject) -> str:
    size = len(ijson.canonical(outputs))
    if size > OUTPUTS_LIMIT:
        return f"{Reason.OUTPUT_TOO_LARGE}: outputs take {size} bytes, the limit is {OUTPUTS_LIMIT}"
    if draft.spec.output_schema is None or closing_reason(draft) is not None:
        return ""
    violations = schema.validate(draft.spec.output_schema, outputs)
    listed = "; ".join(str(v) for v in violations)
    return f"{Reason.OUTPUT_INVALID}: outputs do not meet outputSchema: {listed}" if listed else ""


def _expire(draft: Draft, status: AgentWorkflowStatus) -> list[DeleteRun]:
    ttl = draft.spec.ttl_seconds_after_finished
    finished = timestamps.parse_timestamp(status.finished_at)
    if ttl is None or finished is None or draft.observed.tracked:
        return []
    due = finished + timedelta(seconds=ttl)
    if draft.now < due:
        draft.wake(due)
        return []
    # The object must not go while a pod still holds its finalizer for it.
    return [] if any(p.held for p in draft.observed.pods) else [DeleteRun()]
