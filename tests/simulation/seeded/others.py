"""Seeded bugs about what others do to a cluster: refusals, placeholders, init containers, sidecars,
records that vanish."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from waypost.engine.attempts import cleanup, judge, reads, watch
from waypost.engine.nodes import approval
from waypost.engine.nodes.gates import escalation
from waypost.engine.queues import taken
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition
from waypost.kube.facts import pods
from waypost.kube.facts.jobs import JobFact
from waypost.kube.facts.pods import PodFact
from waypost.kube.objects import text
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import NotFound
from waypost.runtime.reads import observer
from waypost.runtime.writes.actions import ActionExecutor

from tests.simulation.play.standstill import EXCUSES
from tests.simulation.scenario.plan import STRANGE, Scenario
from tests.simulation.seeded.hunting import both, bug

Focus = Callable[[Scenario], bool]


def refused(*what: str, cancels: bool = False) -> Focus:
    """Scenarios in which such an object is refused for long, and nothing else goes wrong."""
    return lambda plan: (
        {t.kind for t in plan.troubles} <= STRANGE
        and any(
            t.kind == "refuse"
            and t.choice in what
            and t.seconds > 90
            and t.at < 5
            and t.number >= 1 + cancels
            for t in plan.troubles
        )
    )


def others(kind: str) -> Focus:
    return lambda plan: any(t.kind == kind for t in plan.troubles)


def calm(plan: Scenario) -> bool:
    """Nothing keeps an operator from its work."""
    return not any(t.kind in EXCUSES for t in plan.troubles)


def strange(act: str) -> Focus:
    return lambda plan: any(a.name == act for n in plan.nodes for a in n.acts[:1] if not n.upstream)


def gives_much(plan: Scenario) -> bool:
    return any(a.name == "big" for n in plan.nodes for a in n.acts[:1] if not n.upstream)


PASSING = ("quota records", "webhook records")


@bug("said", "K1", "I11", focus=both(refused(*PASSING, "policy records"), gives_much))
def _one_refused_record_stops_the_pass(patch: pytest.MonkeyPatch) -> None:
    async def stubborn(self: Any, key: Any, name: str, writing: Any, done: Any) -> None:
        await writing

    patch.setattr(ActionExecutor, "_write", stubborn)


@bug("said", focus=both(refused(*PASSING), gives_much))
def _a_held_result_says_nothing(patch: pytest.MonkeyPatch) -> None:
    hold = Transition.hold

    def silent(self: Transition, path: str, problem: Any) -> None:
        before = self.statuses[path]
        hold(self, path, problem)
        self.statuses[path] = before

    patch.setattr(Transition, "hold", silent)


@bug("K1", "I11", focus=both(refused(*PASSING, cancels=True), gives_much))
def _a_held_result_outlasts_a_cancel(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("waypost.engine.attempts.close.lasts_long", lambda problem, now: False)


@bug("said", focus=refused("quota approvals", "webhook approvals"))
def _a_gate_that_is_not_asked_says_nothing(patch: pytest.MonkeyPatch) -> None:
    missing = approval._missing

    def silent(transition: Transition, path: str, *, withdraw: bool) -> None:
        missing(transition, path, withdraw=withdraw)
        if transition.statuses[path].phase == "Waiting":
            transition.update(path, reason=None, message=None)

    patch.setattr(approval, "_missing", silent)


def escalates(plan: Scenario) -> bool:
    """A gate is asked at once, and expires at its first level."""
    return calm(plan) and any(n.levels and not n.answers and not n.upstream for n in plan.nodes)


@bug("I9", focus=escalates)
def _a_gate_forgets_its_levels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(escalation, "can", lambda transition, path: False)


@bug("I9", "I11", focus=escalates)
def _a_level_has_the_expiry_of_the_one_before(patch: pytest.MonkeyPatch) -> None:
    expiry = escalation.expiry

    def same(transition: Transition, path: str) -> str | None:
        status = transition.statuses[path]
        return status.wake_at if status.level else expiry(transition, path)

    patch.setattr(escalation, "expiry", same)


@bug("I11", focus=both(others("record_gone"), gives_much))
def _a_record_that_is_gone_is_looked_for_again(patch: pytest.MonkeyPatch) -> None:
    def never(name: str) -> Any:
        raise NotFound(name, code=404)

    patch.setattr(observer, "lost", never)


@bug("K2", focus=strange("unstartable"))
def _placeholders_are_times(patch: pytest.MonkeyPatch) -> None:
    began, finished = pods._started_at, pods._finished_at

    def started_at(state: Any, status: Any, *, last: Any, created: Any) -> Any:
        return began(state, status, last=last, created=None)

    patch.setattr(pods, "moment", lambda body, key: parse_timestamp(text(body, key)))
    patch.setattr(pods, "_started_at", started_at)
    patch.setattr(pods, "_finished_at", lambda ended, *, created: finished(ended, created=None))


@bug("K2", focus=strange("initless"))
def _init_containers_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    judged = judge.judge_pod

    def blind(pod: PodFact, **how: Any) -> Any:
        return judged(replace(pod, init=None), **how)

    patch.setattr("waypost.engine.attempts.close.judge_pod", blind)


@bug("K3", focus=others("sidecars"))
def _sidecars_live_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cleanup, "stop_sidecars", lambda transition: [])


def silent_for_long(plan: Scenario) -> bool:
    ready = any(node.has_pod and not node.upstream for node in plan.nodes)
    return (
        ready
        and any(t.kind == "silence" and t.seconds > 80 and t.at == 0 for t in plan.troubles)
        and len(plan.troubles) == 1
    )


@bug("said", focus=silent_for_long)
def _events_of_pods_are_not_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("waypost.engine.attempts.reads.silent_pods.is_silent", lambda pod: False)


@bug("said", focus=others("queue"))
def _suspended_jobs_are_not_reported(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("waypost.engine.attempts.watch._podless", lambda job: "")


@bug("S470", focus=both(others("queue"), calm))
def _a_queue_timeout_waits_for_the_next_look(patch: pytest.MonkeyPatch) -> None:
    look_at, far = reads.look_at, timedelta(days=1)

    def rarely(observed: Any, path: str, attempt: Any) -> datetime:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(deadlines, "of_start", lambda *about: observed.created_at + far)
            return look_at(observed, path, attempt)

    patch.setattr(reads, "look_at", rarely)
    patch.setattr(watch, "look_at", rarely)


def held_stops(plan: Scenario) -> bool:
    """The operator cannot stop a Job that a queue holds."""
    return any(t.kind == "withhold" and t.choice.endswith(" suspend") for t in plan.troubles)


@bug("I2", "I3", focus=both(others("queue"), held_stops))
def _a_job_that_a_queue_holds_counts_as_stopped(patch: pytest.MonkeyPatch) -> None:
    look = watch._job_without_pod

    def trusting(transition: Transition, path: str, attempt: Any, job: JobFact) -> None:
        look(transition, path, attempt, replace(job, halted=job.halted or job.suspended))

    patch.setattr(watch, "_job_without_pod", trusting)


@bug("I2", "I3", focus=others("suspend_job"))
def _an_attempt_is_closed_before_its_job_is_stopped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(taken, "_were_deleted", lambda pods: False)


def refused_once(plan: Scenario) -> bool:
    """Jobs are refused once, and then not tried for longer than a refusal counts (S520)."""
    refused = any(t.kind == "refuse" and t.choice.endswith(" jobs") for t in plan.troubles)
    away = any(t.kind in ("outage", "suspend") and t.seconds > 140 for t in plan.troubles)
    return refused and away and len(plan.troubles) == 2


@bug("S520", focus=refused_once)
def _an_old_refusal_ends_an_attempt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("waypost.engine.attempts.watch.jobs.is_recent", lambda problem, now: True)
