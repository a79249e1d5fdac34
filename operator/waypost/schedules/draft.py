"""The next status of a schedule while a step works it out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from waypost.api import meta
from waypost.api.schedule.model import (
    KEPT_RECENT,
    AgentWorkflowScheduleStatus,
    Fire,
    Pending,
    Starting,
)
from waypost.kube.conditions import Conditions
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.schedules.subject import Schedule


@dataclass(frozen=True)
class Note:
    """An Event on the schedule."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class Draft:
    """Fields of the status, with times as `datetime`.

    Attributes:
        schedule: The schedule as it was observed.
        now: The time of the pass.
        done: Times up to this one are done.
        again_at: When the next pass is due, besides that of the next time.
        notes: The Events of the pass.
    """

    def __init__(self, schedule: Schedule, now: datetime) -> None:
        known = schedule.status
        self.schedule = schedule
        self.now = now
        begun = min(schedule.created_at or now, now)
        self.done: datetime = parse_timestamp(known.checked_until) or begun
        self.timing = known.timing
        self.starting: Starting | None = known.starting
        self.queued: Pending | None = known.queued
        self.replacing: Pending | None = known.replacing
        self.missed = known.missed
        self.blocked_by: str | None = known.blocked_by
        self.next_at: datetime | None = None
        self.next_scheduled_at: datetime | None = None
        self.again_at: datetime | None = None
        self.conditions = Conditions(known.conditions, generation=schedule.generation, now=now)
        self.notes: list[Note] = []
        self._recent = list(known.recent)
        self._last = known.last_scheduled_at

    @property
    def name(self) -> str:
        """Name of the schedule."""
        return self.schedule.name

    @property
    def blocked(self) -> bool:
        """Whether the condition Blocked is True."""
        return self.conditions.has(meta.Condition.BLOCKED, "True")

    def was_fired(self, name: str) -> bool:
        """Whether the status names this run among the last ones."""
        return any(fire.name == name for fire in self._recent)

    def fired(self, name: str, scheduled_at: str) -> None:
        """A run exists."""
        if not self.was_fired(name):
            self._recent.append(Fire(name=name, scheduled_at=scheduled_at))
            self._recent = self._recent[-KEPT_RECENT:]
        self._last = scheduled_at

    def note(self, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Post an Event once the status is written."""
        self.notes.append(Note(type_, reason, message))

    def miss(self, count: int, first: datetime, last: datetime, *, why: str) -> None:
        """Times start no run.

        Args:
            count: How many; nothing happens for 0.
            first: The first of them.
            last: The last of them.
            why: The cause, a clause.
        """
        if count <= 0:
            return
        self.missed += count
        times = "1 time was" if count == 1 else f"{count} times were"
        self.note(
            "Warning",
            meta.EventReason.SCHEDULE_MISSED,
            f"{times} missed: {why}. To run what was missed: waypost backfill {self.name} "
            f"--from {timestamp(first)} --to {timestamp(last)}",
        )

    def status(self) -> AgentWorkflowScheduleStatus:
        """The status as it is now."""
        return AgentWorkflowScheduleStatus(
            observed_generation=self.schedule.generation,
            next_at=_text(self.next_at),
            next_scheduled_at=_text(self.next_scheduled_at),
            last_scheduled_at=self._last,
            checked_until=timestamp(self.done),
            starting=self.starting,
            queued=self.queued,
            replacing=self.replacing,
            recent=self._recent,
            missed=self.missed,
            blocked_by=self.blocked_by,
            timing=self.timing,
            conditions=self.conditions.items,
        )


def _text(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment is not None else None
