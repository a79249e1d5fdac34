"""For every test: no event loop that nobody asked for, and a real API server on request."""

import asyncio
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import sharing
from tests.support.kubectl import Kubectl, given_kubeconfig

CRDS = Path(__file__).parents[1] / "crds"
CRD_NAMES = ("agentworkflows", "approvals", "modelproviders", "noderecords", "toolservers")

# Without this, pytest-asyncio asks the policy for "the old loop", which makes one that nobody
# closes: a ResourceWarning at the end of the session, which fails it.
asyncio.set_event_loop(None)

# The gate tries the same examples each time, however fast the machine is; `make nightly` others.
_SLOW = [HealthCheck.too_slow]
settings.register_profile("gate", derandomize=True, deadline=None, suppress_health_check=_SLOW)
settings.register_profile("deep", max_examples=1000, deadline=None, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


@pytest.fixture(scope="session")
def kube_context() -> Iterator[Kubectl]:
    """kubectl on a cluster that has this tree's CRDs, in a namespace that goes away again."""
    kubectl = Kubectl(given_kubeconfig(), namespace=f"waypost-crds-{uuid.uuid4().hex[:8]}")
    sharing.once("crds", lambda: _install_crds(kubectl))
    assert kubectl.run("create", "namespace", kubectl.namespace).returncode == 0
    yield kubectl
    kubectl.run("delete", "namespace", kubectl.namespace, "--wait=false")


def _install_crds(kubectl: Kubectl) -> None:
    installed = kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    assert installed.returncode == 0, installed.stderr
    names = [f"crd/{plural}.waypost.dev" for plural in CRD_NAMES]
    waited = kubectl.run("wait", "--for=condition=Established", "--timeout=30s", *names)
    assert waited.returncode == 0, waited.stderr


@pytest.fixture(scope="module")
def no_operator(kube_context: Kubectl) -> Iterator[None]:
    """No operator runs meanwhile: one that `make demo` left behind would judge these runs, and
    what may be changed depends on its judgement. Its admission policies deny nothing meanwhile."""

    def begin() -> dict[str, list[Any]]:
        return {"scaled": _scale_to_nothing(kube_context), "bindings": _bindings(kube_context)}

    def back(kept: dict[str, list[Any]]) -> None:
        for namespace, name, replicas in kept["scaled"]:
            _scale(kube_context, namespace, name, replicas)
        for binding in kept["bindings"]:
            _act(kube_context, binding, "Deny")

    with sharing.while_needed("no-operator", begin, back):
        yield


def _bindings(kubectl: Kubectl) -> list[str]:
    """Make the policies that are installed only report; returns the names of their bindings."""
    selector = "--selector=app.kubernetes.io/part-of=waypost,!waypost-test"
    found = kubectl.json("get", "validatingadmissionpolicybindings", selector)
    names = [body["metadata"]["name"] for body in found["items"]]
    for name in names:
        _act(kubectl, name, "Audit")
    if names:
        _wait_until_policies_are_silent(kubectl)
    return names


def _act(kubectl: Kubectl, binding: str, action: str) -> None:
    patch = json.dumps({"spec": {"validationActions": [action]}})
    done = kubectl.run(
        *("patch", f"validatingadmissionpolicybinding/{binding}", "--type=merge", "-p", patch)
    )
    assert done.returncode == 0, done.stderr


def _wait_until_policies_are_silent(kubectl: Kubectl) -> None:
    """The API server sees a changed binding about a second later."""
    question = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "Approval",
        "metadata": {"name": "probe"},
        "spec": {
            **dict.fromkeys(("run", "path", "message", "requestDigest"), "probe"),
            "approvers": {"users": ["probe"]},
        },
    }
    end = time.monotonic() + 30
    probe = ("create", "-f", "-", "--namespace=default", "--dry-run=server")
    while kubectl.run(*probe, stdin=question).returncode != 0:
        assert time.monotonic() < end, "the installed admission policies still deny"
        time.sleep(0.3)


def _scale_to_nothing(kubectl: Kubectl) -> list[tuple[str, str, int]]:
    """Stop every operator; returns namespace, name and replicas of its Deployment."""
    selector = "--selector=app.kubernetes.io/name=waypost,app.kubernetes.io/component=operator"
    found = kubectl.json("get", "deployments", "--all-namespaces", selector)
    places = [
        (body["metadata"]["namespace"], body["metadata"]["name"], body["spec"]["replicas"])
        for body in found["items"]
    ]
    for namespace, name, _ in places:
        _scale(kubectl, namespace, name, 0)
        gone = ("wait", "pods", f"--namespace={namespace}", selector, "--for=delete")
        waited = kubectl.run(*gone, "--timeout=45s")
        assert waited.returncode == 0, waited.stderr
    return places


def _scale(kubectl: Kubectl, namespace: str, name: str, replicas: int) -> None:
    done = kubectl.run(
        "scale", f"deployment/{name}", f"--namespace={namespace}", f"--replicas={replicas}"
    )
    assert done.returncode == 0, done.stderr
