"""Seeded bugs about what is known of pods: when one was deleted, when its machine is given up, and
what becomes of them with their run."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from waypost.engine.attempts import images, lost_machines
from waypost.engine.run import ending
from waypost.engine.state.observed import Observed
from waypost.kube.facts import pods, restarts
from waypost.kube.objects import moment
from waypost.runtime import controller
from waypost.runtime.cache import runs
from waypost.runtime.reads.observer import Observer

from tests.simulation.scenario.plan import REPEATED_ACTS, Scenario
from tests.simulation.seeded.hunting import Focus, both, bug, suffers


def obeys(plan: Scenario) -> bool:
    """Scenarios with a container that first runs until SIGTERM, and then exits with 0."""
    return any(
        node.kind == "container"
        and not node.upstream
        and node.acts[0].name == "hangs"
        and node.acts[0].n % 2 == 0
        for node in plan.nodes
    )


@bug("T11", "I4", focus=both(obeys, suffers("delete_pod", "evict", "delete_job", "lose")))
def _the_last_delete_taken_for_the_request(patch: pytest.MonkeyPatch) -> None:
    def shown(metadata: dict[str, Any]) -> datetime | None:
        return moment(metadata, "deletionTimestamp")

    patch.setattr(pods, "_deletion_requested", shown)
    patch.setattr(runs, "following", lambda pod, earlier: pod)


@bug("I4", "I2", focus=suffers("lose"))
def _a_silent_machine_is_given_up_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lost_machines, "_lost_at", lambda observed, fact, suspected: suspected)


def _runs_a_container_again(plan: Scenario) -> bool:
    return any(
        node.kind == "container"
        and not node.upstream
        and node.limit
        and node.acts[0].name == "fails"
        for node in plan.nodes
    )


@bug("VI1", focus=_runs_a_container_again)
def _each_attempt_resolves_the_tag_of_its_image_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(images, "of_attempt", lambda transition, path: "")


def repeats(act: str) -> Focus:
    """Scenarios in which the kubelet starts such a program again."""
    return lambda plan: any(a.name == act for n in plan.nodes for a in n.acts[:1] if not n.upstream)


def gives_a_result_later(plan: Scenario) -> bool:
    """Scenarios in which a later run of a program succeeds."""
    return any(a.n < 2 for n in plan.nodes for a in n.acts[:1] if a.name in REPEATED_ACTS)


@bug("K2", focus=repeats("vanishes"))
def _the_exit_code_of_a_container_that_is_gone_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pods, "END_UNKNOWN", frozenset())


@bug("S524", focus=both(repeats("repeats"), gives_a_result_later))
def _a_later_run_gives_the_result(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restarts, "_count_of", lambda container: 0)


@bug("I12", focus=suffers("delete_run"))
def _pods_of_a_deleted_run_held(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, key: Any) -> None:
        self._observer.forget(key.uid)

    patch.setattr(ending, "release_all", lambda observed: ())
    patch.setattr(controller.Controller, "_release_run_pods", nothing)


@bug("D2", "I12", focus=suffers("delete_run", choice="Foreground"))
def _a_deleted_run_goes_on(patch: pytest.MonkeyPatch) -> None:
    observe = Observer.observe

    async def blind(self: Observer, key: Any, body: Any) -> Observed:
        return replace(await observe(self, key, body), deleting=False)

    patch.setattr(Observer, "observe", blind)
