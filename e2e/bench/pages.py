"""How fast the pages of the web interface are in a real Chromium: `python -m e2e.bench pages`.

The server is that of `waypost ui`, the API server is in memory, in the same process. It has 10,000
runs, and one of 200 nodes with a map of 1,000 items. Times are those of the browser, from the
begin of the navigation, each on a new page without a cache; the median of five. `work` is the
processor time of the main thread of the page, which other programs do not make longer. Memory is
that of the process of the page (its share of common pages, PSS). For a minute the browser loses its
network every 10 seconds, while the run changes.
"""

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, CDPSession, Page, async_playwright

from e2e.bench.figures import Figure, add, line
from tests.ui import samples
from tests.ui.browser.conftest import FLAGS, ROOT
from tests.ui.browser.test_scale import NODES, RUNS, large
from tests.ui.kubernetes import Kubernetes, Obj
from tests.ui.place import Place, place

TURNS: Final = 5
FIRST_PAINT: Final = 1500.0  # ms
GRAPH: Final = 1000.0  # ms
LONGEST_TASK: Final = 200.0  # ms
MEMORY: Final = 200.0  # MB
UPDATES: Final = 20
CUTS: Final = 6
CUT_EVERY: Final = 10.0  # seconds
_PATIENCE: Final = 120_000  # ms
# When what a page is for is there, the longest tasks since then, and every error that is shown.
_WATCH: Final = """(wanted) => {
  const seen = { shown: 0, tasks: [], alerts: 0 };
  window.seen = seen;
  const look = () => {
    if (!seen.shown && document.querySelectorAll(wanted[0]).length >= wanted[1])
      requestAnimationFrame(() => { seen.shown ||= performance.now(); });
    if (document.querySelector('[role=alert]')) seen.alerts += 1;
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  new PerformanceObserver((list) => {
    for (const task of list.getEntries())
      if (seen.shown && task.startTime > seen.shown) seen.tasks.push(task.duration);
  }).observe({ type: 'longtask' });
}"""


def _script(wanted: tuple[str, int]) -> str:
    selector, count = wanted
    return f"({_WATCH})([{selector!r}, {count}])"


@asynccontextmanager
async def _shown(
    browser: Browser, one: Place, path: str, wanted: tuple[str, int]
) -> AsyncIterator[tuple[Page, CDPSession]]:
    """A new page, as soon as so many of these elements are there."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(_PATIENCE)
    try:
        entrance = await context.new_page()
        one.sessions.secret = secrets.token_urlsafe(32)
        await entrance.goto(one.link)
        await entrance.get_by_role("heading", name="Runs").wait_for()
        await entrance.close()
        page = await context.new_page()
        await page.add_init_script(_script(wanted))
        session = await context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        await page.goto(f"{one.address}/#/{path}")
        await page.wait_for_function("() => window.seen.shown > 0")
        yield page, session
    finally:
        await context.close()


async def _memory(browser: Browser) -> float:
    """MB of the largest process of a page."""
    session = await browser.new_browser_cdp_session()
    found = await session.send("SystemInfo.getProcessInfo")
    pages = [one["id"] for one in found["processInfo"] if one["type"] == "renderer"]
    return max(_proportional(pid) for pid in pages) / 1e6


def _proportional(pid: int) -> int:
    """Bytes of a process, pages that it shares counted by their share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    lines = (found.split() for found in text.splitlines())
    return next(int(parts[1]) for parts in lines if parts[0] == "Pss:") * 1024


async def _seen(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate("() => window.seen")
    return found


async def _work(session: CDPSession) -> float:
    """Milliseconds of processor time that the main thread has had."""
    found = await session.send("Performance.getMetrics")
    metrics: dict[str, float] = {one["name"]: one["value"] for one in found["metrics"]}
    return metrics["TaskDuration"] * 1000


async def _list(browser: Browser, one: Place) -> list[Figure]:
    paints, rows, memory = [], [], []
    for _ in range(TURNS):
        async with _shown(browser, one, "runs", ("tbody tr", 100)) as (page, _):
            paints.append(
                await page.evaluate(
                    "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
                )
            )
            rows.append((await _seen(page))["shown"])
            memory.append(await _memory(browser))
    return [
        Figure("list_first_paint", round(statistics.median(paints)), "ms", bar=FIRST_PAINT),
        Figure("list_rows_shown", round(statistics.median(rows)), "ms", bar=FIRST_PAINT),
        Figure("list_memory", round(max(memory), 1), "MB", bar=MEMORY),
    ]


async def _graph(browser: Browser, one: Place) -> list[Figure]:
    shown, first, later, longest, memory = [], [], [], [], []
    for turn in range(TURNS):
        wanted = (".react-flow__edge", 1)
        async with _shown(browser, one, "runs/demo/large", wanted) as (page, session):
            shown.append((await _seen(page))["shown"])
            first.append(await _work(session))
            for number in range(UPDATES):
                await _change(one.kubernetes, f"{turn}-{number}", page)
            later.append((await _work(session) - first[-1]) / UPDATES)
            longest.append(max((await _seen(page))["tasks"], default=0.0))
            memory.append(await _memory(browser))
    return [
        Figure("graph_shown", round(statistics.median(shown)), "ms", bar=GRAPH),
        Figure("graph_work", round(statistics.median(first)), "ms", bar=GRAPH),
        Figure("graph_work_an_update", round(statistics.median(later)), "ms", bar=LONGEST_TASK),
        Figure("graph_longest_task", round(statistics.median(longest)), "ms", bar=LONGEST_TASK),
        Figure("graph_memory", round(max(memory), 1), "MB"),
    ]


async def _change(kubernetes: Kubernetes, mark: str, page: Page | None = None) -> None:
    """Another progress and another state of a node; return when the page shows it."""
    run: Obj = large()
    run["status"]["progress"] = mark
    run["status"]["nodes"][-1]["phase"] = "Running"
    kubernetes.put("agentworkflows", run)
    if page is not None:
        await page.locator(".head .progress", has_text=mark).wait_for()


async def _cuts(browser: Browser, one: Place) -> list[Figure]:
    lost = 0
    path = "runs/demo/large?node=n7"
    async with _shown(browser, one, path, (".react-flow__edge", 1)) as (page, _):
        for number in range(CUTS):
            await asyncio.sleep(CUT_EVERY)
            await page.context.set_offline(True)
            await _change(one.kubernetes, f"cut-{number}")
            await page.context.set_offline(False)
            await page.locator(".head .progress", has_text=f"cut-{number}").wait_for()
            lost += await page.get_by_role("region", name="n7").count() != 1
        alerts = (await _seen(page))["alerts"]
    return [
        Figure("cuts_errors_shown", alerts, "", bar=0),
        Figure("cuts_states_lost", lost, "", bar=0),
    ]


async def measured(chromium: str) -> list[Figure]:
    """All figures."""
    kubernetes = Kubernetes()
    kubernetes.put("agentworkflows", large())
    for number in range(RUNS - 1):
        status = {"phase": "Succeeded", "progress": "3/3", "waiting": "w" * 200}
        name = f"run-{number:05}"
        kubernetes.put("agentworkflows", samples.workflow(name, status=status, created=-number))
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as driver, place(kubernetes, Path(folder)) as one:
            browser = await driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
            assert (await one.get("/api/runs"))[0] == 200
            found = await _list(browser, one)
            found += await _graph(browser, one)
            found += await _cuts(browser, one)
            await browser.close()
    return found


def main(result: Path) -> int:
    """Print the figures and put them into the file; 1 if one is over its bound."""
    for name in ("ui.sh", "browser.sh"):
        done = subprocess.run(
            [ROOT / "scripts" / name], stdout=subprocess.PIPE, text=True, check=True
        )
    load = os.getloadavg()[0]
    print(f"  {NODES} nodes, {RUNS} runs, load of the machine {load:.1f}", flush=True)
    found = asyncio.run(measured(done.stdout.strip().splitlines()[-1]))
    print("\n".join(line(figure) for figure in found), flush=True)
    add(found, result)
    return int(any(one.bar is not None and one.value > one.bar for one in found))


if __name__ == "__main__":
    sys.exit(main(Path("build/bench.json")))
