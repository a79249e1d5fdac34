"""The client of the sinks, before a real HTTP server: addresses, redirects, times, secrets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
from aiohttp import web
from waypost.adapters.http import serve
from waypost.kube.egress.addresses import AddressRules
from waypost.notifier.core.answers import asked_to_wait
from waypost.notifier.sender import Sender

NOW = 1772355600.0  # Sun, 01 Mar 2026 09:00:00 GMT
LOCAL = AddressRules(private_hosts=(ip_network("127.0.0.0/8"),), forbidden=())
RULES = AddressRules(setting="notifications.privateHosts")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def receiver(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    async with serve(app, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def sending(rules: AddressRules = LOCAL, seconds: float = 30.0) -> AsyncIterator[Sender]:
    sender = Sender(rules=rules, now=lambda: NOW, seconds=seconds)
    try:
        yield sender
    finally:
        await sender.close()


async def test_a_message_arrives() -> None:
    """S731"""
    got: list[tuple[str, str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.path_qs, request.headers["webhook-id"], await request.read()))
        return web.Response(status=202)

    async with receiver(take) as url, sending() as sender:
        answer = await sender.send(f"{url}/hook/T0%2F1?a=b%20c", {"webhook-id": "msg_1"}, b"{}")
    assert (answer.ok, answer.status) == (True, 202)
    assert got == [("/hook/T0%2F1?a=b%20c", "msg_1", b"{}")]


@pytest.mark.parametrize(
    ("status", "down"), [(400, False), (404, False), (410, False), (429, True), (503, True)]
)
async def test_a_sink_that_is_down_and_one_that_refuses(status: int, down: bool) -> None:
    """S734"""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"retry-after": "7"})

    async with receiver(refuse) as url, sending() as sender:
        answer = await sender.send(url, {}, b"{}")
    assert (answer.ok, answer.down, answer.retry_after) == (False, down, 7.0)
    assert answer.text == f"status {status}"


async def test_a_redirect_is_not_followed() -> None:
    """S737"""
    asked: list[str] = []

    async def lead(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"location": "/other"})

    async with receiver(lead) as url, sending() as sender:
        answer = await sender.send(f"{url}/first", {}, b"{}")
    assert (answer.ok, asked) == (False, ["/first"])


async def test_a_sink_that_does_not_answer() -> None:
    """S734"""
    ended = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await ended.wait()
        return web.Response()

    async with receiver(hang) as url, sending(seconds=0.2) as sender:
        answer = await sender.send(url, {}, b"{}")
        ended.set()
    assert answer.down
    assert answer.text == "127.0.0.1 did not answer in time"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/SECRET",
        "http://[::1]:1/SECRET",
        "http://169.254.169.254/SECRET",
        "http://2130706433/SECRET",
        "http://0x7f.1/SECRET",
        "http://10.0.0.1/SECRET",
        "https://[fd00:ec2::254]/SECRET",
        "http://localhost:1/SECRET",
        "http:///SECRET",
        "http://[SECRET",
        "nonsense SECRET",
    ],
)
async def test_addresses_that_are_not_called(url: str) -> None:
    """S737: and no text has the URL."""
    async with sending(RULES) as sender:
        answer = await sender.send(url, {}, b"{}")
    assert answer.status is None
    assert answer.problem
    assert "SECRET" not in answer.problem
    assert "reached" not in answer.problem, "it was not tried"


async def test_a_listed_private_network_may_be_called() -> None:
    """S737"""
    rules = AddressRules(private_hosts=(ip_network("10.1.0.0/16"),), setting="the.value")
    async with sending(rules, seconds=0.1) as sender:
        refused = await sender.send("http://10.2.0.1:9", {}, b"{}")
    assert "the.value does not list it" in refused.problem
    assert rules.problem("10.1.0.1") == ""


async def test_the_url_of_a_sink_that_cannot_be_reached_is_in_no_text() -> None:
    """S737: the URLs of chats are secrets."""
    async with sending() as sender:
        answer = await sender.send("http://127.0.0.1:1/T0/SECRET?x=SECRET", {}, b"{}")
    assert answer.down
    assert "127.0.0.1 cannot be reached" in answer.problem
    assert "SECRET" not in answer.problem


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """S737"""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async def take(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(take) as url, sending() as sender:
        assert (await sender.send(url, {}, b"{}")).ok


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("Sun, 01 Mar 2026 09:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 08:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Sun, 99 Mar 2026 09:02:00 GMT", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    """S733"""
    assert asked_to_wait(header, NOW) == seconds
