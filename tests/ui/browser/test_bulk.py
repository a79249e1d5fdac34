"""Several runs at a time (S632): each is named, sent by itself, and its result is shown."""

import pytest
from playwright.async_api import Page, expect
from waypost.ui.server import Options

from tests.ui import samples
from tests.ui.browser.conftest import Open
from tests.ui.browser.test_looks import CUT, serious
from tests.ui.kubernetes import Kubernetes

RUNNING = ("batch-1", "batch-2", "batch-3")
ENDED = "triage-4710"


@pytest.fixture
def kubernetes(kubernetes: Kubernetes) -> Kubernetes:
    """With three more runs that have not ended."""
    for number, name in enumerate(RUNNING):
        status = {"phase": "Running", "progress": "1/3", "round": 1, "startedAt": samples.at(1)}
        run = samples.workflow(name, uid=f"uid-{name}", spec={"nodes": []}, status=status)
        run["metadata"]["creationTimestamp"] = samples.at(number)
        kubernetes.put("agentworkflows", run)
    return kubernetes


async def select(page: Page, *names: str) -> None:
    for name in names:
        await page.get_by_label(f"Select {name}", exact=True).check()


def cancelled(kubernetes: Kubernetes) -> list[str]:
    runs = [one for (kind, _, _), one in kubernetes.objects.items() if kind == "agentworkflows"]
    return sorted(one["metadata"]["name"] for one in runs if one["spec"].get("cancel"))


async def test_s632_cancel_two_of_three(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab() as one:
        bar = one.page.get_by_role("group", name="Selected runs")
        await expect(bar.get_by_role("button")).to_have_count(0)
        await select(one.page, "batch-1", "batch-3", ENDED)
        await expect(bar).to_contain_text("3 selected")
        await bar.get_by_role("button", name="Cancel…").click()
        dialog = one.page.get_by_role("dialog")
        await expect(dialog.locator(".named li strong")).to_have_text(["batch-3", "batch-1", ENDED])
        await expect(dialog.locator("li", has_text=ENDED)).to_contain_text("nothing is sent")
        await dialog.get_by_text("As commands").click()
        await expect(dialog.get_by_label("Commands")).to_have_text(
            "waypost cancel batch-3 -n demo\nwaypost cancel batch-1 -n demo"
        )
        assert cancelled(kubernetes) == [], "nothing is sent before the confirmation"
        await dialog.get_by_role("button", name="Cancel 2 runs").click()
        await expect(dialog.get_by_role("status")).to_have_text("2 requested, 0 not")
        assert cancelled(kubernetes) == ["batch-1", "batch-3"]
        await dialog.get_by_role("button", name="Close").click()
        await expect(bar).not_to_contain_text("selected")


async def test_s632_each_result_is_shown(tab: Open, kubernetes: Kubernetes) -> None:
    """One run is replaced by another of its name while the question is open."""
    async with tab() as one:
        one.expected = ("409",)
        await one.page.get_by_label("Select all runs that are shown").check()
        await one.page.get_by_role("searchbox").fill("batch")
        bar = one.page.get_by_role("group", name="Selected runs")
        await expect(bar).to_contain_text("3 selected")
        await bar.get_by_role("button", name="Suspend…").click()
        dialog = one.page.get_by_role("dialog")
        await expect(dialog.locator(".named li")).to_have_count(3)
        kubernetes.remove("agentworkflows", "demo", "batch-2")
        other = samples.workflow("batch-2", uid="another", spec={"nodes": []}, status={})
        kubernetes.put("agentworkflows", other)
        await dialog.get_by_role("button", name="Suspend 3 runs").click()
        await expect(dialog.get_by_role("status")).to_have_text("2 requested, 1 not")
        row = dialog.locator("li", has_text="batch-2")
        await expect(row).to_contain_text("deleted and created again")
        specs = {name: kubernetes.get("agentworkflows", "demo", name)["spec"] for name in RUNNING}
        assert [specs[name].get("suspend", False) for name in RUNNING] == [True, False, True]


async def test_s632_by_keyboard(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab() as one:
        await one.page.get_by_label("Select batch-1", exact=True).focus()
        await one.page.keyboard.press("Space")
        await one.page.get_by_role("button", name="Resume…").focus()
        await one.page.keyboard.press("Enter")
        dialog = one.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Resume 1 run?")
        await one.page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        assert "suspend" not in kubernetes.get("agentworkflows", "demo", "batch-1")["spec"]


@pytest.mark.parametrize(
    ("options", "may"),
    [
        pytest.param(Options(read_only=True), {"patch"}, id="read-only"),
        pytest.param(None, set(), id="no-right"),
    ],
)
async def test_s632_nothing_to_select(
    tab: Open, kubernetes: Kubernetes, options: Options | None, may: set[str]
) -> None:
    kubernetes.may = may
    async with tab(options) as one:
        await expect(one.page.locator("tbody tr")).to_have_count(12)
        await expect(one.page.get_by_role("checkbox")).to_have_count(0)


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
async def test_s516_the_question_is_readable_for_all(tab: Open, theme: str, width: int) -> None:
    async with tab(theme=theme, width=width) as one:
        await select(one.page, *RUNNING, ENDED)
        await one.page.get_by_role("button", name="Cancel…").click()
        await one.page.get_by_role("dialog").wait_for()
        assert await serious(one.page) == []
        assert await one.page.evaluate(CUT) == []
