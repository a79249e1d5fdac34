"""Seeded bugs about what is known of pods: when one was deleted, when its machine is given up."""

from datetime import datetime
from typing import Any

import pytest
from waypost.engine.attempts import images, lost_machines
from waypost.kube.facts import pods
from waypost.kube.objects import moment
from waypost.runtime.cache import runs

from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded.hunting import both, bug, suffers


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
