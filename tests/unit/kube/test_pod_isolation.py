"""S626: what a pod shows of its isolation."""

from typing import Any

import pytest
from waypost.kube.manifests.security import container_security, pod_security
from waypost.kube.pod_isolation import isolation_fact
from waypost.ports.cluster import Obj
from waypost.protocol.isolation import NOTHING, Measured

HELD = Measured(("Egress",), ("Seccomp",), "")


def body(*, pod: Obj | None = None, node: Obj | None = None, **spec: Any) -> Obj:
    """A pod with our security contexts, changed."""
    containers = [{"name": "node", "securityContext": {**container_security(), **(node or {})}}]
    context = {**pod_security(), **(pod or {})}
    return {
        "metadata": {"labels": {"waypost.dev/egress": "abc"}},
        "spec": {"securityContext": context, "containers": containers, **spec},
    }


@pytest.mark.parametrize(
    ("pod", "declared"),
    [
        pytest.param(body(), "Egress Seccomp Restricted", id="ours"),
        pytest.param(
            body(hostUsers=False, runtimeClassName="gvisor"),
            "Egress UserNamespace RuntimeClass Seccomp Restricted",
            id="all",
        ),
        pytest.param(body(hostUsers=True), "Egress Seccomp Restricted", id="users-of-the-machine"),
        pytest.param(
            body(pod={"seccompProfile": {"type": "Unconfined"}}),
            "Egress Restricted",
            id="unconfined",
        ),
        pytest.param(
            body(node={"seccompProfile": {"type": "Unconfined"}}),
            "Egress Restricted",
            id="the-container-counts",
        ),
        pytest.param(body(node={"privileged": True}), "Egress Seccomp", id="privileged"),
        pytest.param(
            body(node={"allowPrivilegeEscalation": True}), "Egress Seccomp", id="may-escalate"
        ),
        pytest.param(body(node={"runAsNonRoot": False}), "Egress Seccomp", id="perhaps-root"),
        pytest.param(
            body(node={"readOnlyRootFilesystem": False}), "Egress Seccomp", id="root-writable"
        ),
        pytest.param(
            body(node={"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}),
            "Egress Seccomp",
            id="a-capability",
        ),
        pytest.param({}, "", id="empty"),
        pytest.param({"spec": {"containers": 3, "securityContext": []}}, "", id="malformed"),
    ],
)
def test_what_is_declared(pod: Obj, declared: str) -> None:
    assert isolation_fact(pod).declared == tuple(declared.split())


def probed(state: Obj | None, *, env: tuple[str, ...] = ()) -> Obj:
    variables = [{"name": name, "value": "true"} for name in env]
    made = body(initContainers=[{"name": "isolation-probe", "env": variables}])
    if state is not None:
        made["status"] = {"initContainerStatuses": [{"name": "isolation-probe", "state": state}]}
    return made


def ended(code: int, message: str = "") -> Obj:
    return {"terminated": {"exitCode": code, "message": message}}


@pytest.mark.parametrize(
    ("pod", "passed", "measured"),
    [
        pytest.param(probed(ended(0, HELD.to_text())), True, HELD, id="measured"),
        pytest.param(probed(ended(0)), True, NOTHING, id="of-an-earlier-release"),
        pytest.param(probed(ended(1, "the pod reaches it")), False, NOTHING, id="refused"),
        pytest.param(probed(None), True, NOTHING, id="status-without-it"),
        pytest.param(body(), False, NOTHING, id="no-probe"),
    ],
)
def test_what_its_probe_says(pod: Obj, passed: bool, measured: Measured) -> None:
    fact = isolation_fact(pod)
    assert (fact.probe_ended, fact.measured) == (passed, measured)
    assert not fact.report_only


def test_a_probe_that_only_reports() -> None:
    assert isolation_fact(probed(ended(0), env=("WAYPOST_REPORT",))).report_only
