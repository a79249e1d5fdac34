"""When Approvals are followed (S755), and what of objects stays in memory (S756)."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from waypost.ports.cluster import Kind
from waypost.ui import feed, runs

from tests.ui import samples
from tests.ui.kubernetes import Kubernetes, Obj
from tests.ui.place import Place, events, place
from tests.ui.test_server import changed

RUN = "/api/runs/demo/triage-4711"
BADGE = "/api/approvals?asked=1&limit=0"


def triage(*, asks: bool) -> Obj:
    run = samples.triage()
    run["status"]["conditions"] = [samples.awaiting(str(asks))]
    return run


@pytest.fixture
def kubernetes() -> Kubernetes:
    """A question that no run says it waits for, as after an answer."""
    found = Kubernetes()
    found.put("agentworkflows", triage(asks=False))
    found.put("approvals", samples.question())
    return found


async def until_followed(served: Place, watches: int) -> None:
    async with asyncio.timeout(60):
        while served.kubernetes.watches != watches:
            await served.get("/api/runs")


async def test_s755_approvals_are_followed_while_a_run_asks(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LINGER", 0.01)
    async with place(kubernetes, tmp_path) as served:
        await until_followed(served, 1)
        assert (await served.get(RUN))[0] == 200
        kubernetes.asked.clear()  # the page itself has read those of its run
        async with served.http.get(
            f"{served.address}/api/changes", headers=served.headers
        ) as answer:
            stream = events(answer)
            assert (await served.get(BADGE))[1] == {"items": [], "total": 0, "open": 0}
            await until_followed(served, 1)
            assert "list approvals" not in kubernetes.asked
            kubernetes.put("agentworkflows", triage(asks=True))
            assert await changed(stream, "approvals") == ["demo/triage-4711-approve-refund"]
            assert (await served.get(BADGE))[1]["open"] == 1
            await until_followed(served, 2)
            kubernetes.put("agentworkflows", triage(asks=False))
            table = served.server.feed.tables[Kind.APPROVAL]
            async with asyncio.timeout(60):
                while table.heard:
                    await served.get("/api/runs")
            assert not table.rows


async def test_s755_the_inbox_has_what_no_run_asks_for(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    async with place(kubernetes, tmp_path) as served:
        _, found = await served.get("/api/approvals")
        assert [one["name"] for one in found["items"]] == ["triage-4711-approve-refund"]


async def test_s755_a_person_who_may_not_list_runs(kubernetes: Kubernetes, tmp_path: Path) -> None:
    kubernetes.denied = {"list agentworkflows"}
    async with place(kubernetes, tmp_path) as served:
        assert (await served.get(BADGE))[1]["open"] == 1


async def test_s756_no_object_stays_after_a_change(kubernetes: Kubernetes, tmp_path: Path) -> None:
    async with place(kubernetes, tmp_path) as served:
        assert (await served.get("/api/runs"))[0] == 200
        async with served.http.get(
            f"{served.address}/api/changes", headers=served.headers
        ) as answer:
            kubernetes.put("agentworkflows", samples.workflow("seen"))
            while "demo/seen" not in await changed(events(answer), "agentworkflows"):
                pass
            own = {id(body) for body in kubernetes.objects.values()}
            own |= {id(body) for *_, body in kubernetes.log}
            assert [one for one in _objects("seen") if id(one) not in own] == []


async def test_s756_a_document_stays_for_a_moment(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = asyncio.Event()
    original = runs.Runs._drop

    def drop(self: runs.Runs, *given: Any) -> None:
        original(self, *given)
        assert not self._held
        dropped.set()

    monkeypatch.setattr(runs, "_FRESH", 0.01)
    monkeypatch.setattr(runs.Runs, "_drop", drop)
    async with place(kubernetes, tmp_path) as served:
        assert (await served.get(RUN))[0] == 200
        await dropped.wait()


def _objects(name: str) -> list[Obj]:
    """Objects of Kubernetes with this name, as they are in memory."""
    found = [one for one in gc.get_objects() if isinstance(one, dict) and "kind" in one]
    named = [one for one in found if isinstance(one.get("metadata"), dict)]
    return [one for one in named if one["metadata"].get("name") == name]
