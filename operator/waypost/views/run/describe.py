"""Describes a run, from the object that the API server has."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from waypost.api.approval import ApprovalStatus
from waypost.api.base import JsonObject
from waypost.api.checkpoints import path_of
from waypost.api.items.states import FAILED, parse_states
from waypost.api.kinds.table import KINDS
from waypost.api.meta import Condition
from waypost.api.status import AgentWorkflowStatus, AttemptStatus, NodeStatus
from waypost.kube.node_records import LARGEST, record_fact
from waypost.kube.objects import section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.views.approvals import is_verified, shown_state
from waypost.views.errors import CannotShow
from waypost.views.models import (
    ApprovalView,
    AttemptView,
    ItemsView,
    ItemView,
    NodeView,
    RunMemory,
    RunView,
)
from waypost.views.related import Related
from waypost.views.run.map_items import items_of_interest
from waypost.views.run.obstacles import obstacles
from waypost.views.run.segments import segments


def run_view(run: JsonObject, *, now: datetime, related: Related | None = None) -> RunView:
    """Describe a run as read from the API server.

    Args:
        run: The AgentWorkflow object.
        now: The end of durations that are still running.
        related: What was read beside it.

    Raises:
        CannotShow: The status does not have the known form.
    """
    meta, spec, related = run["metadata"], run.get("spec") or {}, related or Related()
    status = status_of(run)
    known = {node.path: node for node in status.nodes}
    reason, message = _verdict(status)
    return RunView(
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
        isolation=status.isolation,
        budget=spec.get("budget"),
        template=status.template,
        memory=_memory(status),
        parent=text(section(spec, "parent"), "run") or None,
        requested_by=text(spec, "requestedBy")
        or text(section(spec, "origin"), "requestedBy")
        or None,
        round_requested_by=text(section(spec, "rerun"), "requestedBy") or None,
        origin=_origin(section(spec, "origin")),
        obstacles=obstacles(run, status, related, now=now),
        nodes=[
            _node(
                node,
                known.get(node["name"]),
                now=now,
                related=related,
                run=(meta["name"], meta["uid"]),
            )
            for node in _nodes(spec, status, related.definition)
        ],
    )


def _memory(status: AgentWorkflowStatus) -> RunMemory | None:
    memory = status.memory
    if memory is None:
        return None
    return RunMemory(
        scope=memory.scope,
        key=memory.key,
        at=memory.at,
        episodes=memory.episodes,
        facts=memory.facts,
        entries=list(memory.entries or ()),
        unwritten=len(memory.outbox or ()),
    )


def status_of(run: JsonObject) -> AgentWorkflowStatus:
    """The status of a run. Raises CannotShow if it does not have the known form."""
    try:
        return AgentWorkflowStatus.model_validate(run.get("status") or {})
    except ValidationError as error:
        name = text(section(run, "metadata"), "name")
        message = f"the status of {name} cannot be read: {error.errors()[0]['msg']}"
        raise CannotShow(message) from error


def _nodes(
    spec: Mapping[str, Any], status: AgentWorkflowStatus, definition: JsonObject | None
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
    related: Related,
    run: tuple[str, str],
) -> NodeView:
    name, kind = spec["name"], next((kind for kind in KINDS if kind in spec), "unknown")
    stage = "Finalizing" if "finally" in spec else "Compensating" if "undoes" in spec else None
    if status is None:
        return NodeView(path=name, kind=kind, stage=stage, phase="Pending")
    attempts: Sequence[AttemptStatus] = status.attempts or ()
    return NodeView(
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
        approval=_approval(status.approval, related.approvals),
        disposition=status.disposition,
        disposition_message=status.disposition_message,
        iteration=_iteration(spec, status),
        chosen=status.first.chosen if status.first else None,
        rejected=status.first.rejected if status.first else None,
        attempt=status.attempt or 0,
        input_digest=status.input_digest,
        output_digest=status.output_digest,
        child=status.child.name if status.child else None,
        attempts=[_attempt(name, item, related, now=now) for item in attempts],
        items=_items(status, related.records, run),
    )


def _items(
    status: NodeStatus, records: Mapping[str, JsonObject], run: tuple[str, str]
) -> ItemsView | None:
    items = status.items
    if items is None:
        return None
    name, uid = run
    listed, more = items_of_interest(status.path, items, records, run=name, run_uid=uid)
    if items.states is None:
        succeeded, failed, running = items.succeeded or 0, items.failed or 0, 0
    else:
        letters = [state.letter for state in parse_states(items.states)]
        succeeded, running = letters.count("S"), letters.count("R")
        failed = sum(letter in FAILED for letter in letters)
    return ItemsView(
        total=items.total,
        succeeded=succeeded,
        failed=failed,
        running=running,
        listed=[ItemView(**found) for found in listed],
        more=more,
    )


def _iteration(spec: Mapping[str, Any], status: NodeStatus) -> str | None:
    """The current iteration of a node with repeat, counted from 1, and its path."""
    loop, repeat = status.loop, spec.get("repeat")
    if loop is None or not isinstance(repeat, Mapping):
        return None
    at = loop.number - (loop.begun or 0) + 1
    return f"{at} of {repeat.get('max')} ({status.path}/{loop.number})"


def _attempt(name: str, item: AttemptStatus, related: Related, *, now: datetime) -> AttemptView:
    return AttemptView(
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
        segments=segments(item, path_of(name, item), related, now=now),
        trace=related.traces.get((name, item.number)),
    )


def _origin(origin: JsonObject) -> str | None:
    """`schedule nightly`, or `event x`; None if a person or another run started it."""
    for kind in ("schedule", "event"):
        if name := text(origin, kind):
            return f"{kind} {name}"
    return None


def _approval(name: str | None, approvals: Mapping[str, JsonObject]) -> ApprovalView | None:
    if name is None:
        return None
    found = approvals.get(name)
    if found is None:
        return ApprovalView(name=name, state="Unknown")
    spec = found.get("spec") or {}
    status = ApprovalStatus.model_validate(found.get("status") or {})
    return ApprovalView(
        name=name,
        state=shown_state(status),
        level=spec.get("level"),
        escalated_to=status.escalated_to,
        message=spec.get("message"),
        approvers=spec.get("approvers"),
        requesters=spec.get("requesters"),
        votes=status.votes,
        decided_by=status.decided_by,
        decided_at=status.decided_at,
        identity_verified=is_verified(status),
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
