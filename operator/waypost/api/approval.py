"""Approval: one question to a human, created by the operator, answered by one patch."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import (
    JsonObject,
    JsonValue,
    Model,
    StatusCondition,
    StatusModel,
    Timestamp,
    keyed_by,
)
from waypost.api.kinds import Approvers

Decision = Literal["Approved", "Denied"]
State = Literal["Open", "Approved", "Denied", "Withdrawn"]


class Vote(Model):
    """One approver's word, where more than one is required."""

    decision: Decision = Field(description="Approved or Denied.")
    answer: JsonValue | None = Field(default=None, description="Typed answer, with Approved only.")
    reason: str | None = Field(default=None, max_length=2048, description="Why.")


class ApprovalSpec(Model):
    """The question (immutable, written by the operator) and the answer (written by a human)."""

    run: str = Field(max_length=253, description="Name of the AgentWorkflow that asks.")
    path: str = Field(max_length=128, description="Node that asks.")
    subject: Literal["gate"] = Field(default="gate", description="What is asked about.")
    message: str = Field(max_length=32768, description="The question.")
    context: JsonObject | None = Field(
        default=None, max_length=50, description="What to look at before answering."
    )
    answer_schema: JsonObject | None = Field(
        default=None, description="JSON Schema that answer must meet when approving."
    )
    approvers: Approvers = Field(description="Who is asked.")
    expires_at: Timestamp | None = Field(
        default=None, description="No answer by then: denied or failed, never approved."
    )
    request_digest: str = Field(
        max_length=80,
        description="sha256 of the question and of the definitions of every node after the gate.",
    )
    decision: Decision | None = Field(
        default=None, description="Approved or Denied: the one field that answers the question."
    )
    answer: JsonValue | None = Field(
        default=None, description="Typed answer; required when answerSchema is set, on Approved."
    )
    reason: str | None = Field(default=None, max_length=2048, description="Why, for the record.")
    decided_by: str | None = Field(
        default=None, max_length=253, description="Who decided, as declared by the approver."
    )
    votes: dict[Annotated[str, StringConstraints(min_length=1, max_length=253)], Vote] | None = (
        Field(
            default=None,
            max_length=20,
            description="With approvers.required above 1: one entry per approver, by user name.",
        )
    )


class ApprovalStatus(StatusModel):
    """What was recorded. Final once state is not Open."""

    state: State = Field(default="Open", description="Open, Approved, Denied or Withdrawn.")
    expired: bool | None = Field(default=None, description="true: denied by the clock.")
    decided_by: str | None = Field(default=None, max_length=253, description="Who decided.")
    decided_at: Timestamp | None = Field(default=None, description="When it was recorded.")
    answer: JsonValue | None = Field(default=None, description="The recorded answer.")
    reason: str | None = Field(default=None, max_length=2048, description="The recorded reason.")
    votes: str | None = Field(
        default=None, max_length=16, description="Approvals of required: 1/2."
    )
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=8,
        description="AnswerValid, IdentityVerified, Expired.",
        json_schema_extra=keyed_by("type"),
    )
