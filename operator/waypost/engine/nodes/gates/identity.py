"""Strict mode: questions and answers that the policy does not guard (S605, S606)."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from waypost.engine.nodes.gates import policy
from waypost.engine.nodes.gates.votes import Tally, count
from waypost.engine.state.transition import Transition
from waypost.kube.facts.approvals import ApprovalFact
from waypost.protocol.reasons import Reason

_ASK_AGAIN: Final = timedelta(seconds=10)


def hold_question(transition: Transition, path: str) -> bool:
    """Whether a question waits for the policy; the node says so, and is looked at again."""
    if why := policy.cannot_ask(transition.observed):
        transition.name_trouble(path, Reason.IDENTITY_UNVERIFIED, why)
        transition.requeue_at(transition.now + _ASK_AGAIN)
    return bool(why)


def judged(transition: Transition, fact: ApprovalFact) -> Tally:
    """The count of the answers of a question. In strict mode an answer that is not verified decides
    nothing."""
    assert fact.spec is not None, "only readable questions are counted"
    tally = count(fact.spec)
    if not transition.observed.strict_approvals or tally.decision is None:
        return tally
    why = policy.doubt(transition.observed, fact) or _unbound(fact)
    if not why:
        return tally
    guard = transition.observed.guard
    if guard is not None and guard.problem:  # it may be over, and nothing else says so
        transition.requeue_at(transition.now + _ASK_AGAIN)
    text = f"approvals.mode is Strict, and this answer is not verified: {why}"
    refused = replace(tally, decision=None, answer=None, reason=None, decided_by=None)
    return replace(refused, problem=text, unverified=text)


def _unbound(fact: ApprovalFact) -> str:
    """Why an answer does not name a person or the question that was read."""
    spec = fact.spec
    assert spec is not None, "only readable questions are counted"
    if spec.decision is not None and not spec.decided_by:
        return "it has no decidedBy"
    votes = [(f"votes.{user}", vote.decided_digest) for user, vote in (spec.votes or {}).items()]
    given = [("it", spec.decided_digest)] if spec.decision is not None else votes
    for what, digest in given:
        if digest != spec.request_digest:
            return f"{what} has no decidedDigest with the requestDigest of the question"
    return ""
