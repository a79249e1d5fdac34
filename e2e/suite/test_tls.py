"""TLS between pods of nodes and both gateways, turned on while an attempt runs, and a certificate
that changes while another one does (S778 to S782)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, workflow
from e2e.suite.install import install
from e2e.suite.kube import Kube
from e2e.suite.ledger import Ledger
from e2e.suite.model_gateways import ADDRESS, KEY, grant, keys
from e2e.suite.operators import NAMESPACE, Operator
from e2e.suite.space import Run, Space, node_of
from e2e.suite.test_model_gateway import SCRIPTS, thinking
from e2e.suite.test_providers import provider

pytestmark = [
    pytest.mark.alone,  # the chart is installed with other values
    pytest.mark.timeout(500),
]

BIG: Final = "return {'text': 'x' * 300_000}"  # does not fit a commit record

# What the pod sees of the gateway: with its CA and name, without them, and without TLS.
LOOKS: Final = """
import json, socket, ssl
from urllib.parse import urlsplit

request = json.load(open("/waypost/in/request.json"))
trust = json.load(open("/waypost/token/trust.json"))
place = urlsplit(request["gateway"])

def name_of(context, name):
    with socket.create_connection((place.hostname, place.port), timeout=10) as link:
        with context.wrap_socket(link, server_hostname=name) as encrypted:
            return [encrypted.version(), encrypted.getpeercert()["subjectAltName"][0][1]]

def refused(context, name):
    try:
        return name_of(context, name)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message

ours = ssl.create_default_context(cadata=trust["ca"])
with socket.create_connection((place.hostname, place.port), timeout=10) as link:
    link.sendall(b"GET /v1/payloads/input HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    try:
        plain = link.recv(5).decode("latin-1")
    except ConnectionError:
        plain = ""
return {
    "scheme": place.scheme,
    "key": "PRIVATE" in json.dumps(trust),
    "ours": name_of(ours, trust["gateway"]),
    "other name": refused(ours, "gateway.example"),
    "other CA": refused(ssl.create_default_context(), trust["gateway"]),
    "plain": plain.startswith("HTTP"),
}
"""


@dataclass(frozen=True)
class Place:
    """The namespace, with TLS on, and a run that was in progress when it was turned on."""

    space: Space
    before: Run


@pytest.fixture(scope="module")
def place(
    space: Space, kube: Kube, cluster: api.Cluster, operator: Operator, ledger: Ledger
) -> Iterator[Place]:
    if cluster.provider == "current":
        pytest.skip("the network of pods is not known")
    script = {"apiKey": KEY, "scripts": SCRIPTS}
    url = outside.start_models(space, cluster.images["operator"], script)
    before = space.start(holding("before", ledger))
    ledger.holds(before.uid)
    chosen = {
        "tls.mode": "SelfSigned",
        "tls.acceptPlain": "true",
        "modelGateway.enabled": "true",
        "modelGateway.clusterIP": ADDRESS,
        "modelGateway.privateHosts[0]": outside.network_of(url),
    }
    install(kube, cluster.chart_values | chosen)
    keys(space, "keys", hosts=url.partition("://")[2].partition("/")[0])
    provider(space, "scripted", baseURL=url, apiKey={"name": "keys", "key": "api-key"})
    grant(space)
    yield Place(space, before)
    install(kube, cluster.chart_values)
    space.kube.must("kubectl", "-n", NAMESPACE, "delete", "secret", "waypost-ca")


def holding(name: str, ledger: Ledger) -> Workflow:
    """A node that waits for the test, and then has an output for the gateway."""
    source = ledger.counted(f"def run():\n    held()\n    {BIG}\n")
    # As long as two upgrades of the chart may take.
    flow = workflow(name).having(defaults={"timeout": "400s", "queueTimeout": "60s"})
    return flow.node("a", python={"source": source})


def test_an_attempt_from_before_stores_its_output(place: Place, ledger: Ledger) -> None:
    """S782: it has the URL and no CA of the time before, and one attempt is enough."""
    ledger.release(place.before.uid)
    node = node_of(place.before.succeeded(), "a")
    assert node["outputRecord"]
    assert node["attempt"] == 1


def test_what_a_pod_sees_of_the_gateway(place: Place) -> None:
    """S778"""
    run = place.space.start(workflow("looks").python("a", LOOKS))
    name = f"waypost-gateway.{NAMESPACE}.svc"
    found = node_of(run.succeeded(), "a")["output"]
    assert "mismatch" in found.pop("other name").lower()
    assert "certificate" in found.pop("other CA").lower()
    assert found == {
        "scheme": "https",
        "key": False,
        "ours": ["TLSv1.3", name],
        "plain": False,
    }


def test_outputs_and_model_calls_pass(place: Place) -> None:
    """S778: also of pods without DNS, which call addresses."""
    space = place.space
    run = space.start(workflow("big").python("a", BIG))
    agent = space.start(thinking("hello", "hello"))
    assert node_of(run.succeeded(), "a")["outputRecord"]
    agent.succeeded()


def test_a_certificate_that_changes_costs_no_attempt(place: Place, ledger: Ledger) -> None:
    """S779, S780: the gateways start again, with other certificates of the same CA."""
    space = place.space
    run = space.start(holding("rotated", ledger))
    ledger.holds(run.uid)
    for name in ("waypost-gateway", "waypost-models"):
        space.kube.must("kubectl", "-n", NAMESPACE, "rollout", "restart", f"deployment/{name}")
        space.kube.must(
            "kubectl", "-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=120s"
        )
    ledger.release(run.uid)
    node = node_of(run.succeeded(), "a")
    assert node["outputRecord"]
    assert node["attempt"] == 1
