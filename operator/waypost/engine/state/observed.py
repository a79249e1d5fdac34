"""What a pass has observed of a run, and the reads that it still needs. No behaviour, no I/O.

`Observed` is built once per pass. A pass adds the results of its live reads by `replace`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from waypost.api.base import JsonValue
from waypost.api.checkpoints import path_of
from waypost.api.isolation.policy import NamespacePolicy
from waypost.api.provider import ModelProviderSpec
from waypost.api.status import AgentWorkflowStatus, AttemptStatus
from waypost.api.template.parent import Parent
from waypost.api.toolserver import ToolServerSpec
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.definition import Definition
from waypost.compiler.origin import Origin, Own
from waypost.kube import timestamps
from waypost.kube.admission.guard import Guard
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.children import ChildFact, ParentFact
from waypost.kube.facts.copies import own_pods
from waypost.kube.facts.jobs import JobFact, WriteProblem
from waypost.kube.facts.machines import MachineFact
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import APPROVALS, ReadProblem
from waypost.kube.facts.slots import KeySlots, SlotWait
from waypost.kube.memory.entries import Entry
from waypost.kube.payloads import RecordFact
from waypost.kube.workflow_events import EventFact, Selector

MemoryKey = tuple[str, str]  # scope, key


@dataclass(frozen=True)
class Observed:
    """Everything known of one run at the start of a pass.

    Positive facts (a pod ended, a decision was made) may come from the cache. The engine may only
    conclude that something is absent if `live` is true: then pods, Jobs and child runs are complete
    and were read from the API server in this pass. For Approvals, `approvals_read_at` says so.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    definition: Definition
    status: AgentWorkflowStatus
    origin: Origin = field(default_factory=Own)  # where the definition comes from
    new_runs_suspended: bool = False  # the setting of the operator
    archives: bool = False  # the setting of the operator: no TTL before the run is archived
    policy: NamespacePolicy | None = None  # of the platform for the namespace; None: no limits
    ahead: int | None = None  # runs of the namespace before this one, for maxRuns of the policy
    deleting: bool = False  # the run has a deletionTimestamp, or its namespace is Terminating
    tracked: bool = False  # Argo CD or Flux track the object
    workflow: str = ""  # its label waypost.dev/workflow
    caller: str = ""  # traceparent of what started it
    keep_until: datetime | None = None  # its schedule may still look for it: no TTL before
    pruned: tuple[str, ...] = ()  # fields the user applied and the API server dropped
    reserved: tuple[str, ...] = ()  # a sentence on each label and annotation of our domain
    pods: tuple[PodFact, ...] = ()
    jobs: Mapping[str, JobFact] = field(default_factory=dict)  # by name
    approvals: Mapping[str, ApprovalFact] = field(default_factory=dict)  # by name
    children: Mapping[str, ChildFact] = field(default_factory=dict)  # its child runs, by name
    parent: ParentFact | None = None  # None if the run is no child
    finalizers: tuple[str, ...] = ()
    # By name of NodeRecord; an Unavailable if expressions cannot read it.
    payloads: Mapping[str, JsonValue] = field(default_factory=dict)
    # NodeRecords that were read live, by name; None if there is none.
    records: Mapping[str, RecordFact | None] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)  # pod uid -> end of its log
    # Why a Job or Approval could not be created in an earlier pass, or a Job stopped, by its name.
    child_problems: Mapping[str, WriteProblem] = field(default_factory=dict)
    # Why a NodeRecord or the status of an Approval could not be written in this pass, by its name.
    write_problems: Mapping[str, WriteProblem] = field(default_factory=dict)
    # The run's NodeRecords that existed when this pass tried to create them, by name.
    existing_records: Mapping[str, RecordFact] = field(default_factory=dict)
    # Of the run's namespace, by name; None if the models refuse the object. Only if
    # `references_live` is true may the engine conclude that a name is missing.
    providers: Mapping[str, ModelProviderSpec | None] = field(default_factory=dict)
    servers: Mapping[str, ToolServerSpec | None] = field(default_factory=dict)
    references_live: bool = False
    machines: Mapping[str, MachineFact] = field(default_factory=dict)  # those of its pods, by name
    node_lost_seconds: float = 300.0  # how long a machine may be not ready; 0: no limit
    live: bool = False
    live_at: datetime | None = None  # when the last live read of this run was made
    # Of what this pass needs, what could not be read and why, by `ReadProblem.what`.
    unread: Mapping[str, ReadProblem] = field(default_factory=dict)
    slots: Mapping[str, KeySlots] = field(default_factory=dict)  # by digest of the key; read live
    # What waits for keys of the namespace for which very many wait, by digest and then by place, as
    # far as this operator knows.
    long_queues: Mapping[str, tuple[SlotWait, ...]] = field(default_factory=dict)
    # MemoryEntries that were read live in this pass, by scope and key.
    memory: Mapping[MemoryKey, tuple[Entry, ...]] = field(default_factory=dict)
    memory_at: datetime | None = None  # when this pass listed the first of them
    # Nodes that read something else in the new snapshot of a round; None: it is not taken yet.
    refreshed: frozenset[str] | None = None
    arrived: frozenset[Selector] = frozenset()  # of what it waits for: the watch has delivered one
    # WorkflowEvents that were read live in this pass, by what they were selected by.
    workflow_events: Mapping[Selector, tuple[EventFact, ...]] = field(default_factory=dict)
    workflow_events_at: datetime | None = None  # when this pass listed the first of them
    guard: Guard | None = None  # of Approvals; None: no admission policy is installed
    strict_approvals: bool = False  # answers that are not verified do not count
    approvals_live_at: datetime | None = None  # when this pass read the Approvals, if not `live`

    @property
    def spec(self) -> AgentWorkflowSpec | None:
        """The parsed spec; None when the models refuse it."""
        return self.definition.spec

    @property
    def approvals_read_at(self) -> datetime | None:
        """When this pass read the run's Approvals live; None if it did not."""
        if self.live and APPROVALS not in self.unread:
            return self.live_at or self.created_at
        return self.approvals_live_at

    def looked_at(self, now: datetime) -> datetime:
        """As of when a Job or pod that is not known is missing: the moment before this pass listed
        them. It may decide much later, because it has more to read and to write first."""
        return self.live_at if self.live and self.live_at is not None else now

    @property
    def lineage(self) -> Parent | None:
        """What the run has from its parent; None if it is no child."""
        honoured = self.spec is not None and self.parent is not None and self.parent.ours
        return self.spec.parent if honoured and self.spec is not None else None

    def pods_of(self, node: str, attempt: AttemptStatus) -> list[PodFact]:
        """The pods of one attempt, without copies that others made; more than one only if the
        cluster started it twice."""
        labelled = self._pods_by_attempt.get((path_of(node, attempt), attempt.number), ())
        since = timestamps.parse_timestamp(attempt.launched_at)
        return own_pods(labelled, job=attempt.job, launched_at=since)

    @cached_property
    def unsettled_pods(self) -> tuple[PodFact, ...]:
        """The pods for which something may have to be done."""
        return tuple(pod for pod in self.pods if not pod.is_quiet)

    @cached_property
    def _pods_by_attempt(self) -> dict[tuple[str, int], list[PodFact]]:
        """The pods by path and attempt: a map asks for those of a hundred items in each pass."""
        found: dict[tuple[str, int], list[PodFact]] = {}
        for pod in self.pods:
            found.setdefault((pod.path, pod.attempt), []).append(pod)
        return found


@dataclass(frozen=True)
class Reads:
    """The reads that a pass still needs before it may decide."""

    payloads: frozenset[str] = frozenset()  # names of NodeRecords whose values are needed
    records: frozenset[str] = frozenset()  # names of NodeRecords to read live
    logs: tuple[PodFact, ...] = ()  # pods whose logs are needed
    live: bool = False  # a live read of pods, Jobs and Approvals
    references: bool = False  # a live read of providers and servers
    silent: tuple[PodFact, ...] = ()  # pods that do not start, whose Events say why
    machines: frozenset[str] = frozenset()  # names of machines to read live
    workflow_events: frozenset[Selector] = frozenset()  # WorkflowEvents to list live
    guard: bool = False  # a look at the admission policy on Approvals
    memory: frozenset[MemoryKey] = frozenset()  # whose MemoryEntries to list live
