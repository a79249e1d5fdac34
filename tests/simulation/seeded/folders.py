"""Seeded bugs of artifacts in the main simulation; `folders` has more of them."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.engine.artifacts import made, taken
from waypost.engine.attempts import stored_results
from waypost.engine.state import artifacts
from waypost.kube.payloads import AttemptRef

from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded.hunting import bug


def _takes_second(plan: Scenario) -> bool:
    """Whether a node takes an artifact that is not that of the first one that makes any."""
    makers = [node.name for node in plan.nodes if node.makes]
    return any(name != makers[0] for node in plan.nodes for name in node.takes)


def _tries_again(plan: Scenario) -> bool:
    """Whether a node that makes an artifact succeeds in its second attempt."""
    return any(
        node.makes
        and node.limit > 0
        and not node.once
        and [act.name for act in node.acts[:2]] == ["fails", "gives"]
        for node in plan.nodes
    )


@bug("VA1", "T11", focus=_takes_second)
def _an_artifact_is_found_by_its_name(patch: pytest.MonkeyPatch) -> None:
    """All artifacts here have the same name: the first one is given to everybody."""

    def first(transition: Any) -> Any:
        found = artifacts.known(transition)
        return dict.fromkeys(found, next(iter(found.values()), None))

    patch.setattr(taken, "known", first)


@bug("T11", "I4", "VA1", focus=_tries_again)
def _the_artifact_of_the_first_attempt_is_read(patch: pytest.MonkeyPatch) -> None:
    named = AttemptRef.artifact_name

    def first(ref: AttemptRef) -> AttemptRef:
        return replace(ref, attempt=1)

    judged = made.with_artifacts
    patch.setattr(
        made,
        "with_artifacts",
        lambda outcome, node, ref, **known: judged(
            outcome, node, first(ref), **{**known, "record": None}
        ),
    )
    patch.setattr(
        stored_results,
        "records_of",
        lambda node, ref: {named(first(ref), name) for name in made.names_of(node)},
    )
