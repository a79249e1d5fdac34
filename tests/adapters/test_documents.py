"""Documents over HTTPS, from a real server: what is read, and what is refused."""

import ssl
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest
from waypost.adapters.outbound.documents import LARGEST, DocumentError, Documents
from waypost.kube.egress.addresses import AddressRules

from tests.runner.servers import Reply, serving
from tests.support.certificates import self_signed

LOCAL: Final = AddressRules(private_hosts=(ip_network("127.0.0.0/8"),), forbidden=())
PUBLIC: Final = AddressRules(setting="ingress.privateHosts")
TLS = tuple[str, ssl.SSLContext]


@pytest.fixture
def tls(tmp_path: Path) -> TLS:
    """The CA file of a server on 127.0.0.1, and what it shows."""
    return self_signed(tmp_path)


async def read(url: str, *, trusted: str | None = None, rules: AddressRules = LOCAL) -> bytes:
    """Read a document with a new client; `trusted`: a CA file."""
    context = ssl.create_default_context(cafile=trusted) if trusted is not None else None
    documents = Documents(rules=rules, seconds=2, trusted=context)
    try:
        return await documents.read(url)
    finally:
        await documents.close()


async def test_a_document_is_read(tls: TLS) -> None:
    ca, context = tls
    with serving(Reply(body=b'{"issuer": "x"}'), tls=context) as server:
        assert await read(f"{server.url}/keys?v=1", trusted=ca) == b'{"issuer": "x"}'
    [asked] = server.asked
    assert (asked.method, asked.target) == ("GET", "/keys?v=1")


REFUSED = [
    pytest.param(Reply(404), "answered with status 404", id="not-there"),
    pytest.param(Reply(302, headers=(("Location", "/x"),)), "with status 302", id="redirect"),
    pytest.param(Reply(body=b" " * (LARGEST + 1)), f"more than {LARGEST} bytes", id="too-large"),
    pytest.param(Reply(drop=True), "cannot be reached: ", id="dropped"),
    pytest.param(Reply(hang=True), "did not answer in time", id="never-answers"),
]


@pytest.mark.parametrize(("reply", "said"), REFUSED)
async def test_an_answer_that_is_no_document(tls: TLS, reply: Reply, said: str) -> None:
    ca, context = tls
    with serving(reply, tls=context) as server, pytest.raises(DocumentError, match=said):
        await read(server.url, trusted=ca)
    assert {one.target for one in server.asked} == {"/"}, "a redirect is not followed"


async def test_a_server_that_nobody_vouches_for(tls: TLS) -> None:
    said = "cannot be reached: ClientConnectorCertificateError"
    with serving(tls=tls[1]) as server, pytest.raises(DocumentError, match=said):
        await read(server.url)
    assert server.asked == []


URLS: list[object] = [
    pytest.param(lambda port: f"http://127.0.0.1:{port}/", "is no URL with https", id="clear-text"),
    pytest.param(lambda port: f"https://127.0.0.1:{port}/", "is in 127.0.0.0/8", id="loopback"),
    pytest.param(lambda port: f"https://2130706433:{port}/", "is not an address", id="a-number"),
    pytest.param(
        lambda port: f"https://localhost:{port}/", "localhost: 127.0.0.1 is in", id="by-name"
    ),
    pytest.param(lambda _: "https://10.1.2.3/", "ingress.privateHosts", id="private"),
    pytest.param(lambda _: "https://169.254.169.254/", "a metadata service", id="metadata"),
    pytest.param(lambda _: "https://[::1", "is no URL with https", id="bracket"),
    pytest.param(lambda _: "None", "is no URL with https", id="nothing"),
]


@pytest.mark.parametrize(("url", "said"), URLS)
async def test_a_place_that_may_not_be_asked(
    tls: TLS, url: Callable[[int], str], said: str
) -> None:
    with serving(tls=tls[1]) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(DocumentError, match=said):
            await read(url(port), rules=PUBLIC)
    assert server.asked == []
