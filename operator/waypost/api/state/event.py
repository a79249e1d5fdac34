"""Status of a node that waits for an event."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from waypost.api.base import StatusModel
from waypost.api.event.model import MAX_KEY

KEPT_TAKEN: Final = 8


class EventWait(StatusModel):
    """What an event node waits for."""

    wait: int = Field(ge=1, description="How often the node has begun to wait.")
    key: str | None = Field(default=None, max_length=MAX_KEY, description="event.key, evaluated.")
    taken: list[Annotated[str, StringConstraints(max_length=64)]] | None = Field(
        default=None, max_length=KEPT_TAKEN, description="uids of the events it took, newest last."
    )
