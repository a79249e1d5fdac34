"""The report of a run (S395, S631): one file, opened from a disk without network."""

import gzip
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect
from waypost.cli.report.page import TEMPLATE, page
from waypost.compiler.definition import define
from waypost.views.graph import run_graph
from waypost.views.io import node_io
from waypost.views.models import TraceView
from waypost.views.related import Related
from waypost.views.run.describe import run_view
from waypost.views.run.report import run_report

from tests.cli.hostile import HOSTILE
from tests.ui import failures, samples
from tests.ui.browser.conftest import GIVEN_UP, ROOT, listen
from tests.ui.browser.test_hostile import SIGN, hostile_run
from tests.ui.browser.test_looks import CUT, IMAGES, serious
from tests.ui.browser.test_scale import NODES, large

VIEWS: Final = ("graph", "timeline", "trace", "yaml", "table")
ENTRIES: Final = [
    {"type": "model", "start": samples.at(3), "end": samples.at(5), "model": "gpt-5-mini"},
    {"type": "tool", "start": samples.at(5), "end": samples.at(6), "name": "search_invoices"},
]
# What no text may add: everything but the style, the three scripts and the policy of the page.
ADDED: Final = """() => [
  ...[...document.querySelectorAll(`iframe, object, embed, img, base, form, video, audio, link,
    marquee, math, template, script[src], [onerror], [onload], [onclick], [onmouseover], [onfocus],
    [ontoggle], a[href^="javascript:"], a[href^="data:"]`)]
    .map((one) => one.outerHTML.slice(0, 200)),
  ...[['style', 1], ['script', 3], ['meta[http-equiv]', 1]]
    .filter(([what, count]) => document.querySelectorAll(what).length !== count)
    .map(([what]) => 'more than the page has: ' + what),
]"""


def report(run: dict[str, Any], *, values: bool = True, traces: bool = True) -> str:
    """The report of a run, as the command makes it."""
    known, now = define(run["spec"]), samples.BEGUN
    paths = [node["path"] for node in run["status"]["nodes"]]
    found = {(path, number): TraceView(entries=ENTRIES) for path in paths for number in (1, 2)}
    shown = run_view(run, now=now, related=Related(traces=found if traces else {}))
    given = [node_io(run, known, path, records={}, now=now) for path in paths] if values else None
    return page(run_report(run, shown, run_graph(shown, known), values=given, now=now))


class Opener:
    """Opens reports from files; a page that makes a request, or says something, is an error."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder

    @asynccontextmanager
    async def __call__(
        self, html: str, *, theme: str = "light", width: int = 1280
    ) -> AsyncIterator[Page]:
        file = self.folder / "run report.html"
        file.write_text(html)
        context = await self.browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if theme == "dark" else "light",
            offline=True,
        )
        context.set_default_timeout(GIVEN_UP)
        try:
            opened = await context.new_page()
            noise: list[str] = []
            listen(opened, noise)
            await opened.goto(file.as_uri())
            await opened.locator(".run-head").wait_for()
            yield opened
            own = f"request: {file.as_uri()}"
            assert noise.count(own) <= 1
            assert [one for one in noise if one != own] == []
        finally:
            await context.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Opener:
    return Opener(browser, tmp_path)


THERE: Final = {
    "graph": ".box",
    "timeline": ".line",
    "table": "tbody tr",
    "trace": ".tree",
    "yaml": ".yaml, .problem",
}


async def view(shown: Page, name: str) -> None:
    button = "YAML" if name == "yaml" else name.capitalize()
    await shown.get_by_role("button", name=button, exact=True).click()
    await shown.locator(THERE[name]).first.wait_for()


async def test_what_a_report_shows(opened: Opener) -> None:
    async with opened(report(failures.failed())) as shown:
        head = shown.locator(".run-head")
        await expect(head).to_contain_text("draft_reply failed: NodeError")
        await expect(shown.locator(".bar")).to_contain_text("Report of")
        await expect(shown.get_by_role("link")).to_have_count(0)
        await expect(head.get_by_role("button", name="Cancel run")).to_have_count(0)
        assert await shown.title() == f"{failures.NAME} · Waypost"
        await shown.locator(".box", has_text="classify").click()
        panel = shown.get_by_role("region", name="classify")
        await expect(panel.get_by_label("Output", exact=True)).to_contain_text('"urgency": 2')
        await expect(panel.locator(".calls").first).to_contain_text("search_invoices")
        await shown.keyboard.press("Escape")
        await expect(panel).to_have_count(0)
        for name in VIEWS:
            await view(shown, name)
            if name == "trace":
                tree = shown.get_by_role("region", name="Trace")
                await expect(tree.locator("li", has_text="classify").first).to_contain_text(
                    "search_"
                )
            if name == "yaml":
                yaml = shown.get_by_role("region", name="Manifest as YAML")
                await expect(yaml).to_contain_text("message: Where is my invoice?")
        await expect(shown.locator("tbody tr")).to_have_count(8)


async def test_s631_a_report_without_values(opened: Opener) -> None:
    html = report(failures.failed(), values=False)
    assert "Where is my invoice" not in html
    async with opened(html) as shown:
        await view(shown, "yaml")
        missing = "not in this report; it was written without --values"
        await expect(shown.locator(".problem")).to_contain_text(missing)
        await view(shown, "table")
        await shown.get_by_role("button", name="classify").click()
        panel = shown.get_by_role("region", name="classify")
        await expect(panel).to_contain_text(missing)


async def test_s631_what_is_left_out_is_said(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waypost.views.run.report.VALUE", 10)
    monkeypatch.setattr("waypost.views.run.report.TRACES", 10)
    async with opened(report(failures.failed())) as shown:
        left = shown.get_by_role("region", name="Left out")
        await expect(left).to_contain_text("model and tool calls of classify")
        await expect(left).to_contain_text("inputs and output of classify")
        await view(shown, "table")
        await shown.get_by_role("button", name="classify").click()
        panel = shown.get_by_role("region", name="classify")
        await expect(panel).to_contain_text("left out of this report")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_s516_a_report_is_readable_for_all(opened: Opener, theme: str) -> None:
    async with opened(report(failures.failed()), theme=theme) as shown:
        for name in VIEWS:
            await view(shown, name)
            assert await serious(shown) == [], name
            assert await shown.evaluate(CUT) == [], name
        await shown.get_by_role("button", name="draft_reply").last.click()
        await shown.get_by_role("region", name="draft_reply").wait_for()
        assert await serious(shown) == []
        if os.environ.get("WAYPOST_SCREENSHOTS"):
            await view(shown, "graph")
            folder = IMAGES if theme == "light" else ROOT / "build/images"
            folder.mkdir(exist_ok=True, parents=True)
            await shown.screenshot(path=folder / f"report-{theme}.png")


async def test_a_report_on_a_telephone(opened: Opener) -> None:
    async with opened(report(failures.failed()), width=390) as shown:
        for name in VIEWS:
            await view(shown, name)
            assert await shown.evaluate(CUT) == [], name


async def test_s395_a_report_full_of_markup(opened: Opener) -> None:
    async with opened(report(hostile_run())) as shown:
        await expect(shown.locator(".run-head")).to_contain_text(SIGN)
        for name in VIEWS:
            await view(shown, name)
            assert await shown.evaluate(ADDED) == []
        await expect(shown.locator("tbody tr")).to_have_count(len(HOSTILE))
        for number in range(0, len(HOSTILE), 6):
            await shown.get_by_role("button", name=f"n{number}", exact=True).last.click()
            panel = shown.get_by_role("region", name=f"n{number}", exact=True)
            await panel.get_by_label("Output", exact=True).wait_for()
            assert await shown.evaluate(ADDED) == []
        text = await shown.evaluate("document.body.innerText")
        assert not any(sign in text for sign in "\u202e\u2066\x1b\x9b")


async def test_a_report_of_200_nodes(opened: Opener) -> None:
    async with opened(report(large(), values=False, traces=False)) as shown:
        await expect(shown.get_by_text("1,000 items")).to_be_visible()
        await view(shown, "table")
        await expect(shown.locator("tbody tr")).to_have_count(NODES)


def test_the_page_of_reports_is_small(chromium: str) -> None:
    """At most 300 KB without data, compressed; licences are in it."""
    html = TEMPLATE.read_text()
    assert len(gzip.compress(html.encode())) <= 300_000
    assert "react-dom 19" in html
    assert "http-equiv" in html.split("<style>")[0]
