"""Which times of a schedule start a run, and which are missed: a second implementation.

It knows the times from a look at every minute, and how long runs took from what the API server
stored. It reads no status of a schedule.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.simulation.schedules.plan import Plan
from tests.support import minutes

# A run that ends, or starts, this close to a time may be seen on either side of it.
_CLOSE = timedelta(seconds=3)
_TO_CANCEL = timedelta(seconds=30)


@dataclass(frozen=True)
class Ran:
    """A run: the time that it is for, when it was created, and when it ended (None: it has not)."""

    time: datetime
    created: datetime
    ended: datetime | None


def times(plan: Plan, after: datetime, until: datetime) -> list[datetime]:
    """The times of the plan's lines, each once."""
    found = {
        fire
        for line in plan.lines
        for fire in minutes.fires(line, plan.zone, after=after, until=until)
    }
    return sorted(found)


def wrong(plan: Plan, expected: list[datetime], ran: list[Ran], delay: timedelta) -> list[str]:
    """What differs from what the policy says, in a play without troubles.

    Args:
        plan: The plan.
        expected: The times that have come.
        ran: The runs that were created, in the order of their creation.
        delay: By how much runs start later.
    """
    found = []
    by_time = {one.time: one for one in ran}
    for moment in expected:
        start = moment + delay
        others = [one for one in ran if one.created < start - _CLOSE and one.time != moment]
        busy = [one for one in others if one.ended is None or one.ended > start + _CLOSE]
        unsure = [one for one in others if one.ended and abs(one.ended - start) <= _CLOSE]
        run = by_time.get(moment)
        prompt = run is not None and run.created - start < _CLOSE
        if plan.policy == "Allow" or (not busy and not unsure and not _waits(plan, ran, start)):
            if not prompt:
                found.append(f"{moment} started no run, and nothing was in its way")
        elif plan.policy == "Replace" and (late := _not_replaced(busy, start)):
            found.append(f"{moment} did not replace {late[0].time}")
        elif plan.policy == "Forbid" and busy and run is not None:
            found.append(f"{moment} started a run beside {busy[0].time}")
    return found


def _not_replaced(busy: list[Ran], start: datetime) -> list[Ran]:
    """Runs that were not cancelled when the run of a later time was to start."""
    return [one for one in busy if one.ended is not None and one.ended > start + _TO_CANCEL]


def _waits(plan: Plan, ran: list[Ran], start: datetime) -> bool:
    """Whether a time that came before may still wait for its run."""
    late = [one for one in ran if one.time < start and one.created > start - _CLOSE]
    return plan.policy in ("Queue", "Replace") and bool(late)
