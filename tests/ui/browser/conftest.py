"""A Chromium, the built front-end, and pages that must stay silent: no dialog, error, violation."""

import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, Page, async_playwright, expect
from pytest_asyncio import is_async_test
from waypost.ui.server import Options

from tests import sharing
from tests.ui import samples
from tests.ui.kubernetes import Kubernetes
from tests.ui.place import Place, place

ROOT: Final = Path(__file__).resolve().parents[3]
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
)

GIVEN_UP: Final = 100_000  # ms; no claim about speed: what is expected is there much sooner
expect.set_options(timeout=GIVEN_UP)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need a browser, and share one and its event loop."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser. The front-end is built too. Both say what to do when they cannot."""
    sharing.once("ui", lambda: _script("ui.sh"))
    return _script("browser.sh").strip().splitlines()[-1]


def _script(name: str) -> str:
    done = subprocess.run(
        [ROOT / "scripts" / name], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode != 0:
        pytest.fail(f"scripts/{name}:\n{done.stderr}", pytrace=False)
    return done.stdout


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One browser for each worker; each test has its own profile."""
    async with async_playwright() as driver:
        found = await driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield found
        await found.close()


@dataclass
class Tab:
    """A page, its server, and what it should not have done."""

    page: Page
    place: Place
    noise: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()  # noise that a test causes

    async def open(self, path: str = "", *, token: bool = False) -> None:
        """Open an address after #. `token`: with the link that the command prints."""
        target = self.place.link if token else f"{self.place.address}/#/{path}"
        await self.page.goto(target)

    def silence(self) -> list[str]:
        return [one for one in self.noise if not any(part in one for part in self.expected)]


Open = Callable[..., AbstractAsyncContextManager[Tab]]


@pytest.fixture
def kubernetes() -> Kubernetes:
    found = Kubernetes()
    found.put("agentworkflows", samples.triage())
    found.put("approvals", samples.question())
    found.put("noderecords", samples.calls())
    for other in samples.others():
        found.put("agentworkflows", other)
    return found


@pytest.fixture
def tab(browser: Browser, kubernetes: Kubernetes, tmp_path: Path) -> Open:
    """Opens a tab with a session, and fails if the page was not silent."""

    @asynccontextmanager
    async def opened(
        options: Options | None = None,
        *,
        width: int = 1280,
        height: int = 800,
        theme: str = "light",
    ) -> AsyncIterator[Tab]:
        async with place(kubernetes, tmp_path, options) as found:
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
            )
            context.set_default_timeout(GIVEN_UP)
            try:
                page = await context.new_page()
                one = Tab(page, found)
                listen(page, one.noise)
                await one.open(token=True)
                await page.get_by_role("heading", name="Runs").wait_for()
                yield one
                assert one.silence() == []
            finally:
                await context.close()

    return opened


def listen(page: Page, noise: list[str]) -> None:
    async def dialog(found: Dialog) -> None:
        noise.append(f"dialog: {found.message}")
        await found.dismiss()

    page.on("dialog", dialog)
    page.on("pageerror", lambda error: noise.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: noise.append(f"console: {said.text}") if said.type == "error" else None,
    )
    page.on(
        "request",
        lambda sent: (
            noise.append(f"request: {sent.url}")
            if not sent.url.startswith(("http://127.0.0.1:", "data:", "blob:"))
            else None
        ),
    )
