"""Seeded bugs (T12): deliberate breakages of the operator, each of which the simulator
must catch, and by which invariant. One that is not caught says that a checker is blind.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from waypost.api.base import parse_computed_duration
from waypost.compiler import node_settings
from waypost.engine import decide
from waypost.engine.attempts import cleanup, close, judge, reads, watch
from waypost.engine.attempts import launch as attempts_launch
from waypost.engine.attempts import retries as attempts_retries
from waypost.engine.attempts.retries import RetryClass, retry_class_of
from waypost.engine.budget import shares
from waypost.engine.nodes import approval
from waypost.engine.nodes.gates import identity, votes
from waypost.engine.nodes.gates import request as approval_request
from waypost.engine.nodes.table import KINDS
from waypost.engine.run.entry import Entry
from waypost.engine.scheduling import joins
from waypost.engine.state.decision import PutRecord, ReleasePod
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.observed import Observed
from waypost.engine.state.outcome import Failed, Succeeded
from waypost.engine.state.transition import Transition
from waypost.kube.facts.pods import PodFact
from waypost.kube.manifests import attempt_job
from waypost.kube.timestamps import timestamp
from waypost.protocol import record
from waypost.protocol.reasons import Reason
from waypost.runtime import controller, deciding
from waypost.runtime.writes import actions as writes_actions
from waypost.runtime.writes import status_patch
from waypost.runtime.writes.actions import ActionExecutor

from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded import (
    choices,
    clean_up,
    copies,
    folders,
    loops,
    maps,
    others,
    pods,
    rounds,
    settings,
    templates,
    undo,
    withheld,
)
from tests.simulation.seeded.hunting import BUGS as BUGS
from tests.simulation.seeded.hunting import acts, both, bug, holds, suffers

# Importing them puts their bugs on the list.
PARTS: Final = (
    choices,
    clean_up,
    copies,
    folders,
    loops,
    maps,
    pods,
    rounds,
    settings,
    others,
    templates,
    undo,
    withheld,
)

# --- results -------------------------------------------------------------------------------------


@bug("I2", "I4", "T11", focus=suffers("delete_pod", "evict", "delete_job"))
def _no_finalizer(patch: pytest.MonkeyPatch) -> None:
    made = attempt_job.attempt_manifests

    def without(**how: Any) -> Any:
        job, config_map = made(**how)
        job["spec"]["template"]["metadata"]["finalizers"] = []
        return job, config_map

    patch.setattr("waypost.engine.attempts.launch.attempt_manifests", without)


@bug("T11", "I4", focus=acts("foreign"))
def _no_check_of_attempt_and_pod(patch: pytest.MonkeyPatch) -> None:
    def trusting(found: Any, *, expect: record.Attempt) -> Any:
        return found

    patch.setattr(judge, "belonging_to", trusting)


@bug("I4", focus=both(acts("dies"), lambda plan: not plan.troubles))
def _exit_code_beats_record(patch: pytest.MonkeyPatch) -> None:
    judged = judge.judge_pod

    def by_exit_code(pod: PodFact, **how: Any) -> Any:
        if pod.exit_code == 137:
            return Failed(Reason.OUT_OF_MEMORY, "killed")
        return judged(pod, **how)

    patch.setattr(close, "judge_pod", by_exit_code)


@bug("T11", focus=acts("invalid"))
def _output_schema_ignored(patch: pytest.MonkeyPatch) -> None:
    checked = judge._checked
    patch.setattr(judge, "_checked", lambda output, schema: checked(output, None))


@bug("I4", focus=lambda plan: len(plan.nodes) > 1)
def _pods_released_unread(patch: pytest.MonkeyPatch) -> None:
    def all_over(transition: Transition) -> list[ReleasePod]:
        return [ReleasePod(p.name, p.uid) for p in transition.observed.pods if p.held]

    patch.setattr(cleanup, "release_closed", all_over)


@bug("I5", focus=acts("big"))
def _status_before_its_record(patch: pytest.MonkeyPatch) -> None:
    prepare = ActionExecutor.prepare

    async def later(self: ActionExecutor, key: Any, actions: Any, done: Any) -> Any:
        kept = [action for action in actions if not isinstance(action, PutRecord)]
        return await prepare(self, key, kept, done)

    patch.setattr(ActionExecutor, "prepare", later)


@bug("I5", focus=acts("holes"))
def _merge_patch_drops_nulls(patch: pytest.MonkeyPatch) -> None:
    def dropped(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: dropped(item) for key, item in value.items() if item is not None}
        return [dropped(item) for item in value] if isinstance(value, list) else value

    whole = status_patch.status_patch
    patch.setattr(controller, "status_patch", lambda **how: dropped(whole(**how)))


@bug("I1", "I10", "I5", focus=lambda plan: len(plan.nodes) > 2)
def _a_checkpoint_forgotten(patch: pytest.MonkeyPatch) -> None:
    succeed = Transition.succeed

    def forgetful(self: Transition, path: str, outcome: Succeeded) -> None:
        succeed(self, path, outcome)
        if len(self.in_phase("Succeeded")) == 2:
            self.update(path, output=None, output_record=None)

    patch.setattr(Transition, "succeed", forgetful)


# --- the fence -----------------------------------------------------------------------------------


@bug("I3", "I2", "T11", "I1", "I10", focus=suffers("second", "freeze", "freeze_fence"))
def _no_precondition(patch: pytest.MonkeyPatch) -> None:
    whole = status_patch.status_patch
    patch.setattr(controller, "status_patch", lambda **how: whole(**how)[1:])


@bug("I3")
def _act_before_the_status_write(patch: pytest.MonkeyPatch) -> None:
    write = controller.Controller._write

    async def hasty(self: Any, key: Any, body: Any, observed: Any, decision: Any) -> float:
        now = self.clock.monotonic()
        await self._actor.carry_out(key, observed, decision.after, fence=now)
        return await write(self, key, body, observed, decision)

    patch.setattr(controller.Controller, "_write", hasty)


@bug("A3", focus=suffers("freeze_fence"))
def _the_fence_never_expires(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(writes_actions, "FENCE_SECONDS", 1e9)


@bug("I2", "I3", "T11", "I4", focus=suffers("deaf", "kill", "delete_job", "relist"))
def _absence_inferred_from_the_cache(patch: pytest.MonkeyPatch) -> None:
    def sure(transition: Transition, path: str, attempt: Any) -> None:
        broken = Failed(Reason.DISRUPTED, "no pod is known")
        if transition.now >= reads.look_at(transition.observed, path, attempt):
            close.fail(transition, path, attempt, broken)

    patch.setattr(watch, "_without_pod", sure)


@bug("I11", focus=suffers("kill", "freeze_fence"))
def _never_looks_again(patch: pytest.MonkeyPatch) -> None:
    def tomorrow(observed: Observed, path: str, attempt: Any) -> datetime:
        return observed.created_at + timedelta(days=1)

    patch.setattr(reads, "look_at", tomorrow)
    patch.setattr(watch, "look_at", tomorrow)


# --- attempts ------------------------------------------------------------------------------------


@bug("T11", focus=suffers("evict", "delete_pod"))
def _disruptions_count_as_retries(patch: pytest.MonkeyPatch) -> None:
    of = retry_class_of

    def to_the_user(broken: Failed) -> RetryClass | None:
        budget = of(broken)
        return RetryClass.USER if budget is RetryClass.CLUSTER else budget

    patch.setattr(attempts_retries, "retry_class_of", to_the_user)


@bug("S53", focus=acts("fails", "silent", "oom", once=True, limit=1))
def _once_repeated(patch: pytest.MonkeyPatch) -> None:
    of = node_settings.retries_of
    patch.setattr(
        node_settings, "retries_of", lambda spec, node: replace(of(spec, node), once=False)
    )


@bug("T11", focus=acts("fails"))
def _one_retry_too_many(patch: pytest.MonkeyPatch) -> None:
    of = node_settings.retries_of

    def generous(spec: Any, node: Any) -> node_settings.Retries:
        retries = of(spec, node)
        return replace(retries, limit=retries.limit + 1)

    patch.setattr(node_settings, "retries_of", generous)


@bug("T11", focus=acts("fails", limit=1))
def _no_backoff(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attempts_retries, "_delay", lambda seconds, seed: timedelta(0))


@bug("I3", "I2", "I1", "I11", focus=acts("fails", limit=1))
def _attempt_numbers_reused(patch: pytest.MonkeyPatch) -> None:
    launch = attempts_launch.launch

    def again(transition: Transition, path: str, inputs: Any) -> None:
        known = transition.statuses[path].attempt or 0
        transition.update(path, attempt=max(known - 1, 0))
        launch(transition, path, inputs)

    patch.setattr(attempts_launch, "launch", again)


@bug("I2", focus=suffers("delete_pod", "evict"))
def _terminating_taken_for_over(patch: pytest.MonkeyPatch) -> None:
    over = PodFact.over.fget  # type: ignore[attr-defined]
    patch.setattr(PodFact, "over", property(lambda self: self.deleting or over(self)))


@bug("T11", focus=both(acts("hangs"), lambda plan: not plan.troubles))
def _no_timeout(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(node_settings, "timeout_of", lambda spec, node: 3600.0)


# --- the graph and its gates ---------------------------------------------------------------------


@bug("T11", "I8", focus=lambda p: any(n.when and n.when.form == "broken" for n in p.nodes))
def _an_error_in_when_is_true(patch: pytest.MonkeyPatch) -> None:
    condition = joins.condition

    def lenient(transition: Transition, path: str) -> bool | Invalid:
        opened = condition(transition, path)
        return True if isinstance(opened, Invalid) else opened

    patch.setattr(joins, "condition", lenient)


@bug("T11", focus=lambda plan: any(n.depends_on for n in plan.nodes))
def _failed_dependencies_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(joins, "_blocks", lambda name, node, status: None)


@bug("I5", "I9", "T11", focus=both(suffers("forge_approval"), holds("approval")))
def _foreign_approval_accepted(patch: pytest.MonkeyPatch) -> None:
    settle = approval.advance

    def blind(transition: Transition, path: str, **how: Any) -> None:
        name = transition.statuses[path].approval or ""
        fact = transition.observed.approvals.get(name)
        if fact is not None:
            mine = {
                **transition.observed.approvals,
                name: replace(fact, owner_uid=transition.observed.uid),
            }
            transition.observed = replace(transition.observed, approvals=mine)
        settle(transition, path, **how)

    patch.setitem(KINDS, "approval", replace(KINDS["approval"], advance=blind))
    patch.setattr(approval_request, "matches_request", lambda transition, path, spec: True)


def _silent(plan: Scenario) -> bool:
    return any(n.patience and not n.answers and not n.upstream for n in plan.nodes)


@bug("I9", focus=_silent)
def _silence_means_yes(patch: pytest.MonkeyPatch) -> None:

    def willing(spec: Any) -> Any:
        verdict = votes.count(spec)
        return replace(verdict, decision=verdict.decision or "Approved")

    patch.setattr(identity, "count", willing)


def _late(plan: Scenario) -> bool:
    return any(
        n.patience == 40.0 and n.answers and n.answers[0].after > 50.0 and not n.upstream
        for n in plan.nodes
    )


@bug("T11", "I9", "I11", focus=_late)
def _gates_never_expire(patch: pytest.MonkeyPatch) -> None:
    manifest = approval_request.manifest

    def endless(transition: Transition, path: str, inputs: Any, expires: str | None) -> Any:
        far = timestamp(transition.now + timedelta(days=9)) if expires else None
        return manifest(transition, path, inputs, far)

    patch.setattr(approval_request, "manifest", endless)
    patch.setattr(approval_request, "matches_request", lambda transition, path, spec: True)


def _waits(plan: Scenario) -> bool:
    return any(n.kind == "wait" and n.seconds > 4 and not n.upstream for n in plan.nodes)


@bug("T11", focus=_waits)
def _waits_cut_short(patch: pytest.MonkeyPatch) -> None:
    parse = "waypost.engine.nodes.wait.parse_computed_duration"
    patch.setattr(parse, lambda text: parse_computed_duration(text) / 5)


# --- people --------------------------------------------------------------------------------------


def _without(spec_field: str) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        def deaf(entry: Entry, now: Any, settings: Any) -> Any:
            observed = entry.observed
            if observed.spec is not None:
                heard = observed.spec.model_copy(update={spec_field: None})
                definition = replace(observed.definition, spec=heard)
                entry = replace(entry, observed=replace(observed, definition=definition))
            return decide.decide(entry, now, settings)

        patch.setattr(deciding, "decide", deaf)

    return plant


@bug("S80", focus=suffers("suspend"))
def _suspend_ignored(patch: pytest.MonkeyPatch) -> None:
    _without("suspend")(patch)


@bug("S81", "T11", focus=suffers("cancel"))
def _cancel_ignored(patch: pytest.MonkeyPatch) -> None:
    _without("cancel")(patch)


@bug("parallelism", focus=lambda plan: plan.parallelism == 1 and len(plan.nodes) > 3)
def _parallelism_ignored(patch: pytest.MonkeyPatch) -> None:
    _without("parallelism")(patch)


@bug("I13", focus=lambda p: p.tokens == 100 and sum(n.kind == "agent" for n in p.nodes) > 1)
def _budget_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shares, "reserve", lambda transition, path: None)
