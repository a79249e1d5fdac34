"""Status of an AgentWorkflow: the checkpoint log of the run. Only the operator writes it."""

from typing import Literal

from pydantic import ConfigDict, Field

from waypost.api.base import ATOMIC, JsonValue, StatusCondition, StatusModel, Timestamp, keyed_by
from waypost.api.items.status import ItemsStatus
from waypost.api.nodes.artifacts import MadeArtifacts, MadeTexts
from waypost.api.state.child import ChildStatus
from waypost.api.state.event import EventWait
from waypost.api.state.first import FirstStatus
from waypost.api.state.image import ImageStatus
from waypost.api.state.isolation import IsolationStatus
from waypost.api.state.memory import MemoryStatus
from waypost.api.state.round import RoundStatus
from waypost.api.state.slot import RunSlot
from waypost.api.state.usage import Allotment, Usage

NodePhase = Literal[
    "Pending",
    "Running",
    "Waiting",
    "Backoff",
    "Superseding",
    "Succeeded",
    "Failed",
    "Skipped",
    "Cancelled",
]
# How a round treated the checkpoint of a node.
Disposition = Literal["Reused", "Adopted", "Rerun", "New", "Given", "SkippedByUser"]
RunPhase = Literal[
    "Pending",
    "Rejected",
    "Running",
    "Waiting",
    "Paused",
    "Suspended",
    "Succeeded",
    "Failed",
    "Cancelled",
]

# Main: the nodes of spec.nodes; Compensating: what undoes them; Finalizing: those of spec.finally.
Stage = Literal["Main", "Compensating", "Finalizing"]

FINAL_PHASES: frozenset[str] = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})
KEPT_ATTEMPTS = 6  # the first and the last five; `attempt` counts them all
KEPT_ROUNDS = 10
# Version of the rules that write a status. The operator does not touch one with a higher version.
ENGINE_VERSION = 1


class AttemptStatus(StatusModel):
    """One attempt of a node: one Job, one pod."""

    number: int = Field(
        ge=1,
        description="Number of the attempt. The first is 1, and a new round continues the count.",
    )
    iteration: int | None = Field(
        default=None,
        ge=0,
        description="Iteration that the attempt belongs to, from 0. Only of nodes with repeat.",
    )
    job: str = Field(max_length=63, description="Name of the attempt's Job.")
    round: int | None = Field(
        default=None, ge=1, description="Round in which the attempt was launched. Absent: 1."
    )
    launched_at: Timestamp = Field(
        description="Time when the attempt was recorded, before its Job was created."
    )
    queued_until: Timestamp | None = Field(default=None, description="Time when it was admitted.")
    pod_uid: str | None = Field(
        default=None, max_length=64, description="uid of the pod whose result was used."
    )
    scheduled_at: Timestamp | None = Field(default=None, description="Time when it was scheduled.")
    prepared_at: Timestamp | None = Field(default=None, description="Time when images were left.")
    started_at: Timestamp | None = Field(default=None, description="Time of its container's start.")
    finished_at: Timestamp | None = Field(default=None, description="Time when the attempt ended.")
    reason: str | None = Field(
        default=None,
        max_length=64,
        description="Result of the attempt: Succeeded or the reason of the failure.",
    )
    message: str | None = Field(default=None, max_length=512, description="Explanation for people.")
    exit_code: int | None = Field(
        default=None,
        description="Exit code of the program, if it is why the attempt failed.",
    )
    stopping: str | None = Field(
        default=None,
        max_length=64,
        description="Reason with which the attempt will end. Set while it is being stopped.",
    )
    stopping_at: Timestamp | None = Field(
        default=None,
        description="Time at which an attempt that is being stopped was first seen to have no "
        "Job. It is closed 12 seconds later: until then another operator may still create one.",
    )
    never_started: bool | None = Field(default=None, description="true: its program never ran.")
    slot: str | None = Field(
        default=None,
        max_length=63,
        description="Lease that holds a slot of concurrency.key for this attempt.",
    )
    allotment: Allotment | None = Field(default=None, description=Allotment.__doc__)
    usage: Usage | None = Field(default=None, description="Resources that this attempt used.")
    carried: Usage | None = Field(
        default=None,
        description="Resources that earlier attempts used and could not report.",
    )
    trace: str | None = Field(
        default=None, max_length=253, description="NodeRecord that holds the trace of the attempt."
    )


class LoopStatus(StatusModel):
    """State of a node with repeat."""

    number: int = Field(
        ge=0, description="Number of the current iteration. The first is 0, its path is NODE/0."
    )
    begun: int | None = Field(
        default=None,
        ge=0,
        description="Number of the first iteration of this round. repeat.max counts from there. "
        "Absent: 0.",
    )
    first_attempt: int | None = Field(
        default=None, ge=1, description="Number of the attempt that began the loop. Absent: 1."
    )
    done: str | None = Field(
        default=None,
        max_length=1024,
        description="Number of the last attempt of each iteration that succeeded, with blanks "
        "between them; 7/2 is attempt 7, of round 2. The last 100 are kept.",
    )
    previous: str | None = Field(
        default=None,
        max_length=253,
        description="NodeRecord that holds the output of the last iteration that succeeded.",
    )
    artifacts: MadeTexts = None
    usage: Usage | None = Field(
        default=None, description="Resources that the iterations of this loop used that have ended."
    )


class NodeStatus(StatusModel):
    """The checkpoint of one node."""

    model_config = ConfigDict(json_schema_extra=ATOMIC)

    path: str = Field(max_length=128, description="Path of the node, or of its compensation.")
    stage: Stage | None = Field(
        default=None,
        description="Finalizing: the node is in spec.finally. Compensating: it undoes another "
        "node. Absent: it is in spec.nodes.",
    )
    phase: NodePhase = Field(description="Phase of the node.")
    reason: str | None = Field(
        default=None,
        max_length=64,
        description="Reason of the phase: one of the reasons in docs/troubleshooting.md.",
    )
    message: str | None = Field(
        default=None, max_length=3072, description="Explanation for people."
    )
    tail: str | None = Field(
        default=None, max_length=4096, description="Last lines that a failed node printed."
    )
    round: int | None = Field(
        default=None,
        ge=1,
        description="Round in which this checkpoint began. Absent: 1.",
    )
    disposition: Disposition | None = Field(
        default=None,
        description="How the latest round treated the checkpoint: Reused (unchanged), Adopted (in "
        "progress, continues), Rerun, New, Given (output entered in rerun.outputs), SkippedByUser "
        "(listed in rerun.skip).",
    )
    disposition_message: str | None = Field(
        default=None, max_length=512, description="Explanation for people."
    )
    fingerprint: str | None = Field(
        default=None,
        max_length=80,
        description="Digest of the definition that the checkpoint was made with: kind, inputs, "
        "when, schemas. If it is unchanged, a later round reuses the checkpoint, and a new "
        "attempt continues where an earlier one stopped.",
    )
    repeats: int | None = Field(
        default=None,
        ge=0,
        description="Number of times that rerun.from has named the node, or a round has repeated "
        "it because it was undone. In finally and of compensations: the round minus 1.",
    )
    undo_attempts: int | None = Field(
        default=None,
        ge=1,
        description="Number of the latest attempt of its compensation in earlier rounds.",
    )
    attempt: int | None = Field(default=None, ge=0, description="Number of the latest attempt.")
    attempts: list[AttemptStatus] | None = Field(
        default=None,
        max_length=KEPT_ATTEMPTS,
        description="The first and the last five attempts.",
    )
    retries: int | None = Field(
        default=None, ge=0, description="Number of extra attempts that count against retry.limit."
    )
    disruptions: int | None = Field(
        default=None,
        ge=0,
        description="Number of attempts lost to the cluster. They do not count as retries.",
    )
    provider_retries: int | None = Field(
        default=None,
        ge=0,
        description="Number of attempts that a provider asked to repeat later. They do not count "
        "as retries.",
    )
    launch_retries: int | None = Field(
        default=None,
        ge=0,
        description="Number of attempts that were launched again because their pod did not start "
        "within queueTimeout. They do not count as retries.",
    )
    loop: LoopStatus | None = Field(default=None, description=LoopStatus.__doc__)
    image: ImageStatus | None = Field(default=None, description=ImageStatus.__doc__)
    child: ChildStatus | None = Field(default=None, description=ChildStatus.__doc__)
    first: FirstStatus | None = Field(default=None, description=FirstStatus.__doc__)
    input_digest: str | None = Field(
        default=None, max_length=80, description="sha256 of the resolved inputs (RFC 8785)."
    )
    output: JsonValue | None = Field(
        default=None,
        description="Output of the node, if it is small. A null output is stored as null or left "
        "out; outputDigest is set in both cases.",
    )
    output_record: str | None = Field(
        default=None,
        max_length=253,
        description="NodeRecord that holds the output if it is too large for status.",
    )
    output_digest: str | None = Field(
        default=None, max_length=80, description="sha256 of the output (RFC 8785)."
    )
    artifacts: MadeArtifacts = None
    usage: Usage | None = Field(default=None, description="Resources that all attempts used.")
    approval: str | None = Field(
        default=None, max_length=253, description="Name of the Approval of the node."
    )
    level: int | None = Field(
        default=None, ge=1, description="Level of escalation that is asked. Absent: 0."
    )
    event: EventWait | None = Field(default=None, description=EventWait.__doc__)
    parked: int | None = Field(
        default=None, ge=1, description="Attempt that ended to ask people about tool calls."
    )
    wake_at: Timestamp | None = Field(
        default=None,
        description="Time when a wait ends, an approval expires or the next attempt starts.",
    )
    deadline_at: Timestamp | None = Field(
        default=None,
        description="Time by which the node must end: its deadline after the end of its "
        "dependencies.",
    )
    started_at: Timestamp | None = Field(
        default=None, description="Time when the node left Pending."
    )
    finished_at: Timestamp | None = Field(default=None, description="Time when the node ended.")
    items: ItemsStatus | None = Field(default=None, description=ItemsStatus.__doc__)

    @property
    def latest_attempt(self) -> AttemptStatus | None:
        """The attempt that was recorded last, whether it has ended or not."""
        return self.attempts[-1] if self.attempts else None

    @property
    def open_attempt(self) -> AttemptStatus | None:
        """The latest attempt while it has not ended."""
        latest = self.latest_attempt
        return latest if latest is not None and latest.finished_at is None else None


class PinnedTemplate(StatusModel):
    """The version of the template that the run runs. Later changes of the template have no effect
    on it."""

    name: str = Field(max_length=253, description="Name of the template.")
    uid: str = Field(
        max_length=64,
        description="uid of the AgentWorkflowTemplate, or of the parent run with the local "
        "template.",
    )
    generation: int = Field(
        ge=1, description="The metadata.generation of the object with this uid."
    )
    digest: str = Field(max_length=80, description="sha256 of the definition (RFC 8785).")
    record: str = Field(max_length=253, description="NodeRecord that holds the definition.")


class Verdict(StatusModel):
    """Result of the nodes in spec.nodes. Only a failure in finally, or outputs that do not match
    outputSchema, can still change Succeeded to Failed at the end of the run."""

    phase: RunPhase = Field(description="Succeeded, Failed or Cancelled.")
    reason: str = Field(max_length=64, description="Reason of the phase.")
    message: str = Field(default="", max_length=512, description="Explanation for people.")
    at: Timestamp = Field(description="Time when the last of these nodes ended.")


class AgentWorkflowStatus(StatusModel):
    """State of the run. Conditions are for programs, phase is for people."""

    # The operator alone writes it. So managedFields do not list its parts.
    model_config = ConfigDict(json_schema_extra=ATOMIC)

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation this status was computed from."
    )
    engine_version: int = Field(
        default=1, ge=1, description="Version of the rules that wrote this status."
    )
    phase: RunPhase = Field(
        default="Pending",
        description="Summary of the run for people. Programs should read the conditions.",
    )
    progress: str = Field(
        default="", max_length=32, description="Ended nodes and all nodes, for example 3/7."
    )
    waiting: str | None = Field(
        default=None,
        max_length=300,
        description="What the run waits for, if it waits for one thing.",
    )
    stage: Stage | None = Field(
        default=None,
        description="Only with finally or compensate. Main: the nodes in spec.nodes run. Then "
        "Compensating: compensations run; then Finalizing: the nodes in finally run or have run.",
    )
    verdict: Verdict | None = Field(default=None, description=Verdict.__doc__)
    compensate_deadline_at: Timestamp | None = Field(
        default=None, description="Time by which the compensations must end."
    )
    finally_deadline_at: Timestamp | None = Field(
        default=None, description="Time by which the nodes in finally must end."
    )
    round: int = Field(
        default=1, ge=1, description="Round of the run. It is 1 until the run is rerun."
    )
    round_started_at: Timestamp | None = Field(
        default=None, description="Time when this round began. Absent in round 1: see startedAt."
    )
    rounds: list[RoundStatus] | None = Field(
        default=None, max_length=KEPT_ROUNDS, description="The latest ten of the previous rounds."
    )
    template: PinnedTemplate | None = Field(default=None, description=PinnedTemplate.__doc__)
    slot: RunSlot | None = Field(default=None, description=RunSlot.__doc__)
    memory: MemoryStatus | None = Field(default=None, description=MemoryStatus.__doc__)
    retired_usage: Usage | None = Field(
        default=None,
        description="Resources used by nodes that a later round removed from the spec.",
    )
    inputs: JsonValue | None = Field(
        default=None, description="Inputs with the defaults of inputSchema, if any were applied."
    )
    outputs: JsonValue | None = Field(default=None, description="Outputs of the run.")
    usage: Usage | None = Field(default=None, description="Resources that all nodes used.")
    isolation: IsolationStatus = None
    cancelled_at: Timestamp | None = Field(
        default=None, description="Time when cancel was first seen. It cannot be taken back."
    )
    started_at: Timestamp | None = Field(
        default=None, description="Time when the run was accepted."
    )
    finished_at: Timestamp | None = Field(default=None, description="Time when the run ended.")
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=16,
        description="Conditions: Accepted, Succeeded, Finished, AwaitingApproval, Reconciling, "
        "Stalled. FinallySucceeded if there is spec.finally, CompensationSucceeded if a node has "
        "compensate. SetAside when the operator cannot "
        "serve the run, with the cause.",
        json_schema_extra=keyed_by("type"),
    )
    nodes: list[NodeStatus] = Field(
        default_factory=list,
        max_length=200,
        description="One checkpoint for each node.",
        json_schema_extra=keyed_by("path"),
    )
