"""Uninstalling: every held pod is let go, whatever happens to single ones."""

from datetime import UTC, datetime

import pytest
from waypost.adapters.kube import KubeCluster
from waypost.adapters.uninstall import release_children, release_pods, report
from waypost.api.meta import FINALIZER_CHILD, FINALIZER_RESULT

from tests.adapters.doubles import Reply, StubApi


def listing(*pods: tuple[str, list[str]]) -> Reply:
    items = [
        {"metadata": {"name": name, "namespace": "n", "finalizers": finalizers}}
        for name, finalizers in pods
    ]
    return Reply(body={"metadata": {"resourceVersion": "1"}, "items": items})


HELD = ["batch.kubernetes.io/job-tracking", FINALIZER_RESULT]


async def test_only_our_finalizer_is_taken_off(api: StubApi, cluster: KubeCluster) -> None:
    said: list[str] = []
    api.prepare(listing(("a", HELD), ("b", ["other"]), ("c", [])), Reply())
    assert await release_pods(cluster=cluster, namespaces=(), say=said.append) == 0
    (listed, patched) = api.seen
    assert dict(listed.query)["labelSelector"] == "waypost.dev/run"
    assert patched.path == "/api/v1/namespaces/n/pods/a"
    assert patched.headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert patched.json() == {
        "metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER_RESULT]}
    }, "a list of finalizers would bring back those that others have removed"
    assert said == ["released: pod n/a", "1 pods released, 0 problems"]


@pytest.mark.parametrize(
    ("status", "problems"),
    [
        pytest.param(404, 0, id="gone-is-released"),
        pytest.param(403, 1, id="forbidden"),
        pytest.param(500, 1, id="broken"),
    ],
)
async def test_one_pod_does_not_stop_the_others(
    status: int, problems: int, api: StubApi, cluster: KubeCluster
) -> None:
    said: list[str] = []
    api.prepare(
        listing(("a", HELD), ("b", HELD)), Reply(status=status, body={"kind": "Status"}), Reply()
    )
    assert await release_pods(cluster=cluster, namespaces=("n",), say=said.append) == problems
    assert said[1] == "released: pod n/b"
    assert api.seen[0].path == "/api/v1/namespaces/n/pods"


async def test_a_namespace_that_cannot_be_listed(api: StubApi, cluster: KubeCluster) -> None:
    said: list[str] = []
    api.prepare(Reply(status=403, body={"kind": "Status", "message": "no right"}), listing())
    assert await release_pods(cluster=cluster, namespaces=("a", "b"), say=said.append) == 1
    assert said[0] == "cannot list pods in a: no right"
    assert len(api.seen) == 2


def child(name: str, finalizers: list[str]) -> dict[str, object]:
    metadata = {"name": name, "namespace": "n", "resourceVersion": "7", "finalizers": finalizers}
    return {"metadata": metadata}


async def test_only_our_finalizer_is_taken_off_child_runs(
    api: StubApi, cluster: KubeCluster
) -> None:
    said: list[str] = []
    runs = [child("a", ["other", FINALIZER_CHILD]), child("b", ["other"])]
    api.prepare(Reply(body={"metadata": {"resourceVersion": "9"}, "items": runs}), Reply())
    assert await release_children(cluster=cluster, namespaces=(), say=said.append) == 0
    (listed, patched) = api.seen
    assert dict(listed.query)["labelSelector"] == "waypost.dev/parent"
    assert patched.path == "/apis/waypost.dev/v1alpha1/namespaces/n/agentworkflows/a"
    assert patched.headers["Content-Type"] == "application/merge-patch+json"
    assert patched.json() == {"metadata": {"resourceVersion": "7", "finalizers": ["other"]}}, (
        "with its version, the list brings back no finalizer that others have removed"
    )
    assert said == ["released: run n/a", "1 child runs released, 0 problems"]


async def test_no_child_run_is_nothing_to_report(api: StubApi, cluster: KubeCluster) -> None:
    said: list[str] = []
    api.prepare(listing())
    assert await release_children(cluster=cluster, namespaces=("n",), say=said.append) == 0
    assert said == []


async def test_runs_that_cannot_be_listed(api: StubApi, cluster: KubeCluster) -> None:
    said: list[str] = []
    api.prepare(Reply(status=403, body={"kind": "Status", "message": "no right"}), listing())
    assert await release_children(cluster=cluster, namespaces=("a", "b"), say=said.append) == 1
    assert said == ["cannot list runs in a: no right", "0 child runs released, 1 problems"]


@pytest.mark.parametrize(
    ("problems", "type_", "reason"),
    [
        pytest.param(0, "Normal", "CleanupDone", id="done"),
        pytest.param(2, "Warning", "CleanupFailed", id="failed"),
    ],
)
async def test_the_result_stays_as_an_event(
    problems: int, type_: str, reason: str, api: StubApi, cluster: KubeCluster
) -> None:
    api.prepare(Reply(status=201))
    await _report(cluster, problems)
    (posted,) = api.seen
    assert posted.path == "/api/v1/namespaces/system/events"
    event = posted.json()
    assert (event["type"], event["reason"]) == (type_, reason)
    assert event["involvedObject"]["name"] == "wp-cleanup"
    assert event[
        "message"
    ] == "line 2; line 3; line 4; line 5; line 6; line 7; line 8; line 9; " + ("line 10; line 11")


async def test_an_event_that_is_refused_fails_nothing(api: StubApi, cluster: KubeCluster) -> None:
    api.prepare(Reply(status=403, body={"kind": "Status", "message": "no right"}))
    await _report(cluster, 0)


async def _report(cluster: KubeCluster, problems: int) -> None:
    said = [f"line {number}" for number in range(12)]
    now = datetime(2026, 3, 1, tzinfo=UTC)
    await report(
        cluster=cluster, namespace="system", job="wp-cleanup", problems=problems, said=said, now=now
    )
