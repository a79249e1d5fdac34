"""One AgentWorkflowSchedule as it was observed, and the runs that it has started."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.schedule.model import AgentWorkflowScheduleSpec, AgentWorkflowScheduleStatus
from waypost.api.validation import words
from waypost.kube import objects
from waypost.kube.facts.runs import tracked_by_git

_ENDED: Final = frozenset({"Succeeded", "Failed", "Cancelled", "Rejected"})
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Schedule:
    """A schedule. `spec` is None when it is invalid; `problem` then says why, else it is ""."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    created_at: datetime | None
    spec: AgentWorkflowScheduleSpec | None
    problem: str
    status: AgentWorkflowScheduleStatus
    deleting: bool = False


@dataclass(frozen=True)
class ScheduledRun:
    """A run with the label of a schedule.

    Attributes:
        name: Its name.
        uid: Its uid.
        resource_version: Its resourceVersion.
        phase: Its phase; "" before its first pass.
        active: It has not ended, or a later round is requested.
        scheduled_at: `spec.scheduledAt`; None if it has none.
        backfill: `waypost backfill` created it.
        tracked: Argo CD or Flux track it.
        deleting: It has a deletionTimestamp.
        cancelled: `spec.cancel` is set.
        held: It has finalizers, or has to be archived first.
    """

    name: str
    uid: str
    resource_version: str
    phase: str = ""
    active: bool = True
    scheduled_at: datetime | None = None
    backfill: bool = False
    tracked: bool = False
    deleting: bool = False
    cancelled: bool = False
    held: bool = False


def schedule(body: Any) -> Schedule | None:
    """The schedule in an object's body; None for a body without a uid."""
    metadata = objects.section(body, "metadata")
    uid, generation = objects.text(metadata, "uid"), metadata.get("generation")
    if not uid:
        return None
    spec, problem = _spec(objects.section(body, "spec"))
    return Schedule(
        name=objects.text(metadata, "name"),
        namespace=objects.text(metadata, "namespace"),
        uid=uid,
        generation=generation if isinstance(generation, int) else 1,
        resource_version=objects.text(metadata, "resourceVersion"),
        created_at=objects.moment(metadata, "creationTimestamp"),
        spec=spec,
        problem=problem,
        status=_status(objects.section(body, "status")),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def scheduled_run(body: Any, *, archives: bool = False) -> ScheduledRun:
    """The fact of a run. Never raises, whatever is in the body. With `archives` a run is held until
    it is archived."""
    metadata, spec = objects.section(body, "metadata"), objects.section(body, "spec")
    status = objects.section(body, "status")
    phase = objects.text(status, "phase")
    asked, round_ = objects.section(spec, "rerun").get("round"), status.get("round")
    again = isinstance(asked, int) and asked > (round_ if isinstance(round_, int) else 1)
    return ScheduledRun(
        name=objects.text(metadata, "name"),
        uid=objects.text(metadata, "uid"),
        resource_version=objects.text(metadata, "resourceVersion"),
        phase=phase,
        active=phase not in _ENDED or (again and phase != "Rejected"),
        scheduled_at=objects.moment(spec, "scheduledAt"),
        backfill=meta.LABEL_BACKFILL in objects.section(metadata, "labels"),
        tracked=tracked_by_git(body),
        deleting=bool(metadata.get("deletionTimestamp")),
        cancelled=spec.get("cancel") is True,
        held=bool(metadata.get("finalizers")) or (archives and not _is_archived(body)),
    )


def _is_archived(body: Any) -> bool:
    condition = (meta.Condition.ARCHIVED, "True")
    listed = objects.items(body, "status", "conditions")
    return any((one.get("type"), one.get("status")) == condition for one in listed)


def schedule_of(body: Any) -> str:
    """The name of the schedule whose label a run has, or ""."""
    return objects.text(objects.section(body, "metadata", "labels"), meta.LABEL_SCHEDULE)


def run_name(schedule_name: str, scheduled_at: datetime) -> str:
    """Name of the run of a time: that of the schedule and the minute, so that a second create of
    the same run meets AlreadyExists."""
    minute = int(scheduled_at.astimezone(UTC).timestamp()) // 60
    return f"{schedule_name}-{_base36(minute)}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _spec(body: Any) -> tuple[AgentWorkflowScheduleSpec | None, str]:
    try:
        return AgentWorkflowScheduleSpec.model_validate(body), ""
    except ValidationError as error:
        first = dict(error.errors(include_url=False)[0])
        return None, f"{words.place_of(first, before='spec')}: {words.words_of(first)}"


def _status(body: Any) -> AgentWorkflowScheduleStatus:
    try:
        return AgentWorkflowScheduleStatus.model_validate(body)
    except ValidationError:
        return AgentWorkflowScheduleStatus()
