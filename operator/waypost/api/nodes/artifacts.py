"""Artifacts of nodes: what a node declares, and what its checkpoint names."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from waypost.api.base import JsonValue, Model, StatusModel, keyed_by
from waypost.protocol.artifacts.limits import DEFAULT_BYTES, LARGEST_BYTES

MOST: Final = 8  # of each direction, of one node
_NAME_PATTERN: Final = r"^[a-z]([a-z0-9_]{0,38}[a-z0-9])?$"
_PATH_PATTERN: Final = r"^(/[A-Za-z0-9._-]+)+$"

ArtifactName = Annotated[str, StringConstraints(pattern=_NAME_PATTERN, max_length=40)]
ArtifactPath = Annotated[str, StringConstraints(pattern=_PATH_PATTERN, max_length=256)]
ArtifactFrom = Annotated[str, StringConstraints(min_length=1, max_length=2056)]
# The value of nodes.<name>.artifacts.<name>.
ARTIFACT_SCHEMA: Final[dict[str, Any]] = {
    "title": "Artifact",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "digest": {"type": "string"},
        "bytes": {"type": "integer", "minimum": 0},
        "files": {"type": "integer", "minimum": 0},
    },
    "required": ["name", "digest", "bytes", "files"],
    "additionalProperties": False,
}


# What artifacts.in.from takes: an artifact, or a list with nulls.
TAKEN_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        ARTIFACT_SCHEMA,
        {"type": "array", "items": {"anyOf": [ARTIFACT_SCHEMA, {"type": "null"}]}},
    ]
}


class ArtifactOut(Model):
    """A folder that the node makes."""

    name: ArtifactName = Field(
        description="Name of the artifact in expressions: nodes.<node>.artifacts.<name>."
    )
    path: ArtifactPath = Field(
        description="Folder in the container, an absolute path. It is empty at the start, or has "
        "the content of the artifact with the same path in artifacts.in."
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1024,
        le=LARGEST_BYTES,
        description="Maximum size in bytes, as a tar without compression. Default "
        f"{DEFAULT_BYTES} (1 GiB). resources.limits.ephemeral-storage also limits it.",
    )


class ArtifactIn(Model):
    """A folder that the node gets."""

    from_: ArtifactFrom = Field(
        alias="from",
        description='Expression that gives an artifact: "${nodes.clone.artifacts.repo}". The node'
        " waits for that node. A list of artifacts becomes folders named 0, 1 and so on; "
        "null in it is left out.",
    )
    path: ArtifactPath = Field(description="Folder in the container, an absolute path.")
    writable: bool | None = Field(
        default=None,
        description="true: the node may change its copy. Default false: the folder is read-only.",
    )


class Attachment(Model):
    """An artifact that is shown."""

    from_: ArtifactFrom = Field(
        alias="from", description="Expression that gives an artifact or a list of artifacts."
    )


class Artifacts(Model):
    """Folders that the node gets from other nodes and makes for them. Only for python, container
    and agent nodes."""

    in_: list[ArtifactIn] | None = Field(
        default=None, alias="in", max_length=MOST, description="Folders that the node gets."
    )
    out: list[ArtifactOut] | None = Field(
        default=None,
        max_length=MOST,
        description="Folders that the node makes. They are stored when it has succeeded.",
        json_schema_extra=keyed_by("name"),
    )


class ArtifactStatus(StatusModel):
    """An artifact that the attempt of this checkpoint has made."""

    name: str = Field(max_length=40, description="Name in artifacts.out.")
    digest: str = Field(max_length=80, description="sha256 of its tar.")
    bytes: int = Field(ge=0, description="Size of its tar in bytes, without compression.")
    files: int = Field(ge=0, description="Number of its files, folders and links.")
    record: str = Field(max_length=253, description="NodeRecord of the artifact.")


MadeArtifacts = Annotated[
    list[ArtifactStatus] | None,
    Field(max_length=MOST, description="Artifacts of the node, each in a NodeRecord."),
]


# Those of an iteration, each as one text: a schema for them would not fit the CRD.
MadeTexts = Annotated[
    list[Annotated[str, StringConstraints(max_length=420)]] | None,
    Field(max_length=MOST, description="Name, digest, bytes, files and NodeRecord of artifacts."),
]


def made_texts(made: Iterable[ArtifactStatus]) -> list[str]:
    """The texts of artifacts, in order."""
    return [f"{one.name} {one.digest} {one.bytes} {one.files} {one.record}" for one in made]


def from_made_texts(texts: Iterable[str] | None) -> list[ArtifactStatus]:
    """The artifacts that the texts name."""
    found = []
    for text in texts or ():
        name, digest, size, files, record = text.split(" ")
        found.append(
            ArtifactStatus(
                name=name, digest=digest, bytes=int(size), files=int(files), record=record
            )
        )
    return found


class PassedArtifact(Model):
    """An artifact of another run of the tree, which the inputs of this run name."""

    digest: Annotated[str, StringConstraints(max_length=80)] = Field(
        description="sha256 of its tar."
    )
    bytes: int = Field(ge=0, description="Size of its tar in bytes, without compression.")
    files: int = Field(ge=0, description="Number of its files, folders and links.")
    record: Annotated[str, StringConstraints(max_length=253)] = Field(
        description="NodeRecord of the artifact."
    )


def digests_in(value: JsonValue) -> set[str]:
    """The digests of all values in `value` that could be artifacts."""
    found: set[str] = set()
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            left += one.values()
            digest = one.get("digest")
            if isinstance(digest, str):
                found.add(digest)
    return found
