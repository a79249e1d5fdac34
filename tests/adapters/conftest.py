"""One stub API server and one client of it per test."""

from collections.abc import AsyncIterator

import pytest
from waypost.adapters.kube import KubeCluster

from tests.adapters.doubles import NotedTelemetry, StubApi, StubCredentials


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
    client = KubeCluster(credentials=source, telemetry=telemetry, timeout=60.0)
    yield client
    await client.close()
