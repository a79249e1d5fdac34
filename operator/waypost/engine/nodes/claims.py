"""Which event a waiting node claims: the oldest that fits, and that is not for a node of the run
that began to wait before it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from waypost.api.event.model import EventClaim, WorkflowEventStatus
from waypost.api.kinds.event import EventKind
from waypost.api.status import NodeStatus
from waypost.engine.state.decision import SettleEvent, tried_event
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.workflow_events import EventFact, Selector
from waypost.protocol import schema
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_JUDGED: Final = 500  # events in a pass whose payloads are compared with the schema
_REFUSED: Final = 20  # events that a pass refuses at most
_TRY_AGAIN: Final = timedelta(seconds=10)  # after an event could not be written


def work_of(transition: Transition, path: str) -> EventKind:
    """The block `event` of a node."""
    work = transition.node(path).event
    assert work is not None, "called for event nodes only"
    return work


def of_node(transition: Transition, path: str, events: list[EventFact]) -> list[EventFact]:
    """The events that the wait of a node has claimed."""
    claim = _claim(transition, path)
    return [event for event in events if _is(event.claim, claim)]


def claim_one(transition: Transition, path: str, events: list[EventFact]) -> bool:
    """Claim the oldest event that fits; whether one is claimed, or cannot be written now.

    Args:
        transition: The pass.
        path: The node, which waits and has claimed none.
        events: A live list of what it may take, the oldest first.
    """
    work, refused, misfits = work_of(transition, path), 0, ""
    reserved = _reserved(transition, path, events)
    wanted = [one for one in events if one.name not in reserved and _fits(transition, one, path)]
    for event in wanted[:_JUDGED]:
        problem = transition.observed.write_problems.get(tried_event(event.name))
        if problem is not None:
            text = f"WorkflowEvent {event.name} cannot be written: {problem.message}"
            transition.name_trouble(path, Reason.RECORD_REJECTED, text)
            transition.requeue_at(transition.now + _TRY_AGAIN)
            return True
        why = _why_not(event, work)
        if not why:
            claim = _claim(transition, path)
            _write(transition, event, WorkflowEventStatus(phase="Claimed", claim=claim))
            return True
        misfits = misfits or f"WorkflowEvent {event.name}: {why}"
        if event.selector == Selector("workflow", transition.observed.name):
            refused += 1
            _refuse(transition, path, event, why)
            if refused >= _REFUSED:
                return True
    if misfits:
        transition.name_trouble(path, Reason.EVENT_MISMATCH, misfits)
    return refused > 0


def _claim(transition: Transition, path: str) -> EventClaim:
    wait = transition.statuses[path].event
    assert wait is not None, "a waiting node has it"
    run = transition.observed
    return EventClaim(run=run.name, run_uid=run.uid, path=path, wait=wait.wait)


def _is(found: EventClaim | None, claim: EventClaim) -> bool:
    if found is None:
        return False
    return (found.run_uid, found.path, found.wait) == (claim.run_uid, claim.path, claim.wait)


def _reserved(transition: Transition, path: str, events: list[EventFact]) -> set[str]:
    """What nodes that began to wait earlier get in this pass, though they come later in it."""
    found: set[str] = set()
    problems = transition.observed.write_problems
    writable = [event for event in events if tried_event(event.name) not in problems]
    for other in sorted(_earlier(transition, path), key=_began):
        if of_node(transition, other.path, events):
            continue  # it takes that one
        work = work_of(transition, other.path)
        fitting = (
            event
            for event in writable
            if event.name not in found
            and _fits(transition, event, other.path)
            and not _why_not(event, work)
        )
        if (event := next(fitting, None)) is not None:
            found.add(event.name)
    return found


def _earlier(transition: Transition, path: str) -> Iterator[NodeStatus]:
    """Nodes that wait for the same events since an earlier time, and have claimed none."""
    own = transition.statuses[path]
    key = own.event.key if own.event is not None else None
    claimed = {one.path for one in _claims_of(transition)}
    for other in transition.node_statuses:
        waits = other.phase == "Waiting" and other.event is not None and other.event.key == key
        if waits and other.path not in claimed and _began(other) < _began(own):
            yield other


def _claims_of(transition: Transition) -> Iterator[EventClaim]:
    """The claims of this pass."""
    for one in transition.before:
        if isinstance(one, SettleEvent) and one.status.claim is not None:
            yield one.status.claim


def _began(status: NodeStatus) -> tuple[str, str]:
    return status.started_at or "", status.path


def _fits(transition: Transition, event: EventFact, path: str) -> bool:
    """Whether a node may have the event, its payload aside."""
    until = timestamps.parse_timestamp(transition.statuses[path].wake_at)
    promised = {one.name for one in transition.before if isinstance(one, SettleEvent)}
    return (
        event.phase == "Pending"
        and event.event in work_of(transition, path).names
        and not event.problem
        and not event.deleting
        and event.name not in promised
        and transition.now < event.expires_at
        and (until is None or event.created_at <= until)
    )


def _why_not(event: EventFact, work: EventKind) -> str:
    if work.payload_schema is None:
        return ""
    return "; ".join(
        f"payload{v.path.removeprefix('$')}: expected {v.expected}, found {v.found}"
        for v in schema.validate(work.payload_schema, event.payload)
    )


def _refuse(transition: Transition, path: str, event: EventFact, why: str) -> None:
    moment = timestamps.timestamp(transition.now)
    text = shorten(f"node {path}: {why}", 1000)
    _write(transition, event, WorkflowEventStatus(phase="Refused", message=text, settled_at=moment))


def _write(transition: Transition, event: EventFact, status: WorkflowEventStatus) -> None:
    transition.before.append(
        SettleEvent(name=event.name, resource_version=event.resource_version, status=status)
    )
