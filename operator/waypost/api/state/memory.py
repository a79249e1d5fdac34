"""The memory of a run in its status: what it has read, and what it still has to write."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import StatusModel, Timestamp

MAX_LISTED = 50
MAX_OUTBOX = 1000

_Name = Annotated[str, StringConstraints(max_length=253)]


class RunEnd(StatusModel):
    """Result of the run, recorded with what it remembers. It does not change in this round."""

    phase: Literal["Succeeded", "Failed", "Cancelled"] = Field(description="Phase of the run.")
    reason: str = Field(max_length=64, description="Reason of the phase.")
    message: str = Field(default="", max_length=2048, description="Explanation for people.")
    at: Timestamp = Field(description="Time when the last node ended.")


class MemoryStatus(StatusModel):
    """The memory that the run has read when it began, and what it still has to write."""

    scope: str = Field(max_length=253, description="Scope of the memory.")
    key: str = Field(max_length=200, description="Key of the memory.")
    digest: str = Field(max_length=80, description="sha256 of the snapshot (RFC 8785).")
    record: str = Field(max_length=253, description="NodeRecord that holds the snapshot.")
    episodes: int = Field(ge=0, description="Number of Episodes in the snapshot.")
    facts: int = Field(ge=0, description="Number of Facts in the snapshot.")
    at: Timestamp | None = Field(default=None, description="Time of the snapshot.")
    entries: list[_Name] | None = Field(
        default=None, max_length=MAX_LISTED, description="Names of the MemoryEntries read."
    )
    outbox: list[_Name] | None = Field(
        default=None,
        max_length=MAX_OUTBOX,
        description="NodeRecords with entries that are not written yet.",
    )
    end: RunEnd | None = Field(default=None, description=RunEnd.__doc__)
