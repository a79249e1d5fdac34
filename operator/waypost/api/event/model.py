"""Models of a WorkflowEvent. Descriptions are what `kubectl explain` prints."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import JsonObject, JsonValue, Model, ObjectName, StatusModel, Timestamp
from waypost.api.template.ref import TemplateRef

EVENT_NAME_PATTERN: Final = r"^[A-Za-z0-9]([A-Za-z0-9._/:-]{0,126}[A-Za-z0-9])?$"
MAX_NAME: Final = 128  # characters
MAX_KEY: Final = 256  # characters
MAX_ORIGIN_ID: Final = 1024  # characters
MAX_PAYLOAD_BYTES: Final = 16 * 1024  # of canonical JSON

EventName = Annotated[str, StringConstraints(pattern=EVENT_NAME_PATTERN, max_length=128)]
EventPhase = Literal["Pending", "Claimed", "Consumed", "Expired", "Refused"]
SETTLED: Final = ("Consumed", "Expired", "Refused")  # phases that do not change any more


class EventOrigin(Model):
    """Where the ingress got the event from. Only the ingress sets it."""

    name: ObjectName = Field(description="Name of the EventSource.")
    id: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ORIGIN_ID)] = Field(
        description="Id of the request, by which a repeated one is known."
    )


class RunStart(Model):
    """A run that the event starts. The template must list the EventSource in spec.triggers."""

    template_ref: TemplateRef = Field(
        description="AgentWorkflowTemplate of this namespace that the run uses."
    )
    inputs: JsonObject | None = Field(
        default=None,
        description=f"Inputs of the run, at most {MAX_PAYLOAD_BYTES} bytes of JSON. They are data: "
        "${...} is not evaluated here.",
    )


class WorkflowEventSpec(Model):
    """What happened, and for whom. It cannot change. Exactly one of key, workflow and start."""

    name: EventName = Field(
        description="What happened, for example payment.succeeded. A node lists it in event.names."
    )
    key: Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY)] | None = Field(
        default=None,
        description="What it happened to, for example the number of an order. One waiting node "
        "with the same event.key takes the event, in whichever run of the namespace it is.",
    )
    workflow: ObjectName | None = Field(
        default=None,
        description="Name of the run that the event is for. A node without event.key takes it.",
    )
    start: RunStart | None = Field(
        default=None, description=f"{RunStart.__doc__} Only the ingress sets it."
    )
    payload: JsonValue | None = Field(
        default=None,
        description=f"Data of the event, at most {MAX_PAYLOAD_BYTES} bytes of JSON. It is data: "
        "${...} is not evaluated here.",
    )
    expires_at: Timestamp | None = Field(
        default=None,
        description="Time from which no node takes the event. Default: 7 days after it was "
        "created, which is also the maximum.",
    )
    source: EventOrigin | None = Field(default=None, description=EventOrigin.__doc__)


class EventClaim(StatusModel):
    """The node that has the event."""

    run: str = Field(max_length=253, description="Name of the run.")
    run_uid: str = Field(max_length=64, description="uid of the run.")
    path: str = Field(max_length=128, description="Path of the node.")
    wait: int = Field(ge=1, description="Number of the wait of this node, from 1.")


class EventStart(StatusModel):
    """The run that the event starts. It is recorded before the run is created."""

    run: str = Field(max_length=253, description="Name of the run.")
    at: Timestamp = Field(description="Time when the operator last tried to create the run.")
    begun_at: Timestamp = Field(description="Time when the start was recorded first.")


class WorkflowEventStatus(StatusModel):
    """What became of the event. Only the operator writes it."""

    phase: EventPhase = Field(
        default="Pending",
        description="Pending: no node has taken it yet. Claimed: a node takes it, or its run is "
        "being created. Consumed: it is the output of a node, or its run exists. Expired: no node "
        "took it in time. Refused: no node can take it, or its run cannot start. The last three "
        "are final.",
    )
    claim: EventClaim | None = Field(default=None, description=EventClaim.__doc__)
    start: EventStart | None = Field(default=None, description=EventStart.__doc__)
    message: str | None = Field(default=None, max_length=1024, description="Explanation.")
    settled_at: Timestamp | None = Field(
        default=None,
        description="Time when the phase became final. The event is deleted a day later.",
    )
