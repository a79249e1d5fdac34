"""What people choose: which runs are listed, how times are shown; what pages mark."""

import pytest
from playwright.async_api import Request, expect
from waypost.ui.server import Options

from tests.ui import failures, samples
from tests.ui.browser.conftest import Open
from tests.ui.kubernetes import Kubernetes

RUN = "runs/demo/triage-4711"


async def test_s770_filters_are_in_the_address(tab: Open, kubernetes: Kubernetes) -> None:
    run = samples.workflow("labelled", created=5)
    run["metadata"]["labels"] = {"team": "billing"}
    kubernetes.put("agentworkflows", run)
    async with tab() as one:
        rows = one.page.locator("tbody tr")
        await expect(rows).to_have_count(10)
        filters = one.page.get_by_role("group", name="Filters")
        await expect(filters.get_by_label("Namespace")).to_have_count(0)
        await filters.get_by_label("Label").fill("team=billing")
        await filters.get_by_label("Label").press("Enter")
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_contain_text("labelled")
        await filters.get_by_label("Created").select_option("Last 7 days")
        assert "label=team%3Dbilling" in one.page.url
        assert "since=7d" in one.page.url
        await one.open("runs?template=nightly-invoices")
        await expect(rows).to_have_count(2)
        await filters.get_by_label("Template").fill("nothing")
        await filters.get_by_label("Template").press("Enter")
        await expect(one.page.get_by_text("No run matches")).to_be_visible()
        await one.page.get_by_role("link", name="Show all runs").click()
        await expect(rows).to_have_count(10)


async def test_s770_a_namespace_is_a_filter_where_all_are_listed(
    tab: Open, kubernetes: Kubernetes
) -> None:
    other = samples.workflow("elsewhere", created=5)
    other["metadata"]["namespace"] = "billing"
    kubernetes.put("agentworkflows", other)
    async with tab(Options(everywhere=True)) as one:
        await expect(one.page.locator("tbody tr")).to_have_count(10)
        await one.page.get_by_label("Namespace").fill("billing")
        await one.page.get_by_label("Namespace").press("Enter")
        await expect(one.page.locator("tbody tr")).to_have_count(1)
        await expect(one.page.locator("tbody tr")).to_contain_text("elsewhere")


async def test_s770_times_of_this_machine(tab: Open) -> None:
    async with tab() as one:
        await one.open(RUN)
        started = one.page.locator(".facts dd", has_text=":")
        await expect(started.first).to_contain_text("UTC")
        # The zone of the browser of the tests is UTC, which its texts call so, or GMT.
        await one.page.get_by_label("Times").select_option("Local time")
        zone = await one.page.evaluate(
            "new Date().toLocaleString('sv-SE', {timeZoneName: 'short'}).split(' ').at(-1)"
        )
        await expect(started.first).to_contain_text(zone)
        await one.page.reload()
        await expect(one.page.get_by_label("Times")).to_have_value("local")


async def test_s771_a_timeline_has_calls(tab: Open) -> None:
    async with tab() as one:
        await one.open(f"{RUN}?view=timeline")
        line = one.page.locator(".line", has_text="draft_reply")
        for kind, count, text in (
            ("model", 3, "draft_reply, attempt 1: model call, 6.0 s"),
            ("tool", 1, "draft_reply, attempt 1: tool call, 3.0 s"),
            ("wait", 1, "draft_reply, attempt 1: wait for the provider, 2.0 s"),
        ):
            bars = line.locator(f".s-call-{kind}")
            await expect(bars).to_have_count(count)
            await expect(bars.first).to_have_attribute("aria-label", text)
        legend = one.page.get_by_role("list", name="Colours")
        for name in ("queue", "image pull", "start-up", "model call", "wait for the provider"):
            await expect(legend).to_contain_text(name)


async def test_s771_the_part_of_a_value_that_does_not_fit_is_marked(
    tab: Open, kubernetes: Kubernetes
) -> None:
    run = samples.triage()
    run["status"]["nodes"][0]["output"] = {"category": "billing", "urgency": "very"}
    kubernetes.put("agentworkflows", run)
    async with tab() as one:
        await one.open(f"{RUN}?node=classify")
        panel = one.page.get_by_role("region", name="classify")
        await expect(panel.locator("mark")).to_have_text(['"urgency": "very"'])
        await expect(panel.get_by_label("Output", exact=True)).to_have_text(
            '{\n  "category": "billing",\n  "urgency": "very"\n}\n'
        )


async def test_s514_a_question_has_its_digest(tab: Open) -> None:
    async with tab() as one:
        await one.open("approvals/demo/triage-4711-approve-refund")
        digest = one.page.locator("dd", has_text="sha256:aaaa")
        await expect(digest).to_have_attribute("title", "sha256:" + "a" * 64)


async def test_s632_failed_runs_get_a_new_round(tab: Open, kubernetes: Kubernetes) -> None:
    kubernetes.put("agentworkflows", failures.failed())
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.url.rpartition("/api/")[2])

    async with tab() as one:
        one.page.on("request", note)
        for name in (failures.NAME, "triage-4710", "triage-4711"):
            await one.page.get_by_label(f"Select {name}", exact=True).check()
        await one.page.get_by_role("button", name="Rerun…").click()
        dialog = one.page.get_by_role("dialog")
        for name, why in (("triage-4710", "has succeeded"), ("triage-4711", "has not ended")):
            await expect(dialog.locator("li", has_text=name)).to_contain_text(why)
        await dialog.get_by_role("button", name="Rerun 1 run").click()
        await expect(dialog.get_by_role("status")).to_have_text("1 requested, 0 not")
    assert sent == [f"runs/demo/{failures.NAME}/rerun"]
    asked = kubernetes.get("agentworkflows", "demo", failures.NAME)["spec"]["rerun"]
    assert asked["round"] == 2


@pytest.mark.parametrize("starting", [1, 2])
async def test_s769_a_page_waits_for_an_api_server_that_starts(
    tab: Open, kubernetes: Kubernetes, starting: int
) -> None:
    async with tab() as one:
        one.expected = ("503",)
        kubernetes.starting = {"get agentworkflows": starting}
        await one.open(RUN)
        await expect(one.page.locator(".box").first).to_be_visible()
        await expect(one.page.locator("[role=alert]")).to_have_count(0)
