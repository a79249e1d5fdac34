"""Parked agents: nodes without a pod that wait until people have decided on tool calls.

As for gates, an Approval's status is written before that of the run, and only recorded states
count. When all calls are decided, the decisions are written into a NodeRecord and the next attempt
starts; it continues the conversation from the journal.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.approval import ApprovalStatus
from waypost.api.base import parse_duration
from waypost.api.meta import EventReason
from waypost.api.paths import is_item
from waypost.api.status import NodeStatus
from waypost.engine.nodes.calls.question import (
    Question,
    facts_of,
    fits,
    manifest,
    questions,
)
from waypost.engine.nodes.gates.identity import hold_question, judged
from waypost.engine.nodes.gates.policy import cannot_ask
from waypost.engine.nodes.gates.status import write_status
from waypost.engine.nodes.gates.votes import count
from waypost.engine.scheduling import deadlines
from waypost.engine.state import parked
from waypost.engine.state.decision import OpenApproval
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.jobs import lasts_long
from waypost.kube.facts.read_problems import APPROVALS
from waypost.protocol.agents.gated_calls import DecidedCall
from waypost.protocol.reasons import Reason

_LOOK_AFTER: Final = timedelta(seconds=2)
_ASK_AGAIN: Final = timedelta(seconds=10)
_CUT_SHORT: Final = "the run ended before its tool calls were decided"
_REFUSED: Final = (
    Reason.LAUNCH_REJECTED,
    Reason.RECORD_REJECTED,
    Reason.IDENTITY_UNVERIFIED,
)


def advance(transition: Transition, path: str, *, withdraw: bool) -> None:
    """Ask about the calls of a parked node, record answers, and continue once all are decided.
    `withdraw`: nothing new may happen."""
    status = transition.statuses[path]
    if status.parked is None:  # no operator writes such a status
        transition.update(path, phase="Pending")
        return
    at = deadlines.of_node(transition, path)
    if at is not None:
        transition.requeue_at(at)
    if withdraw or deadlines.node_over(transition, path):
        _withdraw(transition, path)
        return
    if unread := parked.unread(transition.observed, status):
        transition.wait_to_read(path, unread)
        return
    calls = parked.calls_of(transition, path)
    asked = calls if isinstance(calls, str) else questions(transition, path, calls)
    if isinstance(calls, str):
        transition.end(path, "Failed", Reason.RESULT_LOST, calls)
    elif isinstance(asked, str):
        transition.end(path, "Failed", Reason.NODE_ERROR, asked)
    else:
        _ask(transition, path, asked)


def _ask(transition: Transition, path: str, asked: list[Question]) -> None:
    _forget_trouble(transition, path)
    _set_expiry(transition, path, asked)
    decided: list[DecidedCall] = []
    waiting: list[str] = []
    for each in asked:
        found = _decision_on(transition, path, each)
        if transition.ended(path):
            return
        if found is None:
            waiting.append(each.name)
        else:
            decided.append(found)
    if waiting:
        if transition.statuses[path].approval not in waiting:
            if not is_item(path):  # the text of an item does not have the name
                text = f"{path} waits for approval {waiting[0]}"
                transition.event("Normal", EventReason.AWAITING_APPROVAL, text)
            transition.update(path, approval=waiting[0])
        return
    late = {each.digest for each in decided if each.expired}
    fatal = [q for q in asked if q.call.digest in late and q.policy.on_timeout == "Fail"]
    if fatal:
        text = f"nobody decided in time on the call of tool {fatal[0].call.tool}"
        transition.end(path, "Failed", Reason.APPROVAL_EXPIRED, text)
        return
    _continue(transition, path, decided)


def _forget_trouble(transition: Transition, path: str) -> None:
    """Clear what an earlier pass could not write, while it is not refused again."""
    observed, status = transition.observed, transition.statuses[path]
    if status.reason == Reason.IDENTITY_UNVERIFIED and cannot_ask(observed):
        return
    if status.reason in _REFUSED and not (observed.write_problems or observed.child_problems):
        transition.update(path, reason=None, message=None)


def _set_expiry(transition: Transition, path: str, asked: list[Question]) -> None:
    """Record when the questions expire, once: before they are asked, so that a crash asks again
    with the same time. The shortest timeout holds for all of them."""
    timeouts = [parse_duration(q.policy.timeout) for q in asked if q.policy.timeout is not None]
    if timeouts and transition.statuses[path].wake_at is None:
        at = transition.now + timedelta(seconds=min(timeouts))
        transition.update(path, wake_at=timestamps.timestamp(at))


def _decision_on(transition: Transition, path: str, asked: Question) -> DecidedCall | None:
    """The recorded decision on a call. None while there is none; then it is asked, or an answer is
    recorded, or the node has ended."""
    fact = transition.observed.approvals.get(asked.name)
    if fact is None:
        return _open(transition, path, asked)
    if not fits(transition, asked, fact):
        text = f"the Approval {fact.name} differs from the question about this call; delete it"
        transition.end(path, "Failed", Reason.LAUNCH_REJECTED, text)
        return None
    recorded = fact.status
    if recorded.state == "Open":
        _record_answer(transition, path, fact)
        return None
    if recorded.state == "Withdrawn":
        _ask_again(transition, path)
        return None
    changed = recorded.state == "Approved" and isinstance(recorded.answer, dict)
    arguments = recorded.answer if changed and recorded.answer != asked.call.arguments else None
    return DecidedCall(
        asked.call.digest,
        "Approved" if recorded.state == "Approved" else "Denied",
        arguments,
        recorded.reason,
        recorded.decided_by,
        bool(recorded.expired),
    )


def _open(transition: Transition, path: str, asked: Question) -> DecidedCall | None:
    """Create the Approval of a call, once a live read has shown that there is none. A denial if it
    may not be asked until it expires."""
    observed = transition.observed
    problem = observed.child_problems.get(asked.name)
    if problem is not None and problem.permanent:
        transition.end(path, "Failed", Reason.LAUNCH_REJECTED, problem.message)
        return None
    if unread := observed.unread.get(APPROVALS):
        transition.wait_to_read(path, unread)
        return None
    if problem is not None:
        transition.name_trouble(path, Reason.LAUNCH_REJECTED, problem.message)
        transition.requeue_at(transition.now + _ASK_AGAIN)
    expires = transition.statuses[path].wake_at
    if hold_question(transition, path):
        due = timestamps.parse_timestamp(expires)
        if due is None or transition.now < due:
            return None
        why = f"it could not be asked: {cannot_ask(transition.observed)}"
        return DecidedCall(asked.call.digest, "Denied", None, why, None, True)
    transition.after.append(OpenApproval(manifest=manifest(transition, asked, expires)))
    transition.requeue_at(transition.now + _LOOK_AFTER)
    return None


def _record_answer(transition: Transition, path: str, fact: ApprovalFact) -> None:
    """Write an answer, or that none came in time, into the Approval's status."""
    assert fact.spec is not None, "compared with the question"
    expires = timestamps.parse_timestamp(fact.spec.expires_at)
    expired = expires is not None and transition.now >= expires
    in_time = not expired or (
        expires is not None and fact.answered_at is not None and fact.answered_at < expires
    )
    tally = judged(transition, fact)
    refused = transition.observed.write_problems.get(fact.name)
    if refused is not None and refused.permanent:
        text = f"the status of Approval {fact.name} cannot be written: {refused.message}"
        transition.end(path, "Failed", Reason.RECORD_REJECTED, text)
    elif refused is not None:
        transition.hold(path, refused)
    elif tally.decision and in_time:
        answered = ApprovalStatus(
            state=tally.decision,
            answer=tally.answer,
            reason=tally.reason,
            decided_by=tally.decided_by,
        )
        write_status(transition, fact, answered, tally)
    elif expired:
        write_status(transition, fact, ApprovalStatus(state="Denied", expired=True), tally)
    else:
        write_status(transition, fact, fact.status, tally)
        if expires is not None:
            transition.requeue_at(expires)


def _ask_again(transition: Transition, path: str) -> None:
    """Ask in this round what an earlier round withdrew because it was about to end (S460)."""
    status, current = transition.statuses[path], transition.observed.status.round
    if (status.round or 1) >= current:
        transition.end(path, "Cancelled", Reason.CANCELLED, _CUT_SHORT)
        return
    text = f"its questions were withdrawn in round {status.round or 1}"
    transition.update(
        path,
        round=current,
        disposition="Rerun",
        disposition_message=text,
        approval=None,
        wake_at=None,
        deadline_at=None,
    )
    deadlines.begin(transition, path)
    transition.requeue_at(transition.now)


def _continue(transition: Transition, path: str, decided: list[DecidedCall]) -> None:
    """Start the next attempt, with the decisions. No retry is counted."""
    name = parked.decisions_record(transition, path)
    problem = transition.observed.write_problems.get(name)
    if problem is not None:
        transition.without_record(path, problem, what="the decisions on its tool calls")
        return
    parked.put_decisions(transition, path, decided)
    transition.update(
        path,
        phase="Backoff",
        approval=None,
        wake_at=timestamps.timestamp(transition.now),
        reason=None,
        message=None,
    )


def _withdraw(transition: Transition, path: str) -> None:
    """Withdraw the open questions, each before its node ends: no answer is given to a question
    whose node has ended."""
    observed, now = transition.observed, transition.now
    left = 0
    for fact in facts_of(transition, path):
        if fact.status.state != "Open" or fact.spec is None:
            continue
        refused = observed.write_problems.get(fact.name)
        if refused is None:
            write_status(transition, fact, ApprovalStatus(state="Withdrawn"), count(fact.spec))
            left += 1
        elif not (refused.permanent or lasts_long(refused, now)):
            transition.hold(path, refused)
            left += 1
    unread = observed.unread.get(APPROVALS)
    if unread is not None and not unread.lasts_long(now):
        transition.wait_to_read(path, unread)
    elif left or _is_unseen(transition, path):
        transition.requeue_at(now + _LOOK_AFTER)
    elif deadlines.node_over(transition, path) or deadlines.run_over(transition):
        deadlines.end(transition, path, detail=_CUT_SHORT)
    else:
        transition.end(path, "Cancelled", Reason.CANCELLED, _CUT_SHORT)


def _is_unseen(transition: Transition, path: str) -> bool:
    """Whether the node has asked, and neither the cache nor a live read has what it asked. Others
    that are not known yet are closed once they are (`closing`)."""
    observed, asked = transition.observed, transition.statuses[path].approval
    unknown = asked is not None and asked not in observed.approvals
    return unknown and observed.approvals_read_at is None and APPROVALS not in observed.unread


def needs_live_read(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """Whether the Approvals of a parked node must be read live, because the one that its status
    names is not known."""
    return status.parked is not None and (status.approval or "") not in {"", *observed.approvals}
