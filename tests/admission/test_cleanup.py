"""D6: the account of the cleanup is removed with the release, also if the cleanup fails."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.charts.conftest import CHART, Helm, helm, tools  # noqa: F401  # fixtures
from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.real_api

# Nothing of the release starts; its Job cannot end, because there is no such image.
VALUES = (
    "replicas=0",
    "crds.enabled=false",
    "policies.admission=false",
    "rbac.userRoles=false",
    "gateway.enabled=false",
    "metrics.service.enabled=false",
    "image.repository=waypost.invalid/none",
    "image.tag=none",
)
KINDS = "serviceaccounts,jobs,roles,rolebindings,clusterroles,clusterrolebindings"


@pytest.fixture
def release(kube_context: Kubectl, helm: Helm) -> Iterator[str]:  # noqa: F811
    """A release in the namespace of these tests; its name."""
    name = f"gone-{kube_context.namespace[-8:]}"
    done = _helm(kube_context, helm, "install", name, str(CHART), *_sets())
    assert done.returncode == 0, done.stderr
    yield name
    kube_context.run("delete", "jobs", "--all", "--wait=false")


def _sets() -> list[str]:
    return [part for value in VALUES for part in ("--set", value)]


def _helm(kubectl: Kubectl, program: Helm, *arguments: str) -> "subprocess.CompletedProcess[str]":
    place = (f"--kubeconfig={kubectl.kubeconfig}", f"--namespace={kubectl.namespace}")
    return program.run(*arguments, *place)


def left(kubectl: Kubectl, release: str) -> list[str]:
    """Kind and name of what is left of a release."""
    selector = f"--selector=app.kubernetes.io/instance={release}"
    found = kubectl.json("get", KINDS, selector)
    return sorted(f"{one['kind']}/{one['metadata']['name']}" for one in found["items"])


def test_the_account_goes_and_the_failed_job_stays(
    kube_context: Kubectl,
    helm: Helm,  # noqa: F811
    release: str,
) -> None:
    assert not any("cleanup" in one for one in left(kube_context, release)), "no account before"
    done = _helm(kube_context, helm, "uninstall", release, "--timeout=3s")
    assert done.returncode != 0, "the Job has not ended"
    assert left(kube_context, release) == [f"Job/{release}-waypost-cleanup"]
