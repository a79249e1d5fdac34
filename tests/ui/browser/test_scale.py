"""Many runs, large graphs, many browsers. What they cost is counted, not timed."""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Final

import pytest
from playwright.async_api import expect

from tests.ui import samples
from tests.ui.browser.conftest import ROOT, Open
from tests.ui.kubernetes import Kubernetes, Obj
from tests.ui.place import events

RUNS: Final = 10_000
NODES: Final = 200
ITEMS: Final = 1000
BROWSERS: Final = 50


def large() -> Obj:
    """A run of 200 nodes in layers of 10, and one of them a map of 1,000 items."""
    numbers: Obj = {"type": "array", "items": {"type": "integer"}}
    spec: Obj = {
        "inputs": {"numbers": list(range(ITEMS))},
        "inputSchema": {
            "type": "object",
            "required": ["numbers"],
            "properties": {"numbers": numbers},
        },
        "nodes": [],
    }
    nodes = []
    for number in range(NODES):
        name, above = f"n{number}", f"n{number - 10}"
        node: Obj = {"name": name, "python": {"source": "def run():\n    return 1"}}
        if number >= 10:
            node["dependsOn"] = [above]
        more: Obj = {}
        if number == 0:
            node |= {"forEach": {"items": "${inputs.numbers}"}}
            more["items"] = {"round": 1, "total": ITEMS, "succeeded": 990, "states": "S*990 F*10"}
        spec["nodes"].append(node)
        nodes.append(samples.done(name, samples.attempt(1, number, number + 1, number + 2), **more))
    status = {
        "phase": "Running",
        "observedGeneration": 1,
        "progress": f"{NODES}/{NODES}",
        "round": 1,
        "startedAt": samples.at(0),
        "nodes": nodes,
    }
    return samples.workflow("large", spec=spec, status=status, created=999)


@pytest.mark.nightly
async def test_s391_ten_thousand_runs(tab: Open, kubernetes: Kubernetes) -> None:
    for number in range(RUNS):
        status = {"phase": "Succeeded", "progress": "3/3", "waiting": "w" * 2000}
        name = f"run-{number:05}"
        kubernetes.put("agentworkflows", samples.workflow(name, status=status, created=-number))
    async with tab() as one:
        await expect(one.page.locator("tbody tr")).to_have_count(100)
        await expect(one.page.locator(".more")).to_contain_text("10,009 runs")
        answer, found = await one.place.get("/api/runs")
        assert (answer, len(found["items"])) == (200, 100)
        await one.page.get_by_role("searchbox").fill("run-09999")
        await expect(one.page.locator("tbody tr")).to_have_count(1)
        # One list of 21 pages, one request for its version; searching costs no request.
        assert kubernetes.asked.count("list agentworkflows") == 22


@pytest.mark.nightly
async def test_a_run_of_200_nodes_with_a_map_of_1000_items(
    tab: Open, kubernetes: Kubernetes
) -> None:
    kubernetes.put("agentworkflows", large())
    async with tab() as one:
        await one.open("runs/demo/large")
        await expect(one.page.get_by_text("1,000 items")).to_be_visible()
        await expect(one.page.locator(".react-flow__edge")).not_to_have_count(0)
        if os.environ.get("WAYPOST_SCREENSHOTS"):
            await one.page.screenshot(path=ROOT / "build/images/ui-large.png")
        await one.open("runs/demo/large?view=table&node=n0")
        await expect(one.page.locator("tbody tr")).to_have_count(NODES)
        await expect(one.page.locator(".items li")).to_have_count(10)
        await one.open("runs/demo/large?view=timeline")
        await expect(one.page.locator(".line")).to_have_count(NODES + 1)


@pytest.mark.nightly
async def test_s515_fifty_browsers_cost_two_watches(tab: Open, kubernetes: Kubernetes) -> None:
    run = large()
    kubernetes.put("agentworkflows", run)
    async with tab() as one, AsyncExitStack() as stack:
        url = f"{one.place.address}/api/changes"
        streams = []
        for _ in range(BROWSERS):
            answer = await stack.enter_async_context(
                one.place.http.get(url, headers=one.place.headers)
            )
            streams.append(events(answer))
        for stream in streams:
            await anext(stream)
        kubernetes.asked.clear()
        kubernetes.put("agentworkflows", {**run, "metadata": {**run["metadata"], "labels": {}}})

        async def follow(stream: object) -> None:
            async for name, data in stream:  # type: ignore[attr-defined]
                if name == "changed" and "demo/large" in data.get("agentworkflows", ()):
                    assert (await one.place.get("/api/runs/demo/large"))[0] == 200
                    return

        await asyncio.gather(*(follow(stream) for stream in streams))
        assert kubernetes.asked.count("get agentworkflows large") <= 3
        assert kubernetes.watches == 2
