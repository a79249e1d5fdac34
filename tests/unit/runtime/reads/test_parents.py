"""A child run whose parent cannot be read: one that has begun continues (S85)."""

import asyncio
from typing import Any, cast

import pytest
from waypost.api.status import AgentWorkflowStatus
from waypost.kube.facts.children import ParentFact
from waypost.ports.cluster import Cluster, ClusterError, Rejected, Unavailable
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.reads.parents import Parents

from tests.support.builders import node_status, status

CHILD: Any = {
    "metadata": {
        "name": "child",
        "uid": "c",
        "ownerReferences": [{"uid": "p", "controller": True}],
    },
    "spec": {"parent": {"run": "parent", "uid": "p", "path": "check"}},
}
BEGUN = status(node_status("a", "Running"))


def parent_of(body: Any, seen: AgentWorkflowStatus, error: Exception) -> ParentFact | None:
    """The parent of a run while reads of it fail."""

    class Refusing:
        async def get(self, *_: object, **__: object) -> Any:
            raise error

    parents = Parents(cluster=cast(Cluster, Refusing()), store=RunCache())
    return asyncio.run(parents.of(Key("team", "child", "c"), body, seen))


ERRORS = [
    pytest.param(Rejected("forbidden", code=403), id="rbac"),
    pytest.param(Unavailable("no answer"), id="no answer"),
    pytest.param(TimeoutError(), id="timeout"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_s85_a_child_that_has_begun_continues(error: Exception) -> None:
    assert parent_of(CHILD, BEGUN, error) == ParentFact("parent", ours=True)


@pytest.mark.parametrize("error", ERRORS)
def test_s85_a_child_that_has_not_begun_starts_nothing(error: Exception) -> None:
    with pytest.raises((ClusterError, TimeoutError)):
        parent_of(CHILD, AgentWorkflowStatus(), error)


@pytest.mark.parametrize("error", ERRORS)
def test_s85_a_child_that_is_being_deleted_waits(error: Exception) -> None:
    deleted = {**CHILD, "metadata": {**CHILD["metadata"], "deletionTimestamp": "now"}}
    with pytest.raises((ClusterError, TimeoutError)):
        parent_of(deleted, BEGUN, error)
