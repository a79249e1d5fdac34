"""The slot of `spec.concurrency` in the status of a run."""

from pydantic import Field

from waypost.api.base import StatusModel


class RunSlot(StatusModel):
    """Slot that the run holds of the key in spec.concurrency."""

    name: str | None = Field(
        default=None,
        max_length=63,
        description="Lease that holds the slot. Absent: the run holds none.",
    )
    number: int = Field(ge=1, description="Number of times that the run has taken a slot.")
    taken: bool | None = Field(
        default=None,
        description="true: the Lease was seen to name this run. Nodes start only then.",
    )
    replaceable: bool | None = Field(
        default=None,
        description="true: the run ends when a younger run with Replace wants the slot.",
    )
