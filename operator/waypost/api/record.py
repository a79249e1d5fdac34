"""NodeRecord: an immutable payload that is too large for the status of the run: of one attempt, or
the definition of the run."""

from typing import Literal

from pydantic import Field

from waypost.api.base import JsonValue, Model

RecordType = Literal[
    "Result",
    "Input",
    "Trace",
    "Journal",
    "Definition",
    "Items",
    "Artifact",
    "Calls",
    "Decisions",
    "Log",
    "Memory",
    "Remember",
]

# Base64 of 1 MiB of compressed data. The limit of etcd for a request is 1.5 MiB.
COMPRESSED_LENGTH = 1_400_000


class JournalPlace(Model):
    """Position of a segment in the journal of a node. Later attempts continue the journal."""

    fingerprint: str = Field(
        min_length=1, max_length=80, description="Digest of the definition of the node."
    )
    generation: int = Field(ge=0, description="Number of times that rerun.from has named the node.")
    number: int = Field(ge=1, description="Number of the segment, counted from 1 without gaps.")
    total: int = Field(ge=0, description="Size of the journal in bytes, including this segment.")
    previous: str | None = Field(
        default=None, max_length=80, description="Digest of the previous segment."
    )
    pod_uid: str = Field(max_length=64, description="uid of the pod that wrote the segment.")


class StoredArtifact(Model):
    """The name and the content of an artifact."""

    name: str = Field(min_length=1, max_length=40, description="Name in artifacts.out.")
    files: int = Field(ge=0, description="Number of its files, folders and links.")
    compressed_bytes: int = Field(ge=0, description="Size of its compressed tar in bytes.")
    parts: int | None = Field(
        default=None,
        ge=1,
        le=100000,
        description="Number of objects in the object store that hold the compressed tar, in order.",
    )


class NodeRecordSpec(Model):
    """The payload and the attempt it belongs to. Immutable. The payload is in one of data,
    compressed and object. A Definition belongs to the whole run and has no path, round and
    attempt."""

    run: str = Field(max_length=253, description="Name of the AgentWorkflow.")
    run_uid: str = Field(max_length=64, description="uid of the AgentWorkflow.")
    path: str | None = Field(
        default=None, max_length=128, description="Node that the payload belongs to."
    )
    round: int | None = Field(default=None, ge=1, description="Round of the run.")
    attempt: int | None = Field(default=None, ge=1, description="Attempt of the node.")
    type: RecordType = Field(
        description="Type of the payload: the output of the attempt (Result), its inputs (Input), "
        "what it did (Trace), calls that must not be repeated (Journal), what the run took from "
        "its template (Definition), the list or results of a map (Items), a folder (Artifact), "
        "tool calls that people decide on (Calls), their decisions (Decisions), the end of the log "
        "of the pod (Log), the memory that the run has read (Memory), or what it remembers "
        "(Remember)."
    )
    journal: JournalPlace | None = Field(
        default=None, description="Only for a Journal: the segment and the journal it belongs to."
    )
    artifact: StoredArtifact | None = Field(
        default=None, description="Only for an Artifact: its name and content."
    )
    digest: str = Field(
        max_length=80, description="sha256 of the payload (RFC 8785), or of the tar of an Artifact."
    )
    size: int = Field(
        ge=0,
        description="Size of the payload in bytes, as canonical JSON, or of the tar of an Artifact "
        "without compression.",
    )
    data: JsonValue | None = Field(
        default=None, description="The payload as a JSON value, if it is small."
    )
    compressed: str | None = Field(
        default=None,
        min_length=1,
        max_length=COMPRESSED_LENGTH,
        description="The payload as canonical JSON, or the tar of an Artifact, as gzip in base64.",
    )
    object: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Key of the payload, as canonical JSON, in the gateway's object store; of an "
        "Artifact what the keys of its parts begin with.",
    )
