"""A round that begins between the withdrawal of a question and the end of its gate (S460)."""

from dataclasses import replace

import pytest
from waypost.api.base import JsonObject

from tests.support.builders import gate, python, spec
from tests.support.play import Play, raises, returns

HELPS: JsonObject = {"from": ["bad"]}


def withdrawn(raw: JsonObject) -> Play:
    """A run that has withdrawn a question, and whose status still says that the gate waits."""
    play = Play(raw, endings={"bad": [raises(), returns(1)]})
    for _ in range(20):
        play.step()
        if any(fact.status.state == "Withdrawn" for fact in play.approvals.values()):
            break
        play.advance(0.2)
    assert play.phases["ok"] == "Waiting"
    return play


CLOSING = [
    pytest.param(spec(gate("ok"), python("bad")), HELPS, "the run failed", id="failure"),
    pytest.param(
        spec(gate("ok"), python("bad", inputs={"v": "${int(run.name)}"})),
        {"skip": ["bad"]},
        "the failure is skipped",
        id="failure-without-a-program",
    ),
    pytest.param(
        spec(gate("ok", timeout="1h"), python("bad")), HELPS, "with an expiry", id="expiry"
    ),
]


@pytest.mark.parametrize(("raw", "asked", "reason"), CLOSING)
def test_s460_a_withdrawn_question_is_asked_again_in_the_round_that_adopts_its_gate(
    raw: JsonObject, asked: JsonObject, reason: str
) -> None:
    play = withdrawn(raw)
    (first,) = play.approvals
    play.rerun(**asked)
    play.step()
    assert play.phases["ok"] == "Waiting", reason
    node = play.node("ok")
    assert (node.disposition, node.round) == ("Rerun", 2)
    assert node.disposition_message == "its question was withdrawn in round 1"
    assert {name: fact.status.state for name, fact in play.approvals.items()} == {
        first: "Withdrawn",
        node.approval: "Open",
    }
    play.answer("ok", decision="Approved")
    play.finish()
    assert (play.phases["ok"], play.status.phase) == ("Succeeded", "Succeeded")


def test_s460_a_cache_that_does_not_show_the_withdrawal_yet_only_delays_the_question() -> None:
    play = withdrawn(spec(gate("ok"), python("bad")))
    ((name, fact),) = play.approvals.items()
    stale = replace(fact, status=fact.status.model_copy(update={"state": "Open"}))
    play.overrides = {"approvals": {name: stale}}
    play.rerun(**HELPS)
    play.step()
    assert play.node("ok").disposition == "Adopted"
    play.overrides = {}
    play.step()
    assert (play.phases["ok"], len(play.approvals)) == ("Waiting", 2)


def test_s460_a_round_that_fails_at_once_ends_the_gate() -> None:
    broken = python("bad", inputs={"v": "${int(run.name)}"})
    play = withdrawn(spec(gate("ok"), broken))
    play.rerun().finish()
    assert {fact.status.state for fact in play.approvals.values()} == {"Withdrawn"}
    assert (play.phases["ok"], play.status.phase) == ("Cancelled", "Failed")


def test_s460_while_the_run_is_suspended_the_question_waits() -> None:
    play = withdrawn(spec(gate("ok"), python("bad")))
    play.edit(suspend=True).rerun(**HELPS)
    play.step()
    assert (play.phases["ok"], len(play.approvals)) == ("Pending", 1)
    play.edit(suspend=None)
    play.step()
    assert (play.phases["ok"], len(play.approvals)) == ("Waiting", 2)
