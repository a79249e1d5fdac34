"""Levels of escalation: who is asked next if nobody answers in time, and what the Approval says.

The Approval says first that it is withdrawn, and to which one it was escalated. Then the run's
status names the next Approval and when that expires; only then is it created. So a crash in between
resumes, and two operators make one (S760).
"""

from datetime import timedelta

from waypost.api.approval import ApprovalStatus
from waypost.api.base import parse_duration
from waypost.api.kinds.approval import Approvers, asked_at, levels_of
from waypost.engine.state.transition import Transition
from waypost.kube import names, timestamps
from waypost.kube.facts.approvals import ApprovalFact


def expiry(transition: Transition, path: str) -> str | None:
    """When a question that is asked now expires; None if it does not."""
    gate = transition.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    timeout = asked_at(gate, transition.statuses[path].level or 0).timeout
    if timeout is None:
        return None
    return timestamps.timestamp(transition.now + timedelta(seconds=parse_duration(timeout)))


def can(transition: Transition, path: str) -> bool:
    """Whether others are asked when the question of a gate expires."""
    gate = transition.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    return (transition.statuses[path].level or 0) + 1 < len(levels_of(gate))


def withdrawn(transition: Transition, path: str, level: int) -> ApprovalStatus:
    """The status of the Approval of a level that nobody answered in time."""
    gate = transition.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    people = _named(asked_at(gate, level + 1).approvers)
    text = f"no answer in time; escalated to level {level + 1}: {people}"
    return ApprovalStatus(
        state="Withdrawn", escalated_to=name_of(transition, path, level + 1), reason=text[:2048]
    )


def was_escalated(fact: ApprovalFact) -> bool:
    """Whether an Approval was withdrawn because others are asked."""
    return fact.status.state == "Withdrawn" and fact.status.escalated_to is not None


def outlived(transition: Transition, fact: ApprovalFact) -> ApprovalStatus | None:
    """The status with which an open Approval must be closed because its gate, or its item, asks
    a later level; None if it does not."""
    status = transition.statuses.get(fact.spec.path) if fact.spec is not None else None
    if status is None or (status.round or 1) != fact.round:
        return None
    if transition.node(status.path).approval is None or (status.level or 0) <= fact.level:
        return None
    return withdrawn(transition, status.path, fact.level)


def name_of(transition: Transition, path: str, level: int) -> str:
    """The name of the Approval of a gate at a level."""
    observed = transition.observed
    return names.approval_name(
        run=observed.name,
        run_uid=observed.uid,
        path=path,
        round_=transition.statuses[path].round or 1,
        level=level,
    )


def _named(approvers: Approvers) -> str:
    groups = (f"group {group}" for group in approvers.groups or ())
    return ", ".join((*(approvers.users or ()), *groups))
