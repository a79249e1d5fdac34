"""Kind `approval`: wait for a person."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Duration, JsonObject, Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.nodes.artifacts import MOST, Attachment
from waypost.api.pod import Template

MAX_LEVELS: Final = 5
_Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Approvers(Model):
    """People who may answer. At least one user or group."""

    users: list[_Name] | None = Field(
        default=None,
        max_length=50,
        description="User names, as the API server knows them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    groups: list[_Name] | None = Field(
        default=None,
        max_length=50,
        description="Groups, as the API server knows them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    required: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="Number of different people who must approve. Default 1. Above 1, each "
        "approver adds an entry to spec.votes.",
    )


class LevelApprovers(Approvers):
    """The same for a level of escalation. Its rules are in the compiler, not in the CRD, which is
    near the largest size that an API server takes."""

    users: list[_Name] | None = Field(
        default=None, max_length=50, description="As approvers.users."
    )
    groups: list[_Name] | None = Field(
        default=None, max_length=50, description="As approvers.groups."
    )
    required: int | None = Field(default=None, ge=1, le=20, description="As approvers.required.")


class EscalationLevel(Model):
    """People who are asked when those before them did not answer in time."""

    approvers: LevelApprovers = Field(description="People who may answer.")
    # No Duration, whose rule would be one more in the CRD: the compiler checks it.
    timeout: str | None = Field(
        default=None,
        max_length=24,
        description="As approval.timeout. Only the last level may have none.",
    )
    on_timeout: Literal["Deny", "Fail"] | None = Field(
        default=None, description="Of the last level: Deny (default) or Fail."
    )


class ApprovalKind(Model):
    """Wait for a person. The operator creates an Approval object; no pod runs while it is open."""

    message: Template = Field(
        min_length=1, description="Question for the approver. ${...} is evaluated."
    )
    context: JsonObject | None = Field(
        default=None,
        max_length=50,
        description="Information for the approver in addition to the question. ${...} is "
        "evaluated.",
    )
    attachments: list[Attachment] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST,
        description="Artifacts that the question is about. The answer is for their digests.",
    )
    answer_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema for a typed answer that comes with an approval.",
    )
    approvers: Approvers = Field(description="People who may answer.")
    timeout: Duration | None = Field(
        default=None, description="Maximum time to wait for an answer. Default: no limit."
    )
    on_timeout: Literal["Deny", "Fail", "Escalate"] | None = Field(
        default=None,
        description="Result when the timeout passes without an answer: Deny (default, handled by "
        "onDenied), Fail, or Escalate: other people are asked. It is never an approval.",
    )
    escalation: list[EscalationLevel] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_LEVELS,
        description="Only with onTimeout: Escalate: who is asked next, in this order.",
    )
    on_denied: Literal["Fail", "Continue"] | None = Field(
        default=None,
        description="Fail (default): a denial fails the node. Continue: the node succeeds and its "
        "output has decision: Denied, which other nodes can test.",
    )


@dataclass(frozen=True)
class Asked:
    """Whom a gate asks at one level, and what follows a timeout without an answer.

    Attributes:
        approvers: The people.
        timeout: How long they have; None: without limit.
        on_timeout: What follows.
    """

    approvers: Approvers
    timeout: str | None
    on_timeout: Literal["Deny", "Fail", "Escalate"]


def levels_of(gate: ApprovalKind) -> list[Asked]:
    """Whom a gate asks, one after the other. The first are those whom the node itself names."""
    levels = gate.escalation or []
    escalates = gate.on_timeout == "Escalate" and bool(levels)
    first = gate.on_timeout or "Deny"
    asked = [Asked(gate.approvers, gate.timeout, first)]
    if not escalates:
        return asked
    for level in levels[:-1]:
        asked.append(Asked(level.approvers, level.timeout, "Escalate"))
    last = levels[-1]
    return [*asked, Asked(last.approvers, last.timeout, last.on_timeout or "Deny")]


def asked_at(gate: ApprovalKind, level: int) -> Asked:
    """Whom a gate asks at a level, counted from 0. Of a level that the gate does not have, the last
    one: a status may come from another definition."""
    return levels_of(gate)[: level + 1][-1]


KIND: Final = NodeKind("approval", ApprovalKind, has_pod=False, is_gate=True)
