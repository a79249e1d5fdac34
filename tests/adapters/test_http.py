"""Probes and metrics as a kubelet and a Prometheus would ask for them."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from waypost.adapters.http import build_app, serve
from waypost.adapters.metrics import Metrics


@dataclass
class Subject:
    ready: bool = False
    problem: str | None = None

    def health(self) -> str | None:
        if self.problem == "raise":
            raise RuntimeError("a defect of the health check")
        return self.problem


@pytest.fixture
def subject() -> Subject:
    return Subject()


@pytest.fixture
async def base(subject: Subject) -> AsyncIterator[str]:
    app = build_app(probed=subject, metrics=Metrics().exposition)
    async with serve(app, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


async def test_metrics_come_in_the_form_that_is_asked_for(base: str) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/metrics") as plain:
            assert plain.content_type == "text/plain"
        async with session.get(f"{base}/metrics", headers=accept) as opened:
            assert opened.content_type == "application/openmetrics-text"
            assert (await opened.text()).endswith("# EOF\n")


async def ask(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        pytest.param(None, 200, id="well"),
        pytest.param("the queue is stuck", 503, id="stuck"),
        pytest.param("raise", 500, id="a-check-that-fails-is-no-pass"),
    ],
)
async def test_liveness(problem: str | None, status: int, subject: Subject, base: str) -> None:
    subject.problem = problem
    got, text = await ask(f"{base}/healthz")
    assert got == status
    if status == 503:
        assert text.strip() == problem, "the reason is for the events of the pod"


async def test_readiness_follows_the_first_list(subject: Subject, base: str) -> None:
    assert (await ask(f"{base}/readyz"))[0] == 503
    subject.ready = True
    assert (await ask(f"{base}/readyz"))[0] == 200
    assert (await ask(f"{base}/healthz"))[0] == 200


async def test_metrics(base: str) -> None:
    status, text = await ask(f"{base}/metrics")
    assert status == 200
    assert 'waypost_build_info{python="' in text


async def test_every_address_by_default(subject: Subject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    app = build_app(probed=subject, metrics=Metrics().exposition)
    async with serve(app, host="", port=port):
        assert (await ask(f"http://127.0.0.1:{port}/healthz"))[0] == 200


async def test_a_port_in_use_is_an_error_that_says_so(subject: Subject, base: str) -> None:
    port = int(base.rsplit(":", 1)[1])
    with pytest.raises(OSError, match=str(port)):
        async with serve(
            build_app(probed=subject, metrics=Metrics().exposition), host="127.0.0.1", port=port
        ):
            pass
