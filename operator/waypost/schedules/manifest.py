"""The manifest of a run of a schedule, and what a run made by it would be refused for."""

from datetime import datetime, timedelta
from typing import Any, Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.meta import ConditionReason
from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.compiler.templates import body_of, define_run
from waypost.kube import objects
from waypost.kube.timestamps import timestamp
from waypost.schedules.subject import run_name

# Beyond the time for which the operator tries to create a run: its clocks may differ.
_MARGIN: Final = timedelta(seconds=60)


def run_spec(spec: AgentWorkflowScheduleSpec, scheduled_at: datetime) -> JsonObject:
    """`spec` of the run of a time."""
    own = spec.template.spec.model_dump(by_alias=True, exclude_none=True, mode="json")
    return {**own, "scheduledAt": timestamp(scheduled_at)}


def _origin(spec: AgentWorkflowScheduleSpec, schedule: str) -> JsonObject:
    """What started the run; its approvers must not be the person who wrote it."""
    named = {"requestedBy": spec.requested_by} if spec.requested_by else {}
    return {"schedule": schedule, **named}


def run_manifest(
    spec: AgentWorkflowScheduleSpec,
    *,
    schedule: str,
    scheduled_at: datetime,
    keep_until: datetime | None = None,
) -> JsonObject:
    """The run of a time.

    Args:
        spec: `spec` of the schedule.
        schedule: Name of the schedule.
        scheduled_at: The time.
        keep_until: The run is not deleted by its TTL before; None for a run of a backfill.

    Returns:
        The manifest, without a namespace. The run has no owner: it stays if the schedule is
        deleted.
    """
    given = spec.template.metadata
    labels = dict((given and given.labels) or {}) | {meta.LABEL_SCHEDULE: schedule}
    annotations = dict((given and given.annotations) or {})
    if keep_until is None:
        labels[meta.LABEL_BACKFILL] = "true"
    else:
        annotations[meta.ANNOTATION_KEEP_UNTIL] = timestamp(keep_until + _MARGIN)
    # A person makes the run of a backfill, in the own name.
    origin = {"origin": _origin(spec, schedule)} if keep_until is not None else {}
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.AGENT_WORKFLOW.kind,
        "metadata": {
            "name": run_name(schedule, scheduled_at),
            "labels": labels,
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {**run_spec(spec, scheduled_at), **origin},
    }


def template_problem(
    spec: AgentWorkflowScheduleSpec, template: Any, now: datetime
) -> tuple[str, str] | None:
    """Why a run of the schedule would not be accepted now.

    Args:
        spec: `spec` of the schedule.
        template: The body of its template; None if there is none.
        now: The time of the pass.

    Returns:
        Reason and message; None if the run would be accepted.
    """
    name = spec.template.spec.template_ref.name
    if template is None:
        text = f"AgentWorkflowTemplate {name} does not exist; create it"
        return "MissingReference", text
    if objects.section(template, "spec").get("suspend") is True:
        text = f"AgentWorkflowTemplate {name} is suspended; set its spec.suspend to false"
        return ConditionReason.TEMPLATE_SUSPENDED, text
    body = body_of(name, objects.section(template, "spec"))
    definition = define_run(run_spec(spec, now), body)
    if definition.problems:
        text = f"a run would be rejected: {definition.problems[0]}"
        return ConditionReason.TEMPLATE_NOT_ACCEPTED, text
    return None
