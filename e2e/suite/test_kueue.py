"""A real Kueue admits the Jobs of nodes, holds them, and preempts them (S551 to S554)."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from e2e.cluster import api, kueue
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.kube import Kube
from e2e.suite.operators import Operator
from e2e.suite.space import Space, node_of
from e2e.suite.waiting import until

# Kueue is built from source: a quarter of an hour on two cores.
pytestmark = [pytest.mark.nightly, pytest.mark.alone, pytest.mark.timeout(3600)]

SECONDS = 120
GROUP = f"/apis/{kueue.API}"
RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")
HIGH = "waypost-e2e-high"


@pytest.fixture(scope="module")
def queues(
    cluster: api.Cluster, kube: Kube, operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Kueue, a flavor of machines, and a PriorityClass."""
    folder = tmp_path_factory.mktemp("kueue")
    with kueue.running(
        from_environment(), cluster.kubeconfig, cluster.tools_dir, folder, Progress()
    ):
        put(kube, f"{GROUP}/resourceflavors", "ResourceFlavor", "machines", {})
        body = {"metadata": {"name": HIGH}, "value": 1000}
        path = "/apis/scheduling.k8s.io/v1/priorityclasses"
        made = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", **body}
        if kube.get(f"{path}/{HIGH}") is None:
            kube.request("POST", path, made)
        yield
        kube.request("DELETE", f"{path}/{HIGH}")


@pytest.fixture(scope="module", autouse=True)
def emptied(queues: None, kube: Kube, space: Space) -> Iterator[None]:
    """Remove what the tests leave, while Kueue runs: nobody else removes its finalizers."""
    yield
    for run in space.all("agentworkflows"):
        space.delete("agentworkflows", run["metadata"]["name"])
    until(space.empty, within=SECONDS, what="the runs are gone")
    until(lambda: not workloads(kube, space), within=SECONDS, what="the Workloads are gone")
    for path in (
        *(f"{GROUP}/namespaces/{space.name}/localqueues/{name}" for name in ("one", "other")),
        *(f"{GROUP}/clusterqueues/{space.name}-{name}" for name in ("one", "other")),
        f"{GROUP}/resourceflavors/machines",
    ):
        if kube.get(path) is not None:
            kube.request("DELETE", path)
            until(partial(is_gone, kube, path), within=SECONDS, what=f"{path} is gone")


def is_gone(kube: Kube, path: str) -> bool:
    return kube.get(path) is None


def put(kube: Kube, path: str, kind: str, name: str, spec: Obj) -> None:
    """Create an object of Kueue, if it does not exist."""
    body = {"apiVersion": kueue.API, "kind": kind, "metadata": {"name": name}, "spec": spec}
    if kube.get(f"{path}/{name}") is None:
        kube.request("POST", path, body)


def queue(kube: Kube, space: Space, name: str, pods: int) -> None:
    """A queue in the namespace whose quota is a number of pods."""
    whole = f"{space.name}-{name}"
    quotas = [
        {"name": one, "nominalQuota": str(pods) if one == "pods" else "1000Gi"} for one in RESOURCES
    ]
    flavors = [{"name": "machines", "resources": quotas}]
    spec = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}},
        "resourceGroups": [{"coveredResources": list(RESOURCES), "flavors": flavors}],
        "preemption": {"withinClusterQueue": "LowerPriority"},
    }
    put(kube, f"{GROUP}/clusterqueues", "ClusterQueue", whole, spec)
    path = f"{GROUP}/namespaces/{space.name}/localqueues"
    put(kube, path, "LocalQueue", name, {"clusterQueue": whole})


def workloads(kube: Kube, space: Space) -> list[Obj]:
    found: Any = kube.get(f"{GROUP}/namespaces/{space.name}/workloads") or {}
    items: list[Obj] = found.get("items", [])
    return items


def sleeps(name: str, seconds: float, **isolation: Any) -> Workflow:
    """A run of one node in a queue."""
    body = f"import time\ntime.sleep({seconds})\nreturn 1"
    fields: Obj = {"isolation": isolation, "timeout": "120s", "queueTimeout": "20s"}
    return workflow(name).python("a", body, **fields)


def test_s552_a_node_waits_for_the_quota_of_its_queue(
    queues: None, kube: Kube, space: Space
) -> None:
    queue(kube, space, "one", pods=1)
    queue(kube, space, "other", pods=1)
    first = space.start(sleeps("first", 40, queue="one"))
    first.reaches("a", "Running")
    until(lambda: space.all("pods"), within=SECONDS, what="the first pod")
    second = space.start(sleeps("second", 1, queue="one"))
    other = space.start(sleeps("third", 1, queue="other"))
    node = second.troubled("a", "Queued", within=SECONDS)
    assert "waits in queue one: couldn't assign flavors" in node["message"], node
    assert other.succeeded(within=SECONDS), "another queue has its own quota"
    for run in (first, second):
        found = node_of(run.succeeded(within=SECONDS), "a")
        assert found["attempt"] == 1, found
    [attempt] = found["attempts"]
    assert attempt["launchedAt"] < attempt["queuedUntil"] <= attempt["startedAt"]


def test_s553_a_preempted_attempt_is_followed_by_another(
    queues: None, kube: Kube, space: Space
) -> None:
    queue(kube, space, "one", pods=1)
    low = space.start(sleeps("low", 60, queue="one"))
    low.running_pod("a")
    high = space.start(sleeps("high", 10, queue="one", priorityClassName=HIGH))
    assert node_of(high.succeeded(within=SECONDS), "a")["attempt"] == 1
    found = node_of(low.succeeded(within=2 * SECONDS), "a")
    assert [one["reason"] for one in found["attempts"]] == ["Preempted", "Succeeded"], found
    assert not {"retries", "disruptions", "launchRetries"} & set(found), found
    said = found["attempts"][0]["message"]
    assert "queue one suspended its Job: Preempted: Preempted to accommodate" in said
    [old] = [job for job in space.all("jobs") if "low-a-1" in job["metadata"]["name"]]
    assert old["spec"]["parallelism"] == 0, "its queue cannot start it again"


def test_s554_a_run_that_is_cancelled_asks_for_no_quota(
    queues: None, kube: Kube, space: Space
) -> None:
    queue(kube, space, "one", pods=1)
    holds = space.start(sleeps("holds", 300, queue="one"))
    holds.running_pod("a")
    waits = space.start(sleeps("waits", 1, queue="one"))
    waits.troubled("a", "Queued", within=SECONDS)
    for run in (waits, holds):
        space.patch("agentworkflows", run.name, {"spec": {"cancel": True}})
        run.finished(within=SECONDS)
    last = space.start(sleeps("last", 1, queue="one"))
    assert last.succeeded(within=SECONDS), "the quota is free"
    until(lambda: not asking(kube, space), within=SECONDS, what="no Workload asks for pods")


def asking(kube: Kube, space: Space) -> list[str]:
    """Workloads that have not ended and ask for a pod."""
    return [
        one["metadata"]["name"]
        for one in workloads(kube, space)
        if not any(
            condition["type"] == "Finished" and condition["status"] == "True"
            for condition in one.get("status", {}).get("conditions", [])
        )
        and sum(pods["count"] for pods in one["spec"]["podSets"]) > 0
    ]
