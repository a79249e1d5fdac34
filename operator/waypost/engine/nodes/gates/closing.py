"""Approvals for which no gate waits any longer: they are closed, also after the end of the run, so
that no person answers a question without effect (S86)."""

from datetime import timedelta
from typing import Final

from waypost.api.approval import ApprovalStatus
from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.engine.nodes.gates import escalation, of_items
from waypost.engine.nodes.gates.status import note_late_answer, write_status
from waypost.engine.nodes.gates.votes import count
from waypost.engine.state.transition import Transition
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.jobs import WriteProblem
from waypost.protocol.reasons import Reason

_SOON: Final = timedelta(seconds=1)
_AGAIN: Final = timedelta(seconds=10)
_AGAIN_AT_LAST: Final = timedelta(seconds=60)
_ENDED: Final = "its node ended before an answer was recorded"


def close_left_open(transition: Transition) -> None:
    """Close the open Approvals of gates that have ended, and those of earlier rounds.

    Their status could not be written in time, or another operator created them late. Of closed
    ones, say that a later decision has no effect.
    """
    if not transition.observed.approvals:
        return
    gates = {status.approval: status for status in transition.statuses.values() if status.approval}
    for fact in transition.observed.approvals.values():
        ours = fact.owner_uid == transition.observed.uid and not fact.deleting
        if not ours or fact.spec is None or fact.spec.subject != "gate":
            continue  # those of tool calls are closed by `nodes.calls`
        problem = transition.observed.write_problems.get(fact.name)
        tally = count(fact.spec)
        gate = gates.get(fact.name)
        waits = gate is not None and gate.phase not in FINAL_PHASES
        closed = _closed_as(transition, fact, gate)
        if fact.status.state != "Open":
            withdrawn = fact.status.expired or fact.status.state == "Withdrawn"
            if withdrawn and tally.decision is not None and problem is None:
                if waits:  # it ends in this pass, and the run perhaps with it
                    transition.requeue_at(transition.now + _SOON)
                else:
                    note_late_answer(transition, fact, tally.decision)
        elif closed is not None and problem is None:
            write_status(transition, fact, closed, tally)
        # This pass may still end a gate that waits, and the run with it.
        if problem is not None and (waits or closed is not None or fact.status.state != "Open"):
            _try_again(transition, problem)


def _closed_as(
    transition: Transition, fact: ApprovalFact, gate: NodeStatus | None
) -> ApprovalStatus | None:
    """The status with which an open Approval must be closed; None if its gate still waits, or if
    it is not that of the gate."""
    if gate is None and (outlived := escalation.outlived(transition, fact)) is not None:
        return outlived
    if gate is None and (asked_by := of_items.map_of(transition, fact)) is not None:
        return of_items.closed_as(transition, fact, asked_by)
    if gate is None:
        # One of this round may be newer than this copy of the status.
        old = fact.round < transition.observed.status.round
        return ApprovalStatus(state="Withdrawn") if old else None
    if gate.phase not in FINAL_PHASES or gate.reason == Reason.LAUNCH_REJECTED:
        return None
    if _ended_by_expiry(gate):
        return ApprovalStatus(state="Denied", expired=True)
    return ApprovalStatus(state="Withdrawn", reason=_ENDED)


def _ended_by_expiry(status: NodeStatus) -> bool:
    output = status.output if isinstance(status.output, dict) else {}
    return status.reason == Reason.APPROVAL_EXPIRED or output.get("expired") is True


def _try_again(transition: Transition, problem: WriteProblem) -> None:
    transition.requeue_at(transition.now + (_AGAIN_AT_LAST if problem.permanent else _AGAIN))
