"""Seeded bugs of schedules: each breaks the operator on purpose and must be caught."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from waypost.runtime.schedules.controller import ScheduleController
from waypost.runtime.schedules.reads import ScheduleReads
from waypost.schedules import decide, history, starting
from waypost.schedules.due import Clockwork

from tests.simulation.focused.hunting import Bugs
from tests.simulation.schedules.plan import Plan, plan
from tests.simulation.schedules.play import play

bug: Final = Bugs("schedules", plan, play, limit=30)
BUGS: Final = bug.all


def _any(planned: Plan) -> bool:
    return True


def _with(*kinds: str) -> Callable[[Plan], bool]:
    return lambda planned: bool({trouble.kind for trouble in planned.troubles} & set(kinds))


def _long_runs(planned: Plan) -> bool:
    return planned.policy in ("Forbid", "Queue") and max(planned.runs) >= 70


@bug("VS1", focus=_any)
def _a_run_is_created_before_the_status_names_it(patch: pytest.MonkeyPatch) -> None:
    carry_out = ScheduleController._carry_out

    async def hasty(self: Any, key: Any, body: Any, subject: Any, decision: Any) -> None:
        if decision.create is not None:
            await self._create(key, decision.create, self._clock.monotonic())
        await carry_out(self, key, body, subject, decision)

    patch.setattr(ScheduleController, "_carry_out", hasty)


@bug("VS1", focus=_long_runs)
def _runs_in_progress_are_not_seen(patch: pytest.MonkeyPatch) -> None:
    look = ScheduleReads.look

    async def blind(self: Any, *given: Any, **more: Any) -> Any:
        found = await look(self, *given, **more)
        return replace(found, runs=() if found.runs is not None else None)

    patch.setattr(ScheduleReads, "look", blind)


@bug("VS2", focus=lambda planned: planned.is_counted and bool(planned.troubles))
def _a_run_that_was_not_found_is_given_up(patch: pytest.MonkeyPatch) -> None:
    resolve = starting.resolve

    def forgetful(draft: Any, spec: Any, look: Any) -> Any:
        if look.named is not None and not look.named.exists:
            draft.starting = None
            return None
        return resolve(draft, spec, look)

    patch.setattr(starting, "resolve", forgetful)


@bug("VS1", "VS2", focus=_any)
def _names_do_not_follow_from_the_time(patch: pytest.MonkeyPatch) -> None:
    def by_now(draft: Any, spec: Any, moment: datetime) -> Any:
        made = begin(draft, spec, moment)
        name = f"{made['metadata']['name']}-{int(draft.now.timestamp())}"
        made["metadata"]["name"] = name
        return made

    begin = starting.begin
    patch.setattr(starting, "begin", by_now)


@bug("VS2", focus=lambda planned: planned.is_counted)
def _times_that_were_overtaken_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    due = Clockwork.due

    def latest_only(self: Clockwork, done: datetime, now: datetime) -> Any:
        found = due(self, done, now)
        return replace(found, others=0) if found is not None and found.latest else found

    patch.setattr(Clockwork, "due", latest_only)


@bug("VS3", focus=lambda planned: planned.kept == 0)
def _the_run_that_is_starting_is_history(patch: pytest.MonkeyPatch) -> None:
    def eager(run: Any, draft: Any) -> bool:
        return not run.tracked

    patch.setattr(history, "_may_go", eager)


def _replaces(planned: Plan) -> bool:
    return planned.policy == "Replace" and planned.is_undisturbed and max(planned.runs) >= 200


@bug("T11", focus=_replaces)
def _replace_does_not_cancel(patch: pytest.MonkeyPatch) -> None:
    run = decide._run

    def gentle(*given: Any) -> Any:
        create, _ = run(*given)
        return create, ()

    patch.setattr(decide, "_run", gentle)


@bug("I11", focus=_with("refused"))
def _a_run_that_is_refused_is_tried_without_end(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, key: Any, run: Any, sent: float) -> None:
        self._queue.add_at(key, self._clock.monotonic() + 5)

    patch.setattr(ScheduleController, "_create", nothing)
    patch.setattr(starting, "_given_up_at", lambda draft, *given: draft.now + timedelta(days=1))
