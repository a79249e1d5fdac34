"""Deliveries: the rows of the list of what EventSources have received."""

from pydantic import Field

from waypost.api.base import JsonObject
from waypost.kube import objects
from waypost.views.models import View

_MESSAGE = 300  # characters


class DeliveryRow(View):
    """One request that became a WorkflowEvent. `id` is the id of the request, `template` is that of
    the run that it starts, `run` is the run that it started or whose node took it."""

    name: str
    namespace: str
    source: str
    id: str
    received_at: str
    phase: str
    event: str | None = None
    key: str | None = None
    template: str | None = None
    run: str | None = None
    node: str | None = None
    message: str | None = Field(default=None, max_length=_MESSAGE)


def delivery_row(body: JsonObject) -> DeliveryRow | None:
    """One line of the list; None for an event that no EventSource has received.

    Args:
        body: A WorkflowEvent.
    """
    metadata, spec = objects.section(body, "metadata"), objects.section(body, "spec")
    origin = objects.section(spec, "source")
    if not objects.text(origin, "name"):
        return None
    status = objects.section(body, "status")
    claim = objects.section(status, "claim")
    started = objects.text(objects.section(status, "start"), "run")
    template = objects.text(objects.section(spec, "start", "templateRef"), "name")
    return DeliveryRow(
        name=objects.text(metadata, "name"),
        namespace=objects.text(metadata, "namespace"),
        source=objects.text(origin, "name"),
        id=objects.text(origin, "id"),
        received_at=objects.text(metadata, "creationTimestamp"),
        phase=objects.text(status, "phase") or "Pending",
        event=None if template else objects.text(spec, "name"),
        key=objects.text(spec, "key") or None,
        template=template or None,
        run=started or objects.text(claim, "run") or None,
        node=objects.text(claim, "path") or None,
        message=objects.text(status, "message")[:_MESSAGE] or None,
    )
