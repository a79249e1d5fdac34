"""The web interface of the chart in the cluster, for people with tokens of ServiceAccounts."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from e2e.cluster import api, chart
from e2e.suite.build import workflow
from e2e.suite.forwarding import forwarded
from e2e.suite.install import CHART
from e2e.suite.kube import Kube
from e2e.suite.people import Person, account
from e2e.suite.space import Space

NAME = "shown-waypost-ui"


@dataclass
class Browser:
    """A browser in which somebody may have logged in."""

    address: str
    headers: dict[str, str]

    def log_in(self, token: str) -> None:
        request = Request(f"{self.address}/api/session", token.encode(), headers=self._own())
        with urlopen(request, timeout=60) as answer:
            cookie = answer.headers["set-cookie"].partition(";")[0]
            key = json.load(answer)["key"]
        self.headers |= {"cookie": cookie, "x-waypost-key": key}

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        own = {"content-type": "application/json", **self._own()}
        request = Request(f"{self.address}/api/{path}", data, {**self.headers, **own})
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def _own(self) -> dict[str, str]:
        return {"origin": self.address}


@pytest.fixture(scope="module")
def address(space: Space, kube: Kube, cluster: api.Cluster) -> Iterator[str]:
    """The interface, in the namespace of these tests and through `kubectl port-forward`."""
    image = chart.image("image", cluster.images["operator"])
    rendered = kube.must(
        "helm",
        *("template", "shown", str(CHART), f"--namespace={space.name}"),
        *("--kube-version=1.30.0", "--show-only=templates/ui.yaml", "--set=ui.enabled=true"),
        *(f"--set-string={name}={value}" for name, value in image.items()),
    )
    kube.must("kubectl", "apply", "-f", "-", stdin=rendered)
    space.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=110s")
    with forwarded(kube, NAME, namespace=space.name) as found:
        yield found


def browser(address: str, person: Person, space: Space) -> Browser:
    """With a session of this person, who looks at the namespace."""
    token = yaml.safe_load(person.kubeconfig.read_text())["users"][0]["user"]["token"]
    found = Browser(address, {"x-waypost-namespace": space.name})
    found.log_in(token)
    return found


def test_s656_each_person_sees_and_does_what_the_own_token_may(
    space: Space, people: dict[str, Person], address: str
) -> None:
    gate = {"approvers": {"users": [account(space, "bert")]}}
    declared = (
        workflow("shared")
        .python("draft", "return {'title': 'tides'}")
        .approval("review", gate=gate, dependsOn=["draft"])
    )
    run = space.start(declared)
    question = f"approvals/{space.name}/{run.opened('review')}"
    dana, gail, bert = (browser(address, people[one], space) for one in ("dana", "gail", "bert"))
    for one, name in ((dana, "dana"), (gail, "gail"), (bert, "bert")):
        assert one.ask("me")[1]["user"] == account(space, name)
        assert one.ask("runs")[1]["total"] == 1
    path = f"runs/{space.name}/{run.name}"
    code, refused = gail.ask(f"{path}/cancel", {})
    assert code == 403, refused
    assert account(space, "gail") in refused["message"]
    given = {"decision": "Approved", "digest": gail.ask(question)[1]["digest"]}
    code, refused = gail.ask(f"{question}/answer", given)
    assert (code, "waypost-approver" in refused["message"]) == (403, True), refused
    code, answered = bert.ask(f"{question}/answer", given)
    assert (code, "Approved by" in answered["message"]) == (200, True), answered
    assert account(space, "bert") in json.dumps(space.all("approvals"))
    run.succeeded()


def test_s656_who_has_no_right_in_a_namespace_sees_nothing_of_it(
    space: Space, own_space: Space, people: dict[str, Person], address: str
) -> None:
    hidden = own_space.start(workflow("hidden").python("only", "return 1"))
    gail = browser(address, people["gail"], space)
    assert gail.ask(f"runs/{own_space.name}/{hidden.name}")[0] == 403
    for scope in ("", own_space.name):
        gail.headers["x-waypost-namespace"] = scope
        code, refused = gail.ask("runs")
        assert (code, "cannot list resource" in refused["message"]) == (403, True), refused
        assert gail.ask("me")[1]["may"]["list"] is False
    hidden.succeeded()


def test_s657_without_a_token_the_pod_shows_nothing(
    space: Space, people: dict[str, Person], address: str
) -> None:
    nobody = Browser(address, {})
    assert nobody.ask("runs")[0] == 401
    with pytest.raises(HTTPError, match="401"):
        nobody.log_in("no-token-of-this-cluster")
    with urlopen(f"{address}/", timeout=60) as page:
        assert b'<div id="root">' in page.read(), "the pages are in the image"
    (pod,) = (one for one in space.all("pods") if one["metadata"]["name"].startswith(NAME))
    sources = [volume for volume in pod["spec"]["volumes"] if "projected" in volume]
    assert sources == [], "no token in the pod"
    assert (
        space.kubectl("auth", "can-i", "--list", f"--as={account(space, NAME)}").count(
            "waypost.dev"
        )
        == 0
    )
