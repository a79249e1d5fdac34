"""Kind `event`: wait for a WorkflowEvent."""

from typing import Final, Literal

from pydantic import Field

from waypost.api.base import UNIQUE_ITEMS, Duration, JsonObject, Model
from waypost.api.event.model import EventName
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import Template

MAX_NAMES: Final = 20


class EventKind(Model):
    """Wait for a WorkflowEvent, without a pod."""

    names: list[EventName] = Field(
        min_length=1,
        max_length=MAX_NAMES,
        description="Names of events. The node takes the oldest event with one of them.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    key: Template | None = Field(
        default=None,
        description="Key of the event. ${...} is evaluated. Default: none, and only events whose "
        "workflow is this run are taken.",
    )
    payload_schema: JsonObject | None = Field(
        default=None, alias="schema", description="JSON Schema (2020-12) for the payload."
    )
    timeout: Duration | None = Field(
        default=None, description="Maximum time to wait. Default: no limit."
    )
    on_timeout: Literal["Fail", "Continue"] | None = Field(
        default=None,
        description="Fail (default): the node fails after the timeout. Continue: it succeeds with "
        "expired: true.",
    )


KIND: Final = NodeKind("event", EventKind, has_pod=False)
