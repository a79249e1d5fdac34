"""S758 to S764: a question that nobody answers in time is asked of others."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.approval import ApprovalStatus
from waypost.api.base import JsonObject
from waypost.engine.state.decision import OpenApproval, SettleApproval
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.timestamps import timestamp

from tests.support.builders import after, gate, python, spec
from tests.support.play import Crash, Play, launches

LEVELS: list[JsonObject] = [
    {"approvers": {"groups": ["managers"]}, "timeout": "2h"},
    {"approvers": {"users": ["cto", "cfo"], "required": 2}, "timeout": "1h", "onTimeout": "Fail"},
]
ASKING = gate("ok", timeout="1h", onTimeout="Escalate", escalation=LEVELS, onDenied="Continue")
GATED = spec(ASKING, python("y", dependsOn=["ok"]))


def opened(raw: JsonObject = GATED) -> Play:
    play = Play(raw)
    play.step()
    return play


def current(play: Play, path: str = "ok") -> ApprovalFact:
    return play.approvals[play.node(path).approval or ""]


def escalated(raw: JsonObject = GATED, *, at: float = 3600) -> Play:
    """A run whose first question has expired, and whose second one is open."""
    play = opened(raw)
    play.now = after(at)
    play.step()
    play.step()
    return play


def test_s758_the_first_is_withdrawn_and_says_to_which_it_was_escalated() -> None:
    play = opened()
    first = current(play)
    play.now = after(3600)
    decision = play.step()
    assert isinstance(decision.before[0], SettleApproval), "the Approval is written first"
    assert not any(isinstance(one, OpenApproval) for one in decision.after), "then the run"
    status = play.approvals[first.name].status
    assert (status.state, status.expired) == ("Withdrawn", None)
    play.step()
    second = current(play)
    assert (status.escalated_to, second.name != first.name) == (second.name, True)
    assert status.reason == "no answer in time; escalated to level 1: group managers"
    assert second.spec is not None
    assert second.spec.approvers.model_dump(exclude_none=True) == {"groups": ["managers"]}
    assert (second.spec.level, second.spec.votes, second.spec.decision) == (1, None, None)
    assert second.spec.expires_at == timestamp(after(3 * 3600)), "its own timeout"
    node = play.node("ok")
    assert (node.level, node.wake_at, node.phase) == (1, second.spec.expires_at, "Waiting")
    assert "y" not in play.phases or play.phases["y"] == "Pending"


def test_s758_the_last_level_ends_as_it_says() -> None:
    play = escalated()
    play.now = after(3 * 3600)
    play.step()
    play.step()
    assert play.node("ok").level == 2
    _, _, text = play.condition("AwaitingApproval")
    assert text.startswith("ok (escalation level 2): "), "Argo CD shows this"
    assert '"votes"' in text, "how the people of this level answer"
    play.now = after(4 * 3600)
    play.step()
    assert (current(play).status.state, current(play).status.expired) == ("Denied", True)
    play.step()
    assert (play.phases["ok"], play.reasons["ok"]) == ("Failed", "ApprovalExpired")


@pytest.mark.parametrize(
    ("last", "phase"),
    [
        pytest.param({}, "Succeeded", id="deny-that-continues"),
        pytest.param({"onTimeout": "Fail"}, "Failed", id="fail"),
    ],
)
def test_s758_what_follows_the_last_level(last: JsonObject, phase: str) -> None:
    level: JsonObject = {"approvers": {"users": ["cto"]}, "timeout": "1h", **last}
    one = gate("ok", timeout="1h", onTimeout="Escalate", escalation=[level], onDenied="Continue")
    play = escalated(spec(one))
    play.now = after(7200)
    play.step()
    play.step()
    assert play.phases["ok"] == phase


def test_s758_a_last_level_without_a_timeout_waits() -> None:
    level: JsonObject = {"approvers": {"users": ["cto"]}}
    play = escalated(spec(gate("ok", timeout="1h", onTimeout="Escalate", escalation=[level])))
    assert (play.node("ok").wake_at, current(play).spec and current(play).spec.expires_at) == (  # type: ignore[union-attr]
        None,
        None,
    )
    play.now = after(10**7)
    play.step()
    assert play.phases["ok"] == "Waiting"


def test_s759_an_answer_in_time_is_not_escalated() -> None:
    play = opened()
    play.now = after(3599)
    play.answer("ok", decision="Approved", decidedBy="ann")
    play.now = after(3700)
    play.step()
    play.step()
    assert (play.phases["ok"], play.node("ok").level) == ("Succeeded", None)


def test_s759_an_answer_that_comes_late_is_for_nobody() -> None:
    play = opened()
    first = current(play).name
    play.now = after(3600)
    play.answer("ok", decision="Approved", decidedBy="ann")
    play.step()
    play.step()
    assert (play.phases["ok"], play.node("ok").level) == ("Waiting", 1)
    play.step()
    valid = next(c for c in play.approvals[first].status.conditions if c.type == "AnswerValid")
    assert (valid.status, "no effect" in valid.message) == ("False", True)


def test_s759_votes_do_not_carry_over() -> None:
    one = gate(
        "ok",
        approvers={"users": ["ann", "bob"], "required": 2},
        timeout="1h",
        onTimeout="Escalate",
        escalation=[{"approvers": {"users": ["ann", "cto"], "required": 2}, "timeout": "1h"}],
    )
    play = opened(spec(one))
    play.answer("ok", votes={"ann": {"decision": "Approved"}})
    play.now = after(3600)
    play.step()
    play.step()
    play.answer("ok", votes={"cto": {"decision": "Approved"}})
    play.step()
    assert (play.phases["ok"], current(play).status.votes) == ("Waiting", "1/2")
    play.answer("ok", votes={u: {"decision": "Approved"} for u in ("ann", "cto")})
    play.step()
    play.step()
    assert play.phases["ok"] == "Succeeded"


def test_s760_a_crash_before_the_second_question_resumes() -> None:
    play = opened()
    play.now = after(3600)
    play.step()
    with pytest.raises(Crash):
        play.step(crash_after=1)  # the status is written, the Approval is not
    assert play.node("ok").approval not in play.approvals
    due = play.node("ok").wake_at
    play.now = after(5000)
    play.step()
    found = current(play)
    assert found.spec is not None
    assert (found.spec.level, found.spec.expires_at) == (1, due), "its first due time"
    assert len(play.approvals) == 2


def test_s760_a_deleted_question_of_a_level_is_asked_again() -> None:
    play = escalated()
    before = current(play)
    play.approvals.pop(before.name)
    play.step()
    assert current(play).spec == before.spec, "S74"


def test_s761_a_round_keeps_the_level_of_a_gate_that_it_adopts() -> None:
    play = escalated(spec(ASKING, python("other")))
    before = current(play).name
    play.rerun()
    play.step()
    assert (play.node("ok").level, play.node("ok").approval) == (1, before)


def test_s761_a_changed_gate_begins_with_its_first_people() -> None:
    play = escalated()
    play.edit_node("ok", approval={**ASKING["approval"], "message": "Really?"}).rerun()
    play.step()
    play.step()
    node = play.node("ok")
    assert (node.round, node.level) == (2, None)
    asked = current(play).spec
    assert asked is not None
    assert (asked.message, asked.approvers.users) == ("Really?", ["ann"])


def test_s761_other_timeouts_do_not_ask_again() -> None:
    play = escalated()
    before = current(play).name
    longer = [{**level, "timeout": "9h"} for level in LEVELS]
    play.edit_node("ok", approval={**ASKING["approval"], "escalation": longer}).rerun()
    play.step()
    assert (play.node("ok").level, play.node("ok").approval) == (1, before)


def test_s761_a_cancel_between_two_levels_asks_nobody() -> None:
    play = opened()
    play.now = after(3600)
    play.step()
    play.edit(cancel=True)
    play.step()
    assert play.phases["ok"] == "Cancelled"
    assert len(play.approvals) == 1


def test_s761_a_cancel_withdraws_the_question_of_a_level() -> None:
    play = escalated()
    play.edit(cancel=True)
    play.step()
    play.step()
    status = current(play).status
    assert (play.phases["ok"], status.state, status.escalated_to) == (
        "Cancelled",
        "Withdrawn",
        None,
    )


def test_s761_a_suspended_run_escalates_and_starts_nothing() -> None:
    play = opened()
    play.edit(suspend=True)
    play.now = after(3600)
    play.step()
    play.step()
    assert play.node("ok").level == 1
    play.answer("ok", decision="Approved", decidedBy="mia")
    play.step()
    decision = play.step()
    assert play.phases["ok"] == "Succeeded"
    assert not launches(decision)


def test_s762_a_question_that_cannot_be_withdrawn_does_not_stop_the_escalation() -> None:
    play = opened()
    first = current(play).name
    problem = WriteProblem("denied by a webhook", permanent=False)
    play.now = after(3700)
    play.overrides = {"write_problems": {first: problem}, "live": True, "live_at": play.now}
    play.step()
    play.step()
    assert (play.node("ok").level, play.phases["ok"]) == (1, "Waiting")
    assert play.approvals[first].status.state == "Open"
    play.overrides = {}
    play.step()
    status = play.approvals[first].status
    assert (status.state, status.escalated_to) == ("Withdrawn", current(play).name)


def test_s762_an_approval_of_a_stranger_in_the_place_of_a_level_opens_nothing() -> None:
    play = opened()
    play.now = after(3600)
    play.step()
    play.step()
    name = current(play).name
    spec_ = current(play).spec
    assert spec_ is not None
    other = spec_.model_copy(update={"level": None})
    play.approvals[name] = replace(play.approvals[name], spec=other)
    play.step()
    assert play.reasons["ok"] == "LaunchRejected"


def test_s758_events_and_telemetry_know_the_level() -> None:
    play = opened()
    first = current(play).name
    play.now = after(3600)
    play.step()
    decision = play.step()
    (event,) = [e for e in decision.events if e.reason == "ApprovalEscalated"]
    assert first in event.message
    assert current(play).name in event.message
    assert [(s.approval, s.level) for s in decision.escalated] == [(first, None)]


def test_the_items_of_a_map_escalate_one_by_one() -> None:
    one: Any = gate("ok", timeout="1h", onTimeout="Escalate", escalation=LEVELS)
    raw = spec({**one, "forEach": {"items": "${inputs.l}"}}, inputs={"l": [1, 2]})
    play = opened(raw)
    names = sorted(play.approvals)
    assert len(names) == 2
    play.approvals[names[0]] = replace(
        play.approvals[names[0]],
        status=ApprovalStatus(state="Approved"),
    )
    play.now = after(3600)
    play.step()
    play.step()
    open_ = [f for f in play.approvals.values() if f.status.state == "Open"]
    assert [f.spec and (f.spec.path, f.spec.level) for f in open_] == [("ok/1", 1)]
    items = play.node("ok").items
    assert items is not None
    assert " e1 " in (items.open or [""])[0]
    play.now = after(3 * 3600)
    play.step()
    play.step()
    (left,) = [f for f in play.approvals.values() if f.status.state == "Open"]
    assert left.spec is not None
    assert left.spec.level == 2
