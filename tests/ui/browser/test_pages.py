"""What people do with the pages: read, follow changes, answer; by mouse and by keyboard."""

import json
from pathlib import Path

import pytest
import yaml
from playwright.async_api import expect
from waypost.ui.server import Options

from tests.ui import samples
from tests.ui.browser.conftest import Open
from tests.ui.kubernetes import Kubernetes
from tests.ui.test_server import operator

RUN = "runs/demo/triage-4711"
QUESTION = "approvals/demo/triage-4711-approve-refund"


async def test_the_list_is_live(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab() as one:
        rows = one.page.locator("tbody tr")
        await expect(rows).to_have_count(9)
        kubernetes.put("agentworkflows", samples.workflow("brand-new", created=300))
        await expect(rows.first).to_contain_text("brand-new")
        await one.page.get_by_role("button", name="Failed 1").click()
        await expect(rows).to_have_count(1)
        await one.page.get_by_role("button", name="All").click()
        await one.page.get_by_role("searchbox").fill("nightly")
        await expect(rows).to_have_count(2)
        assert "q=nightly" in one.page.url


async def test_a_run_is_live(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab() as one:
        await one.page.get_by_role("link", name="triage-4711").click()
        box = one.page.locator(".box", has_text="approve_refund")
        await expect(box).to_contain_text("Waiting")
        await expect(one.page.locator(".obstacles")).to_contain_text("waypost approve")
        run = samples.triage()
        run["status"]["nodes"][-1] |= {"phase": "Failed", "reason": "ApprovalDenied"}
        kubernetes.put("agentworkflows", run)
        await expect(box).to_contain_text("Failed")
        await expect(one.page.locator(".broken")).to_contain_text("ApprovalDenied")


async def test_the_manifest_is_copied(tab: Open) -> None:
    async with tab() as one:
        await one.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await one.open(f"{RUN}?view=yaml")
        part = one.page.get_by_role("region", name="Manifest as YAML")
        await expect(part).to_contain_text("requestedBy: bob")
        await part.get_by_role("button", name="Copy the manifest").click()
        await expect(part.get_by_text("copied")).to_be_visible()
        copied = yaml.safe_load(await one.page.evaluate("navigator.clipboard.readText()"))
        assert copied["spec"] == samples.triage()["spec"]
        assert "status" not in copied


async def test_the_trace_is_a_tree(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab() as one:
        await one.open(f"{RUN}?view=trace")
        tree = one.page.get_by_role("region", name="Trace")
        branch = tree.locator("li", has=one.page.locator("summary", has_text="classify")).first
        await expect(branch).to_contain_text("503: the model is overloaded")
        await branch.get_by_role("button", name="Inputs and output of classify").click()
        await expect(one.page.get_by_role("region", name="classify")).to_be_visible()
        run = samples.triage()
        run["status"]["nodes"][0]["attempts"][0]["message"] = "another message"
        kubernetes.put("agentworkflows", run)
        await expect(branch).to_contain_text("another message")


async def test_a_node_and_the_three_views(tab: Open) -> None:
    async with tab() as one:
        await one.open(RUN)
        await one.page.locator(".box", has_text="classify").click()
        panel = one.page.get_by_role("region", name="classify")
        await expect(panel).to_contain_text("503: the model is overloaded")
        await expect(panel.get_by_label("Output", exact=True)).to_contain_text('"urgency": 4')
        await expect(panel.get_by_label("Inputs", exact=True)).to_contain_text("charged me twice")
        assert "node=classify" in one.page.url
        await one.page.keyboard.press("Escape")
        await expect(panel).to_have_count(0)
        await one.page.get_by_role("button", name="Timeline").click()
        await expect(one.page.locator(".line")).to_have_count(9)
        await one.page.get_by_role("button", name="Table").click()
        await expect(one.page.locator("tbody tr")).to_have_count(8)


async def test_s514_an_answer_by_keyboard_alone(tab: Open, kubernetes: Kubernetes) -> None:
    kubernetes.on_patch = operator
    async with tab() as one:
        await one.open("approvals")
        link = one.page.get_by_role("link", name="Refund the second payment")
        await link.wait_for()
        for _ in range(30):
            if await link.evaluate("found => found === document.activeElement"):
                break
            await one.page.keyboard.press("Tab")
        await one.page.keyboard.press("Enter")
        approve = one.page.get_by_role("button", name="Approve", exact=True)
        await expect(approve).to_be_disabled()
        await expect(one.page.locator(".then li")).to_have_count(2)
        amount = one.page.get_by_label("Refund in USD")
        await amount.focus()
        await one.page.keyboard.type("49")
        for key in ("Tab", "Tab", "Tab"):
            await one.page.keyboard.press(key)
        await one.page.keyboard.type("seen both payments")
        await one.page.keyboard.press("Tab")
        await expect(approve).to_be_focused()
        await one.page.keyboard.press("Enter")
        await expect(one.page.locator(".question h1 + .phase")).to_contain_text("Approved")
    spec = kubernetes.get("approvals", "demo", "triage-4711-approve-refund")["spec"]
    assert spec["answer"] == {"amount": 49, "channel": "email"}
    assert (spec["decidedBy"], spec["reason"]) == ("ann", "seen both payments")


async def test_an_answer_that_the_server_refuses(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab() as one:
        one.expected = ("400",)
        await one.open(QUESTION)
        await one.page.get_by_label("Refund in USD").fill("-5")
        await one.page.get_by_role("button", name="Approve", exact=True).click()
        await expect(one.page.get_by_role("alert")).to_contain_text("amount")
    assert (
        "decision" not in kubernetes.get("approvals", "demo", "triage-4711-approve-refund")["spec"]
    )


async def test_s765_a_person_who_asked_is_offered_no_answer(
    tab: Open, kubernetes: Kubernetes
) -> None:
    kubernetes.user = "bob"
    async with tab() as one:
        await one.open(QUESTION)
        await expect(one.page.locator(".decide .verdict")).to_contain_text("asked for this")
        await expect(one.page.locator(".facts")).to_contain_text("Asked for it, may not answer")
        for name in ("Approve", "Deny"):
            await expect(one.page.get_by_role("button", name=name, exact=True)).to_be_disabled()


@pytest.mark.parametrize(
    ("verified", "says"),
    [
        pytest.param("True", "ann (verified)", id="verified"),
        pytest.param("False", "ann (declared, not verified)", id="declared"),
    ],
)
async def test_s765_an_answer_has_a_name_and_whether_it_is_verified(
    tab: Open, kubernetes: Kubernetes, verified: str, says: str
) -> None:
    asked = kubernetes.get("approvals", "demo", "triage-4711-approve-refund")
    condition = {
        "type": "IdentityVerified",
        "status": verified,
        "reason": "Verified",
        "message": "so it is",
        "lastTransitionTime": samples.at(200),
    }
    status = {"state": "Approved", "decidedBy": "ann", "conditions": [condition]}
    spec = {**asked["spec"], "level": 1}
    kubernetes.put("approvals", {**asked, "spec": spec, "status": status})
    async with tab() as one:
        await one.open(QUESTION)
        await expect(one.page.locator(".facts")).to_contain_text(says)
        await expect(one.page.locator(".facts")).to_contain_text("others did not answer in time")
        await one.open("approvals?all=1")
        await expect(one.page.locator(".card")).to_contain_text(says)
        await one.open(RUN)
        await expect(one.page.locator(".run-head .facts")).to_contain_text("bob")


async def test_s764_an_escalated_question_leads_to_the_next(
    tab: Open, kubernetes: Kubernetes
) -> None:
    asked = kubernetes.get("approvals", "demo", "triage-4711-approve-refund")
    kubernetes.put(
        "approvals", {**asked, "status": {"state": "Withdrawn", "escalatedTo": "the-next-one"}}
    )
    async with tab() as one:
        await one.open(QUESTION)
        await expect(one.page.locator(".question h1 + .phase")).to_contain_text("Escalated")
        await expect(one.page.get_by_role("link", name="the-next-one")).to_be_visible()
        await expect(one.page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)


async def test_s512_a_read_only_server_offers_nothing(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab(Options(read_only=True)) as one:
        await one.open(QUESTION)
        for name in ("Approve", "Deny"):
            await expect(one.page.get_by_role("button", name=name, exact=True)).to_be_disabled()
        await one.open(RUN)
        await expect(one.page.get_by_role("button", name="Cancel run")).to_be_disabled()


async def test_s513_below_a_prefix(tab: Open) -> None:
    async with tab(Options(prefix="/team/waypost")) as one:
        await one.page.get_by_role("link", name="triage-4711").click()
        await expect(one.page.locator(".box")).to_have_count(8)
        assert "/team/waypost/#/runs/demo/triage-4711" in one.page.url
        await expect(one.page.locator(".fresh")).to_have_text("live")


async def test_cancelling_shows_what_follows(tab: Open, kubernetes: Kubernetes) -> None:
    async with tab() as one:
        await one.open(RUN)
        await one.page.get_by_role("button", name="Cancel run").click()
        dialog = one.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("waypost cancel triage-4711 -n demo")
        await dialog.get_by_role("button", name="Cancel run").click()
        await expect(dialog).to_be_hidden()
    assert kubernetes.get("agentworkflows", "demo", "triage-4711")["spec"]["cancel"] is True


async def test_s515_a_cut_stream_is_silent_and_loses_nothing(
    tab: Open, kubernetes: Kubernetes
) -> None:
    async with tab() as one:
        await one.open(RUN)
        await one.page.locator(".box").first.wait_for()
        await expect(one.page.locator(".fresh")).to_have_text("live")
        one.expected = ("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "network error")
        await one.page.context.set_offline(True)
        await one.page.evaluate("0")
        run = samples.triage()
        run["status"]["progress"] = "5/8"
        kubernetes.put("agentworkflows", run)
        await one.page.context.set_offline(False)
        await expect(one.page.locator(".head .progress")).to_contain_text("5/8")
        await expect(one.page.locator("[role=alert]")).to_have_count(0)


def test_the_front_end_is_small(chromium: str) -> None:
    """At most 220 KB of JavaScript, compressed, and 300 KB in all, without the page of reports."""
    import gzip

    from waypost.ui.assets import FOLDER

    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in FOLDER.rglob("*.*")}
    del sizes["report.html"]
    scripts = sum(size for name, size in sizes.items() if name.endswith(".js"))
    assert scripts <= 220_000, json.dumps(sizes, indent=1)
    assert sum(sizes.values()) <= 300_000
    assert "MIT" in Path(FOLDER / "licenses.txt").read_text()


@pytest.mark.parametrize(
    ("may", "granted"),
    [
        pytest.param({"patch", "approve"}, 2, id="an-editor"),
        pytest.param(set(), 0, id="nobody"),
    ],
)
async def test_s754_the_page_of_the_user(
    tab: Open, kubernetes: Kubernetes, may: set[str], granted: int
) -> None:
    kubernetes.may = {"list", *may} if may else set()
    async with tab() as one:
        await one.page.get_by_role("link", name="ann").click()
        await expect(one.page.get_by_role("heading", name="What you may do in")).to_be_visible()
        rights = one.page.locator("table.results").first
        await expect(rights.locator("tbody tr")).to_have_count(7)
        await expect(rights.locator(".r-ok")).to_have_count(granted + bool(may))
        answers = rights.locator("tr", has_text="answer approvals")
        text = "yes" if may else "no; role waypost-approver grants it"
        await expect(answers).to_contain_text(text)
        await expect(one.page.locator("table.results").last).to_contain_text("AgentWorkflow")
