"""Seeded bugs about pods that somebody has copied."""

from collections.abc import Iterable
from typing import Any

import pytest
from waypost.engine.attempts import cleanup
from waypost.engine.state import observed
from waypost.kube.facts.pods import PodFact

from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded.hunting import acts, both, bug


def copied(look: str, end: str) -> Any:
    """Scenarios with a first pod that is copied early, and nothing else that goes wrong."""

    def focus(plan: Scenario) -> bool:
        return all(t.kind == "copy" for t in plan.troubles) and any(
            t.number == 1 and t.at < 1 and look in t.choice and end in t.choice
            for t in plan.troubles
        )

    return focus


def every_pod(pods: Iterable[PodFact], **how: Any) -> list[PodFact]:
    return list(pods)


@bug("I14", "T11", "I4", focus=both(copied("", "succeeds"), acts("hangs", "gives", "big")))
def _a_copy_gives_the_result(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(observed, "own_pods", every_pod)


@bug("T11", "I4", "I11", focus=both(copied("", "hangs"), acts("gives", "big")))
def _a_copy_holds_up_the_attempt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(observed, "own_pods", every_pod)


@bug("I12", focus=copied("alike", ""))
def _a_copy_with_the_finalizer_is_not_released(patch: pytest.MonkeyPatch) -> None:
    real = cleanup.release_closed

    def release(transition: Any) -> Any:
        own = {pod.uid for pod in cleanup.made_by_jobs(transition, transition.observed.pods)}
        return [action for action in real(transition) if action.uid in own]

    patch.setattr(cleanup, "release_closed", release)
