"""S727: gateways behind the model gateway learn who calls, and no other host does."""

from typing import Any

import pytest
from waypost.kube.payloads import AttemptRef
from waypost.model_gateway.core.identity import identity_headers

from tests.model_gateway.place import Place, agent_of, place
from tests.model_gateway.test_http_requests import send, sending

EXPECTED = {
    "x-waypost-namespace": "default",
    "x-waypost-run": "brief",
    "x-waypost-node": "draft",
    "x-waypost-attempt": "2",
}


def sent(p: Place) -> dict[str, str]:
    [(request, _)] = p.provider.calls
    found = {name.lower(): value for name, value in request.headers.items()}
    return {name: value for name, value in found.items() if name.startswith("x-waypost-")}


async def test_a_listed_host_learns_who_calls() -> None:
    definition = {**agent_of("small"), "requestedBy": "ann@example.com"}
    async with place(definition=definition, identity=True) as p:
        assert (await p.call(**{"x-waypost-user": "forged"})).status_code == 200
        assert sent(p) == {**EXPECTED, "x-waypost-user": "ann@example.com"}


async def test_no_other_host_does() -> None:
    async with place() as p:
        assert (await p.call()).status_code == 200
        assert sent(p) == {}


async def test_a_provider_cannot_say_who_calls() -> None:
    async with place(identity=True) as p:
        p.model_provider(headers=[{"name": "X-Waypost-Run", "value": "another"}])
        assert (await p.call()).status_code == 200
        assert sent(p) == EXPECTED


async def test_http_nodes_too() -> None:
    headers = [{"name": "X-Waypost-Run", "value": "another"}]
    async with sending(headers=headers, around={"identity": True}) as p:
        assert (await send(p)).status_code == 200
        assert sent(p) == EXPECTED


@pytest.mark.parametrize(
    ("spec", "user"),
    [
        pytest.param({"requestedBy": "ann"}, "ann", id="person"),
        pytest.param({"origin": {"requestedBy": "ann"}}, "ann", id="schedule"),
        pytest.param(
            {"requestedBy": "system:serviceaccount:a:b"}, "system:serviceaccount:a:b", id="account"
        ),
        pytest.param({"requestedBy": "ü\r\nx: y"}, "%C3%BC%0D%0Ax:%20y", id="odd"),
        pytest.param({}, None, id="unknown"),
        pytest.param({"requestedBy": 7, "origin": []}, None, id="damaged"),
    ],
)
def test_who(spec: Any, user: str | None) -> None:
    ref = AttemptRef("r", "u", "scan/3", 1, 2)
    found = identity_headers(ref, {"metadata": {"namespace": "n"}, "spec": spec})
    assert found.get("x-waypost-user") == user
    assert found["x-waypost-node"] == "scan/3"
