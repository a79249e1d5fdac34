"""NodeRecord: an immutable payload of one attempt that is too big for the run's status."""

from typing import Literal

from pydantic import Field

from waypost.api.base import JsonValue, Model

RecordType = Literal["Result", "Input", "Trace", "Journal"]

# Base64 of what compresses to 1 MiB. etcd takes requests of 1.5 MiB.
COMPRESSED_LENGTH = 1_400_000


class NodeRecordSpec(Model):
    """The payload and whose it is. Immutable. It stands in one of data, compressed and object."""

    run: str = Field(max_length=253, description="Name of the AgentWorkflow.")
    run_uid: str = Field(max_length=64, description="uid of the AgentWorkflow.")
    path: str = Field(max_length=128, description="Node.")
    round: int = Field(ge=1, description="Round of the run.")
    attempt: int = Field(ge=1, description="Attempt of the node.")
    type: RecordType = Field(
        description="What the payload is: the attempt's output, its inputs, what it did (Trace), "
        "or what it must not do twice (Journal)."
    )
    digest: str = Field(max_length=80, description="sha256 of the payload (RFC 8785).")
    size: int = Field(ge=0, description="Bytes of the payload as canonical JSON.")
    data: JsonValue | None = Field(
        default=None, description="The payload itself: any JSON value, while it is small."
    )
    compressed: str | None = Field(
        default=None,
        min_length=1,
        max_length=COMPRESSED_LENGTH,
        description="The payload as canonical JSON, gzip, base64.",
    )
    object: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Key of the payload, as canonical JSON, in the gateway's object store.",
    )
