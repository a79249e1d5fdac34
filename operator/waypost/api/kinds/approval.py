"""Kind `approval`: wait for a person."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Duration, JsonObject, Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.nodes.artifacts import MOST, Attachment
from waypost.api.pod import Template


class Approvers(Model):
    """People who may answer. At least one user or group."""

    users: list[Annotated[str, StringConstraints(min_length=1, max_length=253)]] | None = Field(
        default=None,
        max_length=50,
        description="User names, as the API server knows them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    groups: list[Annotated[str, StringConstraints(min_length=1, max_length=253)]] | None = Field(
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
    on_timeout: Literal["Deny", "Fail"] | None = Field(
        default=None,
        description="Result when the timeout passes without an answer: Deny (default, handled by "
        "onDenied) or Fail. It is never an approval.",
    )
    on_denied: Literal["Fail", "Continue"] | None = Field(
        default=None,
        description="Fail (default): a denial fails the node. Continue: the node succeeds and its "
        "output has decision: Denied, which other nodes can test.",
    )


KIND: Final = NodeKind("approval", ApprovalKind, has_pod=False, is_gate=True)
