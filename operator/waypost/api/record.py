"""NodeRecord: an immutable payload of one attempt that is too big for the run's status."""

from typing import Literal

from pydantic import Field

from waypost.api.base import JsonValue, Model

RecordType = Literal["Result", "Input", "Trace", "Journal"]

# Base64 of what compresses to 1 MiB. etcd takes requests of 1.5 MiB.
COMPRESSED_LENGTH = 1_400_000


class JournalPlace(Model):
    """Where a segment stands in the journal of a node. The journal goes on over attempts."""

    fingerprint: str = Field(
        min_length=1, max_length=80, description="What the node does, as a digest."
    )
    generation: int = Field(ge=0, description="How often rerun.from has named the node.")
    number: int = Field(ge=1, description="Place in the journal, counted from 1 without a gap.")
    total: int = Field(ge=0, description="Bytes of the journal up to here.")
    previous: str | None = Field(
        default=None, max_length=80, description="Digest of the segment before."
    )
    pod_uid: str = Field(max_length=64, description="The pod that wrote the segment.")


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
    journal: JournalPlace | None = Field(
        default=None, description="Of a Journal: which segment of which journal it is."
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
