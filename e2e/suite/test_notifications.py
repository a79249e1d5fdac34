"""The notifier of the chart: an approval, a failed run, a restart, and a receiver in a pod."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from waypost.ingress.core.headers import Headers
from waypost.ingress.core.signatures import is_signed

from e2e.suite import outside
from e2e.suite.build import workflow
from e2e.suite.kube import Kube, Obj, path_of
from e2e.suite.operators import NAMESPACE, RELEASE, Operator
from e2e.suite.space import Space
from e2e.suite.waiting import until

KEY = "whsec_" + base64.b64encode(b"the key of the receiver").decode()
SECRET = "waypost-e2e-sink"  # e2e/conftest.py names it in the values of the release
RECEIVER = """
import http.server, json

GOT = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        GOT.append({"headers": headers, "body": body})
        self.answer(b"{}")

    def do_GET(self):
        self.answer(json.dumps(GOT).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("", 8000), Receiver).serve_forever()
"""


@pytest.fixture(scope="module")
def receiver(kube: Kube, operator: Operator, space: Space, runner: str) -> Iterator[None]:
    """A pod that keeps what it gets; the Secret of the sink has its address."""
    address = outside.start(space, "receiver", runner, ["python3", "-c", RECEIVER])
    texts = {"url": f"http://{address}:{outside.PORT}/hook", "signing-key": KEY}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": texts,
    }
    kube.request("POST", path_of("secrets", NAMESPACE), body)
    try:
        restart(kube)  # a pod that runs sees a new Secret a minute later
        yield
    finally:
        kube.request("DELETE", path_of("secrets", NAMESPACE, SECRET))


def restart(kube: Kube) -> None:
    """Replace the pod of the notifier, and wait until the next one serves."""
    deployment = f"deployment/{RELEASE}-notifier"
    kube.must("kubectl", "-n", NAMESPACE, "rollout", "restart", deployment)
    kube.must("kubectl", "-n", NAMESPACE, "rollout", "status", deployment, "--timeout=90s")


def received(space: Space) -> list[Obj]:
    """What the receiver got, in order."""
    path = path_of("pods", space.name, f"receiver:{outside.PORT}", "proxy/")
    found: list[Obj] = space.kube.request("GET", path)
    return found


def message(space: Space, type_: str, run: str) -> Obj:
    """The one message of a type about a run, once it is there."""

    def look() -> Obj | None:
        for one in received(space):
            body = json.loads(one["body"])
            if (body["type"], body["data"]["run"]) == (type_, run):
                return {**one, "body": body, "raw": one["body"]}
        return None

    found: Obj = until(
        look, within=60, what=f"{type_} of {run} arrives", seen=lambda: received(space)
    )
    return found


def signed(one: Obj) -> bool:
    """Whether the ingress of Waypost would take a message."""
    sent: dict[str, Any] = one["headers"]
    now = float(sent["webhook-timestamp"])
    headers = Headers(sent.items())
    return is_signed("StandardWebhooks", [KEY], headers, one["raw"].encode(), now=now)


def test_s731_an_approval_and_a_failure_arrive_once_and_signed(
    kube: Kube, space: Space, receiver: None
) -> None:
    asks = space.start(workflow("asks").approval("gate"))
    name = asks.opened("gate")
    opened = message(space, "ApprovalOpened", asks.name)
    assert opened["body"]["data"]["name"] == name
    assert opened["body"]["data"]["command"] == f"waypost approve {name} -n {space.name}"
    assert "gate?" not in opened["raw"], "the question stays in the cluster"
    fails = space.start(workflow("fails").python("work", "raise ValueError('canary-4711')"))
    fails.finished()
    failed = message(space, "RunFailed", fails.name)
    assert "canary-4711" not in failed["raw"]
    assert signed(opened)
    assert signed(failed)

    restart(kube)
    space.start(workflow("fails-later").python("work", "raise ValueError()")).finished()
    message(space, "RunFailed", "fails-later")
    ids = [one["headers"]["webhook-id"] for one in received(space)]
    assert len(ids) == len(set(ids)), "nothing that was recorded is repeated"
    asks.answer("gate", decision="Approved")
