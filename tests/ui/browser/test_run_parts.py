"""What people do before and after a failure: preview a round and begin it, compare, read logs."""

import pytest
from playwright.async_api import Page, expect
from waypost.ui.server import Options

from tests.ui import failures
from tests.ui.browser.conftest import Open
from tests.ui.browser.test_looks import serious
from tests.ui.kubernetes import Kubernetes
from tests.ui.test_run_parts import operator, remembering

RUN = f"runs/demo/{failures.NAME}"


@pytest.fixture
def kubernetes(kubernetes: Kubernetes) -> Kubernetes:
    kubernetes.put("agentworkflows", failures.failed())
    kubernetes.put("noderecords", failures.kept_log())
    return kubernetes


async def reach(page: Page, name: str, *, role: str = "button") -> None:
    """Press Tab until this control has the focus."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    await wanted.wait_for()
    for _ in range(60):
        if await wanted.evaluate("found => found === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by keyboard")


async def test_s633_two_attempts_of_a_node(tab: Open) -> None:
    async with tab() as one:
        await one.open(f"runs/demo/{failures.NAME}?node=classify")
        panel = one.page.get_by_role("region", name="classify")
        await panel.get_by_text("Compare two attempts").click()
        await expect(panel.get_by_label("First attempt")).to_have_value("1")
        await expect(panel).to_contain_text("attempt 1 failed (ProviderError) and has no output")
        await expect(panel).to_contain_text("--attempts 1,2")
        assert await serious(one.page) == []
        await panel.get_by_label("First attempt").select_option("2")
        await expect(panel).to_contain_text("Choose two different attempts")


async def test_s666_a_round_by_keyboard_alone(tab: Open, kubernetes: Kubernetes) -> None:
    kubernetes.on_patch = operator
    async with tab() as one:
        await one.open(RUN)
        await reach(one.page, "Rerun…", role="link")
        await one.page.keyboard.press("Enter")
        summary = one.page.locator(".verdict", has_text="Round 2:")
        await expect(summary).to_contain_text("3 kept, 5 run, 0 skipped")
        await expect(summary).to_contain_text("940 tokens")
        await reach(one.page, "skip: handbook")
        await one.page.keyboard.press("Enter")
        await expect(summary).to_contain_text("2 kept, 5 run, 1 skipped")
        await expect(one.page.locator(".decide")).to_contain_text("--skip handbook")
        assert "skip=handbook" in one.page.url
        await reach(one.page, "Begin the round")
        await one.page.keyboard.press("Enter")
        await expect(one.page.get_by_role("status").last).to_contain_text("has started")
    spec = kubernetes.get("agentworkflows", "demo", failures.NAME)["spec"]
    assert spec["rerun"] == {"round": 2, "skip": ["handbook"], "requestedBy": "ann"}


async def test_s748_a_round_reads_the_memory_again(tab: Open, kubernetes: Kubernetes) -> None:
    kubernetes.put("agentworkflows", remembering())
    async with tab() as one:
        await one.open(f"{RUN}/rerun")
        await one.page.get_by_label("Read the memory again").check()
        await expect(one.page.locator(".verdict", has_text="is read again")).to_contain_text(
            "The memory of acme is read again when it begins. The run has read 1 Episodes"
        )
        await expect(one.page.locator(".decide")).to_contain_text("--refresh-memory")
        assert await serious(one.page) == []


async def test_everything_from_the_start(tab: Open) -> None:
    async with tab() as one:
        await one.open(f"{RUN}/rerun")
        await one.page.get_by_role("button", name="Everything, from the start").click()
        await expect(one.page.locator(".verdict", has_text="Round 2:")).to_contain_text("0 kept")
        await one.page.get_by_role("button", name="What failed").click()
        await expect(one.page.locator(".verdict", has_text="Round 2:")).to_contain_text("3 kept")


async def test_s666_the_page_follows_a_round_that_another_person_began(
    tab: Open, kubernetes: Kubernetes
) -> None:
    async with tab() as one:
        await one.open(f"{RUN}/rerun")
        await expect(one.page.get_by_role("heading", name="Begin round 2")).to_be_visible()
        run = kubernetes.get("agentworkflows", "demo", failures.NAME)
        kubernetes.put("agentworkflows", {**run, "status": {**run["status"], "round": 2}})
        await expect(one.page.get_by_role("heading", name="Begin round 3")).to_be_visible()


async def test_s512_a_read_only_server_shows_the_preview_alone(tab: Open) -> None:
    async with tab(Options(read_only=True)) as one:
        await one.open(f"{RUN}/rerun")
        await expect(one.page.get_by_role("button", name="Begin the round")).to_be_disabled()
        await expect(one.page.locator(".decide")).to_contain_text("read-only")


async def test_two_runs(tab: Open) -> None:
    async with tab() as one:
        await one.open(RUN)
        await one.page.get_by_role("link", name="Compare…").click()
        await one.page.get_by_role("searchbox", name="With which run?").fill("4711")
        await one.page.get_by_role("link", name="triage-4711").click()
        inputs = one.page.get_by_role("region", name="Inputs")
        await expect(inputs).to_contain_text("You charged me twice")
        nodes = one.page.get_by_role("region", name="Nodes")
        await expect(nodes.locator("tbody")).not_to_contain_text("invoices")
        await one.page.get_by_role("button", name="All 8").click()
        await expect(nodes.locator("tbody tr")).to_have_count(8)
        await one.page.get_by_role("link", name="Swap").click()
        await expect(one.page.locator(".facts dd").first).to_contain_text("triage-4711")


async def test_the_log_of_a_node(tab: Open, kubernetes: Kubernetes) -> None:
    kubernetes.put("noderecords", failures.kept_log("the first try\n", attempt=1))
    async with tab() as one:
        await one.open(f"{RUN}?node=draft_reply")
        await one.page.get_by_role("link", name="Read its log").click()
        log = one.page.get_by_label("Log of draft_reply", exact=True)
        await expect(log).to_contain_text("the ticket has no customer")
        await one.page.get_by_label("Attempt").select_option("1")
        await expect(log).to_have_text("the first try\n")
        await expect(one.page.locator("main")).to_contain_text("--attempt 1")


async def test_the_log_of_an_item(tab: Open, kubernetes: Kubernetes) -> None:
    kubernetes.put("noderecords", failures.kept_log("topic\n", path="handbook/1", attempt=1))
    async with tab() as one:
        one.expected = ("404",)
        await one.open(f"{RUN}/logs?node=handbook")
        await expect(one.page.locator(".empty")).to_contain_text("name an item")
        await one.page.get_by_label("Item, 0 to 2").fill("1")
        await one.page.keyboard.press("Enter")
        await expect(one.page.get_by_label("Log of handbook/1")).to_have_text("topic\n")
