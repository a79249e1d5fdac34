"""What a pass decides, as data that the runtime executes.

The runtime executes `before`, then one conditional write of `status`. Only if that write succeeds
does it execute `after` and send the events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from waypost.api.approval import ApprovalStatus
from waypost.api.base import JsonObject
from waypost.api.event.model import WorkflowEventStatus
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.engine.state.slots import NO_SLOTS, SlotsDecided
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.slots import Holder
from waypost.protocol.work import Trace

Traces = Mapping[tuple[str, int], Trace]  # by path and attempt


def tried_event(name: str) -> str:
    """By which a pass remembers that it has tried to write a WorkflowEvent."""
    return f"WorkflowEvent/{name}"


@dataclass(frozen=True)
class PutRecord:
    """Create a NodeRecord, before the status that refers to it is written.

    An existing one with the same digest is success.
    """

    manifest: JsonObject

    @property
    def tried_as(self) -> str:
        """The name by which a pass remembers that it has tried this."""
        return str(self.manifest["metadata"]["name"])


@dataclass(frozen=True)
class SettleApproval:
    """Write an Approval's status under its resourceVersion, before the run's."""

    name: str
    resource_version: str
    status: ApprovalStatus

    @property
    def tried_as(self) -> str:
        """The name by which a pass remembers that it has tried this."""
        return self.name


@dataclass(frozen=True)
class SettleEvent:
    """Write a WorkflowEvent's status under its resourceVersion, before the run's."""

    name: str
    resource_version: str
    status: WorkflowEventStatus

    @property
    def tried_as(self) -> str:
        """The same; others choose the names of events, so it is no name that an object can have."""
        return tried_event(self.name)


@dataclass(frozen=True)
class PutEntry:
    """Create a MemoryEntry that the status has in its outbox, before the status without it.

    An existing one of the same run is success. It is not created if its key was forgotten after
    its time; a live list within the fence says so.
    """

    manifest: JsonObject

    @property
    def tried_as(self) -> str:
        """The name by which a pass remembers that it has tried this."""
        return f"MemoryEntry/{self.manifest['metadata']['name']}"


@dataclass(frozen=True)
class Launch:
    """Create an attempt's Job, and before it its slot, the NetworkPolicy of its pod, the claims
    that it mounts, and the ConfigMap or the NodeRecord with its inputs.

    Only within the fence; an existing Job with our owner and request digest is success, and so is
    a slot that names this attempt. Without its slot and its policy no Job is created.
    """

    path: str
    attempt: int
    job: JsonObject
    config_map: JsonObject | None = None
    input_record: JsonObject | None = None
    slot: JsonObject | None = None
    policy: JsonObject | None = None  # of its egress; shared by attempts with the same one
    claims: tuple[JsonObject, ...] = ()  # of the run; shared by the nodes that mount them


@dataclass(frozen=True)
class OpenApproval:
    """Create an Approval.

    Only within the fence; an existing one with our owner and request digest is success.
    """

    manifest: JsonObject


@dataclass(frozen=True)
class StartChild:
    """Create a child run.

    Only within the fence; an existing one with our owner and request digest is success.
    """

    path: str
    manifest: JsonObject


@dataclass(frozen=True)
class PatchChild:
    """Merge `body` into a child run, into this run if it is a child, or into a run that this one
    replaces.

    It names the uid, and the resourceVersion if it depends on the state that was observed. A run
    that has changed or is gone is looked at again. `starts`: only within the fence.
    """

    name: str
    uid: str
    body: JsonObject
    starts: bool = False


@dataclass(frozen=True)
class StopAttempt:
    """Suspend the Job, which ends its pod gracefully and creates no other.

    If the Job is gone, delete its remaining pods. A suspended Job stays, so that no operator
    creates it again.
    """

    job: str
    pods: tuple[PodFact, ...] = ()


@dataclass(frozen=True)
class TakeSlot:
    """Create the Lease of a run. Only within the fence; one that names this run is success."""

    manifest: JsonObject


@dataclass(frozen=True)
class FreeSlot:
    """Delete the Lease of an attempt or run that has ended, if it names it."""

    name: str
    holder: Holder


@dataclass(frozen=True)
class ReleasePod:
    """Remove our finalizer from a pod: its result is in status or no longer needed."""

    name: str
    uid: str


@dataclass(frozen=True)
class DeleteRun:
    """Delete the run after its TTL, if it has not changed since it was observed."""


Before = PutRecord | PutEntry | SettleApproval | SettleEvent
After = (
    Launch
    | OpenApproval
    | StartChild
    | PatchChild
    | StopAttempt
    | TakeSlot
    | FreeSlot
    | ReleasePod
    | DeleteRun
)


@dataclass(frozen=True)
class RunEvent:
    """A Kubernetes Event on the run."""

    type: str  # Normal | Warning
    reason: str
    message: str


@dataclass(frozen=True)
class EntriesStored:
    """What the run remembers from this pass on: the facts of a node or item, or the Episode."""

    path: str  # "" for the Episode
    round: int
    count: int
    at: datetime


@dataclass(frozen=True)
class Decision:
    """The complete next status, and the actions before and after it is written."""

    status: AgentWorkflowStatus
    before: tuple[Before, ...] = ()
    after: tuple[After, ...] = ()
    events: tuple[RunEvent, ...] = ()
    refusals: tuple[str, ...] = ()  # why results were refused, one word each, for a counter
    traces: Traces = field(default_factory=dict)
    # Items of maps, each with one attempt that has ended: the status of a map does not have them.
    ended_items: tuple[NodeStatus, ...] = ()
    # Gates and items that ask a next level, as they were at the level that nobody answered.
    escalated: tuple[NodeStatus, ...] = ()
    entries_stored: tuple[EntriesStored, ...] = ()
    # traceparent of the delivery of the event that an event node takes, by its path.
    callers: Mapping[str, str] = field(default_factory=dict)
    requeue_at: datetime | None = None
    slots: SlotsDecided = NO_SLOTS
    awaits_template: str = ""  # name of the template whose changes must wake the run
