"""Many runs, large graphs, many browsers. What they cost is counted, not timed: the times are those
of `python -m e2e.bench pages`."""

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


# Counts the boxes whose content changes, and what else is drawn.
COUNT: Final = """() => {
  window.changed = new Set();
  new MutationObserver((records) => {
    for (const record of records) {
      const node = record.target.nodeType === 1 ? record.target : record.target.parentElement;
      const box = node?.closest('.react-flow__node');
      if (box) window.changed.add(box.dataset.id);
    }
  }).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


async def test_s391_a_long_list_is_a_short_page(tab: Open, kubernetes: Kubernetes) -> None:
    """What makes the list quick and small: rows that are drawn, bytes and requests."""
    for number in range(500):
        status = {"phase": "Succeeded", "progress": "3/3", "waiting": "w" * 2000}
        name = f"run-{number:05}"
        kubernetes.put("agentworkflows", samples.workflow(name, status=status, created=-number))
    async with tab() as one:
        await expect(one.page.locator("tbody tr")).to_have_count(100)
        sent: list[str] = []
        one.page.on("request", lambda request: sent.append(request.url.rpartition("/api/")[2]))
        await one.page.reload()
        await expect(one.page.locator("tbody tr")).to_have_count(100)
        await expect(one.page.locator(".fresh")).to_have_text("live")
        assert sum(url.startswith("runs?") for url in sent) <= 2, "at first, and when it is live"
        assert await one.page.evaluate("document.querySelectorAll('*').length") < 4000
        async with one.place.http.get(
            f"{one.place.address}/api/runs", headers=one.place.headers
        ) as answer:
            assert len(await answer.read()) < 100 * 1024


async def test_s391_an_update_draws_what_has_changed(tab: Open, kubernetes: Kubernetes) -> None:
    """What keeps a large graph quick: one request, and only the box that differs changes."""
    run = large()
    kubernetes.put("agentworkflows", run)
    async with tab() as one:
        await one.open("runs/demo/large")
        await expect(one.page.locator(".react-flow__edge")).not_to_have_count(0)
        await expect(one.page.locator(".fresh")).to_have_text("live")
        assert await one.page.locator(".box").count() <= NODES, "a map is one box"
        assert await one.page.evaluate("document.querySelectorAll('*').length") < 8000
        before = kubernetes.asked.count("get agentworkflows large")
        await one.page.evaluate(COUNT)
        run["status"]["nodes"][-1] |= {"phase": "Failed", "reason": "NodeError"}
        kubernetes.put("agentworkflows", run)
        await expect(one.page.locator(".box", has_text="n199")).to_contain_text("Failed")
        assert await one.page.evaluate("[...window.changed]") == ["n199"]
        assert kubernetes.asked.count("get agentworkflows large") - before <= 2


async def test_s515_a_stream_that_is_cut_again_and_again(tab: Open, kubernetes: Kubernetes) -> None:
    """No error is shown, and nothing is lost: not what has changed, not what a person has open."""
    async with tab() as one:
        one.expected = ("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "network error")
        await one.open("runs/demo/triage-4711?node=classify")
        panel = one.page.get_by_role("region", name="classify")
        await panel.get_by_text("Schema").first.click()
        await one.page.evaluate(
            """() => {
                window.alerts = 0;
                new MutationObserver(() => {
                    window.alerts += document.querySelectorAll('[role=alert]').length;
                }).observe(document, {subtree: true, childList: true});
            }"""
        )
        for number in range(5, 8):
            await expect(one.page.locator(".fresh")).to_have_text("live")
            await one.page.context.set_offline(True)
            run = samples.triage()
            run["status"]["progress"] = f"{number}/8"
            kubernetes.put("agentworkflows", run)
            await one.page.context.set_offline(False)
            await expect(one.page.locator(".head .progress")).to_contain_text(f"{number}/8")
            await expect(panel.get_by_label("Schema of output")).to_be_visible()
        assert await one.page.evaluate("window.alerts") == 0


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
