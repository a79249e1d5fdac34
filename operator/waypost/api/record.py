"""NodeRecord: an immutable payload of one attempt that is too big for the run's status."""

from typing import Literal

from pydantic import Field

from waypost.api.base import JsonValue, Model


class NodeRecordSpec(Model):
    """The payload and whose it is. Immutable."""

    run: str = Field(max_length=253, description="Name of the AgentWorkflow.")
    run_uid: str = Field(max_length=64, description="uid of the AgentWorkflow.")
    path: str = Field(max_length=128, description="Node.")
    round: int = Field(ge=1, description="Round of the run.")
    attempt: int = Field(ge=1, description="Attempt of the node.")
    type: Literal["Result"] = Field(description="What the payload is.")
    digest: str = Field(max_length=80, description="sha256 of data (RFC 8785).")
    size: int = Field(ge=0, description="Bytes of data as canonical JSON.")
    data: JsonValue = Field(description="The payload: any JSON value.")
