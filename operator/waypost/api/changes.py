"""Changes of a status, checked by the type checker: a misspelt field or a wrong type is an error.

`model_copy(update=...)` takes any key and checks nothing, so no other module calls it on a status.
"""

from typing import TypedDict, Unpack

from waypost.api.base import JsonObject, JsonValue, StatusCondition
from waypost.api.items.status import ItemFailure, ItemsStatus
from waypost.api.nodes.artifacts import ArtifactStatus
from waypost.api.state.child import ChildStatus
from waypost.api.state.event import EventWait
from waypost.api.state.first import FirstStatus
from waypost.api.state.image import ImageStatus
from waypost.api.state.isolation import ControlStatus
from waypost.api.state.memory import MemoryStatus, RunEnd
from waypost.api.state.round import RoundStatus
from waypost.api.state.slot import RunSlot
from waypost.api.state.usage import Allotment, Usage
from waypost.api.status import (
    AgentWorkflowStatus,
    AttemptStatus,
    Disposition,
    LoopStatus,
    NodePhase,
    NodeStatus,
    PinnedTemplate,
    RunPhase,
    Stage,
    Verdict,
)


class NodeChanges(TypedDict, total=False):
    """Fields of NodeStatus but its path."""

    stage: Stage | None
    phase: NodePhase
    reason: str | None
    message: str | None
    tail: str | None
    round: int | None
    disposition: Disposition | None
    disposition_message: str | None
    fingerprint: str | None
    repeats: int | None
    undo_attempts: int | None
    attempt: int | None
    attempts: list[AttemptStatus] | None
    retries: int | None
    disruptions: int | None
    provider_retries: int | None
    launch_retries: int | None
    loop: LoopStatus | None
    image: ImageStatus | None
    child: ChildStatus | None
    first: FirstStatus | None
    input_digest: str | None
    output: JsonValue | None
    output_record: str | None
    output_digest: str | None
    artifacts: list[ArtifactStatus] | None
    usage: Usage | None
    approval: str | None
    level: int | None
    event: EventWait | None
    parked: int | None
    wake_at: str | None
    deadline_at: str | None
    started_at: str | None
    finished_at: str | None
    items: ItemsStatus | None


class ItemsChanges(TypedDict, total=False):
    """Fields of ItemsStatus but its round, its total and its list."""

    succeeded: int | None
    failed: int | None
    at: str | None
    before: int | None
    source: str | None
    list_record: str | None
    states: str | None
    open: list[str] | None
    size: int | None
    facts: int | None
    reasons: dict[str, int] | None
    failures: list[ItemFailure] | None
    fresh: JsonObject | None
    blocks: list[str] | None
    doomed: str | None
    reusable: bool | None
    continues: bool | None
    again: list[int] | None
    repeated: bool | None
    sealed: str | None


class AttemptChanges(TypedDict, total=False):
    """Fields of AttemptStatus but its number and its Job."""

    iteration: int | None
    round: int | None
    launched_at: str
    queued_until: str | None
    scheduled_at: str | None
    prepared_at: str | None
    pod_uid: str | None
    started_at: str | None
    finished_at: str | None
    reason: str | None
    message: str | None
    exit_code: int | None
    stopping: str | None
    stopping_at: str | None
    never_started: bool | None
    slot: str | None
    allotment: Allotment | None
    usage: Usage | None
    carried: Usage | None
    trace: str | None


class LoopChanges(TypedDict, total=False):
    """Fields of LoopStatus."""

    number: int
    begun: int | None
    first_attempt: int | None
    done: str | None
    previous: str | None
    artifacts: list[str] | None
    usage: Usage | None


class ChildChanges(TypedDict, total=False):
    """Fields of ChildStatus."""

    name: str
    uid: str | None
    generation: int
    round: int
    stopping: str | None
    budget: Allotment | None
    earlier: Usage | None


class MemoryChanges(TypedDict, total=False):
    """Fields of MemoryStatus that change after the snapshot."""

    outbox: list[str] | None
    end: RunEnd | None


class RunChanges(TypedDict, total=False):
    """Fields of AgentWorkflowStatus but the version of the engine."""

    observed_generation: int
    phase: RunPhase
    progress: str
    waiting: str | None
    stage: Stage | None
    verdict: Verdict | None
    compensate_deadline_at: str | None
    finally_deadline_at: str | None
    round: int
    round_started_at: str | None
    rounds: list[RoundStatus] | None
    template: PinnedTemplate | None
    slot: RunSlot | None
    memory: MemoryStatus | None
    retired_usage: Usage | None
    inputs: JsonValue | None
    outputs: JsonValue | None
    usage: Usage | None
    isolation: list[ControlStatus] | None
    cancelled_at: str | None
    started_at: str | None
    finished_at: str | None
    conditions: list[StatusCondition]
    nodes: list[NodeStatus]


def changed_node(status: NodeStatus, **changes: Unpack[NodeChanges]) -> NodeStatus:
    """A copy of `status` with these fields replaced."""
    return status.model_copy(update=dict(changes))


def changed_items(items: ItemsStatus, **changes: Unpack[ItemsChanges]) -> ItemsStatus:
    """A copy of `items` with these fields replaced."""
    return items.model_copy(update=dict(changes))


def changed_attempt(attempt: AttemptStatus, **changes: Unpack[AttemptChanges]) -> AttemptStatus:
    """A copy of `attempt` with these fields replaced."""
    return attempt.model_copy(update=dict(changes))


def changed_run(status: AgentWorkflowStatus, **changes: Unpack[RunChanges]) -> AgentWorkflowStatus:
    """A copy of `status` with these fields replaced."""
    return status.model_copy(update=dict(changes))


def changed_loop(loop: LoopStatus, **changes: Unpack[LoopChanges]) -> LoopStatus:
    """A copy of `loop` with these fields replaced."""
    return loop.model_copy(update=dict(changes))


def changed_child(child: ChildStatus, **changes: Unpack[ChildChanges]) -> ChildStatus:
    """A copy of `child` with these fields replaced."""
    return child.model_copy(update=dict(changes))


def changed_memory(memory: MemoryStatus, **changes: Unpack[MemoryChanges]) -> MemoryStatus:
    """A copy of `memory` with these fields replaced."""
    return memory.model_copy(update=dict(changes))
