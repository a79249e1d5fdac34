"""Approvals of items of a map: those for which no item waits any longer are closed (S86)."""

from typing import Final

from waypost.api.approval import ApprovalStatus
from waypost.api.items.states import ENDED, ItemState
from waypost.api.paths import parse_path
from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.approvals import ApprovalFact

_ENDED: Final = "its item ended before an answer was recorded"


def map_of(transition: Transition, fact: ApprovalFact) -> NodeStatus | None:
    """The status of the map whose item has asked; None if it was a node."""
    try:
        path = parse_path(fact.spec.path if fact.spec is not None else "")
    except ValueError:
        return None
    status = transition.statuses.get(path.entry) if path.index is not None else None
    return status if status is not None and status.items is not None else None


def closed_as(
    transition: Transition, fact: ApprovalFact, status: NodeStatus
) -> ApprovalStatus | None:
    """The status with which the open Approval of an item must be closed that does not wait for it.

    None if the item has not begun in this copy of the status: the Approval may be newer.
    """
    assert fact.spec is not None, "read by `map_of`"
    round_ = status.round or 1
    if fact.round < round_:
        return ApprovalStatus(state="Withdrawn")
    if fact.round > transition.observed.status.round:
        return None
    state = _state_of(transition, status, parse_path(fact.spec.path).index or 0)
    has_ended = status.phase in FINAL_PHASES or (state is not None and state.letter in ENDED)
    if not has_ended:
        return None
    expires = timestamps.parse_timestamp(fact.spec.expires_at)
    cancelled = state is not None and state.letter == "C"
    if expires is not None and transition.now >= expires and not cancelled:
        return ApprovalStatus(state="Denied", expired=True)
    return ApprovalStatus(state="Withdrawn", reason=_ENDED)


def _state_of(transition: Transition, status: NodeStatus, index: int) -> ItemState | None:
    opened = transition.maps.get(status.path)
    if opened is not None:
        return opened.states[index] if index < opened.total else None
    return status.items.state_of(index) if status.items is not None else None
