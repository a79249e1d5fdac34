"""Tool calls that people decide on, in the pod: what it asks, and what it does then."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import waypost_agent
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import DecidedCall, GatedCall
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed, WorkParked, WorkResult

from tests.agent import replies
from tests.agent.attempts import MODULE, Node
from tests.agent.journaled import gateway
from tests.agent.pods import entries, model_server
from tests.agent.replies import Call

SCRIPTS = """
scripts:
  three:
    byAnswers: true
    turns:
    - call: [{tool: send, arguments: {text: one}}, {tool: look, arguments: {where: here}},
             {tool: send, arguments: {text: two}}, {tool: send, arguments: {text: three}}]
    - say: "${last}"
  again:
    byAnswers: true
    turns:
    - call: [{tool: send, arguments: {text: one}}]
    - call: [{tool: send, arguments: {text: two}}]
    - say: done
  beside:
    byAnswers: true
    turns:
    - say: done
"""
TOOLS = [
    {
        "module": MODULE,
        "functions": ["look", "count", "fail", "send"],
        "requireApproval": ["send"],
        "effects": {"send": "once"},
    }
]


@pytest.fixture(scope="module")
def models() -> Iterator[str]:
    with model_server(SCRIPTS) as url:
        yield url


@pytest.fixture
def node(models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    with gateway() as site:
        made = Node(site, models, tmp_path, monkeypatch)
        made.tools = TOOLS
        yield made


def attempt(
    node: Node, script: str, *decisions: DecidedCall, **more: Any
) -> WorkResult | WorkFailed | WorkParked:
    """The outcome of the next attempt, which has these decisions."""
    given: dict[str, Any] = {}
    if decisions:
        given["decisions"] = gated_calls.decisions_to_json(decisions)
    request = node.request(script, **given, **more)
    try:
        return waypost_agent.perform(request, deadline=time.monotonic() + 30)
    except (WorkFailed, WorkParked) as ended:
        return ended


def asked(outcome: WorkResult | WorkFailed | WorkParked) -> tuple[GatedCall, ...]:
    assert isinstance(outcome, WorkParked), outcome
    return gated_calls.calls_from_json(outcome.calls)


def yes(call: GatedCall, **more: Any) -> DecidedCall:
    return DecidedCall(call.digest, "Approved", by="ann", **more)


def no(call: GatedCall, **more: Any) -> DecidedCall:
    return DecidedCall(call.digest, "Denied", by="ann", **more)


def test_s541_the_other_calls_of_the_answer_are_made_before_the_attempt_ends(node: Node) -> None:
    calls = asked(attempt(node, "three"))
    assert [call.arguments["text"] for call in calls] == ["one", "two", "three"], "in their order"
    assert node.deeds == ["look here"], "no gated call is made"
    assert {(call.tool, call.server, call.turn) for call in calls} == {("send", None, 0)}
    schema: Any = calls[0].schema
    assert schema["properties"]["text"]["type"] == "string", "so that an edit can be checked"


def test_s543_each_call_is_answered_as_it_was_decided_and_none_is_made_twice(node: Node) -> None:
    one, two, three = asked(attempt(node, "three"))
    outcome = attempt(
        node,
        "three",
        yes(one),
        yes(two, arguments={"text": "other"}),
        no(three, reason="too many letters"),
    )
    assert isinstance(outcome, WorkResult), outcome
    assert node.deeds == ["look here", "send one", "send other"]
    text = "".join(node.texts())
    assert text.count("the call was not made: a person denied it: too many letters") == 1
    assert text.count("a person changed the arguments of this call") == 1
    again = attempt(node, "three")
    assert isinstance(again, WorkResult), "it is replayed, and asks nobody"
    assert node.deeds == ["look here", "send one", "send other"]


def test_s544_the_trace_says_who_decided(node: Node) -> None:
    one, two, three = asked(attempt(node, "three"))
    edited = yes(two, arguments={"text": "other"})
    outcome = attempt(node, "three", yes(one), edited, no(three))
    reported = {
        (e.get("decision"), e.get("decidedBy"), e["outcome"])
        for e in entries(outcome, "tool")
        if e["name"] == "send"
    }
    assert reported == {
        ("Approved", "ann", "ok"),
        ("Edited", "ann", "ok"),
        ("Denied", "ann", "refused"),
    }


def test_s542_a_decision_holds_for_the_call_with_its_digest_only(node: Node) -> None:
    one, two, three = asked(attempt(node, "three"))
    other = one._replace(arguments={"text": "else"})
    waiting = asked(attempt(node, "three", yes(other), yes(two), yes(three)))
    assert [call.digest for call in waiting] == [one.digest], "it is asked again"
    assert node.deeds == ["look here", "send two", "send three"]
    assert isinstance(attempt(node, "three", yes(one)), WorkResult)
    assert node.deeds == ["look here", "send two", "send three", "send one"]


def test_s541_each_answer_with_gated_calls_ends_an_attempt(node: Node) -> None:
    (one,) = asked(attempt(node, "again"))
    (two,) = asked(attempt(node, "again", yes(one)))
    assert (one.turn, two.turn) == (0, 1)
    assert isinstance(attempt(node, "again", yes(two)), WorkResult)
    assert node.deeds == ["send one", "send two"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param({"text": 7}, "the tool does not take them", id="wrong-type"),
        pytest.param({}, "the tool does not take them", id="missing"),
    ],
)
def test_s543_edited_arguments_that_do_not_fit_reach_no_tool(
    node: Node, arguments: dict[str, Any], says: str
) -> None:
    one, two, three = asked(attempt(node, "three"))
    edited = yes(one, arguments=arguments)
    assert isinstance(attempt(node, "three", edited, no(two), no(three)), WorkResult)
    assert (node.deeds, says in "".join(node.texts())) == (["look here"], True)


def test_s541_arguments_that_are_too_large_for_a_person_reach_nobody(node: Node) -> None:
    large = Call("send", json.dumps({"text": "x" * gated_calls.MAX_ARGUMENTS}))
    given = [replies.answer("OpenAI", "", large), replies.answer("OpenAI", "well")]
    outcome = node.play(given)
    assert isinstance(outcome, WorkResult), outcome
    assert node.deeds == []
    assert b"a call that needs an approval can have" in node.asked[-1].body


def test_s540_without_a_gateway_no_attempt_could_continue(node: Node) -> None:
    request = node.request("three")._replace(gateway=None)
    with pytest.raises(WorkFailed) as failed:
        waypost_agent.perform(request, deadline=time.monotonic() + 30)
    assert (failed.value.reason, node.deeds) == (Reason.NODE_ERROR, ["look here"])
    assert "without a gateway" in str(failed.value)
