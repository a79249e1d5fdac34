"""AgentWorkflowSchedules: what the API server takes, and what it refuses."""

from typing import Any

import pytest

from tests.crds.manifests import Manifest


def schedule(name: str = "nightly", **spec: Any) -> Manifest:
    """A schedule of each night; `spec` changes its fields."""
    template = {"spec": {"templateRef": {"name": "review"}}}
    fields = {"schedules": ["30 2 * * *"], "template": template, **spec}
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflowSchedule",
        "metadata": {"name": name},
        "spec": {key: value for key, value in fields.items() if value is not None},
    }


def of_run(**fields: Any) -> Manifest:
    """A schedule whose `template` has these fields."""
    return schedule(template={"spec": {"templateRef": {"name": "review"}}, **fields})


FULL: Manifest = schedule(
    schedules=["30 2 * * 1-5", "0 6 L * *"],
    timeZone="Europe/Berlin",
    concurrencyPolicy="Queue",
    startingDeadlineSeconds=3600,
    spread="10m",
    suspend=True,
    successfulRunsHistoryLimit=0,
    failedRunsHistoryLimit=1000,
    template={
        "metadata": {"labels": {"team": "shop"}, "annotations": {"example.com/why": "report"}},
        "spec": {
            "templateRef": {"name": "review"},
            "inputs": {"a": None, "b": [1]},
            "deadline": "1h",
            "budget": {"tokens": 1000},
            "ttlSecondsAfterFinished": 60,
        },
    },
)

# What the API server adds.
DEFAULTS: Manifest = {
    "timeZone": "Etc/UTC",
    "concurrencyPolicy": "Forbid",
    "startingDeadlineSeconds": 600,
    "successfulRunsHistoryLimit": 10,
    "failedRunsHistoryLimit": 10,
}
WRONG_LINE: Manifest = {**DEFAULTS, "schedules": ["@daily"]}

ACCEPTED = [
    pytest.param(schedule(**DEFAULTS), "the smallest", id="schedule-small"),
    pytest.param(FULL, "all fields", id="schedule-full"),
    pytest.param(schedule("n" * 52, **DEFAULTS), "the longest name", id="schedule-name-52"),
    pytest.param(schedule(**WRONG_LINE), "Accepted says what is wrong", id="schedule-line"),
]


def row(id: str, manifest: Manifest, *says: str) -> Any:
    """One row: what kubectl prints contains each of `says`."""
    return pytest.param(manifest, says, id=id)


REFUSED = [
    row(
        "schedule-name-53",
        schedule("n" * 53),
        "is too long; a schedule has a name of at most 52 characters, because its runs have",
    ),
    row("schedule-without-lines", schedule(schedules=[]), "spec.schedules"),
    row("schedule-of-eleven-lines", schedule(schedules=["0 0 * * *"] * 11), "spec.schedules"),
    row("schedule-policy", schedule(concurrencyPolicy="Skip"), "concurrencyPolicy", '"Forbid"'),
    row("schedule-deadline-0", schedule(startingDeadlineSeconds=0), "startingDeadlineSeconds"),
    row("schedule-spread-0", schedule(spread="0s"), "spread must be greater than zero"),
    row("schedule-without-template", schedule(template=None), "spec.template: Required value"),
    row(
        "schedule-reserved-label",
        of_run(metadata={"labels": {"waypost.dev/run": "x"}}),
        "labels of the domain waypost.dev are reserved; use another domain",
    ),
    row(
        "schedule-reserved-annotation",
        of_run(metadata={"annotations": {"waypost.dev/path": "x"}}),
        "annotations of the domain waypost.dev are reserved; use another domain",
    ),
    row(
        "schedule-of-nodes",
        schedule(template={"spec": {"templateRef": {"name": "review"}, "nodes": []}}),
        'unknown field "spec.template.spec.nodes"',
    ),
]
