"""The status of an Approval: how a decision, an expiry or a withdrawal is recorded in it."""

from waypost.api import meta
from waypost.api.approval import ApprovalStatus
from waypost.api.meta import ConditionReason
from waypost.engine.nodes.gates import policy
from waypost.engine.nodes.gates.votes import Tally
from waypost.engine.state.decision import SettleApproval
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.admission.guard import SETTLED
from waypost.kube.conditions import Conditions
from waypost.kube.facts.approvals import ApprovalFact


def write_status(
    transition: Transition, fact: ApprovalFact, status: ApprovalStatus, tally: Tally
) -> None:
    """Write the Approval's status if it has changed."""
    conditions = Conditions(fact.status.conditions, generation=fact.generation, now=transition.now)
    if tally.problem:
        conditions.set(
            meta.Condition.ANSWER_VALID,
            False,
            reason=ConditionReason.ANSWER_INVALID,
            message=tally.problem,
        )
    elif conditions.has(meta.Condition.ANSWER_VALID):
        conditions.set(
            meta.Condition.ANSWER_VALID,
            True,
            reason=ConditionReason.ANSWER_VALID,
            message="the answer meets answerSchema",
        )
    if status.state in ("Approved", "Denied") and not status.expired:
        _note_identity(conditions, status.decided_by, policy.doubt(transition.observed, fact))
    elif tally.unverified:
        reason = ConditionReason.IDENTITY_DECLARED
        text = tally.unverified
        conditions.set(meta.Condition.IDENTITY_VERIFIED, False, reason=reason, message=text)
    if status.expired:
        conditions.set(
            meta.Condition.EXPIRED,
            True,
            reason=ConditionReason.EXPIRED,
            message="no answer in time",
        )
    decided_at = status.decided_at
    if status.state != "Open":
        decided_at = timestamps.timestamp(transition.now)
    mark = ""
    if status.state == "Open":
        mark = policy.new_mark(transition.observed, fact)
        if policy.is_settling(transition.observed, fact):
            transition.requeue_at(transition.now + SETTLED)
    settled = status.model_copy(
        update={
            "conditions": conditions.items,
            "votes": tally.tally,
            "decided_at": decided_at,
            "guard": mark or fact.status.guard,
        }
    )
    _settle(transition, fact, settled)


def _note_identity(conditions: Conditions, name: str | None, doubt: str) -> None:
    """Say who answered, and whether the API server has compared the name with the user (S604)."""
    if name and not doubt:
        reason = ConditionReason.IDENTITY_VERIFIED
        text = f"the API server has checked the name of the approver: {name}"
    elif name:
        reason = ConditionReason.IDENTITY_DECLARED
        text = f"declared by the approver: {name}; not verified: {doubt}"
    else:
        reason = ConditionReason.IDENTITY_ABSENT
        text = "authorized by the API server, identity not recorded"
    verified = reason == ConditionReason.IDENTITY_VERIFIED
    conditions.set(meta.Condition.IDENTITY_VERIFIED, verified, reason=reason, message=text)


def note_late_answer(transition: Transition, fact: ApprovalFact, decision: str) -> None:
    """Say in a closed Approval that a decision came too late; what is recorded stays."""
    recorded = fact.status
    how = "expired" if recorded.expired else f"closed as {recorded.state}"
    at = f" at {recorded.decided_at}" if recorded.decided_at else ""
    conditions = Conditions(recorded.conditions, generation=fact.generation, now=transition.now)
    conditions.set(
        meta.Condition.ANSWER_VALID,
        False,
        reason=ConditionReason.TOO_LATE,
        message=f"the question was {how}{at}: this decision ({decision}) has no effect",
    )
    _settle(transition, fact, recorded.model_copy(update={"conditions": conditions.items}))


def _settle(transition: Transition, fact: ApprovalFact, status: ApprovalStatus) -> None:
    if status != fact.status:
        transition.before.append(
            SettleApproval(name=fact.name, resource_version=fact.resource_version, status=status)
        )
