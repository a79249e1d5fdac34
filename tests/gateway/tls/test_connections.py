"""A pod and a gateway over real sockets: who is trusted, what is refused with which words, and a
certificate that changes while both run (S778 to S781)."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from waypost.gateway.tls.authorities import Authority, Leaf, new_leaf
from waypost.gateway.tls.serving import NoCertificate, Pair, ServerTls, start
from waypost.protocol import ijson
from waypost_agent.journal import store as journals
from waypost_agent.provider import model_gateway
from waypost_node.artifacts.transfer import Transfers
from waypost_node.gateway import Gateway, GatewayError, Unverified

from tests.gateway.tls.served import (
    MODELS,
    NAME,
    NOW,
    authority,
    expired,
    leaf,
    served,
    trusting,
)

STORED = ijson.digest({"a": 1})


async def answer(request: Request) -> Response:
    await request.body()
    return JSONResponse({"a": 1}, status_code=200)


APP = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT", "POST"])])


@pytest.fixture(autouse=True)
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pod-token\n")
    monkeypatch.setenv("WAYPOST_TOKEN", str(tmp_path / "token"))


async def get(url: str) -> object:
    """What a pod reads at its only try."""
    gateway = Gateway(url, deadline=0.0)
    return await asyncio.to_thread(gateway.get, "input", digest=STORED)


async def test_a_pod_reads_from_a_gateway_that_it_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S778: the URL has an address, the certificate a name."""
    ours = authority()
    trusting(monkeypatch, tmp_path, ours)
    async with served(APP, leaf(ours).pair) as gateway:
        assert await get(gateway.url) == {"a": 1}


async def test_a_proxy_of_the_image_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = authority()
    trusting(monkeypatch, tmp_path, ours)
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    async with served(APP, leaf(ours).pair) as gateway:
        assert await get(gateway.url) == {"a": 1}


@pytest.mark.parametrize(
    ("of", "words"),
    [
        pytest.param(lambda ours: leaf(authority()), "not signed by a CA", id="wrong-ca"),
        pytest.param(lambda ours: leaf(ours, MODELS), "is another one", id="wrong-name"),
        pytest.param(expired, "has expired", id="expired"),
        pytest.param(
            lambda ours: new_leaf(ours, NAME, NOW + timedelta(days=2)),
            "is not valid yet",
            id="early",
        ),
    ],
)
async def test_a_gateway_that_is_not_trusted_gets_no_token(
    of: Callable[[Authority], Leaf],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S778, S781"""
    ours = authority(days_old=3)
    trusting(monkeypatch, tmp_path, ours)
    asked: list[Request] = []

    async def note(request: Request) -> Response:
        asked.append(request)
        return Response(status_code=500)

    app = Starlette(routes=[Route("/{path:path}", note)])
    async with served(app, of(ours).pair) as gateway:
        with pytest.raises(Unverified, match=words) as raised:
            await get(gateway.url)
        for journal in (False, True):
            await _others_refuse(gateway.url, tmp_path, words, journal=journal)
    assert "; " in str(raised.value), "it says what to do"
    assert asked == []


async def _others_refuse(url: str, folder: Path, words: str, *, journal: bool) -> None:
    """The journal and the artifacts say the same."""
    if journal:
        async with journals.client(url) as http:
            store = journals.GatewayStore(url, http=http, deadline=0.0)
            with pytest.raises(Unverified, match=words):
                await store.read(after=0)
        return
    transfers = Transfers(url, deadline=0.0)
    from waypost.protocol.artifacts.request import Given

    (folder / "out").mkdir(exist_ok=True)
    given = Given("report", "artifact-0", "/out", 1024)
    with pytest.raises(Unverified, match=words):
        await asyncio.to_thread(transfers.store, given, str(folder / "out"))


async def test_https_to_a_port_without_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = authority()
    trusting(monkeypatch, tmp_path, ours)
    async with served(APP, leaf(ours).pair, plain=True) as gateway:
        with pytest.raises(Unverified, match=r"does not use TLS at this port; check tls\.mode"):
            await get(f"https://127.0.0.1:{gateway.plain_port}")


async def test_http_to_the_port_with_tls() -> None:
    async with served(APP, leaf(authority()).pair) as gateway:
        with pytest.raises(Unverified, match=r"uses TLS at this port.*acceptPlain"):
            await get(f"http://127.0.0.1:{gateway.port}")


async def test_a_pod_from_before_finds_the_plain_port() -> None:
    """S782"""
    async with served(APP, leaf(authority()).pair, plain=True) as gateway:
        assert await get(f"http://127.0.0.1:{gateway.plain_port}") == {"a": 1}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(None, id="no-file"),
        pytest.param("{}", id="incomplete"),
        pytest.param('{"ca": "x", "gateway": "g", "models": "m"}', id="no-certificate"),
        pytest.param('{"ca": 1, "gateway": "g", "models": "m"}', id="no-text"),
    ],
)
async def test_a_pod_without_a_ca_says_so(
    document: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_TRUST", str(tmp_path / "trust.json"))
    if document is not None:
        (tmp_path / "trust.json").write_text(document)
    with pytest.raises(Unverified, match="CA"):
        await get("https://127.0.0.1:1")
    with pytest.raises(model_gateway.GatewayUnverified, match="CA"):
        model_gateway.transport("https://127.0.0.1:1")


async def test_a_certificate_and_a_ca_change_while_connections_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S779, S780: a pod that has both CAs notices nothing."""
    old, new = authority(days_old=300), authority()
    trusting(monkeypatch, tmp_path, old, new)
    async with served(APP, leaf(old).pair) as gateway, journals.client(gateway.url) as http:
        store = journals.GatewayStore(gateway.url, http=http, deadline=0.0)
        await store.append(1, {"a": 1})
        [open_] = http._transport._pool.connections  # type: ignore[attr-defined]
        gateway.source.asked.clear()
        gateway.source.given.put_nowait(leaf(new).pair)
        await gateway.source.asked.wait()  # asked again: the new one is in use
        await store.append(2, {"a": 1})
        assert http._transport._pool.connections == [open_]  # type: ignore[attr-defined]
        assert await get(gateway.url) == {"a": 1}
        trusting(monkeypatch, tmp_path, old)
        with pytest.raises(Unverified, match="not signed by a CA"):
            await get(gateway.url)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(NoCertificate("the API server does not answer"), id="none"),
        pytest.param(RuntimeError("a mistake"), id="mistake"),
        pytest.param(Pair(leaf(authority()).pair.chain, leaf(authority()).pair.key), id="mixed"),
        pytest.param(Pair(b"no", b"pem"), id="no-pem"),
    ],
)
async def test_the_last_certificate_stays_when_there_is_no_better_one(
    given: Pair | Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S780"""
    ours = authority()
    trusting(monkeypatch, tmp_path, ours)
    async with served(APP, leaf(ours).pair) as gateway:
        gateway.source.asked.clear()
        gateway.source.given.put_nowait(given)
        await gateway.source.asked.wait()
        assert await get(gateway.url) == {"a": 1}


async def test_nothing_older_than_tls_1_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = authority()
    async with served(APP, leaf(ours).pair) as gateway:
        context = ssl.create_default_context(cadata=ours.pem)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(OSError):
            await asyncio.open_connection(
                "127.0.0.1", gateway.port, ssl=context, server_hostname=NAME
            )


async def test_a_server_does_not_start_without_a_certificate() -> None:
    class Empty:
        again_seconds = 1.0

        async def renewed(self) -> Pair | None:
            return None

    with pytest.raises(NoCertificate):
        await start(Empty())
    with pytest.raises(NoCertificate, match="the key must belong to it"):
        ServerTls().use(Pair(b"no", b"pem"))


async def test_the_model_gateway_has_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2

    ours = authority()
    trusting(monkeypatch, tmp_path, ours)
    async with served(APP, leaf(ours, MODELS).pair) as models:
        async with httpx2.AsyncClient(transport=model_gateway.transport(models.url)) as http:
            assert (await http.get(f"{models.url}/x")).status_code == 200
        with pytest.raises(GatewayError, match="is another one"):
            await get(models.url)
