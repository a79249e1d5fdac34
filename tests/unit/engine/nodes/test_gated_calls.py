"""Tool calls that people decide on, in the engine: questions, answers, and what follows."""

import json
from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.toolserver import ToolServerSpec
from waypost.engine.state.decision import OpenApproval, PutRecord, SettleApproval
from waypost.kube.facts.jobs import WriteProblem
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import DecidedCall

from tests.support.builders import NOW, SETTINGS, after, agent, python, spec
from tests.support.gated import approval_of, asks, call, decide_on, gated_agent
from tests.support.play import Play, evicted, launches, never_ends, returns
from tests.unit.engine.nodes.test_agent import SERVER, world

GATEWAY = replace(SETTINGS, gateway_url="http://gateway")
ONE, TWO, THREE = call("one"), call("two"), call("three")


def play_of(*nodes: JsonObject, **fields: Any) -> Play:
    return Play(spec(*nodes, **fields), overrides=world(), settings=GATEWAY)


def parked(*calls: Any, node: JsonObject | None = None, **fields: Any) -> Play:
    """A run whose agent has asked about these calls."""
    play = play_of(node or gated_agent(), python("y", dependsOn=["a"]), **fields)
    play.endings = {"a": [asks(play, *(calls or (ONE,))), returns({"ok": True})]}
    play.step()
    play.advance(1)
    for _ in range(3):
        play.step()
    return play


def decisions_in(job: JsonObject) -> tuple[DecidedCall, ...]:
    """What the next attempt is given."""
    text = job["spec"]["template"]["metadata"]["annotations"][meta.ANNOTATION_REQUEST]
    return gated_calls.decisions_from_json(json.loads(text)["agent"]["decisions"])


def states(play: Play) -> dict[str, str]:
    """The states of the Approvals by text of their call."""
    found: dict[str, str] = {}
    for fact in play.approvals.values():
        assert fact.spec is not None
        assert fact.spec.context is not None
        found[fact.spec.context["arguments"]["text"]] = fact.status.state
    return found


def test_s540_a_parked_agent_holds_no_pod_and_asks_once_for_each_call() -> None:
    play = parked(ONE, TWO)
    assert (play.phases["a"], play.node("a").parked) == ("Waiting", 1)
    assert all(pod.over for pod in play.pods.values()), "no pod waits for people"
    assert states(play) == {"one": "Open", "two": "Open"}
    fact = play.approvals[approval_of(play, "one")]
    assert fact.spec is not None
    assert (fact.spec.subject, fact.spec.context) == (
        "toolCall",
        {"tool": "send", "arguments": {"text": "one"}},
    )
    decision = play.step()
    assert (decision.status, decision.before, decision.after) == (play.status, (), ()), "once"


def test_s540_it_uses_no_retry_and_returns_its_share() -> None:
    play = parked(ONE, budget={"tokens": 1000})
    (attempt,) = play.node("a").attempts or []
    assert (attempt.reason, attempt.finished_at is not None) == ("AwaitingApproval", True)
    assert (play.node("a").retries, play.node("a").usage) != (1, None), "usage is kept"
    assert play.node("a").retries is None


def test_s540_people_see_each_question_and_how_to_answer() -> None:
    play = parked(ONE, TWO)
    status, _, text = play.condition("AwaitingApproval")
    assert (status, play.status.phase) == ("True", "Waiting")
    for name in play.approvals:
        assert f"kubectl patch approval {name} -n team" in text
    assert (play.status.waiting or "").removeprefix("approval/") in play.approvals


def test_s543_the_next_attempt_starts_once_all_calls_are_decided() -> None:
    play = parked(ONE, TWO, THREE)
    decide_on(play, "one", decision="Approved")
    decide_on(play, "two", decision="Approved", answer={"text": "other"})
    play.step()
    assert play.phases["a"] == "Waiting", "one call is not decided"
    assert not launches(play.step()), "nothing is launched before that"
    decide_on(play, "three", decision="Denied", reason="no")
    first = play.step()
    assert any(isinstance(one, SettleApproval) for one in first.before), "the Approval first"
    assert not launches(first), "I8: nothing starts before the decision is recorded"
    second = play.step()
    (launched,) = launches(second)
    assert launched.attempt == 2
    assert any(isinstance(one, PutRecord) for one in second.before), "kept before the status"
    assert decisions_in(launched.job) == (
        DecidedCall(ONE.digest, "Approved", by="ann"),
        DecidedCall(TWO.digest, "Approved", {"text": "other"}, by="ann"),
        DecidedCall(THREE.digest, "Denied", reason="no", by="ann"),
    )
    assert play.finish().phases == {"a": "Succeeded", "y": "Succeeded"}
    assert play.node("a").retries is None


def test_s543_the_same_arguments_as_an_answer_are_no_edit() -> None:
    play = parked()
    decide_on(play, "one", decision="Approved", answer={"text": "one"})
    play.step()
    (launched,) = launches(play.step())
    assert decisions_in(launched.job) == (DecidedCall(ONE.digest, "Approved", by="ann"),)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param({"text": 7}, "answer.text: expected", id="wrong-type"),
        pytest.param({}, "answer: expected", id="missing"),
        pytest.param("other", "answer: expected object", id="no-object"),
    ],
)
def test_s542_edited_arguments_meet_the_schema_of_the_tool(answer: Any, problem: str) -> None:
    play = parked()
    decide_on(play, "one", decision="Approved", answer=answer)
    play.step()
    fact = play.approvals[approval_of(play, "one")]
    assert fact.status.state == "Open", "another patch can correct it"
    found = next(c for c in fact.status.conditions if c.type == "AnswerValid")
    assert (found.status, problem in found.message) == ("False", True), found.message


def test_s542_a_schema_that_cannot_be_used_is_left_to_the_tool() -> None:
    hostile = call("one", schema={"$ref": "http://example.com/schema"})
    play = parked(hostile)
    fact = play.approvals[approval_of(play, "one")]
    assert fact.spec is not None
    assert fact.spec.answer_schema == {"type": "object"}


def test_s544_an_attempt_that_is_lost_after_the_decision_is_followed_by_one_with_it() -> None:
    play = parked()
    play.endings = {"a": [never_ends(), evicted(), returns({"ok": True})]}
    decide_on(play, "one", decision="Approved")
    play.step()
    (second,) = launches(play.step())
    play.approvals.clear()
    play.finish()
    jobs = [launch for decision in play.decisions for launch in launches(decision)]
    third = next(launch for launch in jobs if launch.path == "a" and launch.attempt == 3)
    assert decisions_in(third.job) == decisions_in(second.job), "kept without the Approval"
    assert (play.phases["a"], play.approvals) == ("Succeeded", {}), "nobody is asked again"


def test_s545_nobody_answers_in_time_and_the_model_reads_that() -> None:
    timed = gated_agent(toolApproval={"approvers": {"users": ["ann"]}, "timeout": "1h"})
    play = parked(node=timed)
    assert play.node("a").wake_at is not None
    assert play.step().requeue_at is not None, "the expiry is a timer"
    play.now = after(3700)
    play.step()
    (launched,) = launches(play.step())
    assert decisions_in(launched.job) == (DecidedCall(ONE.digest, "Denied", expired=True),)


def test_s545_with_on_timeout_fail_the_node_fails() -> None:
    policy = {"approvers": {"users": ["ann"]}, "timeout": "1h", "onTimeout": "Fail"}
    play = parked(node=gated_agent(toolApproval=policy))
    play.now = after(3700)
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", "ApprovalExpired")


@pytest.mark.parametrize(
    ("fields", "phase", "reason"),
    [
        pytest.param({"cancel": True}, "Cancelled", "Cancelled", id="cancel"),
        pytest.param({"deadline": "1h"}, "Cancelled", "DeadlineExceeded", id="run-deadline"),
    ],
)
def test_s546_questions_are_withdrawn_before_the_node_ends(
    fields: JsonObject, phase: str, reason: str
) -> None:
    play = parked(ONE, TWO)
    play.edit(**fields)
    play.now = after(3700)
    play.step()
    assert (play.phases["a"], states(play)) == (
        "Waiting",
        {"one": "Withdrawn", "two": "Withdrawn"},
    )
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == (phase, reason)


def test_s546_the_deadline_of_the_node_counts_while_it_is_parked() -> None:
    play = parked(ONE, node={**gated_agent(), "deadline": "10m"})
    play.now = after(601)
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", "DeadlineExceeded")
    assert states(play) == {"one": "Withdrawn"}


def test_s546_the_timeout_of_an_attempt_does_not_count_while_it_is_parked() -> None:
    play = parked(ONE, node={**gated_agent(), "timeout": "10m"})
    play.now = after(6000)
    play.step()
    assert play.phases["a"] == "Waiting"


def test_s546_a_suspended_run_records_decisions_and_starts_nothing() -> None:
    play = parked()
    play.edit(suspend=True)
    decide_on(play, "one", decision="Approved")
    decisions = [play.step() for _ in range(3)]
    assert not any(launches(decision) for decision in decisions)
    assert play.phases["a"] == "Backoff"
    play.edit(suspend=None)
    assert [launch.attempt for launch in launches(play.step())] == [2]


def test_s547_a_round_keeps_the_questions_of_an_unchanged_agent() -> None:
    play = parked()
    before = set(play.approvals)
    play.rerun()
    for _ in range(3):
        play.step()
    assert (play.phases["a"], play.node("a").disposition) == ("Waiting", "Adopted")
    assert (set(play.approvals), states(play)) == (before, {"one": "Open"})


def test_s547_a_round_withdraws_the_questions_of_a_changed_agent() -> None:
    play = parked()
    play.edit_node("a", inputs={"n": 2}).rerun()
    play.step()
    play.step()
    assert play.node("a").disposition == "Rerun"
    assert states(play) == {"one": "Withdrawn"}, "nobody answers a question without effect"


def test_s547_other_approvers_are_asked_with_another_question() -> None:
    play = parked()
    policy = {"approvers": {"users": ["carl"]}}
    play.spec["nodes"][0]["agent"]["toolApproval"] = policy
    play.rerun()
    for _ in range(3):
        play.step()
    assert (play.phases["a"], play.node("a").disposition) == ("Waiting", "Adopted")
    found = sorted(
        (f.status.state, f.spec.approvers.users) for f in play.approvals.values() if f.spec
    )
    assert found == [("Open", ["carl"]), ("Withdrawn", ["ann", "bob"])]


def test_s548_an_approval_that_asks_something_else_answers_nothing() -> None:
    play = parked()
    name = approval_of(play, "one")
    fact = play.approvals[name]
    assert fact.spec is not None
    other = fact.spec.model_copy(update={"context": {"tool": "send", "arguments": {"text": "x"}}})
    play.approvals[name] = replace(fact, spec=other)
    play.step()
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", "LaunchRejected")


def test_s548_a_deleted_approval_is_asked_again_with_its_first_expiry() -> None:
    timed = gated_agent(toolApproval={"approvers": {"users": ["ann"]}, "timeout": "1h"})
    play = parked(node=timed)
    name = approval_of(play, "one")
    first = play.approvals.pop(name)
    play.now = after(60)
    play.step()
    again = play.approvals[name]
    assert first.spec is not None
    assert again.spec is not None
    assert again.spec.expires_at == first.spec.expires_at


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param({"v": 1, "calls": []}, "NodeError", id="no-call"),
        pytest.param({"v": 2}, "NodeError", id="another-version"),
        pytest.param("text", "NodeError", id="no-object"),
        pytest.param(
            gated_calls.calls_to_json([call("one", tool="look")]), "NodeError", id="needs-none"
        ),
    ],
)
def test_s548_what_a_pod_asks_is_judged(document: Any, reason: str) -> None:
    play = play_of(gated_agent())
    play.endings = {"a": [asks(play, document=document)]}
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", reason)
    assert not play.approvals, "nobody is asked"


def test_s548_calls_that_are_not_stored_are_lost() -> None:
    play = play_of(gated_agent())
    play.endings = {"a": [asks(play, ONE)]}
    play.step()
    play.advance(1)
    play.record_facts.clear()
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", "ResultLost")


def test_s548_a_node_of_another_kind_asks_nobody() -> None:
    play = play_of(python("a"))
    play.endings = {"a": [asks(play, ONE)]}
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", "NodeError")


def test_s540_without_a_gateway_nothing_is_launched() -> None:
    play = Play(spec(gated_agent()), overrides=world())
    assert not launches(play.step())
    assert play.reasons["a"] == "MissingReference"
    assert "needs the gateway" in (play.node("a").message or "")


def test_s548_an_approval_that_is_refused_for_a_while_is_asked_again() -> None:
    play = play_of(gated_agent())
    play.endings = {"a": [asks(play, ONE)]}
    play.step()
    play.advance(1)
    decision = play.step()
    (asked,) = [one for one in decision.after if isinstance(one, OpenApproval)]
    name = asked.manifest["metadata"]["name"]
    play.approvals.clear()
    play.child_problems = {name: WriteProblem(message="quota", permanent=False, since=NOW)}
    play.step()
    assert (play.phases["a"], play.reasons["a"]) == ("Waiting", "LaunchRejected")
    play.child_problems = {}
    play.step()
    play.step()
    assert (play.reasons["a"], states(play)) == (None, {"one": "Open"})


# --- items of maps -------------------------------------------------------------------------------


def parked_map(**fields: Any) -> Play:
    """A map of two agents that have asked about one call each."""
    node = {**gated_agent(), "forEach": {"items": "${[1, 2]}", **fields}}
    play = play_of(node, python("y", dependsOn=["a"]))
    play.endings = {
        "a/0": [asks(play, ONE), returns({"n": 0})],
        "a/1": [asks(play, TWO), returns({"n": 1})],
    }
    play.step()
    play.advance(1)
    for _ in range(3):
        play.step()
    return play


def test_s549_each_item_of_a_map_asks_for_itself() -> None:
    play = parked_map()
    assert states(play) == {"one": "Open", "two": "Open"}
    paths = {fact.spec.path for fact in play.approvals.values() if fact.spec is not None}
    assert paths == {"a/0", "a/1"}
    assert all(pod.over for pod in play.pods.values()), "no pod waits for people"
    status, _, text = play.condition("AwaitingApproval")
    assert (status, "a/0: kubectl patch approval" in text) == ("True", True), text
    decision = play.step()
    assert (decision.status, decision.before, decision.after) == (play.status, (), ()), "once"


def test_s549_an_item_continues_with_its_own_decision() -> None:
    play = parked_map()
    decide_on(play, "two", decision="Approved", answer={"text": "other"})
    play.step()
    (launched,) = launches(play.step())
    assert (launched.path, launched.attempt) == ("a/1", 2)
    assert decisions_in(launched.job) == (
        DecidedCall(TWO.digest, "Approved", {"text": "other"}, by="ann"),
    )
    decide_on(play, "one", decision="Denied", reason="no")
    play.finish()
    assert play.phases == {"a": "Succeeded", "y": "Succeeded"}
    assert play.node("a").output == [{"n": 0}, {"n": 1}]


def test_s549_an_attempt_of_an_item_that_is_lost_is_followed_by_one_with_its_decision() -> None:
    play = parked_map()
    play.endings = {"a": [never_ends(), evicted(), returns({})]}
    for text in ("one", "two"):
        decide_on(play, text, decision="Approved")
    play.step()
    play.step()
    play.approvals.clear()
    play.finish()
    jobs = {(one.path, one.attempt): one for d in play.decisions for one in launches(d)}
    assert decisions_in(jobs["a/0", 3].job) == decisions_in(jobs["a/0", 2].job)
    assert (play.phases["a"], play.approvals) == ("Succeeded", {})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"cancel": True}, "Cancelled", id="cancel"),
        pytest.param({"deadline": "1h"}, "DeadlineExceeded", id="run-deadline"),
    ],
)
def test_s549_the_questions_of_items_are_withdrawn_first(fields: JsonObject, reason: str) -> None:
    play = parked_map()
    play.edit(**fields)
    play.now = after(3700)
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == ("Cancelled", reason)
    assert states(play) == {"one": "Withdrawn", "two": "Withdrawn"}


def test_s549_a_question_holds_a_place() -> None:
    play = parked_map(maxParallel=1)
    assert states(play) == {"one": "Open"}, "the second item begins once the first has ended"


def test_s549_the_questions_of_a_list_that_is_replaced_are_withdrawn() -> None:
    play = parked_map()
    play.edit_node("a", forEach={"items": "${[3]}"}, inputs={"n": "${item}"}).rerun()
    for _ in range(4):
        play.step()
    assert [states(play)[text] for text in ("one", "two")] == ["Withdrawn", "Withdrawn"]


# --- loops ---------------------------------------------------------------------------------------


def test_s547_each_iteration_of_a_loop_asks_about_its_own_calls() -> None:
    output = {"type": "object", "required": ["done"], "properties": {"done": {"type": "boolean"}}}
    node = {
        **gated_agent(),
        "outputSchema": output,
        "repeat": {"until": "${self.output.done}", "max": 3},
    }
    play = play_of(node)
    first, second = returns({"done": False}), returns({"done": True})
    play.endings = {"a": [asks(play, ONE), first, asks(play, ONE), second]}
    for asked in (1, 2):
        for _ in range(6):
            play.step()
            play.advance(1)
        assert (play.phases["a"], len(play.approvals)) == ("Waiting", asked), "asked again"
        name = play.node("a").approval or ""
        play.answer("a", decision="Approved", decidedBy="ann")
        play.step()
        assert play.approvals[name].status.state == "Approved"
    play.finish()
    assert (play.phases["a"], play.node("a").attempt) == ("Succeeded", 4)


# --- what a ToolServer requires ------------------------------------------------------------------

SENT_BY_SERVER = call("one", server="runbooks")


def guarded(**fields: Any) -> dict[str, Any]:
    """A namespace whose ToolServer has these approvals."""
    given = world()
    required = {"tools": ["send"], "approvers": {"users": ["carl"]}, **fields}
    spec_ = {**SERVER, "requireApproval": required}
    return {**given, "servers": {"runbooks": ToolServerSpec.model_validate(spec_)}}


def server_agent(**fields: Any) -> JsonObject:
    return agent("a", tools=[{"server": "runbooks", "allow": ["look", "send"], **fields}])


def server_play(node: JsonObject, *calls: Any, **fields: Any) -> Play:
    play = Play(spec(node), overrides=guarded(**fields), settings=GATEWAY)
    play.endings = {"a": [asks(play, *calls), returns({"ok": True})]}
    play.step()
    play.advance(1)
    for _ in range(3):
        play.step()
    return play


@pytest.mark.parametrize("tools", [["send"], ["*"]], ids=["by-name", "all"])
def test_s550_a_tool_server_can_require_approvals_in_every_run(tools: list[str]) -> None:
    play = Play(spec(server_agent()), overrides=guarded(tools=tools), settings=GATEWAY)
    (launched,) = launches(play.step())
    text = launched.job["spec"]["template"]["metadata"]["annotations"][meta.ANNOTATION_REQUEST]
    (entry,) = json.loads(text)["agent"]["tools"]
    expected = ["look", "send"] if tools == ["*"] else ["send"]
    assert entry["requireApproval"] == expected, "the pod asks"


def test_s550_the_approvers_of_the_tool_server_are_asked() -> None:
    named = server_agent(requireApproval=["send"])
    named["agent"]["toolApproval"] = {"approvers": {"users": ["ann"]}}
    play = server_play(named, SENT_BY_SERVER)
    (fact,) = play.approvals.values()
    assert fact.spec is not None
    assert fact.spec.approvers.users == ["carl"], "a run cannot name others"
    assert fact.spec.context == {
        "tool": "send",
        "server": "runbooks",
        "arguments": {"text": "one"},
    }


def test_s550_a_pod_cannot_name_another_tool_server() -> None:
    play = server_play(server_agent(), call("one"))
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", "NodeError")
    assert not play.approvals


def test_s550_a_clean_up_that_would_have_to_ask_fails() -> None:
    made = spec(python("b"), **{"finally": [server_agent()]})
    play = Play(made, overrides=guarded(), settings=GATEWAY)
    play.finish()
    assert (play.phases["a"], play.reasons["a"]) == ("Failed", "InputInvalid")


def test_s550_the_shortest_timeout_holds_for_the_calls_of_one_answer() -> None:
    named = server_agent()
    named["agent"]["tools"].append(
        {"module": "letters", "functions": ["write"], "requireApproval": ["write"]}
    )
    named["agent"]["toolApproval"] = {"approvers": {"users": ["ann"]}, "timeout": "2h"}
    play = server_play(named, SENT_BY_SERVER, call("two", tool="write"), timeout="1h")
    expiries = {fact.spec.expires_at for fact in play.approvals.values() if fact.spec is not None}
    assert (len(play.approvals), len(expiries)) == (2, 1)
    assert play.node("a").wake_at in expiries
