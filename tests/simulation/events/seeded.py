"""Seeded bugs of events: each breaks the operator on purpose and must be caught."""

import itertools
from dataclasses import replace
from typing import Any, Final

import pytest
from waypost.engine.events import lifecycle, starting
from waypost.engine.nodes import claims, table
from waypost.engine.nodes import event as node
from waypost.runtime.events.starter import Starter

from tests.simulation.events.plan import Plan, plan
from tests.simulation.events.play import play
from tests.simulation.focused.hunting import Bugs

bug: Final = Bugs("events", plan, play, limit=40)
BUGS: Final = bug.all
_ACTING: Final = ("freeze_acting", "lost")  # with number 3 or 7: at the create of a run


def _any(planned: Plan) -> bool:
    return True


def _timed(planned: Plan) -> bool:
    return any(wait.timeout for run in planned.runs for wait in run.waits)


def _kind(patch: pytest.MonkeyPatch, **changes: Any) -> None:
    patch.setitem(table.KINDS, "event", replace(node.KIND, **changes))


@bug("VN1", focus=_any)
def _the_run_takes_an_event_before_it_is_claimed(patch: pytest.MonkeyPatch) -> None:
    def hasty(transition: Any, path: str, events: Any) -> bool:
        work = claims.work_of(transition, path)
        for one in events:
            if claims._fits(transition, one, path) and not claims._why_not(one, work):
                node._take(transition, path, [one])
                return True
        return False

    patch.setattr(claims, "claim_one", hasty)


@bug("VN3", focus=lambda planned: _timed(planned) and planned.delivery == "stale")
def _a_timeout_is_concluded_from_the_cache(patch: pytest.MonkeyPatch) -> None:
    def needed(observed: Any, status: Any, now: Any) -> Any:
        found = node._needed(observed, status, now)
        return found & observed.arrived

    def advance(transition: Any, path: str, *, withdraw: bool) -> None:
        node.advance(transition, path, withdraw=withdraw)
        until = node._set_timer(transition, path)
        status = transition.statuses[path]
        listed = transition.observed.workflow_events_at
        over = until is not None and transition.now >= until
        if status.phase == "Waiting" and over and listed is None:
            now = transition.now
            transition.observed = replace(transition.observed, workflow_events_at=now)
            node._end_if_due(transition, path, until)

    _kind(patch, needed_events=needed, advance=advance)


def _confuse(patch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    """The use of an event that is `right` is taken for `wrong`."""
    use_of = lifecycle.use_of

    def confused(*given: Any) -> str:
        use = use_of(*given)
        return wrong if use == right else use

    patch.setattr(lifecycle, "use_of", confused)


@bug("VN1", focus=_any)
def _an_event_that_was_taken_goes_back(patch: pytest.MonkeyPatch) -> None:
    _confuse(patch, "Taken", "Unused")


@bug("VN2", focus=_any)
def _an_event_that_came_before_the_wait_is_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    claim = claims.claim_one

    def late(transition: Any, path: str, events: Any) -> bool:
        started = transition.statuses[path].started_at
        new = [one for one in events if one.created_at.isoformat() >= started[:19]]
        return claim(transition, path, new)

    patch.setattr(claims, "claim_one", late)


@bug("VN4", focus=lambda planned: planned.is_undisturbed)
def _the_newest_event_is_taken(patch: pytest.MonkeyPatch) -> None:
    claim = claims.claim_one

    def newest(transition: Any, path: str, events: Any) -> bool:
        return claim(transition, path, list(reversed(events)))

    patch.setattr(claims, "claim_one", newest)


def _waits_again(planned: Plan) -> bool:
    """A node that comes first in the graph waits since a later time than another one."""
    shared = (
        {(wait.key, wait.timeout) for wait in run.waits}
        for run in planned.runs
        if len(run.waits) > 1 and not run.chooses
    )
    return planned.is_orderly and "rerun" in planned.kinds and any(map(_without_timeout, shared))


def _without_timeout(waits: set[tuple[str, int]]) -> bool:
    return len(waits) == 1 and not next(iter(waits))[1]


@bug("VN4", focus=_waits_again)
def _the_order_of_the_graph_decides(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(claims, "_reserved", lambda *_: set())


def _starting(planned: Plan) -> bool:
    acting = any(t.number % 4 == 3 and t.kind in _ACTING for t in planned.troubles)
    return acting and any(start.allowed for start in planned.starts)


@bug("VN6", focus=_starting)
def _an_event_is_settled_before_its_run_exists(patch: pytest.MonkeyPatch) -> None:
    create = starting._create

    def hasty(*given: Any, **more: Any) -> Any:
        step = create(*given, **more)
        assert step.status is not None, "it begins with the write"
        status = step.status.model_copy(update={"phase": "Consumed"})
        return replace(step, status=status)

    patch.setattr(starting, "_create", hasty)


@bug("VN5", focus=_starting)
def _a_run_is_created_again_under_another_name(patch: pytest.MonkeyPatch) -> None:
    """An operator that does not look live finds no run yet, and the name is not always the same."""
    numbers, seen = itertools.count(), set()
    patch.setattr(starting, "run_name", lambda *_: f"triage-{next(numbers)}")
    named = Starter._named

    async def blind(starter: Any, key: Any, event: Any) -> Any:
        if event.uid in seen:
            return await named(starter, key, event)
        seen.add(event.uid)
        return starting.Named(exists=False)

    patch.setattr(Starter, "_named", blind)


@bug("VN5", focus=lambda planned: not all(start.allowed for start in planned.starts))
def _any_source_starts_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(starting, "refusal_of", lambda *_, **__: "")


def _gives_back(planned: Plan) -> bool:
    return any(run.chooses for run in planned.runs) or "cancel_child" in planned.kinds


def _maps(planned: Plan) -> bool:
    return any(not caller.repeats and caller.parallel > 1 for caller in planned.callers)


@bug("VN2", focus=_gives_back)
def _a_claim_of_a_wait_that_has_ended_stays(patch: pytest.MonkeyPatch) -> None:
    _confuse(patch, "Unused", "Open")


@bug("VN1", focus=_maps)
def _items_of_a_map_share_a_claim(patch: pytest.MonkeyPatch) -> None:
    def alike(found: Any, claim: Any) -> bool:
        return found is not None and (found.path, found.wait) == (claim.path, claim.wait)

    patch.setattr(claims, "_is", alike)
