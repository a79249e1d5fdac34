"""OAuth of tool servers behind the model gateway: the gateway fetches the token, and keeps it."""

import base64
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from waypost.ports.cluster import Obj

from tests.model_gateway.place import Place
from tests.model_gateway.test_tools import PATH, RESULT, calling, refusal, server, serving

SECRET = "client-canary-5b1d"
BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()


class Tokens:
    """A token server and a tool server on the port of the provider. `takes`: tokens that the tool
    server takes; `gives`: what the token server answers, the last one again and again."""

    def __init__(self, *gives: Any, takes: set[str]) -> None:
        self.gives = list(gives)
        self.takes = takes
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            form = dict(parse_qsl((await request.read()).decode()))
            self.asked.append((request.headers.get("authorization", ""), form))
            status, document = self.gives[min(len(self.asked), len(self.gives)) - 1]
            return web.json_response(document, status=status)
        token = request.headers.get("authorization", "")
        self.sent.append(token)
        if token.removeprefix("Bearer ") not in self.takes:
            return web.Response(status=401, text=f"{token} is not valid")
        return web.json_response(RESULT)


def token(name: str, seconds: Any = 300) -> tuple[int, Obj]:
    return 200, {"access_token": name, "expires_in": seconds}


def behind(p: Place, tokens: Tokens, **oauth: Any) -> None:
    """The ToolServer of the place takes tokens."""
    client: Obj = {
        "tokenUrl": f"http://{p.provider.host}/token",
        "clientId": "me",
        "clientSecret": {"name": "keys", "key": "api-key"},
        **oauth,
    }
    p.secret(SECRET)
    server(p, headers=None, auth={"oauth": client})
    p.provider.handler = tokens


async def test_s612_a_token_is_fetched_once_and_again_when_it_ends() -> None:
    tokens = Tokens(token("first"), token("second"), takes={"first", "second"})
    async with serving() as p:
        behind(p, tokens, scopes=["a", "b"])
        for _ in range(2):
            assert (await p.call(PATH, calling())).status_code == 200
        assert tokens.asked == [
            (f"Basic {BASIC}", {"grant_type": "client_credentials", "scope": "a b"})
        ]
        p.clock.advance(291)
        assert (await p.call(PATH, calling())).status_code == 200
    assert tokens.sent == ["Bearer first", "Bearer first", "Bearer second"]


async def test_s612_a_token_that_is_refused_is_replaced_once() -> None:
    tokens = Tokens(token("old-token"), token("new-token"), takes={"new-token"})
    async with serving() as p:
        behind(p, tokens)
        assert (await p.call(PATH, calling())).status_code == 200
        assert tokens.sent == ["Bearer old-token", "Bearer new-token"]
        tokens.takes = set()
        answer = await p.call(PATH, calling())
        assert (answer.status_code, answer.text) == (401, "Bearer [redacted] is not valid")
        assert len(tokens.sent) == 4


async def test_s612_a_server_that_takes_the_secret_in_the_body() -> None:
    tokens = Tokens((401, {"error": "invalid_client"}), token("one"), takes={"one"})
    async with serving() as p:
        behind(p, tokens)
        assert (await p.call(PATH, calling())).status_code == 200
    assert [form.get("client_secret") for _, form in tokens.asked] == [None, SECRET]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param((400, {"error": "invalid_scope"}), "(400): invalid_scope", id="refused"),
        pytest.param(
            (400, {"error": "x", "error_description": f"bad {SECRET}\x1b[2J"}),
            "x: bad [redacted] [2J",
            id="echo",
        ),
        pytest.param((500, []), "(500): no details", id="no-words"),
        pytest.param((200, {}), "without an access_token", id="no-token"),
        pytest.param((200, {"access_token": "a\nb"}), "without an access_token", id="line-break"),
        pytest.param((302, {}), "without an access_token", id="redirect"),
    ],
)
async def test_s612_no_token(given: Any, words: str) -> None:
    """Nothing was sent to the server."""
    tokens = Tokens(given, takes=set())
    async with serving() as p:
        behind(p, tokens)
        answer = await p.call(PATH, calling())
        assert refusal(answer) == (502, "NoOAuthToken")
        assert words in answer.json()["error"]["message"]
    assert tokens.sent == []


async def test_s612_the_secret_of_a_client_lists_both_hosts() -> None:
    """The token server gets the secret, and the server a token of it."""
    tokens = Tokens(token("one"), takes={"one"})
    async with serving() as p:
        behind(p, tokens, tokenUrl="http://login.example/token")
        for hosts, missing in ((p.provider.host, "login.example"), ("login.example", "127.0.0.1")):
            p.secret(SECRET, hosts=hosts)
            p.clock.advance(61)
            answer = await p.call(PATH, calling())
            assert refusal(answer) == (403, "HostNotAllowed")
            assert f"the ToolServer names {missing}" in answer.json()["error"]["message"]
    assert not tokens.asked
    assert not tokens.sent


async def test_s612_clients_do_not_share_tokens() -> None:
    tokens = Tokens(token("one"), token("two"), takes={"one", "two"})
    async with serving() as p:
        for scopes in (["a"], ["b"], ["a"]):
            behind(p, tokens, scopes=scopes)
            assert (await p.call(PATH, calling())).status_code == 200
    assert tokens.sent == ["Bearer one", "Bearer two", "Bearer one"]


async def test_s612_the_address_of_a_token_server_is_checked() -> None:
    tokens = Tokens(token("one"), takes={"one"})
    async with serving() as p:
        behind(p, tokens, tokenUrl="http://169.254.169.254/token")
        p.secret(SECRET, hosts=f"{p.provider.host},169.254.169.254")
        assert refusal(await p.call(PATH, calling())) == (403, "AddressNotAllowed")
    assert tokens.sent == []
