"""Seeded bugs of egress: each breaks the operator on purpose and must be caught."""

from typing import Any, Final

import pytest
from waypost.engine.attempts import watch
from waypost.engine.isolation import controls
from waypost.ports.cluster import Kind
from waypost.runtime.egress.policies import EgressPolicies
from waypost.runtime.sweeps.egress import EgressSweep
from waypost.runtime.writes.actions import ActionExecutor

from tests.simulation.egress.plan import Plan, plan
from tests.simulation.egress.play import play
from tests.simulation.focused.hunting import Bugs

bug: Final = Bugs("egress", plan, play, limit=40)
BUGS: Final = bug.all


def _any(planned: Plan) -> bool:
    return True


@bug("VE1", focus=_any)
def _the_job_comes_before_its_policy(patch: pytest.MonkeyPatch) -> None:
    launch = ActionExecutor._launch
    ensure = EgressPolicies.ensure

    async def later(self: EgressPolicies, key: Any, policy: Any) -> None:
        return

    async def reversed_(self: ActionExecutor, key: Any, action: Any) -> None:
        await launch(self, key, action)
        await ensure(self.policies, key, action.policy)

    patch.setattr(EgressPolicies, "ensure", later)
    patch.setattr(ActionExecutor, "_launch", reversed_)


@bug("VE1", focus=lambda planned: any(t.kind == "delete_policy" for t in planned.troubles))
def _a_policy_that_was_seen_once_is_taken_for_granted(patch: pytest.MonkeyPatch) -> None:
    ensure = EgressPolicies.ensure
    seen: set[tuple[int, str]] = set()

    async def remembered(self: EgressPolicies, key: Any, policy: Any) -> None:
        if policy is None or (id(self), policy["metadata"]["name"]) in seen:
            return
        await ensure(self, key, policy)
        seen.add((id(self), policy["metadata"]["name"]))

    patch.setattr(EgressPolicies, "ensure", remembered)


@bug("VE2", focus=_any)
def _the_sweep_does_not_look_at_jobs(patch: pytest.MonkeyPatch) -> None:
    listed = EgressPolicies._listed

    async def policies_alone(self: EgressPolicies, kind: Kind, namespace: Any) -> Any:
        return await listed(self, kind, namespace) if kind is Kind.NETWORK_POLICY else ()

    patch.setattr(EgressPolicies, "_listed", policies_alone)


@bug("VE3", focus=_any)
def _an_attempt_is_counted_at_each_look(patch: pytest.MonkeyPatch) -> None:
    advance = watch.advance

    def counted(transition: Any, path: str) -> None:
        attempt = transition.statuses[path].open_attempt
        advance(transition, path)
        if attempt is not None:
            controls.count(transition, path, attempt)

    patch.setattr(watch, "advance", counted)


@bug("I12", focus=_any)
def _policies_are_never_removed(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: EgressSweep, before: Any) -> Any:
        return {}

    patch.setattr(EgressSweep, "sweep", nothing)
