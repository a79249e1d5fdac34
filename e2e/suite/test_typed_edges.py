"""Typed edges on a cluster: the operator says of each wrong workflow what lint says of it."""

from typing import Any

import pytest

from e2e.suite.space import Space, condition
from e2e.suite.waiting import until
from tests.typed_edges import RIGHT, WRONG

WITHIN = 30.0


def manifest(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflow",
        "metadata": {"name": name},
        "spec": spec,
    }


def judged(space: Space, name: str) -> dict[str, Any]:
    """The Accepted condition of a run, once there is one."""

    def look() -> dict[str, Any] | None:
        seen = space.get("agentworkflows", name) or {}
        return condition(seen, "Accepted") or None

    return until(look, what=f"{name} is judged", within=WITHIN)


@pytest.fixture(scope="module")
def verdicts(space: Space) -> dict[str, dict[str, Any]]:
    """The verdict on every wrong workflow, all applied at once."""
    names = {id: f"wrong-{id.lower()}" for id in WRONG}
    for id, name in names.items():
        space.create("agentworkflows", manifest(name, WRONG[id].spec))
    return {id: judged(space, name) for id, name in names.items()}


@pytest.mark.parametrize("id", WRONG)
def test_the_operator_says_what_lint_says(verdicts: dict[str, dict[str, Any]], id: str) -> None:
    verdict = verdicts[id]
    assert verdict["status"] == "False"
    assert verdict["message"].startswith(WRONG[id].says)


def test_right_ones_are_accepted(space: Space) -> None:
    """Suspended, so that nothing of them starts: what is asked is the verdict."""
    for id, spec in RIGHT.items():
        space.create("agentworkflows", manifest(f"right-{id.lower()}", {**spec, "suspend": True}))
    refused = {
        id: verdict["message"]
        for id in RIGHT
        if (verdict := judged(space, f"right-{id.lower()}"))["status"] != "True"
    }
    assert not refused
