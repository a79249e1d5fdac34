"""How a run ends: wind down after a failure or a cancel, outputs, final conditions."""

from dataclasses import replace
from datetime import timedelta

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.changes import RunChanges, changed_run
from waypost.api.checkpoints import by_path, checkpoint_of
from waypost.api.status import AgentWorkflowStatus
from waypost.compiler import on_failure
from waypost.compiler.definition import inputs_changed
from waypost.engine.attempts import stop
from waypost.engine.items import advance as items
from waypost.engine.memory import closing
from waypost.engine.nodes.children import leftovers, patches
from waypost.engine.nodes.table import engine_kind
from waypost.engine.rounds import unknown_nodes
from waypost.engine.rounds.begin import is_requested
from waypost.engine.run import compensating, finalizing, pausing, summary
from waypost.engine.run.closing import closing_reason, failures_before
from waypost.engine.run.status_size import trim
from waypost.engine.scheduling import archiving, clean_up, deadlines
from waypost.engine.scheduling.unread import unread_by_outputs
from waypost.engine.slots import of_run as slot_of_run
from waypost.engine.slots import take as slots
from waypost.engine.state.decision import Decision, DeleteRun, PatchChild, ReleasePod
from waypost.engine.state.observed import Observed
from waypost.engine.state.parked import asks_people
from waypost.engine.state.transition import IN_POD, Transition, is_finished
from waypost.engine.state.usage import of_run, of_stored
from waypost.expressions.estimates.cost import Budget
from waypost.expressions.templates import RenderError, references_in, render_json
from waypost.kube import timestamps
from waypost.protocol import ijson, schema
from waypost.protocol.reasons import Reason

OUTPUTS_LIMIT = 32 * 1024
_LOOK_AGAIN = 5.0  # seconds until what keeps a run from its end, or its deletion, is checked again


def enforce_deadlines(transition: Transition) -> None:
    """Stop the attempts of nodes whose deadline has passed, then end the nodes; requeue for the
    deadlines to come."""
    for path in transition.in_phase("Pending", "Running", "Backoff"):
        if path not in transition.statuses.timed:
            continue
        at = deadlines.of_node(transition, path)
        if at is None:
            continue
        if transition.now < at:
            transition.requeue_at(at)
        elif transition.statuses[path].phase == "Running":
            _stop(transition, path, Reason.DEADLINE_EXCEEDED)
        else:
            status = transition.statuses[path]
            trouble = f"{status.reason}: {status.message}" if status.reason else ""
            deadlines.end(transition, path, detail=trouble)
    at = deadlines.of_run(transition)
    if at is not None and transition.now < at:
        transition.requeue_at(at)


def wind_down(transition: Transition, reason: Reason) -> None:
    """End all nodes that have not started, for `reason` (S40 and S81).

    After a failure, running attempts finish and are recorded; after a cancel and at the run's
    deadline they are stopped. `nodes.approval` withdraws open gates.
    """
    causes = failures_before(transition)
    cancelled = "skipFinally is true" if transition.cleans_up else "the run was cancelled"
    for path in transition.of_stage("Pending", "Backoff", "Waiting"):
        status = transition.statuses[path]
        if asks_people(transition, path):
            transition.requeue_at(transition.now + timedelta(seconds=1))
        elif reason is Reason.CANCELLED:
            transition.end(path, "Cancelled", Reason.CANCELLED, cancelled)
        elif reason is Reason.DEADLINE_EXCEEDED:
            deadlines.end(transition, path)
        elif transition.slots.refusal is not None:
            transition.end(path, "Cancelled", reason, transition.slots.refusal[1])
        elif status.phase == "Pending" and path in causes:
            blame = f"{', '.join(sorted(causes[path]))} failed"
            transition.end(path, "Skipped", Reason.DEPENDENCY_FAILED, blame)
        else:
            transition.end(path, "Cancelled", Reason.CANCELLED, "another node failed the run")
    if reason in (Reason.CANCELLED, Reason.DEADLINE_EXCEEDED):
        for path in transition.of_stage("Running"):
            _stop(transition, path, reason)
    else:
        for path in transition.in_phase("Running"):
            if path in transition.maps:
                items.let_end(transition, path, Reason.CANCELLED)


def _stop(transition: Transition, path: str, reason: Reason) -> None:
    if path in transition.maps:
        items.stop_all(transition, path, reason)
        return
    stop_child = engine_kind(transition.node(path)).stop
    if stop_child is not None:
        stop_child(transition, path, reason)
        return
    attempt = transition.statuses[path].open_attempt
    if attempt is not None and attempt.stopping is None:
        stop.stop(transition, path, reason)


def build_decision(transition: Transition) -> Decision:
    """The complete next status, in which the run has finished if all its nodes have ended."""
    status = with_nodes(transition)
    if not is_finished(transition.observed.status):
        following = _following(transition, status)
        finished = following is None
        if following is not None:
            status = following
        elif _outputs_wait(transition):
            finished = False
        else:
            status, finished = _end(transition, status)
        status = summary.current_conditions(transition, status, finished=finished)
        status = archiving.without_older_end(transition, status)
    elif status.observed_generation != transition.observed.generation:
        status = summary.restamp(status, transition.observed.generation)
    transition.after += _expire(transition, status)
    if status == transition.observed.status:  # then what was computed from it counts
        status = transition.observed.status
    return Decision(
        status=trim(status),
        before=tuple(transition.before),
        after=tuple(transition.after),
        events=tuple(transition.events),
        refusals=tuple(transition.refusals),
        traces=dict(transition.traces),
        ended_items=tuple(transition.ended_items),
        entries_stored=tuple(transition.entries_stored),
        callers=dict(transition.callers),
        escalated=tuple(transition.escalated),
        requeue_at=min(transition.timers, default=None),
        slots=slots.decided(transition),
    )


def _following(transition: Transition, status: AgentWorkflowStatus) -> AgentWorkflowStatus | None:
    """The status of a run that continues: in its stage, or in the next one; None if it ends."""
    if closing.end_of(transition) is not None:
        return None
    return _with_next_stage(transition, status) if _stage_is_over(transition) else status


def _with_next_stage(
    transition: Transition, status: AgentWorkflowStatus
) -> AgentWorkflowStatus | None:
    """`status` at the beginning of the next stage; None if the run has none left."""
    verdict = status.verdict
    if transition.stage == "Main":
        phase, reason, message = summary.main_state(transition, _result(transition))
        verdict = clean_up.verdict_of(transition, phase=phase, reason=reason, message=message)
        undone = [] if phase == "Succeeded" else compensating.needed(transition)
        if undone:
            return compensating.begin(transition, status, verdict, undone)
    if transition.stage == "Finalizing" or not transition.graph.finally_nodes:
        return None
    assert verdict is not None, "recorded at the end of the main nodes"
    return finalizing.begin(transition, status, verdict)


def _stage_is_over(transition: Transition) -> bool:
    """Whether all nodes of the stage have ended and nothing waits for a person. A node of finally
    may still stop an attempt that a round has superseded."""
    ended = transition.graph.stages[transition.stage].keys() <= transition.statuses.ended
    if not ended or (not transition.cleans_up and transition.in_phase(*IN_POD)):
        return False
    if leftovers.undone(transition):
        return False
    return closing_reason(transition) is not None or not pausing.paused(transition)


def _outputs_wait(transition: Transition) -> bool:
    """Whether the outputs of the run need a NodeRecord that cannot be read, and nothing ends the
    run without them."""
    problem = unread_by_outputs(transition)
    if problem is None or closing.end_of(transition) is not None:
        return False
    cut = transition.is_cancelled or bool(transition.observed.status.cancelled_at)
    cut = cut or deadlines.run_over(transition)
    if cut and problem.lasts_long(transition.now):
        return False
    if cut:
        transition.requeue_at(transition.now + timedelta(seconds=_LOOK_AGAIN))
    if problem.is_shown(transition.now):
        transition.outputs_wait = f"outputs: {Reason.READ_REJECTED}: {problem.text}"
        if problem.permanent:
            transition.needs_right = transition.outputs_wait
    return True


def release_all(observed: Observed) -> tuple[ReleasePod | PatchChild, ...]:
    """Release all pods of a run that is being deleted, or whose parent is; it starts and writes
    nothing. Without a parent that reads its end, the run itself is released too."""
    pods = tuple(ReleasePod(name=p.name, uid=p.uid) for p in observed.pods if p.held)
    parent, ours = observed.parent, meta.FINALIZER_CHILD in observed.finalizers
    if not ours or (parent is not None and parent.ours and not parent.gone):
        return pods
    return (*pods, patches.release_itself(observed))


def release_closed(observed: Observed) -> tuple[ReleasePod | PatchChild, ...]:
    """Release the pods whose attempts have ended, and the child runs that have, of a finished run
    with a rejected spec.

    Others may belong to a round that has begun since this copy of the run was read.
    """
    nodes = by_path(observed.status.nodes)
    pods = tuple(
        ReleasePod(name=pod.name, uid=pod.uid)
        for pod in observed.pods
        if pod.held
        and (checkpoint := checkpoint_of(nodes, pod.path))
        and checkpoint.has_closed(pod.attempt)
    )
    return (*pods, *patches.releases(observed))


def with_nodes(transition: Transition) -> AgentWorkflowStatus:
    """The status before the pass, with its nodes as they are now, and what follows from them."""
    before = transition.observed.status
    nodes = before.nodes
    if transition.statuses.changed or not transition.complete:
        nodes = [*transition.node_statuses, *unknown_nodes.kept(transition)]
    changes: RunChanges = {
        "nodes": nodes,
        "started_at": before.started_at or timestamps.timestamp(transition.now),
    }
    if before.inputs is None and inputs_changed(transition.observed.definition):
        shown = transition.observed.definition.inputs
        if len(ijson.canonical(shown)) <= 8 * 1024:
            changes["inputs"] = shown
    if transition.slots.of_run is not None:
        changes["slot"] = transition.slots.of_run
    if before.stage is None and (transition.graph.finally_nodes or transition.spec.compensations):
        changes["stage"] = "Main"
    if before.phase == "Rejected":  # corrected since
        changes["finished_at"] = None
    changes["usage"] = of_stored(before) if nodes is before.nodes else of_run(before, nodes)
    changes["isolation"] = list(transition.isolation) or None
    if transition.spec.cancel and not before.cancelled_at and not is_finished(before):
        changes["cancelled_at"] = timestamps.timestamp(transition.now)
    return changed_run(before, **changes)


def _end(transition: Transition, status: AgentWorkflowStatus) -> tuple[AgentWorkflowStatus, bool]:
    """The status of a run that ends, and whether it has ended: what it remembers comes first."""
    end = closing.end_of(transition)
    if end is None:
        result, outputs = _evaluated(transition)
        phase, reason, message = summary.final_state(transition, result)
        ended = summary.Ended(phase, reason, message)
        if closing.record(transition, phase=phase, reason=reason, message=message):
            return _remembering(transition, status, outputs), False
        kept = transition.observed.status
        status = changed_run(status, memory=kept.memory, conditions=kept.conditions)
        return _finish(transition, status, ended, outputs), True
    if not closing.is_written(transition):
        return status, False
    ended = summary.Ended(end.phase, end.reason, end.message)
    return _finish(transition, status, ended, status.outputs or {}), True


def _remembering(
    transition: Transition, status: AgentWorkflowStatus, outputs: JsonObject
) -> AgentWorkflowStatus:
    """The status of a run that has ended but for what it remembers."""
    kept = transition.observed.status
    return changed_run(
        status, memory=kept.memory, conditions=kept.conditions, outputs=outputs or None
    )


def _evaluated(transition: Transition) -> tuple[summary.Result, JsonObject]:
    """How the nodes have ended, and the outputs of the run."""
    outputs, left_out = _outputs(transition)
    result = _result(transition)
    result = replace(
        result, left_out=left_out, invalid_outputs=_invalid_outputs(transition, outputs)
    )
    return result, {} if result.invalid_outputs else outputs


def _finish(
    transition: Transition, status: AgentWorkflowStatus, ended: summary.Ended, outputs: JsonObject
) -> AgentWorkflowStatus:
    changes: RunChanges = {"finished_at": timestamps.timestamp(transition.now)}
    if (slot := slot_of_run.freed(transition)) is not None:
        changes["slot"] = slot
    if outputs:
        changes["outputs"] = outputs
    if is_requested(transition.observed):  # the next round waited for finally
        transition.requeue_at(transition.now)
    return summary.final_conditions(transition, changed_run(status, **changes), ended)


def _result(transition: Transition) -> summary.Result:
    """How the nodes of the stage ended, without the outputs of the run."""
    closing, failed = closing_reason(transition), transition.of_stage("Failed")
    return summary.Result(
        cancelled=closing is Reason.CANCELLED,
        late=closing is Reason.DEADLINE_EXCEEDED,
        failed=_failed(transition),
        tolerated=[path for path in failed if on_failure.tolerates(transition.node(path))]
        + [
            path for path in transition.of_stage("Succeeded") if _has_failed_items(transition, path)
        ],
    )


def _has_failed_items(transition: Transition, path: str) -> bool:
    """Whether items of a map that succeeded have failed."""
    items = transition.statuses[path].items
    return items is not None and bool(items.failed)


def _failed(transition: Transition) -> list[str]:
    """The failed nodes of the stage whose failure is not tolerated."""
    failed = transition.of_stage("Failed")
    return [path for path in failed if not on_failure.tolerates(transition.node(path))]


def _has_failed(transition: Transition) -> bool:
    """Whether a main node has failed the run: then it ends with what its outputs can read (S43)."""
    verdict = transition.observed.status.verdict
    return bool(_failed(transition)) if verdict is None else verdict.phase == "Failed"


def _outputs(transition: Transition) -> tuple[JsonObject, list[str]]:
    """The outputs of the run, and the names of those that were left out because their source is
    missing (S43). Each output is evaluated separately."""
    outputs: JsonObject = {}
    left_out: list[str] = []
    view = transition.context(_referenced(transition))
    budget = Budget.of_many()
    for key, template in (transition.spec.outputs or {}).items():
        value = render_json({key: template}, view, budget)
        if isinstance(value, RenderError):
            left_out.append(f"{key} ({value.message})")
        elif isinstance(value, dict) and key in value:
            outputs[key] = value[key]
        else:
            left_out.append(key)
    return outputs, left_out


def _referenced(transition: Transition) -> set[str]:
    return {reference.node for reference in references_in(transition.spec.outputs or {})}


def _invalid_outputs(transition: Transition, outputs: JsonObject) -> str:
    unread = unread_by_outputs(transition)
    if unread and deadlines.run_over(transition) and not _has_failed(transition):
        return f"{Reason.DEADLINE_EXCEEDED}: the outputs cannot be evaluated: {unread.text}"
    size = len(ijson.canonical(outputs))
    if size > OUTPUTS_LIMIT:
        return f"{Reason.OUTPUT_TOO_LARGE}: outputs have {size} bytes, the limit is {OUTPUTS_LIMIT}"
    verdict = transition.observed.status.verdict
    good = closing_reason(transition) is None if verdict is None else verdict.phase == "Succeeded"
    if transition.spec.output_schema is None or not good:
        return ""
    violations = schema.validate(transition.spec.output_schema, outputs)
    listed = "; ".join(str(v) for v in violations)
    return f"{Reason.OUTPUT_INVALID}: outputs do not meet outputSchema: {listed}" if listed else ""


def _expire(transition: Transition, status: AgentWorkflowStatus) -> list[DeleteRun]:
    ttl = transition.spec.ttl_seconds_after_finished
    finished = timestamps.parse_timestamp(status.finished_at)
    if ttl is None or finished is None or transition.observed.tracked:
        return []
    due = finished + timedelta(seconds=ttl)
    if transition.observed.keep_until is not None:
        due = max(due, transition.observed.keep_until)
    if transition.now < due:
        transition.requeue_at(due)
        return []
    # The run must exist as long as one of its pods or child runs has a finalizer.
    observed = transition.observed
    held = any(p.held for p in observed.pods) or any(c.held for c in observed.children.values())
    if held:  # a release can fail
        transition.requeue_at(transition.now + timedelta(seconds=_LOOK_AGAIN))
        return []
    if archiving.waits(transition, status):
        return []
    return [DeleteRun()]
