"""What the statuses of ModelProvider and ToolServer share: the probe that judges them."""

from pydantic import Field

from waypost.api.base import StatusCondition, StatusModel, Timestamp, keyed_by


class ProbeState(StatusModel):
    """The latest probe: a Job in this namespace that tried what nodes will do."""

    number: int = Field(ge=1, description="How many there have been.")
    generation: int = Field(ge=0, description="The metadata.generation that was tried.")
    job: str = Field(max_length=63, description="Name of its Job; it is kept for some minutes.")
    started_at: Timestamp = Field(description="When it was recorded, before its Job.")
    finished_at: Timestamp | None = Field(default=None, description="When it was judged.")
    failures: int = Field(
        default=0, ge=0, description="How many in a row have failed; each waits longer."
    )
    next_at: Timestamp | None = Field(default=None, description="When the next one is due.")
    asked: str | None = Field(
        default=None,
        max_length=64,
        description="The annotation waypost.dev/probe-at that this probe answers to.",
    )


class ProbedStatus(StatusModel):
    """What is known of something outside. Written by the operator alone."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation this status was computed from."
    )
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=8,
        description="Ready: whether nodes can use it, and if not, why and what to do. It holds no "
        "node back: a node tries for itself.",
        json_schema_extra=keyed_by("type"),
    )
    probe: ProbeState | None = Field(default=None, description=ProbeState.__doc__)
