"""What takes time in a run without a pod: waits, events, child runs, and people who decide on tool
calls of an agent. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.kube.timestamps import parse_timestamp
from waypost.kube.trace_ids import part_id, span_id
from waypost.protocol.reasons import Reason
from waypost.telemetry import conventions

SUCCEEDED: Final = "Succeeded"
# Kinds whose node takes time and has neither attempts nor a span of another type.
KINDS: Final = ("wait", "event", "workflow")


@dataclass(frozen=True)
class StepEnded:
    """Something without a pod ended.

    Attributes:
        path: The node.
        kind: wait, event or workflow; agent for the time in which people decided on its calls.
        round: The round.
        outcome: Succeeded or the reason.
        opened: Begin.
        finished: End.
        number: Of the attempt that asked people; 0 for other kinds.
        child: The child run of a workflow node; "" for other kinds.
        caller: traceparent of the delivery of the event that an event node took; "" without one.
    """

    path: str
    kind: str
    round: int
    outcome: str
    opened: datetime
    finished: datetime
    number: int = 0
    child: str = ""
    caller: str = ""


def steps(past: NodeStatus | None, status: NodeStatus, *, kind: str) -> Iterator[StepEnded]:
    """What `status` records as ended and `past`, the same node before the write, does not."""
    if kind in KINDS:
        yield from _node(past, status, kind=kind)
    elif kind == "agent":
        yield from _decisions(past, status)


def _node(past: NodeStatus | None, status: NodeStatus, *, kind: str) -> Iterator[StepEnded]:
    opened, finished = parse_timestamp(status.started_at), parse_timestamp(status.finished_at)
    if opened is None or finished is None or status.phase not in FINAL_PHASES:
        return
    if past is not None and past.finished_at == status.finished_at:
        return
    yield StepEnded(
        path=status.path,
        kind=kind,
        round=status.round or 1,
        outcome=SUCCEEDED if status.phase == SUCCEEDED else status.reason or status.phase,
        opened=opened,
        finished=finished,
        child=status.child.name if status.child is not None else "",
    )


def _decisions(past: NodeStatus | None, status: NodeStatus) -> Iterator[StepEnded]:
    """The times between an attempt that asked people and the next one, or the end of the node."""
    before = {one.number for one in (past and past.attempts) or ()}
    attempts = status.attempts or []
    for at, asked in enumerate(attempts):
        next_ = attempts[at + 1] if at + 1 < len(attempts) else None
        opened = parse_timestamp(asked.finished_at)
        if asked.reason != Reason.AWAITING_APPROVAL or opened is None:
            continue
        if next_ is not None:
            new = next_.number not in before and next_.number == asked.number + 1
            finished = parse_timestamp(next_.launched_at) if new else None
        else:
            ended_before = past is not None and past.finished_at == status.finished_at
            finished = None if ended_before else parse_timestamp(status.finished_at)
        if finished is not None:
            yield StepEnded(
                path=status.path,
                kind="agent",
                round=asked.round or 1,
                outcome=SUCCEEDED if next_ is not None else status.reason or status.phase,
                opened=opened,
                finished=finished,
                number=asked.number,
            )


def name_of(fact: StepEnded) -> str:
    """The name of its span."""
    return f"{'approval' if fact.kind == 'agent' else fact.kind} {fact.path}"


def id_of(fact: StepEnded, run_uid: str) -> str:
    """The id of its span."""
    if fact.kind == "agent":
        return part_id(run_uid, fact.path, fact.round, fact.number, "approval")
    return span_id(run_uid, fact.path, fact.round, 0)


def attributes_of(fact: StepEnded) -> dict[str, str | int]:
    """The attributes of its span."""
    found: dict[str, str | int] = {
        conventions.NODE_PATH: fact.path,
        conventions.NODE_KIND: fact.kind,
        conventions.NODE_OUTCOME: fact.outcome,
    }
    if fact.number:
        found[conventions.NODE_ATTEMPT] = fact.number
    if fact.child:
        found[conventions.CHILD_RUN] = fact.child
    return found
