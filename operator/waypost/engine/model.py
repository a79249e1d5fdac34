"""The values the engine works on: what was observed, what is decided. No behaviour, no I/O.

`Observed` is built once per pass and never changes; `Decision` is data that the shell carries
out: first `before`, then one conditional write of `status`, and only when that has landed
`after` and `events`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.base import JsonObject, JsonValue
from waypost.api.provider import ModelProviderSpec
from waypost.api.status import AgentWorkflowStatus
from waypost.api.toolserver import ToolServerSpec
from waypost.api.workflow import AgentWorkflowSpec
from waypost.engine.definition import Definition
from waypost.engine.payloads import RecordFact
from waypost.engine.secrets import KeyFile
from waypost.protocol.work import Trace

Traces = Mapping[tuple[str, int], Trace]  # by path and attempt


@dataclass(frozen=True)
class PodFact:
    """What the engine needs to know of one pod: some scalars, never the body."""

    name: str
    uid: str
    run_uid: str
    path: str
    attempt: int
    phase: str
    held: bool  # carries our finalizer
    deleting: bool  # has a deletionTimestamp
    scheduled: bool  # bound to a machine
    machine: str = ""  # the machine it is bound to
    deleting_since: datetime | None = None  # when its deletion was asked for
    deleting_until: datetime | None = None  # when its deletion should be done, grace included
    unready_since: datetime | None = None  # when its condition Ready turned False
    round: int = 1
    started_at: datetime | None = None  # container `node` started
    finished_at: datetime | None = None  # container `node` terminated
    terminated: bool = False  # container `node` has a terminated state
    exit_code: int | None = None
    terminated_reason: str = ""  # OOMKilled, Error, ContainerStatusUnknown...
    message: str = ""  # the termination message
    carries: bool = False  # has a sidecar that carries its output (protocol/carrying.py)
    carried: str | None = None  # the sidecar's own message, once that has ended
    waiting_reason: str = ""  # ErrImagePull, CreateContainerConfigError...
    waiting_message: str = ""
    unschedulable: str = ""  # the scheduler's own text
    pod_reason: str = ""  # Evicted, DeadlineExceeded...
    pod_message: str = ""
    disruption: str = ""  # reason and message of DisruptionTarget
    keys: tuple[KeyFile, ...] = ()  # that it mounts, until its container has started
    mount_trouble: str = ""  # which of them is missing; from an Event, read live
    mount_looked_at: datetime | None = None  # when that was read

    @property
    def over(self) -> bool:
        """Certainly not running and never to run: only then may a next attempt start."""
        told = not self.carries or self.carried is not None
        ended = (self.terminated and told) or self.phase in ("Succeeded", "Failed")
        return ended or (self.deleting and not self.scheduled)


@dataclass(frozen=True)
class JobFact:
    """One Job, as created by us or as read live."""

    name: str
    uid: str
    path: str
    attempt: int
    created_at: datetime
    suspended: bool = False
    ended: bool = False  # has a Complete or Failed condition
    deleting: bool = False
    trouble: str = ""  # the newest FailedCreate event's text, read live


@dataclass(frozen=True)
class MachineFact:
    """A Node object of the cluster, as it was read at `looked_at`."""

    name: str
    looked_at: datetime
    ready: bool
    since: datetime | None = None  # of the condition Ready
    found: bool = True
    live: bool = False  # read in this pass


@dataclass(frozen=True)
class LaunchProblem:
    """The API server refused an attempt's Job (or its ConfigMap). `permanent`: it would again."""

    message: str
    permanent: bool


@dataclass(frozen=True)
class ApprovalFact:
    """One Approval object."""

    name: str
    uid: str
    resource_version: str
    owner_uid: str  # uid of its controller, "" when it has none
    spec: ApprovalSpec | None  # None when the models refuse it
    status: ApprovalStatus
    generation: int = 1
    answered_at: datetime | None = None  # when the API server took the decision or last vote
    deleting: bool = False
    round: int = 1


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


@dataclass(frozen=True)
class Wants:
    """What decide needs beside the cache: payloads of NodeRecords by name, logs by pod, live
    reads."""

    payloads: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()  # live reads of results that may be kept
    logs: tuple[PodFact, ...] = ()
    live: bool = False
    references: bool = False  # a live read of providers and servers
    mounts: tuple[PodFact, ...] = ()  # pods that may wait for a key
    machines: frozenset[str] = frozenset()  # live reads of machines that may be dead


@dataclass(frozen=True)
class PutRecord:
    """Create a NodeRecord (before the status that refers to it). Existing with the same digest
    is success."""

    manifest: JsonObject


@dataclass(frozen=True)
class SettleApproval:
    """Write an Approval's status under its resourceVersion, before the run's."""

    name: str
    resource_version: str
    status: ApprovalStatus


@dataclass(frozen=True)
class Launch:
    """Create an attempt's Job, and first its ConfigMap or the NodeRecord with its inputs. Only
    while the fence stands; existing with our owner and request digest is success."""

    path: str
    attempt: int
    job: JsonObject
    config_map: JsonObject | None = None
    input_record: JsonObject | None = None


@dataclass(frozen=True)
class OpenApproval:
    """Create an Approval. Only while the fence stands; existing with our owner and request
    digest is success."""

    manifest: JsonObject


@dataclass(frozen=True)
class StopAttempt:
    """Suspend the Job, which ends its pod gracefully and creates no other; where the Job is
    gone, delete the pods that are left. The Job stays as a tombstone."""

    job: str
    pods: tuple[PodFact, ...] = ()


@dataclass(frozen=True)
class ReleasePod:
    """Take our finalizer off a pod: its result is in status, or nobody will ask for it."""

    name: str
    uid: str


@dataclass(frozen=True)
class DeleteRun:
    """Delete the run (its TTL has passed), if it still is as it was observed."""


Before = PutRecord | SettleApproval
After = Launch | OpenApproval | StopAttempt | ReleasePod | DeleteRun


@dataclass(frozen=True)
class Note:
    """A Kubernetes Event on the run."""

    type: str  # Normal | Warning
    reason: str
    message: str


@dataclass(frozen=True)
class Decision:
    """The next status and what follows from it."""

    status: AgentWorkflowStatus
    before: tuple[Before, ...] = ()
    after: tuple[After, ...] = ()
    notes: tuple[Note, ...] = ()
    refusals: tuple[str, ...] = ()  # why results were refused, one word each, for a counter
    traces: Traces = field(default_factory=dict)
    requeue_at: datetime | None = None
