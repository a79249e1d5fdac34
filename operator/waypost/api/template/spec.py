"""Models of an AgentWorkflowTemplate, and what may stand beside `templateRef` in a run."""

from typing import Final

from pydantic import Field

from waypost.api.base import Model, ObjectName, StatusCondition, StatusModel, keyed_by
from waypost.api.workflow import AgentWorkflowSpec, WorkflowBody

# Fields of the body that a run of a template may set too, with a lower limit than the template.
LOWERED: Final = frozenset({"budget", "deadline"})


MAX_TRIGGERS: Final = 20


class Trigger(Model):
    """What may start runs of the template, beside people and schedules."""

    event_source: ObjectName = Field(
        description="Name of an EventSource of this namespace. Its requests may start runs."
    )


class AgentWorkflowTemplateSpec(WorkflowBody):
    """Definition of the runs that refer to this template. A change reaches only runs that are
    accepted after it."""

    description: str | None = Field(
        default=None, max_length=4096, description="Purpose of the template, for people."
    )
    suspend: bool | None = Field(
        default=None,
        description="true: no new run of this template is accepted. New runs wait until it is "
        "false. Runs that were accepted before continue, and so do their reruns.",
    )
    triggers: list[Trigger] | None = Field(
        default=None,
        max_length=MAX_TRIGGERS,
        description="EventSources that may start runs of this template. Default: none.",
        json_schema_extra=keyed_by("eventSource"),
    )


class AgentWorkflowTemplateStatus(StatusModel):
    """Result of the static check of the template."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation this status was computed from."
    )
    nodes: int | None = Field(default=None, ge=0, description="Number of nodes.")
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=8,
        description="Condition: Accepted.",
        json_schema_extra=keyed_by("type"),
    )


def _wire(model: type[WorkflowBody]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


BODY_FIELDS: Final = _wire(WorkflowBody)
# Refused in a run of a template: they stand in the template.
TEMPLATE_ONLY: Final = tuple(name for name in BODY_FIELDS if name not in LOWERED)
# What a run of a template can set beside templateRef.
RUN_FIELDS: Final = (
    *(name for name in _wire(AgentWorkflowSpec) if name not in (*BODY_FIELDS, "templateRef")),
    *sorted(LOWERED),
)
_FOR_PEOPLE: Final = tuple(
    name for name in RUN_FIELDS if name not in ("parent", "origin", "requestedBy")
)
# The same for messages.
BESIDE: Final = f"{', '.join(_FOR_PEOPLE[:-1])} and {_FOR_PEOPLE[-1]}"
