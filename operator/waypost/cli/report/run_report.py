"""The document that describes a run; `waypost get` and `waypost trace` print it.

Programs read the JSON of these models: fields are added, never renamed (docs/cli.md).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import Field, ValidationError

from waypost.api.approval import ApprovalStatus
from waypost.api.base import JsonObject, Model
from waypost.api.items.states import FAILED, parse_states
from waypost.api.kinds.approval import Approvers
from waypost.api.kinds.table import KINDS
from waypost.api.meta import Condition
from waypost.api.state.usage import Usage
from waypost.api.status import (
    AgentWorkflowStatus,
    AttemptStatus,
    NodeStatus,
    PinnedTemplate,
    Verdict,
)
from waypost.cli.errors import CommandError
from waypost.cli.report.map_items import items_of_interest
from waypost.kube.node_records import LARGEST, record_fact
from waypost.kube.objects import section
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Obj

VERSION: Final = 1
AttemptKey = tuple[str, int]  # path, number


class ModelReport(Model):
    """What the calls of one model used. `costUsd` is only known where a price is."""

    provider: str | None = None
    model: str
    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated_calls: int = 0
    cost_usd: str | None = Field(default=None, alias="costUSD")


class TraceReport(Model):
    """What an attempt did: entries as in docs/adr/0008-agent-nodes.md, and `models` with the sums
    of those for each model. `note` says why no entries can be shown."""

    entries: list[JsonObject] = Field(default_factory=list)
    models: list[ModelReport] = Field(default_factory=list)
    dropped: int = 0
    note: str | None = None


class AttemptReport(Model):
    """One attempt. Durations are in seconds; `queueSeconds` lasts until its container started."""

    number: int
    iteration: int | None = None
    round: int
    job: str
    reason: str | None = None
    message: str | None = None
    launched_at: str
    started_at: str | None = None
    finished_at: str | None = None
    queue_seconds: float | None = None
    seconds: float | None = None
    usage: Usage | None = None
    carried: Usage | None = None
    trace_record: str | None = None
    trace: TraceReport | None = None


class ApprovalReport(Model):
    """The Approval that an approval node waits for."""

    name: str
    state: str
    message: str | None = None
    approvers: Approvers | None = None
    votes: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    expires_at: str | None = None
    reason: str | None = None


class ItemReport(Model):
    """One item of a map. `attempts` counts those of its present list."""

    path: str
    state: str  # Running, Backoff, Waiting, Succeeded, Failed or Cancelled
    attempts: int
    reason: str | None = None
    message: str | None = None


class ItemsReport(Model):
    """The items of a map, counted by their states.

    `listed` has those of interest: the failed ones, then the open ones, then those that were
    repeated, at most 20; `more` says how many others of them there are.
    """

    total: int
    succeeded: int
    failed: int
    running: int
    listed: list[ItemReport] = Field(default_factory=list)
    more: int = 0


class NodeReport(Model):
    """One node. `attempt` counts all attempts; status keeps the first and the last five."""

    path: str
    kind: str
    stage: str | None = None  # Finalizing: in spec.finally; Compensating: undoes another node
    phase: str
    reason: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    seconds: float | None = None
    wake_at: str | None = None
    usage: Usage | None = None
    approval: ApprovalReport | None = None
    disposition: str | None = None
    disposition_message: str | None = None
    iteration: str | None = None  # of a node with repeat: "3 of 5 (refine/2)"
    chosen: str | None = None  # candidate that a first node chose
    rejected: list[str] | None = None  # candidates that it did not accept
    attempt: int = 0
    attempts: list[AttemptReport] = Field(default_factory=list)
    items: ItemsReport | None = None


class RunReport(Model):
    """A run."""

    v: int = VERSION
    name: str
    namespace: str
    uid: str
    round: int
    phase: str
    progress: str
    stage: str | None = None
    verdict: Verdict | None = None
    waiting: str | None = None
    reason: str | None = None
    message: str | None = None
    compensation: str | None = None  # why nodes were not undone
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    seconds: float | None = None
    usage: Usage | None = None
    budget: JsonObject | None = None
    template: PinnedTemplate | None = None
    nodes: list[NodeReport] = Field(default_factory=list)

    def to_json(self) -> JsonObject:
        """The document; unknown values are left out."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


def report(
    run: Obj,
    *,
    now: datetime,
    approvals: Mapping[str, Obj] | None = None,
    traces: Mapping[AttemptKey, TraceReport] | None = None,
    definition: Obj | None = None,
    records: Mapping[str, Obj] | None = None,
) -> RunReport:
    """Describe a run as read from the API server.

    Args:
        run: the AgentWorkflow object.
        now: the end of durations that are still running.
        approvals: Approval objects by name.
        traces: traces by path and attempt number.
        definition: the NodeRecord of the definition of a run of a template, if it can be read.
        records: the NodeRecords with the items of maps that have ended, by name.

    Raises:
        CommandError: the status does not have the known form.
    """
    meta, spec = run["metadata"], run.get("spec") or {}
    try:
        status = AgentWorkflowStatus.model_validate(run.get("status") or {})
    except ValidationError as error:
        text = f"the status of {meta['name']} cannot be read: {error.errors()[0]['msg']}"
        raise CommandError(text) from error
    known = {node.path: node for node in status.nodes}
    reason, message = _verdict(status)
    return RunReport(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        round=status.round,
        phase=status.phase,
        progress=status.progress,
        stage=status.stage,
        verdict=status.verdict,
        waiting=status.waiting,
        reason=reason,
        message=message,
        compensation=_not_undone(status),
        created_at=meta.get("creationTimestamp"),
        started_at=status.started_at,
        finished_at=status.finished_at,
        seconds=_seconds(status.started_at, status.finished_at, now=now),
        usage=status.usage,
        budget=spec.get("budget"),
        template=status.template,
        nodes=[
            _node(
                node,
                known.get(node["name"]),
                now=now,
                approvals=approvals or {},
                traces=traces or {},
                records=records or {},
            )
            for node in _nodes(spec, status, definition)
        ],
    )


def _nodes(
    spec: Mapping[str, Any], status: AgentWorkflowStatus, definition: Obj | None
) -> list[Mapping[str, Any]]:
    """The nodes of a run: those of its spec or of the record; without both, those of its status."""
    fact = record_fact(definition, limit=LARGEST) if definition else None
    value = fact.payload.value if fact is not None and not fact.problem else None
    source = value if isinstance(value, dict) else spec
    last = [{**node, "finally": True} for node in source.get("finally") or ()]
    known: list[Mapping[str, Any]] = [{"name": node.path} for node in status.nodes]
    if not source.get("nodes"):
        return known
    return [*source["nodes"], *_compensations(source["nodes"], status), *last]


def _compensations(
    nodes: Sequence[Mapping[str, Any]], status: AgentWorkflowStatus
) -> list[Mapping[str, Any]]:
    """The compensations that the run needs, those of later nodes first."""
    known = {one.path for one in status.nodes if one.stage == "Compensating"}
    made = [
        {**section(node, "compensate"), "name": f"{node['name']}/compensate", "undoes": True}
        for node in reversed(nodes)
    ]
    return [node for node in made if node["name"] in known]


def _not_undone(status: AgentWorkflowStatus) -> str | None:
    """Why nodes were not undone; None if all were, or while it is not known."""
    for item in status.conditions:
        if item.type == Condition.COMPENSATION_SUCCEEDED and item.status == "False":
            return item.message
    return None


def _verdict(status: AgentWorkflowStatus) -> tuple[str | None, str | None]:
    """Reason and message of the run's phase; None while it is running."""
    conditions = {item.type: item for item in status.conditions}
    accepted = conditions.get(Condition.ACCEPTED)
    if accepted is not None and accepted.status == "False":
        return accepted.reason, accepted.message
    succeeded = conditions.get(Condition.SUCCEEDED)
    return (succeeded.reason, succeeded.message) if succeeded is not None else (None, None)


def _node(
    spec: Mapping[str, Any],
    status: NodeStatus | None,
    *,
    now: datetime,
    approvals: Mapping[str, Obj],
    traces: Mapping[AttemptKey, TraceReport],
    records: Mapping[str, Obj],
) -> NodeReport:
    name, kind = spec["name"], next((kind for kind in KINDS if kind in spec), "unknown")
    stage = "Finalizing" if "finally" in spec else "Compensating" if "undoes" in spec else None
    if status is None:
        return NodeReport(path=name, kind=kind, stage=stage, phase="Pending")
    attempts: Sequence[AttemptStatus] = status.attempts or ()
    return NodeReport(
        path=name,
        kind=kind,
        stage=stage,
        phase=status.phase,
        reason=status.reason,
        message=status.message,
        started_at=status.started_at,
        finished_at=status.finished_at,
        seconds=_seconds(status.started_at, status.finished_at, now=now),
        wake_at=status.wake_at,
        usage=status.usage,
        approval=_approval(status.approval, approvals),
        disposition=status.disposition,
        disposition_message=status.disposition_message,
        iteration=_iteration(spec, status),
        chosen=status.first.chosen if status.first else None,
        rejected=status.first.rejected if status.first else None,
        attempt=status.attempt or 0,
        attempts=[_attempt(item, traces.get((name, item.number)), now=now) for item in attempts],
        items=_items(status, records),
    )


def _items(status: NodeStatus, records: Mapping[str, Obj]) -> ItemsReport | None:
    items = status.items
    if items is None:
        return None
    listed, more = items_of_interest(status.path, items, records.get(items.sealed or ""))
    if items.states is None:
        succeeded, failed, running = items.succeeded or 0, items.failed or 0, 0
    else:
        letters = [state.letter for state in parse_states(items.states)]
        succeeded, running = letters.count("S"), letters.count("R")
        failed = sum(letter in FAILED for letter in letters)
    return ItemsReport(
        total=items.total,
        succeeded=succeeded,
        failed=failed,
        running=running,
        listed=[ItemReport(**found) for found in listed],
        more=more,
    )


def _iteration(spec: Mapping[str, Any], status: NodeStatus) -> str | None:
    """The current iteration of a node with repeat, counted from 1, and its path."""
    loop, repeat = status.loop, spec.get("repeat")
    if loop is None or not isinstance(repeat, Mapping):
        return None
    at = loop.number - (loop.begun or 0) + 1
    return f"{at} of {repeat.get('max')} ({status.path}/{loop.number})"


def _attempt(item: AttemptStatus, trace: TraceReport | None, *, now: datetime) -> AttemptReport:
    return AttemptReport(
        number=item.number,
        iteration=item.iteration,
        round=item.round or 1,
        job=item.job,
        reason=item.reason,
        message=item.message,
        launched_at=item.launched_at,
        started_at=item.started_at,
        finished_at=item.finished_at,
        queue_seconds=_seconds(item.launched_at, item.started_at or item.finished_at, now=now),
        seconds=_seconds(item.started_at, item.finished_at, now=now),
        usage=item.usage,
        carried=item.carried,
        trace_record=item.trace,
        trace=trace,
    )


def _approval(name: str | None, approvals: Mapping[str, Obj]) -> ApprovalReport | None:
    if name is None:
        return None
    found = approvals.get(name)
    if found is None:
        return ApprovalReport(name=name, state="Unknown")
    spec = found.get("spec") or {}
    status = ApprovalStatus.model_validate(found.get("status") or {})
    return ApprovalReport(
        name=name,
        state="Expired" if status.expired else status.state,
        message=spec.get("message"),
        approvers=spec.get("approvers"),
        votes=status.votes,
        decided_by=status.decided_by,
        decided_at=status.decided_at,
        expires_at=spec.get("expiresAt"),
        reason=status.reason,
    )


def _seconds(start: str | None, end: str | None, *, now: datetime) -> float | None:
    """Seconds between two times; until now if the second is None."""
    begun = parse_timestamp(start)
    if begun is None:
        return None
    ended = parse_timestamp(end) or now
    return max(round((ended - begun).total_seconds(), 3), 0.0)
