"""WorkflowEvents: the facts that the engine needs. Reading them from a body never raises."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from waypost.api.base import JsonValue
from waypost.api.event.model import (
    MAX_PAYLOAD_BYTES,
    EventClaim,
    EventPhase,
    RunStart,
    WorkflowEventSpec,
    WorkflowEventStatus,
)
from waypost.kube.objects import moment, section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.kube.trace_ids import caller_of
from waypost.protocol import ijson

KEPT_PENDING: Final = timedelta(days=7)


class Selector(NamedTuple):
    """Whom an event is for: any node with this key, or the run with this name."""

    field: str  # key | workflow
    value: str

    @property
    def text(self) -> str:
        """As a field selector of the API server, which escapes three characters."""
        value = self.value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
        return f"spec.{self.field}={value}"


@dataclass(frozen=True)
class EventFact:
    """One WorkflowEvent."""

    name: str  # of the object, which is the id of the event
    uid: str
    resource_version: str
    event: str  # what happened
    selector: Selector | None  # None if the spec cannot be read
    payload: JsonValue
    created_at: datetime
    expires_at: datetime
    status: WorkflowEventStatus
    start: RunStart | None = None  # the run that it starts
    source: str = ""  # name of the EventSource that it comes from
    problem: str = ""  # why nothing can be done with it
    deleting: bool = False
    caller: str = ""  # traceparent of the delivery

    @property
    def phase(self) -> EventPhase:
        """Its phase."""
        return self.status.phase

    @property
    def claim(self) -> EventClaim | None:
        """Who has it."""
        return self.status.claim

    @property
    def addressed(self) -> str:
        """The name of the run that it is for; "" if it is for any run with its key."""
        selector = self.selector
        return selector.value if selector is not None and selector.field == "workflow" else ""

    @property
    def age(self) -> tuple[datetime, str]:
        """Sorts the oldest first."""
        return self.created_at, self.name

    def slim(self) -> "EventFact":
        """The event without its payload and the inputs of its run, for the cache."""
        start = self.start and self.start.model_copy(update={"inputs": None})
        return replace(self, payload=None, start=start)


def event_fact(body: Any) -> EventFact | None:
    """The fact of a WorkflowEvent; None if the body has no name or no time."""
    metadata, spec = section(body, "metadata"), section(body, "spec")
    name, created = text(metadata, "name"), moment(metadata, "creationTimestamp")
    if not name or created is None:
        return None
    latest = created + KEPT_PENDING
    given = parse_timestamp(text(spec, "expiresAt"))
    return EventFact(
        name=name,
        uid=text(metadata, "uid"),
        resource_version=text(metadata, "resourceVersion"),
        event=text(spec, "name"),
        selector=_selector(spec),
        payload=spec.get("payload"),
        created_at=created,
        expires_at=min(given, latest) if given is not None else latest,
        status=_status(body),
        start=_start(spec),
        source=text(section(spec, "source"), "name"),
        problem=_problem(spec),
        deleting=bool(metadata.get("deletionTimestamp")),
        caller=caller_of(body),
    )


def _selector(spec: dict[str, Any]) -> Selector | None:
    key, workflow = text(spec, "key"), text(spec, "workflow")
    if bool(key) == bool(workflow):
        return None
    return Selector("key", key) if key else Selector("workflow", workflow)


def _start(spec: dict[str, Any]) -> RunStart | None:
    try:
        return RunStart.model_validate(spec["start"]) if spec.get("start") else None
    except ValidationError:
        return None


def _status(body: Any) -> WorkflowEventStatus:
    try:
        return WorkflowEventStatus.model_validate(section(body, "status"))
    except ValidationError:
        return WorkflowEventStatus(phase="Refused", message="its status cannot be read")


def _problem(spec: dict[str, Any]) -> str:
    """Why no node can take the event; the CRD does not limit the size of a payload."""
    try:
        WorkflowEventSpec.model_validate(spec)
    except ValidationError as error:
        return f"its spec cannot be read: {error.errors(include_url=False)[0]['msg']}"
    start = section(spec, "start")
    if (_selector(spec) is None) != bool(start):
        return "expected exactly one of key, workflow and start"
    if start and not section(spec, "source"):
        return "start is only allowed with source; to start a run yourself, create it"
    field, value = (
        ("start.inputs", start.get("inputs")) if start else ("payload", spec.get("payload"))
    )
    try:
        size = len(ijson.canonical(ijson.check(value)))
    except ijson.IJsonError as error:
        return f"{field}{error.path.removeprefix('$')}: {error.problem}"
    if size > MAX_PAYLOAD_BYTES:
        return (
            f"{field}: {size} bytes of JSON, the limit is {MAX_PAYLOAD_BYTES}; store the data "
            "elsewhere, and send where it is"
        )
    return ""
