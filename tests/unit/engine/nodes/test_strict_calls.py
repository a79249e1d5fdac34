"""S605, S606 for tool calls: an answer that is not verified decides nothing."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.admission.guard import Guard
from waypost.protocol.reasons import Reason

from tests.support.builders import SETTINGS, spec
from tests.support.gated import approval_of, asks, call, decide_on, gated_agent
from tests.support.play import Play, returns
from tests.unit.engine.nodes.test_agent import world

GATEWAY = replace(SETTINGS, gateway_url="http://gateway")
HOLDS = Guard(seal="p.1.b.1", fresh=True)
AWAY = Guard(problem="ValidatingAdmissionPolicy x does not exist", fresh=True)


def parked(guard: Guard, **approval: Any) -> Play:
    """A run in strict mode whose agent has asked about a call."""
    overrides = {**world(), "guard": guard, "strict_approvals": True}
    asked = {"approvers": {"users": ["ann"]}, **approval}
    play = Play(spec(gated_agent(toolApproval=asked)), overrides=overrides, settings=GATEWAY)
    play.endings = {"a": [asks(play, call("one")), returns({"ok": True})]}
    play.step()
    play.advance(1)
    for _ in range(3):
        play.step()
    return play


def answered(play: Play, **more: Any) -> None:
    """Ann says yes to the question that she has read."""
    asked = play.approvals[approval_of(play, "one")].spec
    assert asked is not None
    decide_on(
        play, "one", **{"decision": "Approved", "decidedDigest": asked.request_digest, **more}
    )
    play.step()


def test_s605_a_verified_answer_counts() -> None:
    play = parked(HOLDS)
    answered(play)
    assert play.approvals[approval_of(play, "one")].status.state == "Approved"


@pytest.mark.parametrize(
    ("guard", "more", "says"),
    [
        pytest.param(AWAY, {}, "x does not exist", id="away"),
        pytest.param(replace(HOLDS, seal="p.2.b.1"), {}, "was changed after", id="changed"),
        pytest.param(HOLDS, {"decidedDigest": None}, "no decidedDigest", id="no-digest"),
    ],
)
def test_s605_an_answer_that_is_not_verified_decides_nothing(
    guard: Guard, more: dict[str, Any], says: str
) -> None:
    play = parked(HOLDS)
    play.overrides["guard"] = guard
    answered(play, **more)
    approval = play.approvals[approval_of(play, "one")]
    assert approval.status.state == "Open"
    problem = next(c for c in approval.status.conditions if c.type == meta.Condition.ANSWER_VALID)
    assert says in problem.message
    assert play.node("a").attempt == 1


def test_s606_nothing_is_asked_while_the_policy_is_missing() -> None:
    play = parked(AWAY)
    assert not play.approvals
    assert play.node("a").reason == Reason.IDENTITY_UNVERIFIED
    play.overrides["guard"] = HOLDS
    for _ in range(3):
        play.step()
    assert next(iter(play.approvals.values())).guard == HOLDS.seal
    assert play.node("a").reason is None


def test_s606_what_cannot_be_asked_in_time_is_denied() -> None:
    play = parked(AWAY, timeout="60s")
    play.advance(61)
    for _ in range(3):
        play.step()
    assert not play.approvals
    assert play.node("a").attempt == 2, "the model reads the denial"
