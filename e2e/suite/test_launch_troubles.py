"""What the cluster refuses is named in status within seconds, in its own words, and ends by the
node's own clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import Obj
from e2e.suite.space import Run, Space, condition, node_of

NAMED_WITHIN = 20.0
QUEUE = 15.0  # queueTimeout of the nodes; long enough to see the text before the end

NOBODY = {"serviceAccountName": "nobody-made-this"}
HUGE = {"resources": {"requests": {"cpu": "900"}, "limits": {"cpu": "900"}}}
# Devices cannot be promised twice; only the API server knows that.
OVERCOMMITTED = {
    "resources": {"requests": {"example.org/card": 1}, "limits": {"example.org/card": 2}}
}
MISSING = "registry.invalid/no/such:image"


def node(name: str, **fields: Any) -> Workflow:
    """One node in a hurry."""
    return workflow(name).python("work", "return 1", queueTimeout=f"{QUEUE:.0f}s", **fields)


def missing_image() -> Workflow:
    found = workflow("image")
    block = {"imagePullPolicy": "IfNotPresent"}
    return found.container("work", MISSING, "", kind=block, queueTimeout=f"{QUEUE:.0f}s")


@dataclass(frozen=True)
class Trouble:
    """A refused node: the reason and the cluster's words that status must show."""

    make: Callable[[], Workflow]
    reason: str
    said: str
    permanent: bool = False
    launches: int = 1


TROUBLES = {
    "service-account": Trouble(
        lambda: node("service-account", isolation=NOBODY),
        "PodRejected",
        "nobody-made-this",
        launches=3,
    ),
    "cpu": Trouble(lambda: node("cpu", kind=HUGE), "Unschedulable", "Insufficient cpu", launches=3),
    "image": Trouble(missing_image, "ImagePull", "registry.invalid", launches=3),
    "job-refused": Trouble(
        lambda: node("job-refused", kind=OVERCOMMITTED),
        "LaunchRejected",
        "must be equal to example.org/card limit",
        permanent=True,
    ),
    "secret": Trouble(
        lambda: node(
            "secret",
            kind={
                "env": [
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}
                ]
            },
        ),
        "MissingReference",
        'secret "gone" not found',
    ),
}


@pytest.fixture(scope="module")
def started(space: Space) -> dict[str, Run]:
    """All of them at the same time: their clocks run side by side."""
    return {name: space.start(trouble.make()) for name, trouble in TROUBLES.items()}


@pytest.fixture(scope="module")
def named(started: dict[str, Run]) -> dict[str, Obj]:
    """The checkpoint of each as soon as it names its trouble."""
    return {
        name: run.troubled("work", TROUBLES[name].reason, within=NAMED_WITHIN)
        for name, run in started.items()
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_named_in_the_clusters_own_words_and_ends_by_its_own_clock(
    started: dict[str, Run], named: dict[str, Obj], name: str
) -> None:
    trouble, run = TROUBLES[name], started[name]
    assert trouble.said in named[name]["message"]
    if not trouble.permanent:
        shown = condition(run.read(), "Succeeded")
        assert shown["status"] != "True"
    seen = run.finished(within=(QUEUE + 45) * trouble.launches)
    ended = node_of(seen, "work")
    assert (ended["phase"], ended["reason"]) == ("Failed", trouble.reason)
    assert trouble.said in ended["message"], "the words outlive the pod"
    assert ended["attempt"] == trouble.launches, "what may pass by itself is launched again, twice"
    assert trouble.said in condition(seen, "Succeeded")["message"]
