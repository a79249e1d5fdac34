"""Payloads of every size flow through the gateway; nobody hands in what is not theirs."""

import hashlib
import http.client
import json
from collections.abc import Iterator

import httpx2
import pytest

from e2e.suite.build import workflow
from e2e.suite.forwarding import forwarded
from e2e.suite.kube import path_of
from e2e.suite.operators import NAMESPACE, RELEASE
from e2e.suite.space import Space, node_of
from e2e.suite.uploads import Attempt, make_pod, under_way
from e2e.suite.waiting import until

LINE = "The quick brown fox jumps over the lazy dog. "
STATUS_BYTES = 256 * 1024
SELECTOR = "app.kubernetes.io/component=gateway,app.kubernetes.io/instance=waypost"


@pytest.fixture(scope="module")
def url(space: Space) -> Iterator[str]:
    """The gateway, as a pod would reach it."""
    with forwarded(space.kube) as found:
        yield found


def put(url: str, token: str, body: bytes, **headers: str) -> httpx2.Response:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    sent = {"authorization": f"Bearer {token}", "waypost-digest": digest, **headers}
    return httpx2.put(f"{url}/v1/payloads/result", content=body, headers=sent, timeout=60)


def test_outputs_and_inputs_of_300_kb_and_a_fan_in_of_ten(space: Space) -> None:
    run = workflow("sizes").having(parallelism=4, outputs={"sum": "${nodes.all.output}"})
    run = run.python("big", f"return {{'text': {LINE!r} * 6700}}")
    run = run.python("reads", "return len(text)", inputs={"text": "${nodes.big.output.text}"})
    names = [f"part{number}" for number in range(10)]
    for name in names:
        run = run.python(name, f"return {{'text': {name!r} + {LINE!r} * 1100}}")
    every = {name: f"${{nodes.{name}.output}}" for name in names}
    run = run.python("all", "return sum(len(p['text']) for p in parts.values())", takes="**parts")
    run.nodes[-1]["inputs"] = every
    seen = space.start(run).succeeded(within=140)
    big = node_of(seen, "big")
    assert node_of(seen, "reads")["output"] == len(LINE) * 6700 > 300_000
    record = space.get("noderecords", big["outputRecord"]) or {}
    assert record["spec"]["digest"] == big["outputDigest"]
    assert "compressed" in record["spec"]
    assert seen["status"]["outputs"]["sum"] == 10 * len(LINE) * 1100 + sum(map(len, names))
    assert len(json.dumps(seen["status"])) < STATUS_BYTES


def test_a_foreign_image_hands_out_300_kb_when_it_asks_to(space: Space, runner: str) -> None:
    write = f"""
        import json, os
        with open(os.environ["WAYPOST_OUTPUT"], "w") as out:
            json.dump({{"text": {LINE!r} * 6700}}, out)
    """
    run = workflow("foreign").container("big", runner, write, kind={"largeOutput": True})
    run = run.python("reads", "return len(text)", inputs={"text": "${nodes.big.output.text}"})
    seen = space.start(run).succeeded(within=140)
    assert node_of(seen, "reads")["output"] == len(LINE) * 6700


def test_what_no_store_takes_is_refused_with_what_to_configure(space: Space) -> None:
    body = "import base64, os\nreturn base64.b64encode(os.urandom(15_000_000)).decode()"
    run = workflow("too-large").python("big", body, retry={"limit": 0})
    big = node_of(space.start(run).finished(within=140), "big")
    assert (big["phase"], big["reason"]) == ("Failed", "OutputTooLarge")
    assert "gateway.objectStore" in big["message"]


def test_forged_uploads_are_refused_and_harm_nothing(space: Space, url: str) -> None:
    mine, theirs = under_way(space, "forged", 2)
    run = space.get("agentworkflows", "forged") or {}
    raw = make_pod(space, run, "n0", name="forged-raw", owned=False)
    token = mine.token()
    wrong = {"waypost-digest": f"sha256:{'0' * 64}"}
    refusals = [
        (put(url, "a.b.c", b"1"), 401, "TokenRefused"),
        (put(url, mine.token(audience="https://kubernetes.default.svc"), b"1"), 401, None),
        (put(url, Attempt(space, "n0", raw).token(), b"1"), 403, "NotANode"),
        (put(url, token, b"1", **wrong), 422, "DigestMismatch"),
        (put(url, token, b'{"a":1,"a":2}'), 422, "NotIJson"),
        (put(url, token, b'"' + b"a" * 9_000_000 + b'"'), 413, "TooLarge"),
    ]
    for answer, status, reason in refusals:
        assert answer.status_code == status, answer.text
        assert reason in (None, answer.json()["reason"])
    owned = f"waypost.dev/run={run['metadata']['uid']}"
    assert space.all("noderecords", owned) == []
    assert put(url, token, b"1").status_code == 201
    assert put(url, token, b"1").status_code == 200
    assert put(url, token, b"2").json()["reason"] == "AlreadyStored"
    assert put(url, theirs.token(), b"2").status_code == 201, "another attempt's own"
    assert len(space.all("noderecords", owned)) == 2


def test_a_body_of_a_gigabyte_is_refused_at_its_announcement(space: Space, url: str) -> None:
    [mine] = under_way(space, "gigabyte", 1)
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.putrequest("PUT", "/v1/payloads/result")
    connection.putheader("Authorization", f"Bearer {mine.token()}")
    connection.putheader("Waypost-Digest", f"sha256:{'0' * 64}")
    connection.putheader("Content-Length", "1000000000")
    connection.endheaders(b'"' + b"a" * 65536)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["reason"]) == (413, "TooLarge")
    connection.close()


@pytest.mark.alone
def test_a_gateway_that_is_replaced_in_mid_upload_loses_nothing(space: Space) -> None:
    names = [f"n{number}" for number in range(6)]
    run = workflow("restarted").having(parallelism=3)
    for name in names:
        run = run.python(name, f"import time\ntime.sleep(1)\nreturn {name!r} + {LINE!r} * 6700")
    started = space.start(run)
    until(lambda: started.pods(), within=60, what="a pod of the run exists")
    gateways = path_of("pods", NAMESPACE)
    for pod in space.kube.request("GET", gateways, labelSelector=SELECTOR)["items"]:
        name = pod["metadata"]["name"]
        space.kube.request("DELETE", f"{gateways}/{name}", {"gracePeriodSeconds": 0})
    seen = started.succeeded(within=140)
    for name in names:
        checkpoint = node_of(seen, name)
        assert len(checkpoint["attempts"]) == 1, "no attempt was lost to it"
        assert space.get("noderecords", checkpoint["outputRecord"])


@pytest.mark.alone
def test_two_replicas_answer(space: Space) -> None:
    path = path_of("deployments", NAMESPACE, f"{RELEASE}-gateway")
    found = until(
        lambda: (d := space.kube.get(path)) and d["status"].get("readyReplicas") == 2 and d,
        within=90,
        what="both replicas of the gateway are ready",
    )
    assert found["spec"]["replicas"] == 2
