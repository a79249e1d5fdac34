"""S639: a token counts only if it comes from an address of its pod."""

from typing import Any

import httpx2
import pytest
from waypost.gateway.app import build_app
from waypost.gateway.sources import source_problem
from waypost.ports.cluster import Kind

from tests.gateway.place import TOKEN, URL, Place, place

POD: dict[str, Any] = {
    "metadata": {"name": "x"},
    "status": {"podIPs": [{"ip": "10.244.1.7"}, {"ip": "fd00:1::7"}]},
}


@pytest.mark.parametrize(
    ("pod", "source", "refused"),
    [
        pytest.param(POD, "10.244.1.7", False, id="its-own"),
        pytest.param(POD, "fd00:1:0::7", False, id="its-second-in-another-form"),
        pytest.param(POD, "::ffff:10.244.1.7", False, id="mapped"),
        pytest.param(POD, "10.244.1.8", True, id="another-pod"),
        pytest.param(POD, "fd00:1::8", True, id="another-pod-ipv6"),
        pytest.param(POD, "192.168.7.1", True, id="a-machine"),
        pytest.param(POD, "127.0.0.1", False, id="port-forward"),
        pytest.param(POD, "127.0.0.6", False, id="proxy-of-a-mesh"),
        pytest.param(POD, "::1", False, id="loopback-ipv6"),
        pytest.param(POD, "", False, id="unknown"),
        pytest.param({"metadata": {"name": "x"}}, "10.244.1.8", False, id="not-reported-yet"),
        pytest.param({**POD, "status": {"podIPs": []}}, "10.244.1.8", False, id="none-yet"),
        pytest.param({**POD, "status": {"podIPs": [{"ip": 7}]}}, "10.9.9.9", False, id="malformed"),
    ],
)
def test_s639_where_a_request_comes_from(pod: Any, source: str, refused: bool) -> None:
    problem = source_problem(pod, source)
    assert bool(problem) is refused
    if refused:
        assert "10.244.1.7, fd00:1::7" in problem
        assert "checkSource" in problem


async def asked(p: Place, source: str) -> tuple[int, str]:
    """The answer to a request with the token of the pod, from an address."""
    transport = httpx2.ASGITransport(app=build_app(p.gateway), client=(source, 40123))
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = await client.get("/v1/journal", headers=headers)
        artifact = await client.get("/v1/artifacts/in/0", headers=headers)
        assert (answer.status_code == 403) is ("OtherSource" in artifact.text)
        return answer.status_code, answer.json().get("reason", "")


async def test_s639_the_gateway_refuses_a_token_from_another_address() -> None:
    async with place() as p:
        addresses = [{"ip": "10.244.1.7"}]
        p.update(Kind.POD, "brief-draft-2-x", status__podIPs=addresses)
        assert await asked(p, "10.244.1.7") == (200, "")
        assert await asked(p, "10.244.1.8") == (403, "OtherSource")
        assert p.counted("OtherSource", method="GET", type_="journal") == 1
        p.gateway.authenticator._check_source = False
        assert await asked(p, "10.244.1.8") == (200, "")
