"""Fixtures of the end-to-end suite: the cluster, the installed chart, a namespace per module.

Workers of one run share the cluster. What is there once (the chart, the removal of old namespaces)
is done by the first that needs it; the namespaces are removed by the process that hands out the
tests, when all are over. Tests that kill, stop, replace or remove the operator, or what all others
stand on, are marked `alone`.
"""

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster import api
from e2e.cluster.errors import ClusterError
from e2e.suite.install import install
from e2e.suite.kube import ApiError, Kube, connected
from e2e.suite.ledger import Ledger, start_ledger
from e2e.suite.operators import Machine, Operator, machine_of
from e2e.suite.people import people as people  # a fixture
from e2e.suite.space import Space, allow_approvers
from e2e.suite.waiting import until
from tests import sharing

LABEL = "waypost-e2e"
TEST_SECONDS = 600  # when a test is given up; what it waits for has its deadline in `until`
LAST = "test_uninstall"
CHAOS = "chaos"
BESIDE_OTHERS = "test_pods"  # breaks nothing but pods of its runs
NAMESPACES = "namespaces"
# For test_notifications: the Secret comes with the test, and its receiver is a pod.
NOTIFICATIONS = {
    "notifications.enabled": "true",
    "notifications.sinks[0].name": "receiver",
    "notifications.sinks[0].format": "Json",
    "notifications.sinks[0].report[0]": "ApprovalOpened",
    "notifications.sinks[0].report[1]": "RunFailed",
    "notifications.sinks[0].namespaces[0]": "e2e-notifications-*",
    "notifications.sinks[0].urlFrom.name": "waypost-e2e-sink",
    "notifications.sinks[0].urlFrom.key": "url",
    "notifications.sinks[0].signingKeyFrom.name": "waypost-e2e-sink",
    "notifications.sinks[0].signingKeyFrom.key": "signing-key",
    "notifications.privateHosts[0]": "10.0.0.0/8",
    "notifications.privateHosts[1]": "172.16.0.0/12",
    "notifications.privateHosts[2]": "192.168.0.0/16",
}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def pytest_configure(config: pytest.Config) -> None:
    """SIGTERM, with which the gate ends what runs in its background, is as Ctrl-C: the fixtures put
    back what they have changed."""
    if not sharing.is_worker(config):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here is e2e; chaos comes late, and the test that removes the chart last."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.e2e)
        if item.path.parent.name == CHAOS and item.path.stem != BESIDE_OTHERS:
            item.add_marker(pytest.mark.alone)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))
    items.sort(key=lambda item: (item.path.stem == LAST, item.path.parent.name == CHAOS))


@pytest.fixture(scope="session")
def cluster() -> api.Cluster:
    """The cluster of the Makefile, with Waypost's images on it."""
    if not os.environ.get("WAYPOST_TEST_KUBECONFIG"):
        pytest.fail(
            "WAYPOST_TEST_KUBECONFIG is not set: these tests install Waypost on a throw-away "
            "cluster and remove it. Run `make e2e`, or leave them out: pytest -m 'not e2e'"
        )
    return api.ensure_up(quiet=True)


@pytest.fixture(scope="session")
def kube(cluster: api.Cluster) -> Iterator[Kube]:
    """The cluster's API."""
    with connected(cluster.kubeconfig, cluster.tools_dir) as found:
        # Of a run that was cut short.
        sharing.once(NAMESPACES, lambda: _remove_namespaces(found))
        yield found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """When all tests are over every namespace of the suite must be able to go."""
    if sharing.is_worker(session.config) or not sharing.was_done(NAMESPACES):
        return
    try:
        cluster = api.ensure_up(quiet=True)
        with connected(cluster.kubeconfig, cluster.tools_dir) as kube:
            _remove_namespaces(kube)
    except (AssertionError, ClusterError) as error:
        print(f"\nerror at the end of the end-to-end tests: {error}", file=sys.stderr)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def operator(cluster: api.Cluster, kube: Kube) -> Operator:
    """The operator, installed with helm from this tree."""
    values = {**cluster.chart_values, "ingress.enabled": "true", **NOTIFICATIONS}
    sharing.once("chart", lambda: install(kube, values))
    found = Operator(kube, machine_of(cluster.provider, cluster.name))
    found.ready()
    return found


@pytest.fixture
def machine(operator: Operator) -> Machine:
    """Access to the operator's process; skipped where the machine is out of reach."""
    if operator.machine is None:
        pytest.skip("needs the machine the pods run on: CLUSTER=kind or CLUSTER=embedded")
    return operator.machine


@pytest.fixture(scope="session")
def ledger(cluster: api.Cluster, kube: Kube, operator: Operator) -> Ledger:
    """The list of program starts."""
    name = _make_namespace(kube, "ledger", {})
    return start_ledger(kube, name, cluster.images["runner"])


@pytest.fixture(scope="session")
def runner(cluster: api.Cluster) -> str:
    """An image with Python, for container nodes."""
    return cluster.images["runner"]


@pytest.fixture(scope="module")
def space(kube: Kube, operator: Operator, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A fresh namespace that admits restricted pods only; deleted after the module."""
    stem = request.path.stem.removeprefix("test_").replace("_", "-")
    name = _make_namespace(kube, stem, RESTRICTED)
    yield Space(kube, name)
    _drop_namespace(kube, name)


@pytest.fixture
def own_space(kube: Kube, operator: Operator) -> Iterator[Space]:
    """A namespace of one test, for tests that delete it or fill it with obstacles."""
    name = _make_namespace(kube, "own", RESTRICTED)
    yield Space(kube, name)
    _drop_namespace(kube, name)


def _make_namespace(kube: Kube, stem: str, labels: dict[str, str]) -> str:
    name = f"e2e-{stem}-{uuid.uuid4().hex[:6]}"
    metadata = {"name": name, "labels": {LABEL: "true", **labels}}
    kube.request(
        "POST",
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
    )
    until(
        lambda: kube.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"),
        within=30,
        what=f"the default ServiceAccount of {name}",
    )
    allow_approvers(kube, name)
    return name


def _drop_namespace(kube: Kube, name: str) -> None:
    try:
        kube.request("DELETE", f"/api/v1/namespaces/{name}")
    except ApiError as error:
        if error.code not in (404, 409):
            raise


def _remove_namespaces(kube: Kube) -> None:
    def left() -> list[str]:
        found = kube.request("GET", "/api/v1/namespaces", labelSelector=LABEL)
        return [body["metadata"]["name"] for body in found["items"]]

    for name in left():
        _drop_namespace(kube, name)
    until(lambda: not left(), within=90, what="namespaces of the suite are gone", seen=left)
