"""Which buttons each person may use: who only looks, who edits, who answers, who does both, nobody.

The buttons say what the API server answers to SelfSubjectAccessReviews; each request is judged by
it again (tests/ui/test_shared.py, e2e/suite/test_shared_interface.py).
"""

from typing import Final

import pytest
from playwright.async_api import expect

from tests.ui import failures
from tests.ui.browser.conftest import Open, Tab
from tests.ui.kubernetes import Kubernetes

LOOKS: Final = {"get", "list", "watch"}
PEOPLE: Final = {
    "viewer": LOOKS,
    "editor": {*LOOKS, "patch"},
    "approver": {*LOOKS, "approve"},
    "both": {*LOOKS, "patch", "approve"},
    "nobody": set[str](),
}
RUN: Final = "runs/demo/triage-4711"
RERUN: Final = f"runs/demo/{failures.NAME}/rerun"
QUESTION: Final = "approvals/demo/triage-4711-approve-refund"


async def usable(one: Tab, path: str, *names: str) -> set[str]:
    """Those of the buttons of a page that can be used."""
    await one.open(path)
    found = set()
    for name in names:
        button = one.page.get_by_role("button", name=name, exact=True).first
        await button.wait_for()
        await expect(one.page.locator(".loading")).to_have_count(0)
        if await button.is_enabled():
            found.add(name)
    return found


@pytest.mark.parametrize("person", PEOPLE)
async def test_s512_the_buttons_of_each_person(
    tab: Open, kubernetes: Kubernetes, person: str
) -> None:
    kubernetes.put("agentworkflows", failures.failed())
    may = PEOPLE[person]
    kubernetes.may = may
    async with tab() as one:
        await expect(one.page.locator("tbody tr")).to_have_count(10)
        boxes = 11 if "patch" in may else 0  # a row each, and all of them
        await expect(one.page.get_by_role("checkbox")).to_have_count(boxes)
        edits = {"Suspend", "Cancel run"}
        assert await usable(one, RUN, *edits) == (edits if "patch" in may else set())
        begins = {"Begin the round"}
        assert await usable(one, RERUN, *begins) == (begins if "patch" in may else set())
        # An answer needs a filled form to be approved; to deny it needs the right alone.
        denies = {"Deny"}
        assert await usable(one, QUESTION, *denies) == (denies if "approve" in may else set())
        approve = one.page.get_by_role("button", name="Approve", exact=True)
        await one.page.get_by_label("Refund in USD").fill("49")
        await expect(approve).to_be_enabled(enabled="approve" in may)
