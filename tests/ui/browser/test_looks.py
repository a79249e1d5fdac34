"""How the pages look: contrast and names by axe in both themes, nothing cut, and the screenshots.

`WAYPOST_SCREENSHOTS=1 pytest tests/ui/browser/test_looks.py` writes docs/images/.
"""

import os
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.ui import failures, samples
from tests.ui.browser.conftest import ROOT, Open, Tab
from tests.ui.kubernetes import Kubernetes

IMAGES: Final = ROOT / "docs/images"
AXE: Final = ROOT / "ui/node_modules/axe-core/axe.min.js"
PAGES: Final = {
    "runs": ("", "tbody tr"),
    "runs-none": ("runs?q=nothing-like-this", ".empty"),
    "run": ("runs/demo/triage-4711", ".box"),
    "node": ("runs/demo/triage-4711?node=classify", ".panel .value"),
    "timeline": ("runs/demo/triage-4711?view=timeline", ".bar-part"),
    "table": ("runs/demo/triage-4711?view=table", "tbody tr"),
    "trace": ("runs/demo/triage-4711?view=trace", ".tree .attempts"),
    "yaml": ("runs/demo/triage-4711?view=yaml", ".yaml pre"),
    "approvals": ("approvals", ".card"),
    "approval": ("approvals/demo/triage-4711-approve-refund", ".decide"),
    "you": ("you", "table.results tbody tr"),
    "missing": ("runs/demo/nothing", ".problem"),
    "rerun": (f"runs/demo/{failures.NAME}/rerun?skip=handbook", ".decide"),
    "rerun-rejected": (f"runs/demo/{failures.NAME}/rerun?from=nothing", ".verdict.bad"),
    "diff": (f"runs/demo/{failures.NAME}/diff?other=triage-4711", "tbody tr"),
    "diff-same": (f"runs/demo/{failures.NAME}/diff?other={failures.NAME}", ".verdict"),
    "diff-choose": (f"runs/demo/{failures.NAME}/diff", ".card"),
    "diff-missing": (f"runs/demo/{failures.NAME}/diff?other=nothing", ".problem"),
    "log": (f"runs/demo/{failures.NAME}/logs?node=draft_reply", ".log pre"),
    "log-none": (f"runs/demo/{failures.NAME}/logs?node=handbook", ".empty"),
    "log-choose": (f"runs/demo/{failures.NAME}/logs", ".card"),
}
# In docs/images.
KEPT: Final = ("runs", "run", "node", "timeline", "approval", "rerun", "diff", "log", "you")
KEPT_DARK: Final = ("runs", "run")
# What lies outside the window sideways, and which texts are wider than the box they are in.
CUT: Final = """() => {
  const found = [], texts = 'button, .phase, .tag, h1, h2, dt, dd, label, a';
  const apart = '.hidden, .skip, .scroll, dialog, .graph';
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) found.push('the page scrolls sideways');
  for (const one of document.querySelectorAll(texts)) {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    if (style.textOverflow === 'ellipsis' || one.closest(apart)) continue;
    const outside = box.width && (box.right > width + 1 || box.left < -1);
    const cut = one.scrollWidth > one.clientWidth + 1 && style.display !== 'inline';
    if (outside || cut) found.push(one.outerHTML.slice(0, 120));
  }
  return found;
}"""


async def show(one: Tab, name: str) -> None:
    path, there = PAGES[name]
    one.expected = ("404",)
    await one.open(path)
    await one.page.locator(there).first.wait_for()
    await expect(one.page.locator(".loading")).to_have_count(0)
    await expect(one.page.locator(".fresh")).to_have_text("live")


async def serious(page: Page) -> list[str]:
    """What axe finds, of the impacts serious and critical."""
    # The policy of the page allows no foreign script, so axe comes through the debugger.
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.fixture
def kubernetes(kubernetes: Kubernetes) -> Kubernetes:
    """With a run that has failed, and a person who may do most."""
    kubernetes.may |= {"get", "list", "watch", "create"}
    kubernetes.put("agentworkflows", failures.failed())
    kubernetes.put("noderecords", failures.kept_log())
    return kubernetes


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_s516_readable_for_all(tab: Open, theme: str) -> None:
    async with tab(theme=theme) as one:
        for name in PAGES:
            await show(one, name)
            assert await serious(one.page) == [], name
            assert await one.page.evaluate(CUT) == [], name
            if os.environ.get("WAYPOST_SCREENSHOTS"):
                IMAGES.mkdir(exist_ok=True)
                kept = name in (KEPT if theme == "light" else KEPT_DARK)
                folder = IMAGES if kept else ROOT / "build/images"
                folder.mkdir(exist_ok=True, parents=True)
                await one.page.mouse.move(0, 0)
                await one.page.screenshot(path=Path(folder / f"ui-{name}-{theme}.png"))


async def test_s516_nothing_is_cut_on_a_telephone(tab: Open, kubernetes: Kubernetes) -> None:
    long = samples.workflow("a-name-of-a-run-" + "that-is-very-long-" * 12 + "x")
    kubernetes.put("agentworkflows", long)
    async with tab(width=390, height=800) as one:
        for name in PAGES:
            await show(one, name)
            assert await one.page.evaluate(CUT) == [], name
            if os.environ.get("WAYPOST_SCREENSHOTS"):
                await one.page.screenshot(
                    path=ROOT / f"build/images/ui-{name}-small.png", full_page=True
                )
