"""Models of an AgentWorkflowSchedule. Descriptions are what `kubectl explain` prints."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import (
    Duration,
    JsonObject,
    Model,
    StatusCondition,
    StatusModel,
    Timestamp,
    keyed_by,
)
from waypost.api.kinds.agent import Budget
from waypost.api.template.parent import UserName
from waypost.api.template.ref import TemplateRef

MAX_NAME: Final = 52  # a run has the name, a hyphen and up to ten characters
MAX_LINES: Final = 10
KEPT_RECENT: Final = 10
DEFAULT_ZONE: Final = "Etc/UTC"

ConcurrencyPolicy = Literal["Forbid", "Queue", "Allow", "Replace"]
CronLine = Annotated[str, StringConstraints(min_length=1, max_length=120)]
_MapKey = Annotated[str, StringConstraints(max_length=317)]
_LabelValue = Annotated[str, StringConstraints(max_length=63)]
_AnnotationValue = Annotated[str, StringConstraints(max_length=4096)]


class ScheduledMetadata(Model):
    """Labels and annotations of the runs."""

    labels: dict[_MapKey, _LabelValue] | None = Field(
        default=None, max_length=20, description="Labels of the runs."
    )
    annotations: dict[_MapKey, _AnnotationValue] | None = Field(
        default=None, max_length=20, description="Annotations of the runs."
    )


class ScheduledSpec(Model):
    """Spec of the runs: the template, and what a run can set beside it."""

    template_ref: TemplateRef = Field(
        description="AgentWorkflowTemplate of this namespace that the runs use. It is read when a "
        "run is accepted."
    )
    inputs: JsonObject | None = Field(
        default=None,
        max_length=100,
        description="Inputs of the runs. They are data: ${...} is not evaluated here. The time of "
        "the schedule is run.scheduledAt in the expressions of the template.",
    )
    deadline: Duration | None = Field(
        default=None, description="Maximum duration of a run. At most that of the template."
    )
    budget: Budget | None = Field(
        default=None, description="Budget of a run. At most that of the template."
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=315360000,
        description="Delete a run this many seconds after it has finished. The history limits of "
        "the schedule may delete it earlier.",
    )


class RunTemplate(Model):
    """Metadata and spec of the runs."""

    metadata: ScheduledMetadata | None = Field(default=None, description=ScheduledMetadata.__doc__)
    spec: ScheduledSpec = Field(description=ScheduledSpec.__doc__)


class AgentWorkflowScheduleSpec(Model):
    """When runs start, and which. A change of schedules, timeZone, spread or suspend starts from
    now: times that have passed are not made up."""

    schedules: list[CronLine] = Field(
        min_length=1,
        max_length=MAX_LINES,
        description="Cron lines with five fields: minute, hour, day of month, month, day of week. "
        "A time that several lines have starts one run.",
    )
    time_zone: str = Field(
        default=DEFAULT_ZONE,
        min_length=1,
        max_length=64,
        description="Time zone of the cron lines, a name of the IANA database such as "
        "Europe/Berlin. Default Etc/UTC.",
    )
    concurrency_policy: ConcurrencyPolicy = Field(
        default="Forbid",
        description="What happens at a time while a run of this schedule has not ended. Forbid: no "
        "run starts, the time counts as missed. Queue: one run waits and starts when the other has "
        "ended; further times count as missed. Allow: another run starts. Replace: the other run "
        "is cancelled, and the new one starts when it has ended. Default Forbid.",
    )
    starting_deadline_seconds: int = Field(
        default=600,
        ge=10,
        le=86400,
        description="How late a run may start, for example after the operator was down. Of several "
        "times that have passed only the latest starts a run, the others count as missed. Default "
        "600.",
    )
    spread: Duration | None = Field(
        default=None,
        description="Start runs up to this much later, so that many schedules with the same time "
        "do not start at once. The delay is fixed for the name of the schedule, and is not in "
        "run.scheduledAt. At most 24h. Default: no delay.",
    )
    suspend: bool | None = Field(
        default=None,
        description="true: no run starts. Runs in progress continue. Times that pass meanwhile are "
        "not made up.",
    )
    successful_runs_history_limit: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Number of runs that succeeded to keep. Older ones are deleted, but no run "
        "that Argo CD or Flux track, and no run of waypost backfill. Default 10.",
    )
    failed_runs_history_limit: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="The same for runs that ended otherwise. Default 10.",
    )
    requested_by: UserName | None = Field(
        default=None,
        description="User name of the person who last wrote template. The admission policy refuses "
        "the name of another user. This person cannot answer the Approvals of the runs.",
    )
    template: RunTemplate = Field(description=RunTemplate.__doc__)


class Fire(StatusModel):
    """A run that a time of the schedule started."""

    name: str = Field(max_length=63, description="Name of the run.")
    scheduled_at: Timestamp = Field(description="Time of the schedule.")


class Starting(Fire):
    """The run that is about to be created."""

    at: Timestamp = Field(description="Time when this was recorded, before the run was created.")
    begun_at: Timestamp = Field(description="Time when the operator first tried to start the run.")


class Pending(StatusModel):
    """A time of the schedule whose run waits for another run to end."""

    scheduled_at: Timestamp = Field(description="Time of the schedule.")
    since: Timestamp = Field(description="Time since when it waits.")


class AgentWorkflowScheduleStatus(StatusModel):
    """What the schedule has started. Only the operator writes it."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation this status was computed from."
    )
    next_at: Timestamp | None = Field(
        default=None, description="Time at which the next run starts, spread included."
    )
    next_scheduled_at: Timestamp | None = Field(
        default=None, description="Time of the schedule of the next run, without spread."
    )
    last_scheduled_at: Timestamp | None = Field(
        default=None, description="Time of the schedule of the last run that was started."
    )
    checked_until: Timestamp | None = Field(
        default=None,
        description="Times of the schedule up to this one are done: their runs were started, wait, "
        "or were missed.",
    )
    starting: Starting | None = Field(
        default=None,
        description="The run that is about to be created. It is recorded first, so that no "
        "operator creates another one.",
    )
    queued: Pending | None = Field(
        default=None, description="With concurrencyPolicy Queue: the time whose run waits."
    )
    replacing: Pending | None = Field(
        default=None,
        description="With concurrencyPolicy Replace: the time whose run starts when the cancelled "
        "run has ended.",
    )
    recent: list[Fire] = Field(
        default_factory=list,
        max_length=KEPT_RECENT,
        description="The last runs that were started, newest last.",
    )
    missed: int = Field(default=0, ge=0, description="Number of times that started no run.")
    blocked_by: str | None = Field(
        default=None, max_length=253, description="Run that keeps the next run from starting."
    )
    timing: str | None = Field(
        default=None,
        max_length=64,
        description="Digest of schedules, timeZone, spread and suspend. If it differs, the "
        "schedule was edited and starts from now.",
    )
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=8,
        description="Conditions: Accepted, Blocked, ClockSkew.",
        json_schema_extra=keyed_by("type"),
    )
