"""Approvals about tool calls that no node waits for any longer: they are closed (S86)."""

from datetime import timedelta
from typing import Final

from waypost.api.approval import ApprovalStatus
from waypost.api.checkpoints import checkpoint_of
from waypost.api.status import NodeStatus
from waypost.engine.nodes.calls.question import is_about_call, questions
from waypost.engine.nodes.gates.status import note_late_answer, write_status
from waypost.engine.nodes.gates.votes import count
from waypost.engine.state import parked
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.approvals import ApprovalFact

_AGAIN: Final = timedelta(seconds=10)
_AGAIN_AT_LAST: Final = timedelta(seconds=60)
_ENDED: Final = "its call was not decided when its agent ended or continued"


def close_left_open(transition: Transition) -> None:
    """Close the open Approvals of calls for which no node waits. Of closed ones, say that a later
    decision has no effect."""
    for fact in transition.observed.approvals.values():
        ours = fact.owner_uid == transition.observed.uid and not fact.deleting
        if not ours or fact.spec is None or not is_about_call(fact.spec):
            continue
        problem = transition.observed.write_problems.get(fact.name)
        tally, recorded = count(fact.spec), fact.status
        closed = _closed_as(transition, fact, fact.spec.path)
        if recorded.state != "Open":
            unanswered = recorded.expired or recorded.state == "Withdrawn"
            if unanswered and tally.decision is not None and problem is None:
                note_late_answer(transition, fact, tally.decision)
        elif closed is not None and problem is None:
            write_status(transition, fact, closed, tally)
        if problem is not None and (closed is not None or recorded.state != "Open"):
            again = _AGAIN_AT_LAST if problem.permanent else _AGAIN
            transition.requeue_at(transition.now + again)


def _closed_as(transition: Transition, fact: ApprovalFact, path: str) -> ApprovalStatus | None:
    """The status with which the open Approval of a call must be closed; None if its node waits for
    it, or if it is newer than this copy of the status."""
    status = transition.statuses.get(path)
    if status is None and not _has_ended(transition, fact, path):
        return None
    if status is not None and (_is_newer(fact, status) or _waits(transition, fact, status)):
        return None
    expires = timestamps.parse_timestamp(fact.spec.expires_at if fact.spec else None)
    if expires is not None and transition.now >= expires:
        return ApprovalStatus(state="Denied", expired=True)
    return ApprovalStatus(state="Withdrawn", reason=_ENDED)


def _has_ended(transition: Transition, fact: ApprovalFact, path: str) -> bool:
    """Whether the attempt of an item that is not open has ended, or its node was removed."""
    known = checkpoint_of(transition.statuses, path)
    if known is None:
        return fact.round < transition.observed.status.round
    return known.has_closed(fact.attempt)


def _is_newer(fact: ApprovalFact, status: NodeStatus) -> bool:
    """Whether the attempt that asks has not ended in this copy of the status."""
    opened = status.open_attempt
    running = opened is not None and opened.number == fact.attempt
    return fact.attempt > (status.attempt or 0) or running


def _waits(transition: Transition, fact: ApprovalFact, status: NodeStatus) -> bool:
    if status.phase != "Waiting" or status.parked is None:
        return False
    calls = parked.calls_of(transition, status.path)
    asked = calls if isinstance(calls, str) else questions(transition, status.path, calls)
    # Without the calls it is not known which of them are asked.
    return isinstance(asked, str) or any(each.name == fact.name for each in asked)
