"""State of a first node: which candidate it chose."""

from pydantic import Field

from waypost.api.base import StatusModel
from waypost.api.kinds.first import MAX_CANDIDATES, CandidateName


class FirstStatus(StatusModel):
    """State of a first node."""

    chosen: CandidateName | None = Field(
        default=None,
        description="Candidate that was chosen. It does not change while the checkpoint is kept.",
    )
    rejected: list[CandidateName] | None = Field(
        default=None,
        max_length=MAX_CANDIDATES,
        description="Candidates that succeeded and were not accepted.",
    )
