"""http nodes whose requests the model gateway sends: no key in their pods, and no other host."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Kube
from e2e.suite.model_gateways import KEY, Place, grant, host_of, installed, keys
from e2e.suite.operators import Operator
from e2e.suite.space import Space, node_of

pytestmark = [
    pytest.mark.alone,  # the chart is installed with other values
    pytest.mark.timeout(400),
]

MODELS: Final = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": schema(id="string")}},
}
BEARER: Final = {"bearer": {"name": "door", "key": "api-key"}}
MOVED: Final = """
import http.server

class Moved(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.ThreadingHTTPServer(("", 8000), Moved).serve_forever()
"""


@pytest.fixture(scope="module")
def place(space: Space, kube: Kube, cluster: api.Cluster, operator: Operator) -> Iterator[Place]:
    """`url` opens for KEY, which the Secret `door` has."""
    if cluster.provider == "current":
        pytest.skip("the network of pods is not known")
    url = outside.start_guarded(space, cluster.images["runner"], key=KEY)
    with installed(kube, cluster, url):
        keys(space, "door", hosts=host_of(url))
        keys(space, "foreign", hosts="api.example.com")
        grant(space, "--secret", "door", "--secret", "foreign")
        yield Place(space, url)


def fetch(name: str, url: str, **http: Any) -> Workflow:
    return workflow(name).node("a", http={"url": url, **http}, isolation={"egress": "Gateway"})


def test_the_answer_comes_and_the_key_is_in_no_pod(place: Place) -> None:
    """S720: the server opens for the key alone, and the pod reaches the gateways alone."""
    space = place.space
    flow = fetch("asked", f"{place.url}/models", auth=BEARER, responseSchema=MODELS)
    run = space.start(flow)
    node = node_of(run.succeeded(), "a")
    assert node["output"]["status"] == 200
    assert node["output"]["body"]["data"] == [{"id": "small"}]
    [job] = run.jobs("a")
    assert "door" not in json.dumps(job)
    assert KEY not in json.dumps(job)
    volumes = {volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes == {"in", "tmp", "token"}
    controls = {one["control"]: one for one in run.read()["status"]["isolation"]}
    assert controls["Egress"]["verified"] == 1


@pytest.mark.parametrize(
    ("name", "url", "http", "words"),
    [
        ("api-server", "https://10.96.0.1/version", {}, "AddressNotAllowed"),
        ("metadata", "http://169.254.169.254/latest/meta-data/", {}, "AddressNotAllowed"),
        ("itself", "http://127.0.0.1:8081/metrics", {}, "AddressNotAllowed"),
        (
            "foreign",
            "{url}/models",
            {"auth": {"bearer": {"name": "foreign", "key": "api-key"}}},
            "HostNotAllowed",
        ),
    ],
)
def test_what_the_gateway_refuses(
    place: Place, name: str, url: str, http: dict[str, Any], words: str
) -> None:
    """S722, S723"""
    flow = fetch(name, url.format(url=place.url), **http)
    node = node_of(place.space.start(flow).finished(), "a")
    assert (node["phase"], node["reason"]) == ("Failed", "ProviderError")
    assert f"refused by the model gateway ({words})" in node["message"]


def test_a_redirect_to_the_metadata_service_is_not_followed(place: Place, runner: str) -> None:
    """S723"""
    address = outside.start(place.space, "moved", runner, ["python3", "-c", MOVED])
    flow = fetch("moved", f"http://{address}:{outside.PORT}/")
    node = node_of(place.space.start(flow).finished(), "a")
    assert (node["phase"], node["reason"]) == ("Failed", "NodeError")
    assert "302: redirect to http://169.254.169.254/latest/meta-data/" in node["message"]


def test_a_key_that_the_server_echoes_is_in_nothing(place: Place) -> None:
    """S724: the server repeats a wrong key in its error."""
    space = place.space
    metadata = {"name": "wrong", "annotations": {"waypost.dev/hosts": host_of(place.url)}}
    wrong = f"{KEY}-wrong"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    space.create("secrets", {**secret, "stringData": {"api-key": wrong}})
    grant(space, "--secret", "wrong")
    auth = {"bearer": {"name": "wrong", "key": "api-key"}}
    run = space.start(fetch("echoed", f"{place.url}/models", auth=auth))
    node = node_of(run.finished(), "a")
    assert (node["phase"], node["reason"]) == ("Failed", "NodeError")
    assert "401" in node["message"]
    assert "[redacted]" in node["message"]
    assert KEY not in str(run.read())
