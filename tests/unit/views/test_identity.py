"""What documents say of who asked, and of whether it is certain who answered (S603, S604)."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.cli.report.render import asked as asked_line
from waypost.cli.report.render import details
from waypost.views.approvals import approval_row, question
from waypost.views.related import Related
from waypost.views.row import row
from waypost.views.run.describe import run_view

from tests.support.builders import NOW, gate
from tests.unit.views.objects import at, body
from tests.unit.views.test_documents import asked

CHECKED = "the API server has checked the name of the approver: ann"
CLAIMED = "declared by the approver: ann; not verified: x"


def answered(verified: str, message: str) -> JsonObject:
    """An Approval that ann has approved."""
    condition = {
        "type": "IdentityVerified",
        "status": verified,
        "reason": "Verified",
        "message": message,
        "lastTransitionTime": at(0),
    }
    status = {"state": "Approved", "decidedBy": "ann", "conditions": [condition]}
    return {**asked(), "status": status}


ANSWERS = [
    pytest.param(answered("True", CHECKED), True, CHECKED, id="verified"),
    pytest.param(answered("False", CLAIMED), False, CLAIMED, id="declared"),
    pytest.param(asked(), None, None, id="open"),
]


@pytest.mark.parametrize(("approval", "verified", "note"), ANSWERS)
def test_s604_an_approval_says_whether_its_answer_is_verified(
    approval: JsonObject, verified: bool | None, note: str | None
) -> None:
    shown = question(approval, None)
    assert (shown.identity_verified, shown.identity_note) == (verified, note)
    assert approval_row(approval).identity_verified is verified


@pytest.mark.parametrize(("approval", "verified", "note"), ANSWERS)
def test_s604_a_run_says_it_of_its_gates(
    approval: JsonObject, verified: bool | None, note: str | None
) -> None:
    status = {"nodes": [{"path": "ok", "phase": "Waiting", "approval": "q"}]}
    shown = run_view(
        body(gate("ok"), status=status), now=NOW, related=Related(approvals={"q": approval})
    )
    found = shown.nodes[0].approval
    assert found is not None
    assert found.identity_verified is verified
    assert ("(declared, not verified)" in asked_line(found)) == (verified is False)
    assert ("(verified)" in asked_line(found)) == (verified is True)


STARTS: list[Any] = [
    pytest.param({"requestedBy": "ann"}, "ann", "by       ann", id="person"),
    pytest.param(
        {"requestedBy": "ann", "rerun": {"round": 2, "requestedBy": "bob"}},
        "ann",
        "by       ann; last round by bob",
        id="round",
    ),
    pytest.param(
        {"origin": {"schedule": "nightly", "requestedBy": "sue"}},
        "sue",
        "by       sue; from schedule nightly",
        id="schedule",
    ),
    pytest.param({"origin": {"event": "e1"}}, None, "by       from event e1", id="event"),
    pytest.param({}, None, "", id="nobody"),
]


@pytest.mark.parametrize(("spec", "name", "line"), STARTS)
def test_s603_a_run_says_who_started_it(spec: JsonObject, name: str | None, line: str) -> None:
    run = body(gate("ok"), **spec)
    shown = run_view(run, now=NOW)
    assert (shown.requested_by, row(run).requested_by) == (name, name)
    found = [str(one) for one in details(shown) if str(one).startswith("by ")]
    assert found == ([line] if line else [])


def test_s764_what_is_shown_of_an_escalation() -> None:
    first = {**asked(), "status": {"state": "Withdrawn", "escalatedTo": "q2"}}
    shown = question(first, None)
    assert (shown.state, shown.escalated_to, shown.level) == ("Escalated", "q2", None)
    second = asked()
    second["spec"] = {**second["spec"], "level": 1}
    assert (question(second, None).level, approval_row(second).level) == (1, 1)
    status = {"nodes": [{"path": "ok", "phase": "Waiting", "approval": "q2", "level": 1}]}
    related = Related(approvals={"q2": second})
    run = run_view(body(gate("ok"), status=status), now=NOW, related=related)
    found = run.nodes[0].approval
    assert found is not None
    assert "(escalation level 1)" in asked_line(found)
    assert "escalation level 1" in run.obstacles[0].text


def test_s765_a_run_says_who_cannot_answer() -> None:
    approval = asked()
    approval["spec"] = {**approval["spec"], "requesters": ["bob", "rob"]}
    status = {"nodes": [{"path": "ok", "phase": "Waiting", "approval": "q"}]}
    related = Related(approvals={"q": approval})
    found = run_view(body(gate("ok"), status=status), now=NOW, related=related).nodes[0].approval
    assert found is not None
    assert found.requesters == ["bob", "rob"]
    assert "not bob, rob" in asked_line(found)
