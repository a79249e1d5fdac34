"""A webhook adds containers to the pods of nodes and suspends their Jobs, as service meshes, secret
agents and queues do: a node ends when its program ends, and so does its pod."""

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from e2e.suite import outside
from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.kube import ApiError, path_of
from e2e.suite.reported import webhook
from e2e.suite.space import Run, Space, container_state, node_of
from e2e.suite.waiting import until

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SIDECARS = ("sidecar-last", "sidecar-first", "sidecar-fails", "sidecar-native")
COPIES = """
import os
with open("/waypost/in/inputs/count") as count, open(os.environ["WAYPOST_OUTPUT"], "w") as out:
    out.write(count.read())
"""


def certificate(address: str) -> tuple[str, str]:
    """A certificate for an IP address that vouches for itself, and its key; PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), private.decode()


def configuration(space: Space, address: str, ca: str) -> Obj:
    """Call the webhook for pods and Jobs of this namespace only."""
    everything = {"apiVersions": ["v1"], "operations": ["CREATE"]}
    hook = {
        "name": "inject.waypost.test",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",  # a slow machine must not leave the container out
        "timeoutSeconds": 15,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}},
        "rules": [
            {**everything, "apiGroups": [""], "resources": ["pods"]},
            {**everything, "apiGroups": ["batch"], "resources": ["jobs"]},
        ],
        "clientConfig": {
            "url": f"https://{address}:{webhook.PORT}/",
            "caBundle": base64.b64encode(ca.encode()).decode(),
        },
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": f"waypost-e2e-{uuid.uuid4().hex[:6]}"},
        "webhooks": [hook],
    }


@pytest.fixture(scope="module")
def hooked(space: Space, runner: str) -> Iterator[Space]:
    """The namespace with the webhook at work."""
    source = Path(webhook.__file__).read_text()
    address = outside.start(space, "hook", runner, ["python3", "-c", source, runner])
    ca, key = certificate(address)
    setup = path_of("pods", space.name, f"hook:{webhook.SETUP_PORT}", "proxy/")
    space.kube.request("POST", setup, {"pem": key + ca})
    made = space.kube.request("POST", CONFIGURATIONS, configuration(space, address, ca))
    try:
        until(lambda: changes_pods(space, runner), within=30, what="the webhook changes pods")
        yield space
    finally:
        space.kube.request("DELETE", f"{CONFIGURATIONS}/{made['metadata']['name']}")


def changes_pods(space: Space, image: str) -> bool:
    """Whether a pod that would be created gets the container."""
    container = {"name": "node", "image": image, "securityContext": webhook.CONFINED}
    spec = {
        "containers": [container],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    metadata = {"name": "probe", "annotations": {"run": "sidecar-last"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    try:
        found = space.kube.request("POST", path_of("pods", space.name), pod, dryRun="All")
    except ApiError as error:
        if "failed calling webhook" not in str(error):
            raise
        return False  # it has its certificate, and does not listen yet
    return len(found["spec"]["containers"]) == 2


def three(name: str, image: str) -> Workflow:
    """Nodes of ours and of others; the last may take long."""
    return (
        workflow(name)
        .python("one", "return 1")
        .container("two", image, COPIES, inputs={"count": "${nodes.one.output}"})
        .container("three", image, "print('only a side effect')", dependsOn=["two"], timeout="2h")
    )


@pytest.fixture(scope="module")
def accompanied(hooked: Space, runner: str) -> dict[str, Run]:
    """A run for each kind of sidecar, side by side."""
    return {name: hooked.start(three(name, runner)) for name in SIDECARS}


@pytest.mark.parametrize("name", SIDECARS)
def test_a_node_ends_with_its_program_and_its_pod_soon_after(
    accompanied: dict[str, Run], name: str
) -> None:
    run = accompanied[name]
    assert node_of(run.succeeded(within=120), "two")["output"] == 1
    assert all("injected" in json.dumps(pod["spec"]) for pod in run.pods())
    until(
        lambda: not alive(run),
        within=45,
        what="no pod of the run is left alive",
        seen=lambda: json.dumps(alive(run), indent=1),
    )


def alive(run: Run) -> list[Obj]:
    """Jobs that count a pod as active, and pods with a container that runs."""
    jobs = [job for job in run.jobs() if job.get("status", {}).get("active")]
    return jobs + [pod for pod in run.pods() if container_state(pod, "running")]


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_an_added_init_container_that_fails_is_named(hooked: Space) -> None:
    run = hooked.start(workflow("init-fails").python("work", "return 1", queueTimeout="30s"))
    ended = node_of(run.finished(within=240), "work")
    assert (ended["phase"], ended["reason"]) == ("Failed", "PodRejected")
    assert "injected" in ended["message"]
    assert "exit code 3" in ended["message"]


def test_a_job_that_a_queue_holds_is_waited_for_and_named(hooked: Space) -> None:
    run = hooked.start(workflow("suspended-by-queue").python("work", "return 1"))
    [job] = until(lambda: run.jobs("work"), within=30, what="the Job exists")
    assert job["spec"]["suspend"]
    seen = run.until(
        lambda found: "suspended" in node_of(found, "work").get("message", ""),
        what="the node says that its Job is suspended",
        within=30,
    )
    assert node_of(seen, "work")["phase"] == "Running"
    hooked.patch("jobs", job["metadata"]["name"], {"spec": {"suspend": False}})
    assert node_of(run.succeeded(), "work")["attempt"] == 1


CRASHES = "import sys, time; time.sleep(1); sys.exit(3)"


def test_s524_a_job_whose_restart_policy_is_changed_is_refused(hooked: Space) -> None:
    """Its program never runs, and the message says what to exempt."""
    run = hooked.start(workflow("repeated-job").python("work", "return 1", effect="once"))
    ended = node_of(run.finished(within=60), "work")
    assert (ended["phase"], ended["reason"]) == ("Failed", "LaunchRejected")
    assert "a webhook or policy has changed the restartPolicy Never" in ended["message"]
    assert not run.pods()


def test_s524_a_program_that_the_kubelet_starts_again_is_stopped_and_named(
    hooked: Space, runner: str
) -> None:
    """It has two hours, and is named within a minute; its second run is not taken for the first.

    The kubelet may have removed the first container before the operator looks (S524).
    """
    made = workflow("repeated-pod").container("work", runner, CRASHES, effect="once", timeout="2h")
    ended = node_of(hooked.start(made).finished(within=60), "work")
    assert (ended["phase"], ended["reason"]) == ("Failed", "UnknownEffect")
    assert "because its pod has restartPolicy OnFailure" in ended["message"]
    known = "the first time it ended with exit code 3" in ended["message"]
    assert known or "how it ended the first time is not known any more" in ended["message"]
    assert [each["reason"] for each in ended["attempts"]] == ["ContainerRestarted"]
