"""Shared by the statuses of ModelProvider and ToolServer: the latest probe and its result."""

from pydantic import Field

from waypost.api.base import StatusCondition, StatusModel, Timestamp, keyed_by


class ProbeState(StatusModel):
    """The latest probe: a Job in this namespace that makes the same requests as nodes do."""

    number: int = Field(ge=1, description="Number of probes so far.")
    generation: int = Field(ge=0, description="The metadata.generation that was probed.")
    job: str = Field(max_length=63, description="Name of its Job, which is kept for some minutes.")
    started_at: Timestamp = Field(
        description="Time when the probe was recorded, before its Job was created."
    )
    finished_at: Timestamp | None = Field(
        default=None, description="Time when the result was recorded."
    )
    failures: int = Field(
        default=0,
        ge=0,
        description="Number of consecutive failures. The time between probes grows with it.",
    )
    next_at: Timestamp | None = Field(default=None, description="Time of the next probe.")
    asked: str | None = Field(
        default=None,
        max_length=64,
        description="Value of the annotation waypost.dev/probe-at that requested this probe.",
    )


class ProbedStatus(StatusModel):
    """Result of the latest probe. Only the operator writes it."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation this status was computed from."
    )
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=8,
        description="Ready: whether nodes can use it and, if not, why and what to do. Nodes start "
        "regardless of this condition.",
        json_schema_extra=keyed_by("type"),
    )
    probe: ProbeState | None = Field(default=None, description=ProbeState.__doc__)
