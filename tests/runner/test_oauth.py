"""OAuth client credentials of MCP servers: tokens of a local token server, guarded tool servers."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from waypost_agent.tools import mcp_connection
from waypost_agent.tools.oauth import NoToken
from waypost_node import endpoint_access

from tests.runner.servers import Reply, Server, serving

SECRET = "client-canary-5d0e/+"
OK = Reply(body=b"{}")
REFUSED = Reply(status=401, body=b'{"error": "expired"}')


def token(value: str, *, expires_in: int | None = 3600) -> Reply:
    return Reply(body=json.dumps({"access_token": value, "expires_in": expires_in}).encode())


def no(error: str, *, status: int = 400) -> Reply:
    body = {"error": error, "error_description": f"not with {SECRET}"}
    return Reply(status=status, body=json.dumps(body).encode())


class Bench:
    """A client of a tool server, and what its keys and refusals say."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "secret"
        self._file.write_text(SECRET)
        self.keys = endpoint_access.Keys()
        self.refusals = mcp_connection.Refusals()

    async def post(self, tools: Server, tokens: Server | str, *, times: int = 1) -> list[int]:
        """The statuses of requests, one after the other."""
        oauth: dict[str, Any] = {
            "tokenUrl": tokens if isinstance(tokens, str) else f"{tokens.url}/token",
            "clientId": "me",
            "clientSecretFile": str(self._file),
            "scopes": ["read", "write"],
        }
        url = f"{tools.url}/mcp"
        document = {"url": url, "oauth": oauth}
        http = mcp_connection.client(document, self.keys, seconds=60, refusals=self.refusals)
        async with http:
            return [(await http.post(url, json={})).status_code for _ in range(times)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def sent(server: Server) -> list[str | None]:
    return [each.headers.get("authorization") for each in server.asked]


async def test_a_token_is_fetched_once_and_sent_with_every_request(bench: Bench) -> None:
    with serving(OK) as tools, serving(token("t1")) as tokens:
        assert await bench.post(tools, tokens, times=3) == [200] * 3
    assert sent(tools) == ["Bearer t1"] * 3
    [asked] = tokens.asked
    assert asked.body == b"grant_type=client_credentials&scope=read+write"
    assert asked.headers["authorization"].startswith("Basic ")


async def test_a_token_that_has_expired_is_fetched_again(bench: Bench) -> None:
    short = token("t1", expires_in=1)
    with serving(OK) as tools, serving(short, token("t2")) as tokens:
        await bench.post(tools, tokens, times=3)
    assert sent(tools) == ["Bearer t1", "Bearer t2", "Bearer t2"]


LIVES = [3600, "3600", 1e400, 10**400, None, "soon", -5, 0, True, [], 3.5e3]


@pytest.mark.parametrize("life", LIVES, ids=[str(life)[:8] for life in LIVES])
async def test_a_token_without_a_usable_time_is_used_all_the_same(life: Any, bench: Bench) -> None:
    body = json.dumps({"access_token": "t1", "expires_in": life}).encode()
    with serving(OK) as tools, serving(Reply(body=body)) as tokens:
        assert await bench.post(tools, tokens, times=2) == [200, 200]
    assert len(tokens.asked) in (1, 2)
    assert sent(tools) == ["Bearer t1"] * 2


async def test_a_token_that_the_server_refuses_is_fetched_again_once(bench: Bench) -> None:
    with serving(OK, REFUSED, OK) as tools, serving(token("t1"), token("t2")) as tokens:
        assert await bench.post(tools, tokens, times=2) == [200, 200]
    assert sent(tools) == ["Bearer t1", "Bearer t1", "Bearer t2"]
    assert bench.refusals.last is None, "nothing failed"
    with serving(REFUSED) as tools, serving(token("t1")) as tokens:
        assert await bench.post(tools, tokens) == [401]
    assert len(tools.asked) == 2
    assert bench.refusals.last is not None


async def test_a_token_server_that_wants_the_secret_in_the_body(bench: Bench) -> None:
    with serving(OK) as tools, serving(no("invalid_client", status=401), token("t1")) as tokens:
        assert await bench.post(tools, tokens) == [200]
    assert b"client_id=me&client_secret=client-canary-5d0e%2F%2B" in tokens.asked[1].body


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        pytest.param(no("invalid_scope"), "refused the token (400): invalid_scope", id="scope"),
        pytest.param(no("invalid_client"), "refused the token (400): invalid_client", id="client"),
        pytest.param(no(f"{'x' * 184} {SECRET}"), "refused the token (400): xx", id="cut-error"),
        pytest.param(Reply(status=500, body=b"oops"), "(500): oops", id="no code"),
        pytest.param(Reply(status=500, body=f"{'x' * 284} {SECRET}".encode()), "(500): xx",
                     id="cut-text"),
        pytest.param(OK, "answered 200 without an access_token", id="no token"),
        pytest.param(Reply(body=b"<html>"), "without an access_token", id="web page"),
    ],
)  # fmt: skip
async def test_a_refused_token_says_why_and_no_secret(
    reply: Reply, message: str, bench: Bench
) -> None:
    with serving(OK) as tools, serving(reply) as tokens, pytest.raises(NoToken):
        await bench.post(tools, tokens)
    assert not tools.asked, "the request was not sent"
    assert bench.refusals.last is not None
    said = bench.keys.redact(bench.refusals.last.message)
    assert f"token server {tokens.url}/token" in said
    assert message in said
    assert "canary" not in said


async def test_a_token_server_that_is_not_there(bench: Bench) -> None:
    with serving(OK) as tools, pytest.raises(httpx2.TransportError):
        await bench.post(tools, "http://127.0.0.1:1/token")
    assert bench.refusals.last is not None
    assert "127.0.0.1:1 cannot be reached" in bench.refusals.last.message
