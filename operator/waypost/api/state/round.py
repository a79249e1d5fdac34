"""A round of a run, in its status."""

from pydantic import Field

from waypost.api.base import StatusModel, Timestamp


class RoundStatus(StatusModel):
    """A round that has ended."""

    round: int = Field(ge=1, description="Number of the round.")
    started_at: Timestamp | None = Field(default=None, description="Time when the round began.")
    ended_at: Timestamp = Field(
        description="Time when the run ended in this round, or when the next round began."
    )
    phase: str = Field(max_length=32, description="Phase of the run at the end of the round.")
    message: str | None = Field(default=None, max_length=512, description="Result of the round.")
    generation: int | None = Field(
        default=None, ge=1, description="The metadata.generation that the round ran."
    )
    launched: int = Field(
        default=0, ge=0, description="Number of attempts launched so far, in all rounds."
    )
