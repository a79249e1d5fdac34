"""Kind `event`: nodes without a pod that take one WorkflowEvent.

The claim comes first: it is written to the event under its resourceVersion, and the node takes what
a later live list shows as claimed by its wait. So of two nodes, runs or operators one gets the
event. That no event has come is concluded from a live list only.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.base import JsonObject, parse_duration
from waypost.api.event.model import MAX_KEY
from waypost.api.kinds.event import EventKind
from waypost.api.state.event import KEPT_TAKEN, EventWait
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.api.wire.memo import Memo
from waypost.engine.nodes import claims
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.scheduling import remembering
from waypost.engine.scheduling.inputs import invalid_reason, own_context
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.observed import Observed
from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import NullPolicy, RenderError, render_text
from waypost.kube import timestamps
from waypost.kube.facts.read_problems import WORKFLOW_EVENTS
from waypost.kube.workflow_events import EventFact, Selector
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten


def _work(transition: Transition, path: str) -> EventKind:
    return claims.work_of(transition, path)


def start(transition: Transition, path: str, inputs: Inputs) -> None:
    """Record that the node waits, and for which key; the next pass looks for the event."""
    key = _key(transition, path, inputs)
    if isinstance(key, Invalid):
        reason = invalid_reason(transition, key.message)
        transition.end(path, "Failed", reason, key.message)
        return
    before = transition.statuses[path].event
    number = (before.wait if before is not None else 0) + 1
    taken = before.taken if before is not None else None
    transition.update(
        path,
        phase="Waiting",
        event=EventWait(wait=number, key=key, taken=taken),
        input_digest=inputs.digest,
        started_at=timestamps.timestamp(transition.now),
    )
    _set_timer(transition, path)
    transition.requeue_at(transition.now)  # it may have come before the wait


def _key(transition: Transition, path: str, inputs: Inputs) -> str | Invalid | None:
    source = _work(transition, path).key
    if source is None:
        return None
    text = render_text(source, own_context(inputs, path=path, attempt=1), null=NullPolicy.REFUSE)
    if isinstance(text, RenderError):
        return Invalid(f"event.key: {text.message}")
    if not 0 < len(text) <= MAX_KEY or not text.isprintable():
        found = repr(shorten(text, 80))
        return Invalid(f"event.key: expected 1 to {MAX_KEY} printable characters, found {found}")
    return text


def _set_timer(transition: Transition, path: str) -> datetime | None:
    """The end of the wait. A round may have changed the timeout of a node that it adopted."""
    timeout, status = _work(transition, path).timeout, transition.statuses[path]
    started = timestamps.parse_timestamp(status.started_at) or transition.now
    until = started + timedelta(seconds=parse_duration(timeout)) if timeout else None
    wake_at = timestamps.timestamp(until) if until is not None else None
    if status.wake_at != wake_at:
        transition.update(path, wake_at=wake_at)
    if until is not None and transition.now < until:
        transition.requeue_at(until)
    return until


def _selector(run: str, status: NodeStatus) -> Selector | None:
    """Which events a waiting node may take; None if it does not wait for one."""
    if status.event is None or status.phase != "Waiting":
        return None
    return (
        Selector("workflow", run) if status.event.key is None else Selector("key", status.event.key)
    )


_waiting: Final[Memo[AgentWorkflowStatus, tuple[NodeStatus, ...]]] = Memo(
    lambda status: tuple(node for node in status.nodes if node.phase == "Waiting")
)


def awaited(run: str, status: AgentWorkflowStatus) -> frozenset[Selector]:
    """Which events the nodes of the run with this name wait for."""
    found = (_selector(run, node) for node in _waiting(status))
    return frozenset(selector for selector in found if selector is not None)


def awaited_text(work: EventKind, wait: EventWait) -> str:
    """What a node waits for, for people."""
    whose = f"with key {wait.key}" if wait.key is not None else "for this run"
    return f"event {' or '.join(work.names)} {whose}"


def _needed(observed: Observed, status: NodeStatus, now: datetime) -> frozenset[Selector]:
    """A live list, if the watch has delivered an event for the node or its time is over."""
    selector = _selector(observed.name, status)
    if selector is None or selector in observed.workflow_events:
        return frozenset()
    if WORKFLOW_EVENTS in observed.unread:
        return frozenset()
    until = timestamps.parse_timestamp(status.wake_at)
    due = until is not None and now >= until
    return frozenset((selector,)) if due or selector in observed.arrived else frozenset()


def advance(transition: Transition, path: str, *, withdraw: bool) -> None:
    """Take the event that the node has claimed, claim one, or end the wait when its time is over.
    A node that the run ends gives up its claim by ending (`events.lifecycle`)."""
    if withdraw:
        return
    until, status = _set_timer(transition, path), transition.statuses[path]
    selector = _selector(transition.observed.name, status)
    if selector is None or status.event is None:
        return
    if unread := transition.observed.unread.get(WORKFLOW_EVENTS):
        transition.wait_to_read(path, unread)
        return
    listed = transition.observed.workflow_events.get(selector)
    if listed is None:
        return
    events = sorted(listed, key=lambda event: event.age)
    mine = claims.of_node(transition, path, events)
    if mine:
        _take(transition, path, mine)
    elif not claims.claim_one(transition, path, events):
        _end_if_due(transition, path, until)


def _take(transition: Transition, path: str, mine: list[EventFact]) -> None:
    """Give the claimed event as output. Only an operator that was frozen can have claimed a second
    one: it goes back, because the status names the one that was taken."""
    wait = transition.statuses[path].event
    assert wait is not None, "a waiting node has it"
    outcome = transition.as_stored(path, checkpoint(_output(transition, path, mine[0])))
    stored = outcome.output.get("id") if isinstance(outcome.output, dict) else None
    event = next((event for event in mine if event.name == stored), None)
    if event is None:
        text = "its NodeRecord holds an event that this node has not claimed"
        transition.end(path, "Failed", Reason.RECORD_REJECTED, text)
        return
    remembering.succeed(transition, path, checkpoint(_output(transition, path, event)))
    if transition.ended(path):
        taken = [*(wait.taken or ()), event.uid][-KEPT_TAKEN:]
        transition.update(path, event=wait.model_copy(update={"taken": taken}))
        if event.caller:
            transition.callers[path] = event.caller


def _output(transition: Transition, path: str, event: EventFact) -> JsonObject:
    output: JsonObject = {
        "name": event.event,
        "payload": event.payload,
        "receivedAt": timestamps.timestamp(event.created_at),
        "id": event.name,
    }
    if _work(transition, path).on_timeout == "Continue":
        output["expired"] = False
    return output


def _end_if_due(transition: Transition, path: str, until: datetime | None) -> None:
    if until is None or transition.now < until:
        return
    listed_at = transition.observed.workflow_events_at
    if listed_at is None or listed_at < until:  # it may have come since
        transition.requeue_at(transition.now)
        return
    work = _work(transition, path)
    if work.on_timeout == "Continue":
        remembering.succeed(transition, path, checkpoint({"expired": True}))
    else:
        text = f"no event {' or '.join(work.names)} within {work.timeout}"
        transition.end(path, "Failed", Reason.EVENT_TIMEOUT, text)


KIND: Final = EngineKind("event", start=start, advance=advance, needed_events=_needed)
