"""Approval: one question to a person. The operator creates it, one patch answers it."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import (
    UNIQUE_ITEMS,
    JsonObject,
    JsonValue,
    Model,
    StatusCondition,
    StatusModel,
    Timestamp,
    keyed_by,
)
from waypost.api.kinds.approval import Approvers
from waypost.api.nodes.artifacts import PassedArtifact
from waypost.api.template.parent import MAX_REQUESTERS, UserName

Decision = Literal["Approved", "Denied"]
State = Literal["Open", "Approved", "Denied", "Withdrawn"]


class Vote(Model):
    """Vote of one approver, when more than one is required."""

    decision: Decision = Field(description="Approved or Denied.")
    answer: JsonValue | None = Field(default=None, description="Typed answer. Only with Approved.")
    reason: str | None = Field(default=None, max_length=2048, description="Reason for the vote.")
    decided_digest: str | None = Field(
        default=None,
        max_length=80,
        description="requestDigest of the question that the approver read.",
    )


MAX_ATTACHED: Final = 32


class AttachedArtifact(PassedArtifact):
    """An artifact that the question is about."""

    name: str = Field(max_length=300, description="Expression of the workflow that gives it.")


class ApprovalSpec(Model):
    """The question (immutable, written by the operator) and the answer (written by a person)."""

    run: str = Field(max_length=253, description="Name of the AgentWorkflow that asks.")
    path: str = Field(max_length=128, description="Node that asks.")
    subject: Literal["gate", "toolCall"] = Field(
        default="gate",
        description="Subject of the question: gate (an approval node), or toolCall (a call of an "
        "agent, whose arguments may be changed in answer).",
    )
    message: str = Field(max_length=32768, description="The question.")
    context: JsonObject | None = Field(
        default=None, max_length=50, description="Information for the approver."
    )
    attachments: list[AttachedArtifact] | None = Field(
        default=None,
        max_length=MAX_ATTACHED,
        description="Artifacts that the question is about. requestDigest covers their digests.",
    )
    answer_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema that the answer must match when the decision is Approved. Of a "
        "toolCall, the schema of the arguments; without an answer the call is made as it is shown.",
    )
    approvers: Approvers = Field(description="People who may answer.")
    requesters: list[UserName] | None = Field(
        default=None,
        max_length=MAX_REQUESTERS,
        description="People who asked for what is approved: they started the run or its round. "
        "They cannot answer.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    level: int | None = Field(
        default=None,
        ge=1,
        description="Level of escalation, from 1: others were asked before and did not answer in "
        "time. Absent: nobody was asked before.",
    )
    expires_at: Timestamp | None = Field(
        default=None,
        description="Time limit for the answer. Without an answer by then, the "
        "decision is Denied, the node fails or other people are asked; it is never Approved.",
    )
    request_digest: str = Field(
        max_length=80,
        description="sha256 of the question and of the definitions of all nodes after the gate, or "
        "of the call.",
    )
    decision: Decision | None = Field(
        default=None, description="The answer to the question: Approved or Denied."
    )
    answer: JsonValue | None = Field(
        default=None, description="Typed answer. Required with Approved when answerSchema is set."
    )
    reason: str | None = Field(
        default=None, max_length=2048, description="Reason for the decision."
    )
    decided_by: str | None = Field(
        default=None,
        max_length=253,
        description="User name of the approver. The admission policy refuses any other name than "
        "that of the user who sends the answer.",
    )
    decided_digest: str | None = Field(
        default=None,
        max_length=80,
        description="requestDigest of the question that the approver read. An answer to another "
        "question is refused.",
    )
    votes: dict[Annotated[str, StringConstraints(min_length=1, max_length=253)], Vote] | None = (
        Field(
            default=None,
            max_length=20,
            description="Votes by user name, one per approver. Only when approvers.required is "
            "above 1.",
        )
    )


class ApprovalStatus(StatusModel):
    """The recorded answer. It is final once state is not Open."""

    state: State = Field(default="Open", description="Open, Approved, Denied or Withdrawn.")
    expired: bool | None = Field(default=None, description="true: denied because expiresAt passed.")
    escalated_to: str | None = Field(
        default=None,
        max_length=253,
        description="Withdrawn without an answer in time: name of the Approval that asks others.",
    )
    decided_by: str | None = Field(
        default=None, max_length=253, description="Name of the approver."
    )
    decided_at: Timestamp | None = Field(
        default=None, description="Time when the decision was recorded."
    )
    answer: JsonValue | None = Field(default=None, description="The recorded answer.")
    reason: str | None = Field(default=None, max_length=2048, description="The recorded reason.")
    votes: str | None = Field(
        default=None,
        max_length=16,
        description="Approvals so far and approvals required, for example 1/2.",
    )
    guard: str | None = Field(
        default=None,
        max_length=253,
        description="Mark of the admission policy that was in force when the question, still "
        "without an answer, was marked again after the policy had changed.",
    )
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=8,
        description="Conditions: AnswerValid, IdentityVerified, Expired.",
        json_schema_extra=keyed_by("type"),
    )
