"""What is shown while the API server starts, or has just got the CRDs."""

from pathlib import Path

import pytest
from waypost.ui import table

from tests.ui import samples
from tests.ui.kubernetes import Kubernetes
from tests.ui.place import place


@pytest.fixture
def kubernetes() -> Kubernetes:
    found = Kubernetes()
    found.put("agentworkflows", samples.triage())
    return found


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_FIRST_PAUSE", 0.01)


async def test_s769_the_list_waits(kubernetes: Kubernetes, tmp_path: Path) -> None:
    kubernetes.starting = {"list agentworkflows": 3}
    async with place(kubernetes, tmp_path) as served:
        status, found = await served.get("/api/runs")
    assert (status, found["total"] > 0) == (200, True)
    assert kubernetes.starting == {"list agentworkflows": 0}


async def test_s769_a_list_that_waits_too_long(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waypost.ui.api._PATIENCE", 0.1)
    kubernetes.starting = {"list agentworkflows": 1_000_000}
    async with place(kubernetes, tmp_path) as served:
        status, found = await served.get("/api/runs")
    assert status == 503
    assert "the API server" in found["message"]


async def test_s769_an_object_is_asked_for_again_later(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    async with place(kubernetes, tmp_path) as served:
        assert (await served.get("/api/runs"))[0] == 200
        kubernetes.starting = {"get agentworkflows": 1}
        url = f"{served.address}/api/runs/demo/triage-4711"
        async with served.http.get(url, headers=served.headers) as answer:
            found = await answer.json()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert found["message"] == (
            "the API server cannot answer now: storage is (re)initializing; try again in 1 s"
        )
        assert (await served.get("/api/runs/demo/triage-4711"))[0] == 200
