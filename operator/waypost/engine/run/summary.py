"""The summary in a status: conditions, phase, progress, and what the run waits for."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from waypost.api.changes import RunChanges, changed_node, changed_run
from waypost.api.kinds.approval import asked_at
from waypost.api.meta import Condition, ConditionReason, EventReason
from waypost.api.status import FINAL_PHASES, AgentWorkflowStatus, NodeStatus, RunPhase
from waypost.engine.memory import begin
from waypost.engine.nodes.calls.question import facts_of
from waypost.engine.nodes.event import awaited_text
from waypost.engine.rounds import replaced
from waypost.engine.run import children, compensating, finalizing, pausing
from waypost.engine.scheduling import clean_up
from waypost.engine.state.transition import Transition
from waypost.kube.conditions import Conditions
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

CANCELLED_IS_FINAL: Final = "a cancelled run is final: create a new one"
_WARNINGS_SHOWN: Final = 5
_ASKED: Final = 3  # questions that the condition AwaitingApproval lists
_EVENT_REASONS: Final = {
    "Succeeded": EventReason.RUN_SUCCEEDED,
    "Failed": EventReason.RUN_FAILED,
    "Cancelled": EventReason.RUN_CANCELLED,
}


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    cancelled: bool
    late: bool  # its deadline ended it
    failed: list[str]  # paths of failed nodes that fail the run
    tolerated: list[str]  # paths of other failed nodes, and of maps with failed items
    left_out: list[str] = field(default_factory=list)  # names of outputs without a source
    invalid_outputs: str = ""  # "REASON: message"; "" if the outputs are valid


class Ended(NamedTuple):
    """The result of a run."""

    phase: RunPhase
    reason: str
    message: str


def restamp(status: AgentWorkflowStatus, generation: int) -> AgentWorkflowStatus:
    """The status of a finished run whose spec changed in a field without effect (suspend, ttl)."""
    conditions = [
        c.model_copy(update={"observed_generation": generation}) for c in status.conditions
    ]
    return changed_run(status, observed_generation=generation, conditions=conditions)


def current_conditions(
    transition: Transition, status: AgentWorkflowStatus, *, finished: bool
) -> AgentWorkflowStatus:
    """`status` with its summary fields; unless `finished`, also with its conditions."""
    ended = len(transition.statuses.ended)
    if not transition.complete:
        ended = sum(1 for s in status.nodes if s.phase in FINAL_PHASES)
    changes: RunChanges = {
        "observed_generation": transition.observed.generation,
        "progress": f"{ended}/{len(status.nodes)}",
    }
    if finished:
        changes["waiting"] = None
        return changed_run(status, **changes)
    gates = _open_gates(transition)
    held = pausing.paused(transition)
    paused = pausing.explain(transition, held, status) if held else ""
    continues = not held or pausing.can_continue(transition, held)
    changes["waiting"] = _waiting(transition, gates) if continues else f"rerun/{held[0]}"
    changes["phase"] = _phase(transition) if continues else "Paused"
    conditions = _conditions(transition, status)
    reason = ConditionReason.RUNNING if continues else ConditionReason.PAUSED
    running = _message(transition) if continues else paused
    if transition.cleans_up:
        compensates = transition.stage == "Compensating"
        reason = ConditionReason.COMPENSATING if compensates else ConditionReason.FINALIZING
        running = "; ".join(filter(None, [clean_up.explain_progress(transition), running]))
    _accept(transition, conditions)
    conditions.set(Condition.SUCCEEDED, "Unknown", reason=reason, message=running)
    conditions.set(Condition.FINISHED, "False", reason=reason, message=running)
    conditions.set(Condition.RECONCILING, continues, reason=reason, message=running)
    compensating.set_condition(transition, conditions, finished=False)
    finalizing.set_condition(transition, conditions, finished=False)
    _stall(transition, conditions, paused)
    asked = [
        f"{gate.path}{_level(gate)}: {_how_to_answer(transition, gate)}" for gate in gates[:_ASKED]
    ]
    asked += children.questions(transition)
    _set_awaiting(conditions, "; ".join(asked[:_ASKED]))
    changes["conditions"] = conditions.items
    return changed_run(status, **changes)


def _stall(transition: Transition, conditions: Conditions, paused: str) -> None:
    """Set Stalled if the run or a child run waits for a person, while others may continue, and send
    one Event if it waits for a decision; `paused` says for which, "" if for none."""
    if paused:
        if not conditions.has(Condition.STALLED, "True"):
            transition.event("Warning", EventReason.RUN_PAUSED, paused)
        reason, text = str(ConditionReason.PAUSED), paused
    elif transition.needs_right:
        reason, text = str(Reason.READ_REJECTED), transition.needs_right
    elif transition.slots.rejected:
        reason, text = str(Reason.LAUNCH_REJECTED), transition.slots.message
    elif text := children.stalled(transition):
        reason = str(ConditionReason.PAUSED)
    else:
        reason = str(ConditionReason.RUNNING)
    conditions.set(Condition.STALLED, bool(text), reason=reason, message=text)


def final_conditions(
    transition: Transition, status: AgentWorkflowStatus, ended: Ended
) -> AgentWorkflowStatus:
    """`status` with the final conditions and phase of a run whose nodes have all ended."""
    phase, reason, message = ended
    good = phase == "Succeeded"
    message = "; ".join(filter(None, [message, compensating.explain(transition)]))
    conditions = _conditions(transition, status)
    _accept(transition, conditions)
    conditions.set(Condition.SUCCEEDED, good, reason=reason, message=message)
    conditions.set(Condition.FINISHED, "True", reason=reason, message=message)
    conditions.set(Condition.RECONCILING, "False", reason=reason, message="")
    stalled = "" if good else f"{message}; {_how_to_continue(transition, status)}"
    conditions.set(Condition.STALLED, not good, reason=reason, message=stalled)
    compensating.set_condition(transition, conditions, finished=True)
    finalizing.set_condition(transition, conditions, finished=True)
    _set_awaiting(conditions, "")
    transition.event("Normal" if good else "Warning", _EVENT_REASONS[phase], message)
    return changed_run(status, phase=phase, conditions=conditions.items)


def _conditions(transition: Transition, status: AgentWorkflowStatus) -> Conditions:
    generation = transition.observed.generation
    return Conditions(status.conditions, generation=generation, now=transition.now)


def _how_to_continue(transition: Transition, status: AgentWorkflowStatus) -> str:
    if transition.spec.cancel or transition.observed.status.cancelled_at:
        return CANCELLED_IS_FINAL
    return f"to continue from here: {pausing.next_round(transition, status)}"


def final_state(transition: Transition, result: Result) -> tuple[RunPhase, str, str]:
    """The verdict, unless finally or the outputs turn a success into a failure."""
    verdict = transition.observed.status.verdict
    if verdict is None:
        return main_state(transition, result)
    if verdict.phase == "Succeeded":
        if failed := finalizing.failures(transition):
            text = finalizing.explain_failures(transition, failed)
            return "Failed", ConditionReason.FINALLY_FAILED, _with_left_out(text, result)
        if result.invalid_outputs:
            return _invalid_outputs(result)
    if verdict.phase == "Cancelled":
        return verdict.phase, verdict.reason, verdict.message
    return verdict.phase, verdict.reason, _with_left_out(verdict.message, result)


def _invalid_outputs(result: Result) -> tuple[RunPhase, str, str]:
    reason, _, message = result.invalid_outputs.partition(": ")
    return "Failed", reason, message


def main_state(transition: Transition, result: Result) -> tuple[RunPhase, str, str]:
    """Phase, reason and message of a run whose main nodes have all ended."""
    if transition.slots.refusal is not None and not result.cancelled:
        refused, text = transition.slots.refusal
        return "Cancelled" if refused is Reason.SLOT_TAKEN else "Failed", str(refused), text
    if result.cancelled:
        return "Cancelled", ConditionReason.CANCELLED, "the run was cancelled"
    if result.late and set(result.failed) <= set(pausing.paused(transition)):
        return "Failed", str(Reason.DEADLINE_EXCEEDED), _with_left_out(_late(transition), result)
    if result.failed:
        path = result.failed[0]
        status = transition.statuses[path]
        more = f" (and {len(result.failed) - 1} more)" if len(result.failed) > 1 else ""
        text = f"{path} failed: {status.reason}: {status.message}{more}"
        return (
            "Failed",
            status.reason or ConditionReason.NODE_FAILED,
            _with_left_out(shorten(text, 1024), result),
        )
    if result.invalid_outputs:
        return _invalid_outputs(result)
    if result.tolerated:
        failures = "failure" if len(result.tolerated) == 1 else "failures"
        listed = ", ".join(result.tolerated[:10])
        text = f"{len(result.tolerated)} tolerated {failures}: {listed}"
        return "Succeeded", ConditionReason.COMPLETED_WITH_FAILURES, _with_left_out(text, result)
    return "Succeeded", ConditionReason.COMPLETED, _with_left_out("all nodes have ended", result)


def _late(transition: Transition) -> str:
    undone = [*pausing.paused(transition), *transition.of_stage("Cancelled")]
    listed = ", ".join(undone[:10]) + (", ..." if len(undone) > 10 else "")
    count = f"{len(undone)} of {len(transition.of_stage())} nodes"
    return (
        f"the run exceeded its deadline of {transition.spec.deadline}; {count} not done: {listed}"
    )


def _with_left_out(message: str, result: Result) -> str:
    if not result.left_out:
        return message
    return f"{message}; outputs without a source left out: {', '.join(result.left_out)}"


def _set_awaiting(conditions: Conditions, text: str) -> None:
    """Set AwaitingApproval; `text` says how to answer, and is empty when no gate is open."""
    reason = ConditionReason.AWAITING_APPROVAL if text else ConditionReason.NOTHING_TO_APPROVE
    conditions.set(Condition.AWAITING_APPROVAL, bool(text), reason=reason, message=text)


def _accept(transition: Transition, conditions: Conditions) -> None:
    if refused := transition.observed.definition.refused:
        conditions.set(
            Condition.ACCEPTED, "False", reason=ConditionReason.INVALID_SPEC, message=refused
        )
    else:
        conditions.set(
            Condition.ACCEPTED,
            "True",
            reason=ConditionReason.ACCEPTED,
            message=_accepted_message(transition),
        )


def _accepted_message(transition: Transition) -> str:
    definition = transition.observed.definition
    texts = ["the spec is valid"]
    if transition.observed.pruned:
        fields = ", ".join(transition.observed.pruned[:10])
        texts = [
            f"accepted without unknown fields that the API server dropped: {fields}; "
            "check their spelling (kubectl apply --validate=strict refuses them)"
        ]
    if transition.observed.tracked and transition.spec.ttl_seconds_after_finished is not None:
        texts.append(
            "ttlSecondsAfterFinished is not applied: Argo CD or Flux track this object and would "
            "create and run it again"
        )
    # Problems here are of a run that an earlier release accepted.
    warnings = [str(problem) for problem in (*definition.problems, *definition.warnings)]
    warnings = [*transition.observed.reserved, *warnings]
    texts += [f"warning: {warning}" for warning in warnings[:_WARNINGS_SHOWN]]
    if len(warnings) > _WARNINGS_SHOWN:
        texts.append(f"{len(warnings) - _WARNINGS_SHOWN} more warnings: `waypost lint` lists them")
    return ". ".join(texts)


def _open_gates(transition: Transition) -> list[NodeStatus]:
    """The nodes and the items that ask people."""
    waiting = (transition.statuses[path] for path in transition.in_phase("Waiting"))
    return [
        *(each for status in waiting for each in _questions_of(transition, status)),
        *transition.open_questions.values(),
    ]


def _questions_of(transition: Transition, status: NodeStatus) -> list[NodeStatus]:
    """A waiting node once for each question that it asks."""
    if transition.node(status.path).approval:
        return [status]
    if status.parked is None or status.approval is None:
        return []
    opened = (f.name for f in facts_of(transition, status.path) if f.status.state == "Open")
    others = sorted({*opened} - {status.approval})
    return [status, *(changed_node(status, approval=name) for name in others)]


def _phase(transition: Transition) -> RunPhase:
    if transition.slots.message:
        return "Waiting"
    if any(_has_pod(transition, path) for path in transition.in_phase("Running", "Superseding")):
        return "Running"
    if transition.spec.suspend:
        return "Suspended"
    if transition.in_phase("Backoff"):
        return "Running"
    waits = transition.in_phase("Waiting") or transition.open_questions
    return "Waiting" if waits else "Running"


def _has_pod(transition: Transition, path: str) -> bool:
    """Whether an attempt of a running node has not ended: all items of a map may be waiting."""
    items = transition.statuses[path].items
    return items is None or items.states is None or replaced.is_running(items)


def _waiting(transition: Transition, gates: list[NodeStatus]) -> str | None:
    if transition.slots.message:
        return shorten(transition.slots.message, 300)
    if gates:
        return f"approval/{gates[0].approval}"
    if waiting := children.waiting(transition):
        return waiting
    if transition.in_phase("Running", "Backoff"):
        return None
    texts = (_awaited(transition, path) for path in transition.in_phase("Waiting"))
    return next((shorten(text, 300) for text in texts if text), None)


def _awaited(transition: Transition, path: str) -> str:
    """What a waiting node waits for that asks nobody."""
    work, status = transition.node(path).event, transition.statuses[path]
    until = f"until {status.wake_at}" if status.wake_at else ""
    if work is None or status.event is None:
        return until
    return " ".join(filter(None, (awaited_text(work, status.event), until)))


def _message(transition: Transition) -> str:
    if transition.slots.message:
        return f"{Reason.WAITING_FOR_SLOT}: {transition.slots.message}"
    if waits := begin.waits_for(transition):
        return waits
    if transition.outputs_wait:
        return transition.outputs_wait
    if transition.spec.suspend:
        return "suspended: nothing new starts; set spec.suspend to false to continue"
    open_phases = ("Running", "Waiting", "Backoff", "Pending")
    known = transition.statuses.troubled
    troubled = [p for p in transition.in_phase(*open_phases) if p in known] if known else []
    if troubled:
        status = transition.statuses[troubled[0]]
        return shorten(f"{troubled[0]}: {status.reason}: {status.message}", 512)
    return children.message(transition)


def _level(gate: NodeStatus) -> str:
    return f" (escalation level {gate.level})" if gate.level else ""


def _how_to_answer(transition: Transition, status: NodeStatus) -> str:
    if status.reason:  # there is nothing to answer yet
        return f"{status.reason}: {status.message}"
    node = transition.node(status.path)
    asked = transition.observed.approvals.get(status.approval or "")
    known = asked.spec.approvers if asked is not None and asked.spec is not None else None
    approvers = known
    if node.approval is not None:
        approvers = asked_at(node.approval, status.level or 0).approvers
    answer, vote = "", '"decision":"Approved"'
    if node.approval is not None and node.approval.answer_schema is not None:
        answer, vote = " (ANSWER: JSON that meets answerSchema)", f'{vote},"answer":ANSWER'
    if approvers is not None and (approvers.required or 1) > 1:
        vote = f'"votes":{{"YOUR-USER-NAME":{{{vote}}}}}'
    else:
        vote = f'{vote},"decidedBy":"YOUR-USER-NAME"'
    return (
        f"kubectl patch approval {status.approval} -n {transition.observed.namespace} --type merge "
        f"""-p '{{"spec":{{{vote}}}}}'{answer}"""
    )
