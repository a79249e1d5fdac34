"""What a pass decides, as data that the shell carries out.

The shell performs `before`, then one conditional write of `status`; only when that write has
landed does it perform `after` and send the events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from waypost.api.approval import ApprovalStatus
from waypost.api.base import JsonObject
from waypost.api.status import AgentWorkflowStatus
from waypost.kube.pods import PodFact
from waypost.protocol.work import Trace

Traces = Mapping[tuple[str, int], Trace]  # by path and attempt


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
    events: tuple[Note, ...] = ()
    refusals: tuple[str, ...] = ()  # why results were refused, one word each, for a counter
    traces: Traces = field(default_factory=dict)
    requeue_at: datetime | None = None
