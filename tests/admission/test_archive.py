"""The account of the archive writes the condition Archived of an ended run, and nothing else."""

import itertools
from typing import Any

import pytest

from tests.admission.conftest import Guarded
from tests.admission.people import Obj, Person
from tests.crds.manifests import workflow

pytestmark = [pytest.mark.real_api, pytest.mark.usefixtures("no_operator")]

_numbers = itertools.count()
AT = "2026-11-30T09:00:00Z"


def condition(type_: str, status: str = "True") -> Obj:
    return {
        "type": type_,
        "status": status,
        "observedGeneration": 1,
        "lastTransitionTime": AT,
        "reason": "Archived",
        "message": "the archive keeps the run",
    }


ENDED: Obj = {
    "phase": "Succeeded",
    "startedAt": AT,
    "finishedAt": AT,
    "nodes": [{"path": "a", "phase": "Succeeded", "output": {"x": [1, {"y": None}]}}],
    "conditions": [condition("Succeeded"), condition("Finished")],
}


def archive(guarded: Guarded) -> Person:
    return Person(guarded.operator.name + "-archive")


def made(guarded: Guarded, status: Obj) -> str:
    """A run with this status."""
    name = f"archived-{next(_numbers)}"
    body = workflow()
    body["metadata"]["name"] = name
    place = guarded.inside
    place.must(place.create("agentworkflows", body))
    by = guarded.operator
    place.must(place.patch("agentworkflows", name, {"status": status}, sub="status", by=by))
    return name


def with_archived(*others: Obj) -> Obj:
    return {"conditions": [*ENDED["conditions"], *others, condition("Archived")]}


ALLOWED = [
    pytest.param(with_archived(), id="the-condition"),
    pytest.param({"conditions": ENDED["conditions"]}, id="nothing-new"),
]
REFUSED = [
    pytest.param({"phase": "Failed"}, id="phase"),
    pytest.param({"nodes": [{"path": "a", "phase": "Succeeded", "output": {"x": 2}}]}, id="nodes"),
    pytest.param({"outputs": {"x": 1}}, id="outputs"),
    pytest.param({"finishedAt": None}, id="finished-at"),
    pytest.param({"round": 2}, id="round"),
    pytest.param({**with_archived(), "phase": "Failed"}, id="both"),
    pytest.param(with_archived(condition("Stalled")), id="another-condition"),
    pytest.param({"conditions": [condition("Archived")]}, id="others-removed"),
    pytest.param(
        {"conditions": [condition("Succeeded", "False"), condition("Finished")]}, id="changed"
    ),
]


@pytest.mark.parametrize("patch", ALLOWED)
def test_what_it_may_write(guarded: Guarded, patch: Obj) -> None:
    """S717"""
    name = made(guarded, ENDED)
    said = guarded.inside.patch(
        "agentworkflows", name, {"status": patch}, by=archive(guarded), sub="status"
    )
    assert not said.refused, said.text


@pytest.mark.parametrize("patch", REFUSED)
def test_what_it_may_not_write(guarded: Guarded, patch: Obj) -> None:
    """S717"""
    name = made(guarded, ENDED)
    said = guarded.inside.patch(
        "agentworkflows", name, {"status": patch}, by=archive(guarded), sub="status"
    )
    assert "the archive may only write the condition Archived" in said.text


def test_a_run_that_has_not_ended(guarded: Guarded) -> None:
    """S717"""
    going: dict[str, Any] = {key: ENDED[key] for key in ("startedAt", "nodes", "conditions")}
    name = made(guarded, {**going, "phase": "Running"})
    said = guarded.inside.patch(
        "agentworkflows", name, {"status": with_archived()}, by=archive(guarded), sub="status"
    )
    assert "of a run that has ended" in said.text


def test_a_large_status(guarded: Guarded) -> None:
    """The policy stays within the cost that the API server permits."""
    nodes = [
        {"path": f"n{number}", "phase": "Succeeded", "output": {"text": "x" * 4000}}
        for number in range(200)
    ]
    name = made(guarded, {**ENDED, "nodes": nodes})
    said = guarded.inside.patch(
        "agentworkflows", name, {"status": with_archived()}, by=archive(guarded), sub="status"
    )
    assert not said.refused, said.text


def test_others_write_as_before(guarded: Guarded) -> None:
    name = made(guarded, ENDED)
    said = guarded.inside.patch(
        "agentworkflows", name, {"status": {"phase": "Failed"}}, by=guarded.operator, sub="status"
    )
    assert not said.refused, said.text
