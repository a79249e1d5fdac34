"""What is shown of a run, as documents: programs read their JSON (docs/cli.md).

Fields are added, never renamed.
"""

from typing import Final

from pydantic import Field

from waypost.api.base import JsonObject, Model
from waypost.api.kinds.approval import Approvers
from waypost.api.state.isolation import ControlStatus
from waypost.api.state.usage import Usage
from waypost.api.status import PinnedTemplate, Verdict

VERSION: Final = 1
AttemptKey = tuple[str, int]  # path, number


class ModelView(Model):
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


class TraceView(Model):
    """What an attempt did: entries as in docs/adr/0008-agent-nodes.md, and `models` with the sums
    of those for each model. `note` says why no entries can be shown."""

    entries: list[JsonObject] = Field(default_factory=list)
    models: list[ModelView] = Field(default_factory=list)
    dropped: int = 0
    note: str | None = None


class View(Model):
    """A document."""

    def to_json(self) -> JsonObject:
        """The document; unknown values are left out."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


class Segment(Model):
    """A part of the time of an attempt: queue (until its pod exists; until its container has
    started if the pod is not known), scheduling, pull, startup, work."""

    name: str
    start: str
    end: str
    seconds: float


class AttemptView(Model):
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
    segments: list[Segment] = Field(default_factory=list)
    trace_record: str | None = None
    trace: TraceView | None = None


class ApprovalView(Model):
    """The Approval that an approval node waits for."""

    name: str
    state: str
    level: int | None = None  # of escalation, from 1
    escalated_to: str | None = None  # the Approval that asks others
    message: str | None = None
    approvers: Approvers | None = None
    requesters: list[str] | None = None  # they asked for it and cannot answer
    votes: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    identity_verified: bool | None = None  # whether the API server has checked decided_by
    expires_at: str | None = None
    reason: str | None = None


class ItemView(Model):
    """One item of a map. `attempts` counts those of its present list."""

    path: str
    state: str  # Running, Backoff, Waiting, Succeeded, Failed or Cancelled
    attempts: int
    reason: str | None = None
    message: str | None = None
    child: str | None = None  # the child run of an item of a workflow node
    undoes: str | None = None  # of a compensation: the path of the item that it undoes


class ItemsView(Model):
    """The items of a map, counted by their states.

    `listed` has those of interest: the failed ones, then the open ones, then those that were
    repeated, at most 20; `more` says how many others of them there are.
    """

    total: int
    succeeded: int
    failed: int
    running: int
    listed: list[ItemView] = Field(default_factory=list)
    more: int = 0


class NodeView(Model):
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
    approval: ApprovalView | None = None
    disposition: str | None = None
    disposition_message: str | None = None
    input_digest: str | None = None
    output_digest: str | None = None
    child: str | None = None  # the child run of a workflow node
    iteration: str | None = None  # of a node with repeat: "3 of 5 (refine/2)"
    chosen: str | None = None  # candidate that a first node chose
    rejected: list[str] | None = None  # candidates that it did not accept
    attempt: int = 0
    attempts: list[AttemptView] = Field(default_factory=list)
    items: ItemsView | None = None


class Obstacle(Model):
    """Why a run does not move, or one of its nodes: what it waits for, and what a person can do.

    `since` is when it began, if that is known. `command` can be typed as it is.
    """

    node: str | None = None
    what: str
    text: str
    since: str | None = None
    command: str | None = None


class RunMemory(View):
    """What a run has read of its memory. `entries`: the names of at most 50 of them. `unwritten`:
    records with entries that the run remembers and that are not created yet."""

    scope: str
    key: str
    at: str | None = None
    episodes: int
    facts: int
    entries: list[str] = Field(default_factory=list)
    unwritten: int = 0


class RunView(View):
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
    isolation: list[ControlStatus] | None = None
    budget: JsonObject | None = None
    template: PinnedTemplate | None = None
    memory: RunMemory | None = None
    parent: str | None = None  # the run that started this one
    requested_by: str | None = None  # who started it, or wrote the schedule that did
    round_requested_by: str | None = None  # who raised its last round
    origin: str | None = None  # the schedule or the event that started it
    obstacles: list[Obstacle] = Field(default_factory=list)
    nodes: list[NodeView] = Field(default_factory=list)


class RunRow(View):
    """One line of a list of runs."""

    name: str
    namespace: str
    uid: str
    phase: str
    progress: str
    round: int
    waiting: str | None = None
    reason: str | None = None
    template: str | None = None
    parent: str | None = None
    schedule: str | None = None
    scheduled_at: str | None = None
    requested_by: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    total_tokens: int | None = None
    cost_usd: str | None = Field(default=None, alias="costUSD")
    estimated: bool | None = None
