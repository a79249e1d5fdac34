"""What ended in a checkpoint, as facts for metrics and as spans for traces. Pure.

A span is emitted once the checkpoint that ends it is written, and never opened before, so a trace
does not depend on one process that lives as long as the run. All ids follow from the run's uid:
a checkpoint that is reported twice (after a crash) repeats spans with the same ids, and a pod
gets the id of its parent span before that span is emitted.

Span names and attributes follow the OpenTelemetry GenAI conventions where they have a word
(a run is `invoke_workflow`). Spans have no content: inputs, outputs and messages are left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from waypost.api.kinds.table import KINDS
from waypost.api.meta import Condition
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.api.workflow import Node
from waypost.engine.state.observed import Observed
from waypost.engine.state.paths import node_of
from waypost.kube.timestamps import parse_timestamp
from waypost.kube.trace_ids import caller, span_id, trace_id
from waypost.telemetry import conventions, memory, steps
from waypost.telemetry.endings import (
    ApprovalEnded,
    AttemptEnded,
    ChoiceEnded,
    Ended,
    RunEnded,
)
from waypost.telemetry.memory import MemoryUsed
from waypost.telemetry.steps import StepEnded

Attribute = str | int | float | bool | tuple[str, ...]
SUCCEEDED = "Succeeded"


@dataclass(frozen=True)
class SpanEvent:
    """An event inside a span."""

    name: str
    time: datetime
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class SpanFact:
    """One finished span.

    Attributes:
        name: Its name.
        trace_id: 32 lower-case hex digits.
        span_id: 16 lower-case hex digits.
        parent_id: The same of its parent; "" at the root.
        start: Begin.
        end: End, not before `start`.
        error: `error.type`; "" without an error.
        attributes: By their full name.
        events: In no particular order.
        remote: Whether another service did the work (a client span).
        links: (trace, span) of what others did and this follows from.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: datetime
    end: datetime
    error: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    remote: bool = False
    links: tuple[tuple[str, str], ...] = ()


def ended(
    observed: Observed,
    before: AgentWorkflowStatus,
    after: AgentWorkflowStatus,
    items: Iterable[NodeStatus] = (),
) -> tuple[Ended, ...]:
    """What `after` records as ended and `before` does not: attempts, approvals, choices, then the
    run.

    Args:
        observed: The run.
        before: Its status before the write.
        after: Its status now.
        items: Items of maps with the attempts and questions that ended, which a status does not
            have.
    """
    nodes = {node.name: node for node in observed.spec.all_nodes} if observed.spec else {}
    earlier = {node.path: node for node in before.nodes}
    facts: list[Ended] = [*memory.read(before, after)]
    for status in after.nodes:
        past, node = earlier.get(status.path), nodes.get(status.path)
        if past is status:  # most have not changed
            continue
        facts.extend(_attempts(past, status, node=node))
        facts.extend(_gate(observed, past, status))
        facts.extend(_choice(past, status))
        facts.extend(steps.steps(past, status, kind=_kind(node)))
    for item in items:
        facts.extend(_attempts(None, item, node=nodes.get(node_of(item.path))))
        facts.extend(_gate(observed, None, item))
    return (*facts, *_run(before, after))


def ended_since(observed: Observed, since: datetime) -> tuple[Ended, ...]:
    """What the status of a run records as ended from `since` on."""
    found = ended(observed, AgentWorkflowStatus(), observed.status)
    return tuple(fact for fact in found if fact.finished >= since)


def with_callers(found: Iterable[Ended], callers: Mapping[str, str]) -> Iterator[Ended]:
    """The facts, with what delivered the events that nodes took: a status does not have it.

    Args:
        found: As from `ended`.
        callers: The traceparent of the delivery, by the path of the node.
    """
    for fact in found:
        given = callers.get(fact.path, "") if isinstance(fact, StepEnded) else ""
        yield replace(fact, caller=given) if given and isinstance(fact, StepEnded) else fact


def spans(
    observed: Observed,
    before: AgentWorkflowStatus,
    after: AgentWorkflowStatus,
    items: Iterable[NodeStatus] = (),
) -> tuple[SpanFact, ...]:
    """The spans of what ended in this checkpoint; arguments as of `ended`."""
    return tuple(span(observed, fact) for fact in ended(observed, before, after, items))


def _attempts(
    past: NodeStatus | None, status: NodeStatus, *, node: Node | None
) -> Iterator[AttemptEnded]:
    ended_before = {item.number for item in (past and past.attempts) or () if item.finished_at}
    for item in status.attempts or ():
        finished = parse_timestamp(item.finished_at)
        if finished is None or item.number in ended_before:
            continue
        yield AttemptEnded(
            path=status.path,
            kind=_kind(node),
            round=item.round or 1,
            number=item.number,
            outcome=item.reason or SUCCEEDED,
            job=item.job,
            pod_uid=item.pod_uid or "",
            launched=parse_timestamp(item.launched_at) or finished,
            started=parse_timestamp(item.started_at),
            finished=finished,
            usage=item.usage,
            admitted=parse_timestamp(item.queued_until),
            scheduled=parse_timestamp(item.scheduled_at),
            prepared=parse_timestamp(item.prepared_at),
        )


def _kind(node: Node | None) -> str:
    if node is None:
        return "unknown"  # a status from a definition that is gone
    return next((kind for kind in KINDS if getattr(node, kind) is not None), "unknown")


def _gate(
    observed: Observed, past: NodeStatus | None, status: NodeStatus
) -> Iterator[ApprovalEnded]:
    finished = parse_timestamp(status.finished_at)
    if status.approval is None or finished is None:
        return
    if past is not None and past.approval == status.approval and past.finished_at:
        return
    yield ApprovalEnded(
        path=status.path,
        round=status.round or 1,
        outcome=_gate_outcome(observed, status),
        approval=status.approval,
        opened=parse_timestamp(status.started_at) or finished,
        finished=finished,
        level=status.level or 0,
    )


def escalated(statuses: Iterable[NodeStatus]) -> Iterator[ApprovalEnded]:
    """The levels of gates and items that nobody answered in time, each as it was at its level."""
    for status in statuses:
        due = parse_timestamp(status.wake_at)
        if due is None or status.approval is None:
            continue
        yield ApprovalEnded(
            path=status.path,
            round=status.round or 1,
            outcome="Escalated",
            approval=status.approval,
            opened=parse_timestamp(status.started_at) or due,
            finished=due,
            level=status.level or 0,
        )


def _choice(past: NodeStatus | None, status: NodeStatus) -> Iterator[ChoiceEnded]:
    finished = parse_timestamp(status.finished_at)
    if status.first is None or finished is None:
        return
    if past is not None and past.first is not None and past.finished_at == status.finished_at:
        return
    yield ChoiceEnded(
        path=status.path,
        round=status.round or 1,
        outcome=SUCCEEDED if status.phase == SUCCEEDED else status.reason or status.phase,
        chosen=status.first.chosen or "",
        opened=parse_timestamp(status.started_at) or finished,
        finished=finished,
    )


def _gate_outcome(observed: Observed, status: NodeStatus) -> str:
    """The state of the Approval; when that no longer exists, the outcome in the node's status."""
    fact = observed.approvals.get(status.approval or "")
    if fact is not None and fact.status.state != "Open":
        return "Expired" if fact.status.expired else fact.status.state
    if status.phase == SUCCEEDED:
        decision = status.output.get("decision") if isinstance(status.output, dict) else None
        return decision if decision in ("Approved", "Denied") else "Unknown"
    reasons = {"ApprovalDenied": "Denied", "ApprovalExpired": "Expired"}
    return reasons.get(status.reason or "", "Withdrawn")


def _run(before: AgentWorkflowStatus, after: AgentWorkflowStatus) -> Iterator[RunEnded]:
    finished = parse_timestamp(after.finished_at)
    if finished is None or (before.finished_at and before.round == after.round):
        return
    succeeded = [item for item in after.conditions if item.type == Condition.SUCCEEDED]
    yield RunEnded(
        round=after.round,
        outcome=after.phase,
        reason=succeeded[0].reason if succeeded else after.phase,
        started=parse_timestamp(after.round_started_at or after.started_at) or finished,
        finished=finished,
        compensation=_compensation(after),
        finally_=_finally(after),
    )


def _compensation(after: AgentWorkflowStatus) -> str:
    undone = any(status.stage == "Compensating" for status in after.nodes)
    return _outcome(after, Condition.COMPENSATION_SUCCEEDED) if undone else ""


def _finally(after: AgentWorkflowStatus) -> str:
    return _outcome(after, Condition.FINALLY_SUCCEEDED)


def _outcome(after: AgentWorkflowStatus, condition: str) -> str:
    found = [item for item in after.conditions if item.type == condition]
    if not found:
        return ""
    return SUCCEEDED if found[0].status == "True" else found[0].reason


def span(observed: Observed, fact: Ended) -> SpanFact:
    """The span of one fact."""
    uid = observed.uid
    root = span_id(uid, "", fact.round, 0)
    if isinstance(fact, RunEnded):
        name, path, number, parent = f"{conventions.INVOKE_WORKFLOW} {observed.name}", "", 0, ""
        start, error = fact.started, "" if fact.outcome == SUCCEEDED else fact.reason
    elif isinstance(fact, AttemptEnded):
        name, path, number, parent = f"node {fact.path}", fact.path, fact.number, root
        start, error = fact.launched, "" if fact.outcome == SUCCEEDED else fact.outcome
    elif isinstance(fact, MemoryUsed):  # of no length: it is one write, that of the status
        name, path, number, parent = memory.name_of(fact), fact.path, 0, root
        start, error = fact.finished, ""
    elif isinstance(fact, ChoiceEnded | StepEnded):
        label = f"first {fact.path}" if isinstance(fact, ChoiceEnded) else steps.name_of(fact)
        name, path, number, parent = label, fact.path, 0, root
        start, error = fact.opened, "" if fact.outcome == SUCCEEDED else fact.outcome
    else:
        # A denial is an answer, not an error.
        name, path, number, parent = f"approval {fact.path}", fact.path, fact.level, root
        start, error = fact.opened, ""
    attributes = {**run_attributes(observed, round_=fact.round), **_attributes(observed, fact)}
    if error:
        attributes[conventions.ERROR_TYPE] = error
    return SpanFact(
        name=name,
        trace_id=trace_id(uid),
        span_id=_own_id(fact, uid) or span_id(uid, path, fact.round, number),
        parent_id=parent,
        start=min(start, fact.finished),
        end=fact.finished,
        error=error,
        attributes=attributes,
        events=tuple(_moments(fact)) if isinstance(fact, AttemptEnded) else (),
        links=tuple(_callers(observed, fact)),
    )


def _own_id(fact: Ended, uid: str) -> str:
    """The id of a span that may stand beside another one of its node; "" for the others."""
    if isinstance(fact, MemoryUsed):
        return memory.id_of(fact, uid)
    return steps.id_of(fact, uid) if isinstance(fact, StepEnded) else ""


def _callers(observed: Observed, fact: Ended) -> Iterator[tuple[str, str]]:
    """What started the run, and what delivered the event that a node took."""
    given = ""
    if isinstance(fact, RunEnded):
        given = observed.caller
    elif isinstance(fact, StepEnded):
        given = fact.caller
    if (found := caller(given)) is not None:
        yield found


def _moments(fact: AttemptEnded) -> Iterator[SpanEvent]:
    """What happened before the program of an attempt ran, and when."""
    known = (
        (conventions.ADMITTED_EVENT, fact.admitted),
        (conventions.SCHEDULED_EVENT, fact.scheduled),
        (conventions.STARTED_EVENT, fact.started),
    )
    # Kubernetes counts whole seconds.
    return (SpanEvent(name, max(time, fact.launched)) for name, time in known if time is not None)


def run_attributes(observed: Observed, *, round_: int) -> dict[str, Attribute]:
    """The attributes of every span of a run."""
    return {
        conventions.NAMESPACE: observed.namespace,
        conventions.RUN_NAME: observed.name,
        conventions.RUN_UID: observed.uid,
        conventions.RUN_ROUND: round_,
    }


def _attributes(observed: Observed, fact: Ended) -> dict[str, Attribute]:
    if isinstance(fact, RunEnded):
        return {
            conventions.OPERATION: conventions.INVOKE_WORKFLOW,
            conventions.WORKFLOW_NAME: observed.name,
            conventions.RUN_OUTCOME: fact.outcome,
        }
    if isinstance(fact, ApprovalEnded):
        return {
            conventions.NODE_PATH: fact.path,
            conventions.NODE_KIND: "approval",
            conventions.APPROVAL_NAME: fact.approval,
            conventions.APPROVAL_OUTCOME: fact.outcome,
            conventions.APPROVAL_LEVEL: fact.level,
        }
    if isinstance(fact, StepEnded):
        return {**steps.attributes_of(fact)}
    if isinstance(fact, MemoryUsed):
        return {**memory.attributes_of(fact)}
    if isinstance(fact, ChoiceEnded):
        return {
            conventions.NODE_PATH: fact.path,
            conventions.NODE_KIND: "first",
            conventions.NODE_OUTCOME: fact.outcome,
            **({conventions.CHOICE_CANDIDATE: fact.chosen} if fact.chosen else {}),
        }
    attributes: dict[str, Attribute] = {
        conventions.NODE_PATH: fact.path,
        conventions.NODE_KIND: fact.kind,
        conventions.NODE_ATTEMPT: fact.number,
        conventions.NODE_OUTCOME: fact.outcome,
        conventions.JOB_NAME: fact.job,
    }
    if fact.pod_uid:
        attributes[conventions.POD_UID] = fact.pod_uid
    if fact.started is not None:
        waited = (fact.started - fact.launched).total_seconds()
        attributes[conventions.NODE_QUEUE_SECONDS] = max(waited, 0.0)
        if fact.scheduled is not None:
            startup = (fact.started - fact.scheduled).total_seconds()
            attributes[conventions.NODE_STARTUP_SECONDS] = max(startup, 0.0)
    return attributes
