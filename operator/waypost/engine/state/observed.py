"""The values the engine works on: what was observed, what is decided. No behaviour, no I/O.

`Observed` is built once per pass and never changes; `Decision` is data that the shell carries
out: first `before`, then one conditional write of `status`, and only when that has landed
`after` and `events`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from waypost.api.base import JsonValue
from waypost.api.provider import ModelProviderSpec
from waypost.api.status import AgentWorkflowStatus
from waypost.api.toolserver import ToolServerSpec
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.definition import Definition
from waypost.kube.approvals import ApprovalFact
from waypost.kube.jobs import JobFact, LaunchProblem
from waypost.kube.machines import MachineFact
from waypost.kube.payloads import RecordFact
from waypost.kube.pods import PodFact


@dataclass(frozen=True)
class Observed:
    """Everything known of one run at the start of a pass.

    Positive facts (a pod ended, a decision was made) may come from the cache. That something is
    absent may only be concluded when `live` is true: then pods, jobs and approvals are complete,
    read from the API server in this pass.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    definition: Definition
    status: AgentWorkflowStatus
    deleting: bool = False  # the run has a deletionTimestamp, or its namespace is Terminating
    tracked: bool = False  # Argo CD or Flux track the object
    pruned: tuple[str, ...] = ()  # fields the user applied and the API server dropped
    pods: tuple[PodFact, ...] = ()
    jobs: Mapping[str, JobFact] = field(default_factory=dict)
    approvals: Mapping[str, ApprovalFact] = field(default_factory=dict)
    # By name of NodeRecord; an Unread where it is too big for expressions.
    payloads: Mapping[str, JsonValue] = field(default_factory=dict)
    # Read live by name; None where there certainly is none.
    records: Mapping[str, RecordFact | None] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)  # pod uid -> end of its log
    launches: Mapping[str, LaunchProblem] = field(default_factory=dict)  # by Job name
    # What could not be written in this pass before its status, by name of NodeRecord or Approval.
    unkept: Mapping[str, LaunchProblem] = field(default_factory=dict)
    # NodeRecords that stood already under names that this pass wanted to write, and are ours.
    standing: Mapping[str, RecordFact] = field(default_factory=dict)
    # Of the run's namespace, by name; None where the models refuse the object. That a name is
    # missing may only be concluded when `references_live` is true.
    providers: Mapping[str, ModelProviderSpec | None] = field(default_factory=dict)
    servers: Mapping[str, ToolServerSpec | None] = field(default_factory=dict)
    references_live: bool = False
    machines: Mapping[str, MachineFact] = field(default_factory=dict)  # those of its pods, by name
    node_lost_seconds: float = 300.0  # how long a machine may be silent; 0: for ever
    live: bool = False
    live_at: datetime | None = None  # when the last live read of this run was made

    @property
    def spec(self) -> AgentWorkflowSpec | None:
        """The parsed spec; None when the models refuse it."""
        return self.definition.spec

    def pods_of(self, path: str, attempt: int) -> list[PodFact]:
        """The pods of one attempt; more than one only if the cluster started it twice."""
        return [pod for pod in self.pods if (pod.path, pod.attempt) == (path, attempt)]


@dataclass(frozen=True)
class Reads:
    """What decide needs beside the cache: payloads of NodeRecords by name, logs by pod, live
    reads."""

    payloads: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()  # live reads of results that may be kept
    logs: tuple[PodFact, ...] = ()
    live: bool = False
    references: bool = False  # a live read of providers and servers
    mounts: tuple[PodFact, ...] = ()  # pods that may wait for a key
    machines: frozenset[str] = frozenset()  # live reads of machines that may be dead
