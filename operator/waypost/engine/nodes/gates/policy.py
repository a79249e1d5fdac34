"""What the admission policy on Approvals says of questions and answers (S604 to S606).

A question has a mark of the policy that was in force when it was asked. If the policy is the same
when its answer is recorded, it was in force in between, whichever operator looked. A question that
has no answer when the policy has changed, as by an upgrade of the chart, is marked again (S766).
"""

from typing import Final

from waypost.api import meta
from waypost.engine.state.observed import Observed
from waypost.kube.admission.guard import Guard
from waypost.kube.facts.approvals import ApprovalFact, is_answered

_ASKED_AGAIN: Final = "delete the Approval, and its question is asked again"


def annotations(observed: Observed) -> dict[str, str]:
    """The mark of the policy on a new question; {} if none is in force."""
    guard = observed.guard
    in_force = guard is not None and guard.seal and not guard.recent
    return {meta.ANNOTATION_GUARD: guard.seal} if guard is not None and in_force else {}


def cannot_ask(observed: Observed) -> str:
    """In strict mode, why nothing is asked now: no answer could count. "" if it can be asked."""
    if not observed.strict_approvals or annotations(observed):
        return ""
    why = "no admission policy on Approvals is installed"
    if observed.guard is not None:
        why = observed.guard.problem or "the policy on Approvals was changed a moment ago"
    return f"approvals.mode is Strict: {why}"


def needs_look(observed: Observed) -> bool:
    """Whether the policy must be read because an answer may be recorded in this pass, or a question
    may be marked again."""
    guard = observed.guard
    return (
        guard is not None
        and not guard.fresh
        and any(
            fact.status.state == "Open" and fact.spec is not None and not fact.deleting
            for fact in observed.approvals.values()
            if fact.owner_uid == observed.uid
            and (fact.answered_at is not None or _is_outdated(guard, fact))
        )
    )


def new_mark(observed: Observed, fact: ApprovalFact) -> str:
    """The mark for an open question that was asked under another policy; "" if it needs none.

    It is written under the resourceVersion at which there was no answer. So the policy of the mark
    is in force for each answer that follows, as it is for a new question.
    """
    guard = observed.guard
    if guard is None or not guard.fresh or not _is_outdated(guard, fact):
        return ""
    return "" if is_answered(fact) else guard.seal


def is_settling(observed: Observed, fact: ApprovalFact) -> bool:
    """Whether a question can be marked again soon: its policy was changed a moment ago."""
    guard = observed.guard
    unlike = guard is not None and bool(guard.seal) and fact.guard != guard.seal
    return unlike and guard is not None and guard.recent and not is_answered(fact)


def _is_outdated(guard: Guard, fact: ApprovalFact) -> bool:
    return bool(guard.seal) and not guard.recent and fact.guard != guard.seal


def doubt(observed: Observed, fact: ApprovalFact) -> str:
    """Why it is not certain who answered; "" if the API server has checked it."""
    guard = observed.guard
    if guard is None:
        return "no admission policy on Approvals is installed"
    if guard.problem:
        return guard.problem
    if not fact.guard:
        return f"no policy was in force when the question was asked; {_ASKED_AGAIN}"
    if fact.guard != guard.seal or not guard.fresh:
        return f"the policy was changed after the question was asked; {_ASKED_AGAIN}"
    return ""
