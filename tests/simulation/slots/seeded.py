"""Seeded bugs of slots: each breaks the operator on purpose and must be caught."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from waypost.api.template.parent import NodeConcurrency
from waypost.engine.attempts import close, stop, watch
from waypost.engine.nodes.children import runs
from waypost.engine.slots import keys, of_run, take
from waypost.engine.state.decision import Launch
from waypost.engine.state.outcome import Failed
from waypost.kube.facts import slots
from waypost.kube.facts.slots import Place
from waypost.protocol.reasons import Reason
from waypost.runtime import deciding
from waypost.runtime.slots import leases
from waypost.runtime.slots.leases import Slots

from tests.simulation.focused.hunting import Bugs
from tests.simulation.slots.plan import Plan, plan
from tests.simulation.slots.play import play

bug: Final = Bugs("slots", plan, play, limit=40)
BUGS: Final = bug.all


def _any(planned: Plan) -> bool:
    return True


def _with(*kinds: str) -> Callable[[Plan], bool]:
    return lambda planned: bool({trouble.kind for trouble in planned.troubles} & set(kinds))


@bug("VK1", focus=_any)
def _slots_are_counted_from_attempts(patch: pytest.MonkeyPatch) -> None:
    async def take_nothing(self: Slots, run: Any, manifest: Any) -> None:
        return

    patch.setattr(Slots, "take", take_nothing)


def _calls(planned: Plan) -> bool:
    return any(step.calls and step.key for run in planned.runs for step in run.steps)


@bug("VK1", focus=_calls)
def _a_child_run_takes_no_slot_for_its_node(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(of_run, "run_has_key", lambda transition: transition.spec.concurrency is not None)


@bug("VK1", focus=_calls)
def _the_limit_of_a_node_does_not_reach_its_child_run(patch: pytest.MonkeyPatch) -> None:
    given = keys.of_child

    def unlimited(*what: Any) -> Any:
        key = given(*what)
        if isinstance(key, NodeConcurrency):
            return key.model_copy(update={"limit": 100})
        return key

    patch.setattr(runs, "of_child", unlimited)


@bug("VK1", focus=_any)
def _the_slot_is_taken_before_the_status_is_written(patch: pytest.MonkeyPatch) -> None:
    decide = deciding.Decider.decide

    async def early(self: deciding.Decider, key: Any, observed: Any) -> Any:
        entry, decision, settled = await decide(self, key, observed)
        for action in decision.after:
            if isinstance(action, Launch) and action.slot is not None:
                await self.actor._slots.take(key, action.slot)
        return entry, decision, settled

    patch.setattr(deciding.Decider, "decide", early)


@bug("VK1", focus=_any)
def _slots_are_never_freed(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Slots, *how: Any) -> Any:
        return 0

    patch.setattr(take, "free", lambda *how: None)
    patch.setattr(Slots, "sweep", nothing)
    patch.setattr(Slots, "_reclaimed", nothing)


@bug("VK1", focus=_any)
def _a_run_starts_before_its_slot_is_seen(patch: pytest.MonkeyPatch) -> None:
    may_start = of_run.may_start

    def hasty(transition: Any) -> bool:
        return may_start(transition) or transition.slots.of_run is not None

    patch.setattr(of_run, "may_start", hasty)


@bug("VK1", focus=_any)
def _the_slot_of_a_run_is_not_freed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(of_run, "freed", lambda transition: None)


@bug("VK1", focus=_with("cancel"))
def _a_slot_is_free_when_its_attempt_is_stopped(patch: pytest.MonkeyPatch) -> None:
    def early(transition: Any, path: str, reason: Any) -> None:
        attempt = transition.statuses[path].open_attempt
        if attempt is not None:
            take.free(transition, path, attempt)
        _stop(transition, path, reason)

    _stop = stop.stop
    patch.setattr(stop, "stop", early)
    patch.setattr(watch, "stop", early)


@bug("VK1", "I2", "T11", focus=_with("freeze_acting"))
def _a_taken_slot_does_not_stop_the_launch(patch: pytest.MonkeyPatch) -> None:
    async def ours(self: Slots, run: Any, manifest: Any) -> None:
        return

    patch.setattr(Slots, "_is_ours", ours)


def _seldom(planned: Plan) -> bool:
    """Whether an operator freezes while it acts, from the seeds on where that loses a slot soon:
    of a hundred such plans one does."""
    return planned.seed >= 600 and _with("freeze_acting")(planned)


@bug("T11", focus=_seldom)
def _a_lost_slot_counts_as_a_retry(patch: pytest.MonkeyPatch) -> None:
    fail = close.fail

    def counted(transition: Any, path: str, attempt: Any, failure: Failed, *how: Any) -> None:
        if failure.reason == Reason.SLOT_TAKEN:
            failure = replace(failure, reason=Reason.NODE_ERROR)
        fail(transition, path, attempt, failure, *how)

    patch.setattr(watch, "fail", counted)


def _replaces(planned: Plan) -> bool:
    """Whether a younger run replaces others, of which not all agree."""
    holding = [run for run in planned.runs if run.key]
    return planned.is_undisturbed and len({run.replaces for run in holding}) > 1


def _all_replace(planned: Plan) -> bool:
    holding = [run for run in planned.runs if run.key]
    return planned.is_undisturbed and len(holding) > 2 and all(run.replaces for run in holding)


@bug("VK2", focus=_replaces)
def _a_run_is_replaced_that_has_not_agreed(patch: pytest.MonkeyPatch) -> None:
    def any_run(body: Any, holder: Any) -> Any:
        agrees = {**body, "status": {"slot": {"replaceable": True, "number": holder.number}}}
        return slots.replaceable_at(agrees, holder)

    patch.setattr(leases, "replaceable_at", any_run)


@bug("VK2", "T11", "I11", focus=_all_replace)
def _an_older_run_replaces_a_younger_one(patch: pytest.MonkeyPatch) -> None:
    late = Place(datetime.max.replace(tzinfo=UTC), "z")
    patch.setattr(of_run, "_younger", lambda *how: "")
    patch.setattr(of_run, "place_of", lambda transition: late)
