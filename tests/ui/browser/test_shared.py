"""The pages of a server that many people use: log in, choose a namespace, log out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.ui import samples
from tests.ui.browser.conftest import GIVEN_UP, ROOT, listen
from tests.ui.browser.test_looks import CUT, serious
from tests.ui.crowd import Crowd, Hall, hall

READ = "get list watch"
# The browser reports each refused request on its console.
REFUSED = ("401", "403")


@pytest.fixture
def crowd() -> Crowd:
    """Ann may change everything, Ben may read the namespace ops."""
    found = Crowd()
    found.let("ann-1", "ann", everywhere=f"{READ} patch approve")
    found.let("ben-1", "ben", ops=READ)
    found.put("agentworkflows", samples.triage())
    other = samples.workflow("backup")
    other["metadata"]["namespace"] = "ops"
    found.put("agentworkflows", other)
    return found


@asynccontextmanager
async def opened(
    browser: Browser, crowd: Crowd, *, theme: str = "light", width: int = 1280, **options: Any
) -> AsyncIterator[tuple[Page, Hall]]:
    """A page of the shared server, without a session. Fails if it was not silent."""
    async with hall(crowd, prefix="/team/w", **options) as found:
        context = await browser.new_context(
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": width, "height": 800},
        )
        context.set_default_timeout(GIVEN_UP)
        try:
            page, noise = await context.new_page(), list[str]()
            listen(page, noise)
            await page.goto(f"{found.address}/")
            yield page, found
            assert [one for one in noise if not any(part in one for part in REFUSED)] == []
        finally:
            await context.close()


async def log_in(page: Page, token: str) -> None:
    await page.get_by_label("Token for the API server").fill(token)
    await page.get_by_role("button", name="Log in").click()


async def test_s658_people_log_in_and_out(browser: Browser, crowd: Crowd) -> None:
    async with opened(browser, crowd) as (page, _):
        await log_in(page, "wrong")
        await expect(page.get_by_role("alert")).to_contain_text("not authenticated")
        await log_in(page, "ann-1")
        await expect(page.locator("tbody tr")).to_have_count(2)
        await expect(page.locator(".who")).to_contain_text("ann")
        await expect(page.locator(".fresh")).to_have_text("live")
        await page.reload()
        await expect(page.locator("tbody tr")).to_have_count(2)
        assert "ann-1" not in await page.evaluate("() => JSON.stringify({...localStorage})")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        await expect(page.locator("tbody tr")).to_have_count(0)
        await log_in(page, "ben-1")
        await expect(page.get_by_role("heading", name="Which namespace?")).to_be_visible()


async def test_a_late_refusal_leaves_the_token_in_the_form(browser: Browser, crowd: Crowd) -> None:
    async with opened(browser, crowd) as (page, _):
        await log_in(page, "ann-1")
        await expect(page.locator("tbody tr")).to_have_count(2)
        held = asyncio.Event()

        async def hold(route: Route) -> None:
            await held.wait()
            await route.continue_()

        await page.route("**/api/runs?*", hold)
        async with page.expect_response("**/api/runs?*") as late:
            await page.get_by_role("button", name="Log out").click()
            token = page.get_by_label("Token for the API server")
            await token.fill("ben-1")
            held.set()
        await (await late.value).finished()
        # The page has handled the refusal when a later request is through.
        await page.evaluate("() => fetch('api/me').then((answer) => answer.text())")
        await expect(token).to_have_value("ben-1")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", name="Which namespace?")).to_be_visible()


async def test_s660_a_session_that_ends_is_seen(browser: Browser, crowd: Crowd) -> None:
    async with opened(browser, crowd) as (page, _):
        await log_in(page, "ann-1")
        await page.get_by_role("link", name="triage-4711").click()
        await page.get_by_role("button", name="Table").click()
        classify = page.get_by_role("button", name="classify")
        await expect(classify).to_be_visible()
        del crowd.users["ann-1"]
        # A request in flight may have shown the end before the click.
        await classify.or_(page.get_by_role("heading", name="Log in")).first.click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def test_who_may_not_list_all_chooses_a_namespace(browser: Browser, crowd: Crowd) -> None:
    async with opened(browser, crowd, namespaces=("ops",)) as (page, _):
        await log_in(page, "ben-1")
        await expect(page.locator(".empty")).to_contain_text("ben may not list runs")
        await page.get_by_label("Namespace").fill("ops")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator(".fresh")).to_have_text("live")
        new = samples.workflow("restore", created=300)
        new["metadata"]["namespace"] = "ops"
        crowd.put("agentworkflows", new)
        await expect(page.locator("tbody tr").first).to_contain_text("restore")
        await page.get_by_role("link", name="restore").click()
        await expect(page.get_by_role("heading", name="restore")).to_be_visible()
        await page.get_by_label("Namespace").fill("demo")
        await page.get_by_role("button", name="Show").click()
        await page.get_by_role("link", name="Runs").first.click()
        await expect(page.locator(".empty")).to_contain_text("You may not list the runs")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_s516_login_and_choice_are_readable(
    browser: Browser, crowd: Crowd, theme: str, width: int
) -> None:
    async with opened(browser, crowd, theme=theme, width=width) as (page, _):
        for name, token in (("login", ""), ("choice", "ben-1")):
            if token:
                await log_in(page, token)
                await page.get_by_role("heading", name="Which namespace?").wait_for()
            assert await serious(page) == [], name
            assert await page.evaluate(CUT) == [], name
            if os.environ.get("WAYPOST_SCREENSHOTS"):
                folder = ROOT / "build/images"
                folder.mkdir(exist_ok=True, parents=True)
                await page.screenshot(path=folder / f"ui-{name}-{theme}-{width}.png")
