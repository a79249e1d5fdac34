"""What a ResourceQuota refuses waits, says so in the cluster's own words, and starts when there is
room."""

import pytest

from e2e.suite.build import workflow
from e2e.suite.kube import Obj
from e2e.suite.space import Run, Space, node_of

NAMED_WITHIN = 20.0


def quota(**hard: str) -> Obj:
    metadata = {"name": "tight"}
    spec = {"hard": {key.replace("_", "/"): value for key, value in hard.items()}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}


def refused(space: Space, name: str, queue_timeout: str) -> Run:
    """A run whose pod is over the quota, once it says so."""
    run = space.start(workflow(name).python("work", "return 1", queueTimeout=queue_timeout))
    reported = run.troubled("work", "PodRejected", within=NAMED_WITHIN)
    assert "exceeded quota: tight" in reported["message"]
    return run


@pytest.fixture(scope="module")
def doomed(space: Space) -> Run:
    """It needs a minute to give up: three launches, and pauses between them."""
    space.create("resourcequotas", quota(pods="0"))
    return refused(space, "doomed", "5s")


def test_pods_over_quota_wait_and_start_when_there_is_room(own_space: Space, doomed: Run) -> None:
    own_space.create("resourcequotas", quota(pods="0"))
    run = refused(own_space, "pod-quota", "3m")
    # The Job controller doubles its waits: the sooner there is room, the sooner it looks again.
    own_space.delete("resourcequotas", "tight")
    assert node_of(run.succeeded(within=120), "work")["attempt"] == 1


def test_jobs_over_quota_wait_and_start_when_there_is_room(own_space: Space) -> None:
    own_space.create("resourcequotas", quota(**{"count/jobs.batch": "0"}))
    run = own_space.start(workflow("job-quota").python("work", "return 1"))
    reported = run.troubled("work", "LaunchRejected", within=NAMED_WITHIN)
    assert "exceeded quota: tight" in reported["message"]
    own_space.delete("resourcequotas", "tight")
    done = node_of(run.succeeded(), "work")
    assert done["attempt"] == 1
    assert "reason" not in done, "the trouble is over and no longer shown"


def test_pods_over_quota_for_too_long_end(doomed: Run) -> None:
    ended = node_of(doomed.finished(within=120), "work")
    assert (ended["phase"], ended["reason"]) == ("Failed", "PodRejected")
    assert "exceeded quota" in ended["message"]
