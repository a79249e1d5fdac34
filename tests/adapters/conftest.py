"""One stub API server and one client of it per test."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from waypost.adapters.kube import KubeCluster

from tests.adapters.doubles import NotedTelemetry, StubApi, StubCredentials

# Without this, pytest-asyncio asks the policy for "the old loop", which makes one that nobody
# closes: a ResourceWarning at the end of the session, which fails it.
asyncio.set_event_loop(None)


@pytest.fixture
async def api() -> AsyncIterator[StubApi]:
    async with StubApi().serve() as stub:
        yield stub


@pytest.fixture
def telemetry() -> NotedTelemetry:
    return NotedTelemetry()


@pytest.fixture
async def cluster(api: StubApi, telemetry: NotedTelemetry) -> AsyncIterator[KubeCluster]:
    source = StubCredentials(server=api.url)
    client = KubeCluster(credentials=source, telemetry=telemetry, timeout=2.0)
    yield client
    await client.close()
