"""Status of an AgentWorkflow: the checkpoint log of the run. Written by the operator alone."""

from typing import Literal

from pydantic import ConfigDict, Field

from waypost.api.base import ATOMIC, JsonValue, StatusCondition, StatusModel, Timestamp, keyed_by

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
# What a round of a run made of a node's checkpoint.
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

FINAL_PHASES: frozenset[str] = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})
KEPT_ATTEMPTS = 6  # the first and the last five; `attempt` counts them all
KEPT_ROUNDS = 10
# Version of the rules that write a status. A status with a higher one is left alone.
ENGINE_VERSION = 1


class Usage(StatusModel):
    """What was used up: counted by the pod, added up by the operator."""

    model_calls: int | None = Field(default=None, ge=0, description="Answers of a model.")
    input_tokens: int | None = Field(default=None, ge=0, description="Tokens sent.")
    cached_tokens: int | None = Field(
        default=None, ge=0, description="Tokens sent that the provider had in its cache."
    )
    output_tokens: int | None = Field(default=None, ge=0, description="Tokens received.")
    total_tokens: int | None = Field(default=None, ge=0, description="Sent and received.")
    tool_calls: int | None = Field(default=None, ge=0, description="Calls of tools.")
    reasks: int | None = Field(
        default=None, ge=0, description="Answers that broke outputSchema and were asked again."
    )
    provider_waits: int | None = Field(
        default=None, ge=0, description="Waits for a provider that was busy or down."
    )
    replayed_model_calls: int | None = Field(
        default=None, ge=0, description="Answers taken from the journal: nothing was paid again."
    )
    replayed_tool_calls: int | None = Field(
        default=None, ge=0, description="Results taken from the journal: nothing was done again."
    )
    cost_usd: str | None = Field(
        default=None, max_length=40, alias="costUSD", description="US dollars, as text."
    )
    tools: dict[str, int] | None = Field(
        default=None, max_length=64, description="Calls by tool; the most used 64."
    )


class Allotment(StatusModel):
    """The share of the run's budget that an attempt may use up."""

    tokens: int | None = Field(default=None, ge=0, description="Tokens.")
    cost_usd: str | None = Field(
        default=None, max_length=40, alias="costUSD", description="US dollars, as text."
    )
    tool_calls: int | None = Field(default=None, ge=0, description="Tool calls.")


class AttemptStatus(StatusModel):
    """One attempt of a node: one Job, one pod."""

    number: int = Field(ge=1, description="1 for the first attempt; numbers run on, never restart.")
    job: str = Field(max_length=63, description="Name of the attempt's Job.")
    round: int | None = Field(
        default=None, ge=1, description="Round in which it was launched. Absent: 1."
    )
    launched_at: Timestamp = Field(description="When the attempt was recorded, before its Job.")
    pod_uid: str | None = Field(
        default=None, max_length=64, description="The pod whose result was taken."
    )
    started_at: Timestamp | None = Field(default=None, description="When its container started.")
    finished_at: Timestamp | None = Field(default=None, description="When the attempt ended.")
    reason: str | None = Field(
        default=None, max_length=64, description="How it ended: Succeeded or a failure reason."
    )
    message: str | None = Field(default=None, max_length=512, description="Why, for people.")
    stopping: str | None = Field(
        default=None,
        max_length=64,
        description="Set while the attempt is being stopped: the reason it will end with.",
    )
    stopping_at: Timestamp | None = Field(
        default=None,
        description="When an attempt that is being stopped was first seen to have no Job. It is "
        "closed 12 seconds later: until then another operator may still create one.",
    )
    never_started: bool | None = Field(
        default=None, description="true: its program certainly never ran."
    )
    allotment: Allotment | None = Field(default=None, description=Allotment.__doc__)
    usage: Usage | None = Field(default=None, description="What this attempt used up.")
    carried: Usage | None = Field(
        default=None,
        description="What earlier attempts used up that ended without a word: this one found it "
        "in their journal.",
    )
    trace: str | None = Field(
        default=None, max_length=253, description="NodeRecord that holds the attempt's trace."
    )


class NodeStatus(StatusModel):
    """The checkpoint of one node."""

    model_config = ConfigDict(json_schema_extra=ATOMIC)

    path: str = Field(max_length=128, description="Identity of the node in the run.")
    phase: NodePhase = Field(description="Where the node stands.")
    reason: str | None = Field(
        default=None, max_length=64, description="One word of the closed vocabulary of reasons."
    )
    message: str | None = Field(default=None, max_length=3072, description="Why, for people.")
    tail: str | None = Field(
        default=None, max_length=2048, description="Last lines a failed node printed."
    )
    round: int | None = Field(
        default=None,
        ge=1,
        description="Round in which this checkpoint was begun. Absent: 1.",
    )
    disposition: Disposition | None = Field(
        default=None,
        description="What the latest round made of the checkpoint: Reused (as it was), Adopted "
        "(under way, goes on), Rerun, New, Given (by a person, in rerun.outputs), SkippedByUser "
        "(in rerun.skip).",
    )
    disposition_message: str | None = Field(
        default=None, max_length=512, description="Why, for people."
    )
    fingerprint: str | None = Field(
        default=None,
        max_length=80,
        description="Digest of the definition that the checkpoint was made under: kind, inputs, "
        "when, schemas. Equal: a later round reuses it, and an attempt goes on where an earlier "
        "one stopped.",
    )
    repeats: int | None = Field(
        default=None, ge=0, description="How often rerun.from named the node."
    )
    attempt: int | None = Field(default=None, ge=0, description="Number of the latest attempt.")
    attempts: list[AttemptStatus] | None = Field(
        default=None,
        max_length=KEPT_ATTEMPTS,
        description="The first and the last five attempts.",
    )
    retries: int | None = Field(
        default=None, ge=0, description="Extra attempts used up of retry.limit."
    )
    disruptions: int | None = Field(
        default=None, ge=0, description="Attempts lost to the cluster; not counted as retries."
    )
    provider_retries: int | None = Field(
        default=None,
        ge=0,
        description="Attempts that a provider asked to repeat later; not counted as retries.",
    )
    launch_retries: int | None = Field(
        default=None,
        ge=0,
        description="Attempts whose pod did not start within queueTimeout and that were launched "
        "anew; not counted as retries.",
    )
    input_digest: str | None = Field(
        default=None, max_length=80, description="sha256 of the resolved inputs (RFC 8785)."
    )
    output: JsonValue | None = Field(
        default=None,
        description="The output, while it is small. Absent as well as null when the output is "
        "null: outputDigest tells that there is one.",
    )
    output_record: str | None = Field(
        default=None, max_length=253, description="NodeRecord that holds the output instead."
    )
    output_digest: str | None = Field(
        default=None, max_length=80, description="sha256 of the output (RFC 8785)."
    )
    usage: Usage | None = Field(default=None, description="What all attempts used up.")
    approval: str | None = Field(
        default=None, max_length=253, description="Name of the node's Approval."
    )
    wake_at: Timestamp | None = Field(
        default=None,
        description="When a wait ends, an approval expires or the next attempt starts.",
    )
    deadline_at: Timestamp | None = Field(
        default=None,
        description="When the node must have ended: its deadline after what it waits for had "
        "ended.",
    )
    started_at: Timestamp | None = Field(default=None, description="When the node left Pending.")
    finished_at: Timestamp | None = Field(default=None, description="When the node ended.")

    @property
    def latest_attempt(self) -> AttemptStatus | None:
        """The attempt that was recorded last, ended or not."""
        return self.attempts[-1] if self.attempts else None


class RoundStatus(StatusModel):
    """A round that is over."""

    round: int = Field(ge=1, description="Its number.")
    started_at: Timestamp | None = Field(default=None, description="When it began.")
    ended_at: Timestamp = Field(description="When the run ended in it, or the next round began.")
    phase: str = Field(max_length=32, description="Phase of the run at its end.")
    message: str | None = Field(default=None, max_length=512, description="How it ended.")
    generation: int | None = Field(
        default=None, ge=1, description="The metadata.generation that it ran."
    )
    launched: int = Field(default=0, ge=0, description="Attempts launched so far, in all rounds.")


class AgentWorkflowStatus(StatusModel):
    """What has happened. Conditions are for programs, phase is for people."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation this status was computed from."
    )
    engine_version: int = Field(
        default=1, ge=1, description="Version of the rules that wrote this status."
    )
    phase: RunPhase = Field(default="Pending", description="Summary for people.")
    progress: str = Field(default="", max_length=32, description="Ended nodes of all: 3/7.")
    waiting: str | None = Field(
        default=None, max_length=300, description="What the run waits for, if for one thing."
    )
    round: int = Field(default=1, ge=1, description="Round of the run; 1 until it is rerun.")
    round_started_at: Timestamp | None = Field(
        default=None, description="When this round began. Absent in round 1: see startedAt."
    )
    rounds: list[RoundStatus] | None = Field(
        default=None, max_length=KEPT_ROUNDS, description="The rounds before; the latest ten."
    )
    retired_usage: Usage | None = Field(
        default=None, description="What nodes used up that a later round took out of the spec."
    )
    inputs: JsonValue | None = Field(
        default=None, description="The inputs with schema defaults applied, if any were."
    )
    outputs: JsonValue | None = Field(default=None, description="What the run gave.")
    usage: Usage | None = Field(default=None, description="What all nodes used up.")
    cancelled_at: Timestamp | None = Field(
        default=None, description="When cancel was first seen; it cannot be taken back."
    )
    started_at: Timestamp | None = Field(default=None, description="When the run was accepted.")
    finished_at: Timestamp | None = Field(default=None, description="When the run ended.")
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=16,
        description="Accepted, Succeeded, Finished, AwaitingApproval, Reconciling, Stalled; "
        "SetAside when the operator cannot serve the run, and why.",
        json_schema_extra=keyed_by("type"),
    )
    nodes: list[NodeStatus] = Field(
        default_factory=list,
        max_length=200,
        description="One checkpoint per node.",
        json_schema_extra=keyed_by("path"),
    )
