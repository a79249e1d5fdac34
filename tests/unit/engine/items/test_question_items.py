"""Items that ask people, played: the statements S475 to S482 of docs/semantics.md."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define
from waypost.engine.items.questions import SETTLED_PER_PASS
from waypost.engine.state.decision import OpenApproval, SettleApproval
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.timestamps import timestamp
from waypost.views.related import Related
from waypost.views.run.obstacles import obstacles

from tests.support.builders import NOW, after, gate, python, spec
from tests.support.maps import items_of, output, run_of, steps
from tests.support.play import Play, never_ends, raises, returns

YES: JsonObject = {"decision": "Approved", "decidedBy": "ann"}
NO: JsonObject = {"decision": "Denied", "decidedBy": "ann", "reason": "too dear"}


def asking(**fields: JsonValue) -> JsonObject:
    """A map over inputs.list that asks ann about each item."""
    for_each = {"items": "${inputs.list}", **fields.pop("forEach", {})}
    message = fields.pop("message", "Pay ${item}?")
    return gate("ask", message=message, forEach=for_each, **fields)


def asked(values: JsonValue, *others: JsonObject, **fields: JsonValue) -> Play:
    """A run that has just asked about each value."""
    play = Play(run_of(values, asking(**fields), *others))
    play.step()
    return play


def names(play: Play) -> dict[str, str]:
    """The Approvals by the path of their item, the newest round last."""
    return {
        fact.spec.path: name
        for name, fact in sorted(play.approvals.items())
        if fact.spec is not None
    }


def answer(play: Play, path: str, given: JsonObject) -> None:
    """Ann answers the open question of an item."""
    name = next(
        name
        for name, fact in play.approvals.items()
        if fact.spec is not None and fact.spec.path == path and fact.status.state == "Open"
    )
    fact = play.approvals[name]
    assert fact.spec is not None
    version = str(int(fact.resource_version) + 1)
    changed = fact.spec.model_copy(
        update={"decision": given["decision"], "decided_by": "ann", "reason": given.get("reason")}
    )
    play.approvals[name] = replace(
        fact, spec=changed, answered_at=play.now, resource_version=version
    )


def state_of(play: Play, path: str) -> str:
    """The recorded state of the Approval of an item."""
    return play.approvals[names(play)[path]].status.state


@dataclass(frozen=True)
class Case:
    """Three questions, their answers, and how the map ends."""

    answers: dict[int, JsonObject]
    phase: str
    decisions: list[Any]
    fields: JsonObject = field(default_factory=dict)
    reason: str | None = None
    states: dict[int, str] = field(default_factory=dict)


def test_s223_the_last_answer_of_a_map_and_the_choice_are_in_one_write() -> None:
    best = {"name": "best", "first": {"of": ["quick", "ask"]}}
    play = Play(run_of(["a"], asking(), python("quick"), best), endings={"quick": [never_ends()]})
    play.step()
    answer(play, "ask/0", YES)
    while play.phases["ask"] != "Succeeded":
        play.step()
    assert play.phases["best"] == "Succeeded"
    attempts = play.node("quick").attempts or []
    assert attempts[-1].stopping == "NotChosen"


TABLE = [
    pytest.param(
        Case({0: YES, 1: YES, 2: YES}, "Succeeded", ["Approved"] * 3),
        id="S475-all-approved",
    ),
    pytest.param(
        Case(
            {0: YES, 1: NO},
            "Failed",
            [],
            reason="ItemsFailed",
            states={1: "Denied", 2: "Withdrawn"},
        ),
        id="S477-a-denial-fails-its-item-and-the-map-withdraws-the-others",
    ),
    pytest.param(
        Case(
            {0: YES, 1: NO, 2: YES},
            "Succeeded",
            ["Approved", None, "Approved"],
            {"forEach": {"tolerate": 1}},
        ),
        id="S477-a-denial-within-tolerate-is-null",
    ),
    pytest.param(
        Case(
            {0: YES, 1: NO, 2: YES},
            "Succeeded",
            ["Approved", "Denied", "Approved"],
            {"onDenied": "Continue"},
        ),
        id="S477-on-denied-continue-is-an-output",
    ),
    pytest.param(
        Case(
            {0: YES, 2: YES},
            "Succeeded",
            ["Approved", "Denied", "Approved"],
            {"onDenied": "Continue", "timeout": "1m"},
            states={1: "Denied"},
        ),
        id="S477-one-expires",
    ),
    pytest.param(
        Case({0: YES, 2: YES}, "Failed", [], {"timeout": "1m"}, reason="ItemsFailed"),
        id="S477-one-that-expires-fails-its-item",
    ),
]


@pytest.mark.parametrize("case", TABLE)
def test_questions_are_answered_one_by_one(case: Case) -> None:
    play = asked(["a", "b", "c"], **case.fields)
    assert (play.node("ask").phase, play.pods) == ("Running", {}), "no pod"
    assert items_of(play, "ask").states == "W*3"
    for index, given in case.answers.items():
        answer(play, f"ask/{index}", given)
    steps(play, 4)
    play.advance(90)
    steps(play, 6)
    node = play.node("ask")
    assert (node.phase, node.reason) == (case.phase, case.reason), node.message
    if case.phase == "Succeeded":
        given = output(play, "ask")
        assert isinstance(given, list)
        assert [one and one["decision"] for one in given] == case.decisions
    for index, state in case.states.items():
        assert state_of(play, f"ask/{index}") == state
    assert all(fact.status.state != "Open" for fact in play.approvals.values()), "none is left"


def test_s475_the_question_is_about_its_item() -> None:
    play = asked(["a", "b"], timeout="1h", context={"what": "${item}", "at": "${index}"})
    spec_ = play.approvals[names(play)["ask/1"]].spec
    assert spec_ is not None
    assert (spec_.message, spec_.context) == ("Pay b?", {"what": "b", "at": 1})
    assert spec_.expires_at == timestamp(after(3600))
    before = play.status
    decision = play.step()
    assert (decision.status, decision.after) == (before, ()), "asked once"
    assert decision.requeue_at == after(3600), "the expiry is a timer"


def test_s476_all_are_asked_at_once_unless_max_parallel_says_less() -> None:
    values: JsonValue = [f"v{at}" for at in range(30)]
    play = asked(values)
    steps(play, 2)
    assert items_of(play, "ask").states == "W*30"
    play = asked(values, forEach={"maxParallel": 2})
    steps(play, 2)
    assert items_of(play, "ask").states == "W*2 P*28"
    answer(play, "ask/0", YES)
    steps(play, 3)
    assert items_of(play, "ask").states == "S0 W*2 P*27", "the next one takes its place"


def test_s476_a_pass_asks_at_most_20_questions() -> None:
    play = Play(run_of([f"v{at}" for at in range(30)], asking()))
    decision = play.step()
    opened = [one for one in decision.after if isinstance(one, OpenApproval)]
    assert (len(opened), decision.requeue_at is not None) == (20, True)


def test_s476_a_pass_records_at_most_20_answers() -> None:
    play = steps(asked([f"v{at}" for at in range(30)]), 2)
    for index in range(30):
        answer(play, f"ask/{index}", YES)
    decision = play.step()
    settled = [one for one in decision.before if isinstance(one, SettleApproval)]
    assert len(settled) == SETTLED_PER_PASS
    steps(play, 5)
    assert play.node("ask").phase == "Succeeded"


def test_s476_more_than_100_items_are_refused_with_the_count() -> None:
    play = asked([f"v{at}" for at in range(101)])
    assert play.node("ask").reason == "InputInvalid"
    assert "expected at most 100 items, found 101" in (play.node("ask").message or "")
    assert not play.approvals


STOPS = [
    pytest.param({"cancel": True}, "Cancelled", id="cancel"),
    pytest.param(None, "Cancelled", id="another-node-fails"),
]


@pytest.mark.parametrize(("edit", "phase"), STOPS)
def test_s478_each_question_is_withdrawn_before_its_item_ends(
    edit: JsonObject | None, phase: str
) -> None:
    play = Play(run_of(["a", "b"], asking(), python("y")), {"y": [raises()]})
    play.step()
    if edit is not None:
        play.edit(**edit)
    else:
        play.advance(1)
    for _ in range(8):
        play.step()
        states = items_of(play, "ask").states if play.node("ask").items else None
        for index in range(2):
            if states is None or "W" not in states:
                assert state_of(play, f"ask/{index}") == "Withdrawn", "the Approval first"
        play.advance(1.5)
    assert play.node("ask").phase in (phase, "Failed")
    assert play.status.finished_at is not None


def test_s478_the_end_waits_while_an_approval_cannot_be_written() -> None:
    play = asked(["a"])
    name = names(play)["ask/0"]
    play.edit(cancel=True)
    problem = WriteProblem(message="a webhook is down", permanent=False, since=NOW)
    play.overrides = {"write_problems": {name: problem}}
    steps(play, 3)
    assert play.node("ask").phase == "Running"
    play.overrides = {}
    steps(play, 4)
    assert (play.node("ask").phase, state_of(play, "ask/0")) == ("Cancelled", "Withdrawn")


def test_s479_a_round_asks_again_only_what_was_not_approved() -> None:
    play = asked(["a", "b", "c"], forEach={"tolerate": 0})
    answer(play, "ask/0", YES)
    steps(play, 2)
    answer(play, "ask/1", NO)
    steps(play, 5)
    assert play.node("ask").phase == "Failed"
    play.rerun()
    steps(play, 3)
    assert items_of(play, "ask").states == "S0 W*2", "what was approved stays"
    for index in (1, 2):
        answer(play, f"ask/{index}", YES)
    steps(play, 4)
    assert play.node("ask").phase == "Succeeded"
    assert output(play, "ask")[0]["decision"] == "Approved"


def test_s479_an_answer_is_kept_only_for_the_same_text() -> None:
    first = python("first")
    play = Play(
        run_of(["a", "b"], first, asking(message="Pay ${item} for ${nodes.first.output.n}?")),
        {"first": [returns({"n": 1}), returns({"n": 2})]},
    )
    steps(play, 3)
    answer(play, "ask/0", YES)
    steps(play, 2)
    play.rerun(**{"from": ["first"]})
    steps(play, 4)
    assert items_of(play, "ask").states == "W*2", "the question has another text now"


def test_s479_open_questions_of_a_replaced_list_are_withdrawn() -> None:
    play = asked(["a", "b"])
    old = names(play)["ask/1"]
    play.edit(inputs={"list": ["a", "c"]}, rerun={"round": 2})
    steps(play, 4)
    assert play.approvals[old].status.state == "Withdrawn"
    assert items_of(play, "ask").states == "W*2"


def test_s479_a_round_that_changes_nothing_keeps_open_questions() -> None:
    play = asked(["a", "b"], python("y"))
    play.rerun()
    steps(play, 3)
    assert items_of(play, "ask").states == "W*2"
    assert len(play.approvals) == 2, "the same questions"
    answer(play, "ask/0", YES)
    answer(play, "ask/1", YES)
    steps(play, 4)
    assert play.node("ask").phase == "Succeeded"


@pytest.mark.parametrize("suspend", [False, True])
def test_s460_a_question_that_was_withdrawn_before_the_round_is_asked_again(suspend: bool) -> None:
    play = asked(["a", "b"])
    old = names(play)["ask/0"]
    withdrawn = play.approvals[old].status.model_copy(update={"state": "Withdrawn"})
    play.approvals[old] = replace(play.approvals[old], status=withdrawn)
    play.rerun()
    play.edit(suspend=suspend)
    steps(play, 3)
    play.edit(suspend=False)
    steps(play, 4)
    assert items_of(play, "ask").states == "W*2"
    assert len(play.approvals) == 3, "the other question stays"
    for index in (0, 1):
        answer(play, f"ask/{index}", YES)
    steps(play, 4)
    assert play.node("ask").phase == "Succeeded"
    assert output(play, "ask")[0]["decision"] == "Approved"


def test_s480_what_a_person_sees() -> None:
    play = asked(["a", "b"])
    assert play.status.phase == "Waiting"
    assert play.status.waiting == f"approval/{names(play)['ask/0']}"
    _, _, text = play.condition("AwaitingApproval")
    assert f"ask/0: kubectl patch approval {names(play)['ask/0']} -n team" in text
    assert "ask/1: kubectl patch approval" in text
    approvals = {
        name: {"metadata": {"name": name}, "spec": fact.spec.model_dump(by_alias=True)}
        for name, fact in play.approvals.items()
        if fact.spec is not None
    }
    found = obstacles(
        {"metadata": {"name": "brief"}, "spec": play.spec},
        play.status,
        Related(approvals=approvals),
        now=play.now,
    )
    shown = {one.node: one.command for one in found if one.what == "approval"}
    assert shown == {path: f"waypost approve {name}" for path, name in names(play).items()}


def test_s480_the_trace_has_one_span_for_each_question() -> None:
    play = asked(["a"])
    answer(play, "ask/0", YES)
    ended = [one for _ in range(3) for one in play.step().ended_items]
    assert [(one.path, one.phase, one.approval) for one in ended] == [
        ("ask/0", "Succeeded", names(play)["ask/0"])
    ]


def test_s481_a_late_approval_of_an_item_that_has_ended_is_closed() -> None:
    play = asked(["a", "b"], forEach={"tolerate": 1})
    name = names(play)["ask/0"]
    open_ = play.approvals[name]
    answer(play, "ask/0", NO)
    steps(play, 2)
    play.approvals[name] = replace(open_, resource_version="99")  # made again by another operator
    steps(play, 1)
    assert play.approvals[name].status.state == "Withdrawn"


def test_s481_a_strange_approval_fails_its_item() -> None:
    play = asked(["a", "b"], forEach={"tolerate": 1})
    name = names(play)["ask/0"]
    play.approvals[name] = replace(play.approvals[name], owner_uid="another")
    steps(play, 1)
    assert items_of(play, "ask").states == "F0 W"


def test_s482_a_cancelled_run_with_a_rejected_spec_withdraws_them() -> None:
    play = asked(["a", "b"])
    play.edit(nodes=[python("other", dependsOn=["nobody"])], cancel=True)
    for _ in range(4):
        play.step()
        play.advance(1)
    assert {fact.status.state for fact in play.approvals.values()} == {"Withdrawn"}


REFUSED = [
    pytest.param(
        {"name": "w", "wait": {"duration": "1m"}, "forEach": {"items": "${[1]}"}},
        "wait in a node before or after it",
        id="S185-wait",
    ),
]


@pytest.mark.parametrize(("node", "says"), REFUSED)
def test_what_is_refused(node: JsonObject, says: str) -> None:
    problems = define(spec(node)).problems
    assert any(says in str(problem) for problem in problems), problems


def test_s475_the_output_is_a_typed_list_of_answers() -> None:
    given = asking(forEach={"tolerate": 1}, answerSchema={"type": "integer"})
    use = python("use", inputs={"a": "${nodes.ask.output[0].answr}"})
    problems = [str(one) for one in define(run_of(["a"], given, use)).problems]
    assert "nodes.ask.output[0] has no 'answr'" in problems[0]
    use = python("use", inputs={"a": "${nodes.ask.output[0].answer}"})
    assert "may be null" in str(define(run_of(["a"], given, use)).warnings[0]), "null if it failed"
    use = python("use", inputs={"all": "${nodes.ask.output.filter(a, a != null).map(a, a.answer)}"})
    assert not define(run_of(["a"], given, use)).problems


def test_a_running_program_beside_it_does_not_matter() -> None:
    play = Play(run_of(["a"], asking(), python("y")), {"y": [never_ends()]})
    play.step()
    answer(play, "ask/0", YES)
    steps(play, 3)
    assert play.node("ask").phase == "Succeeded"
