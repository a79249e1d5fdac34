"""Approval gates: who decides, until when, and what nobody can decide for others."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.base import JsonObject
from waypost.engine.nodes.gates.votes import MAX_ANSWER_BYTES, Tally, count
from waypost.engine.state.decision import OpenApproval, SettleApproval
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.timestamps import timestamp

from tests.support.builders import NOW, after, container, gate, python, spec
from tests.support.play import Play, launches, never_ends, raises

GATED = spec(gate("ok", timeout="1h"), python("y", dependsOn=["ok"]))


def opened(raw: JsonObject = GATED) -> Play:
    """A run whose gate has just been opened."""
    play = Play(raw)
    play.step()
    return play


def the_approval(play: Play) -> Any:
    return play.approvals[play.node("ok").approval or ""]


def test_opening_asks_once_and_holds_no_pod() -> None:
    play = opened()
    assert (play.phases["ok"], play.pods) == ("Waiting", {}), "a gate holds no pod"
    assert play.status.waiting == f"approval/{the_approval(play).name}", "kubectl shows what for"
    assert play.node("ok").wake_at == timestamp(after(3600)), "an absolute time, stored"
    decision = play.step()
    assert (decision.status, decision.after) == (play.status, ()), "asked once"
    assert decision.requeue_at == after(3600), "the expiry is a timer"


def test_the_message_tells_how_to_answer() -> None:
    play = opened()
    status, _, text = play.condition("AwaitingApproval")
    assert status == "True"
    assert f"kubectl patch approval {the_approval(play).name} -n team" in text, "copy and paste"


def test_the_command_has_a_place_for_the_name_of_the_approver() -> None:
    _, _, text = opened().condition("AwaitingApproval")
    assert '"decision":"Approved","decidedBy":"YOUR-USER-NAME"' in text, "the policy requires it"


ASKED_FOR = [
    pytest.param({}, None, "nobody is known", id="unknown"),
    pytest.param({"requestedBy": "rita"}, ["rita"], "who started the run", id="starter"),
    pytest.param(
        {"requestedBy": "rita", "rerun": {"round": 2, "requestedBy": "rob"}},
        ["rita", "rob"],
        "and who raised its round",
        id="round",
    ),
    pytest.param(
        {"requestedBy": "rita", "rerun": {"round": 2, "requestedBy": "rita"}},
        ["rita"],
        "a person is named once",
        id="the-same",
    ),
    pytest.param(
        {"origin": {"schedule": "nightly", "requestedBy": "sue"}},
        ["sue"],
        "who wrote the schedule",
        id="schedule",
    ),
    pytest.param({"origin": {"event": "e1"}}, None, "nobody is known", id="event"),
]


@pytest.mark.parametrize(("fields", "names", "reason"), ASKED_FOR)
def test_s361_the_question_names_who_asked_for_it(
    fields: JsonObject, names: list[str] | None, reason: str
) -> None:
    assert the_approval(opened({**GATED, **fields})).spec.requesters == names, reason


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(
            {"decision": "Approved", "decidedBy": "rita"},
            "decidedBy: rita started this run or its round",
            id="starter",
        ),
        pytest.param(
            {"decision": "Approved", "decidedBy": "zoe"},
            "decidedBy: expected one of the approvers ann, rita; found zoe",
            id="a-stranger",
        ),
    ],
)
def test_s362_an_answer_in_a_wrong_name_does_not_count(answer: JsonObject, says: str) -> None:
    gated = gate("ok", approvers={"users": ["ann", "rita"]})
    play = opened(spec(gated, requestedBy="rita"))
    play.answer("ok", **answer)
    play.step()
    approval = the_approval(play)
    assert approval.status.state == "Open", "also where no admission policy is"
    problem = next(c for c in approval.status.conditions if c.type == "AnswerValid")
    assert (problem.status, says in problem.message) == ("False", True), problem.message
    play.answer("ok", decision="Approved", decidedBy="ann")
    play.step()
    assert the_approval(play).status.state == "Approved"


def test_s361_a_question_that_hides_who_started_the_run_opens_nothing() -> None:
    play = opened({**GATED, "requestedBy": "rita"})
    name = play.node("ok").approval or ""
    fact = play.approvals[name]
    assert fact.spec is not None
    hidden = fact.spec.model_copy(update={"requesters": None})
    play.approvals[name] = replace(fact, spec=hidden)
    play.step()
    assert (play.phases["ok"], play.node("ok").reason) == ("Failed", "LaunchRejected")


def test_approval_first_then_the_run() -> None:
    play = opened()
    play.answer("ok", decision="Approved", decidedBy="ann")
    decision = play.step()
    assert isinstance(decision.before[0], SettleApproval), "B5: the Approval is written first"
    assert play.phases["ok"] == "Waiting", "the run follows a recorded state only"
    assert not launches(decision), "I8: nothing starts before the decision is recorded"
    play.step()
    assert play.phases == {"ok": "Succeeded", "y": "Running"}
    output: Any = play.node("ok").output
    assert (output["decision"], output["expired"], output["decidedBy"]) == (
        "Approved",
        False,
        "ann",
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param({}, "required by answerSchema", id="missing"),
        pytest.param({"answer": {"n": "x"}}, "answer.n: expected integer", id="wrong-type"),
        pytest.param({"answer": {"n": 2**60}}, "answer.n: an integer beyond", id="not-ijson"),
        pytest.param({"answer": {"n": 1, "t": "x" * MAX_ANSWER_BYTES}}, "the limit is", id="large"),
    ],
)
def test_s71_invalid_answer_keeps_the_gate_open(answer: JsonObject, problem: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    play = opened(spec(gate("ok", answerSchema=schema)))
    play.answer("ok", decision="Approved", **answer)
    play.step()
    play.step()
    assert play.phases["ok"] == "Waiting", "an invalid answer must not kill the gate"
    valid = next(c for c in the_approval(play).status.conditions if c.type == "AnswerValid")
    assert (valid.status, problem in valid.message) == ("False", True), valid.message
    play.answer("ok", decision="Approved", answer={"n": 3})
    play.step()
    play.step()
    assert play.phases["ok"] == "Succeeded", "it is correctable until recorded"
    output: Any = play.node("ok").output
    assert output["answer"] == {"n": 3}
    valid = next(c for c in the_approval(play).status.conditions if c.type == "AnswerValid")
    assert valid.status == "True"


def test_s71_unsafe_answer_without_a_schema() -> None:
    play = opened()
    play.answer("ok", decision="Approved", answer=2**53)
    play.step()
    play.step()
    assert play.phases["ok"] == "Waiting", "an answer without a digest could never be recorded"


def test_s70_expiry_is_recorded_on_the_approval() -> None:
    play = opened()
    play.now = after(3600)
    play.step()
    status = the_approval(play).status
    assert (status.state, status.expired) == ("Denied", True), "silence never means yes"
    play.step()
    assert play.reasons["ok"] == "ApprovalExpired"


@pytest.mark.parametrize(
    ("answered", "state"),
    [
        pytest.param(-1.0, "Approved", id="in-time-seen-late"),
        pytest.param(0.0, "Denied", id="at-the-expiry"),
        pytest.param(5.0, "Denied", id="too-late"),
        pytest.param(None, "Denied", id="time-unknown"),
    ],
)
def test_decision_around_the_expiry(answered: float | None, state: str) -> None:
    play = opened()
    play.answer("ok", decision="Approved")
    fact = the_approval(play)
    moment = None if answered is None else after(3600 + answered)
    play.approvals[fact.name] = replace(fact, answered_at=moment)
    play.now = after(4000)
    play.step()
    assert the_approval(play).status.state == state, "the API server's time of the answer counts"


def test_failure_withdraws_an_open_gate() -> None:
    play = Play(spec(gate("ok"), python("x")), endings={"x": [raises()]})
    play.finish()
    assert the_approval(play).status.state == "Withdrawn", "it is no longer answerable"
    assert play.phases["ok"] == "Cancelled"


def test_withdrawal_beats_an_answer_not_yet_recorded() -> None:
    play = opened(spec(gate("ok"), python("x"), python("y", dependsOn=["ok"])))
    play.endings = {"x": [raises()]}
    play.advance(0.2)
    play.answer("ok", decision="Approved")
    play.finish()
    assert the_approval(play).status.state == "Withdrawn", "one outcome, never two"
    assert "y" not in play.launched


def test_s86_an_answer_that_a_withdrawal_has_beaten_says_so_soon_after_the_end() -> None:
    """The pass that ends the gate ends the run too, so no write causes another one."""
    play = opened()
    play.answer("ok", decision="Approved")
    play.edit(cancel=True)
    play.step()
    assert the_approval(play).status.state == "Withdrawn"
    play.step()
    assert play.finished
    assert play.requeue is not None
    assert play.requeue <= play.now + (after(1) - after(0))
    play.now = play.requeue
    play.step()
    reasons = [condition.reason for condition in the_approval(play).status.conditions]
    assert reasons == ["TooLate"]
    assert play.step().before == (), "and once"


@pytest.mark.parametrize(
    ("cancel", "permanent", "within"),
    [
        pytest.param(True, True, 60, id="cancelled-policy"),
        pytest.param(True, False, 10, id="cancelled-quota"),
        pytest.param(False, True, 60, id="failed-policy"),
    ],
)
def test_s86_a_refusal_is_tried_again_when_one_pass_ends_the_gate_and_the_run(
    cancel: bool, permanent: bool, within: int
) -> None:
    """The watch may report nothing afterwards, so the pass itself asks for another one."""
    play = opened(spec(gate("ok")))
    problem = WriteProblem(message="no", permanent=permanent, since=after(-60))
    play.overrides = {"write_problems": {the_approval(play).name: problem}}
    if cancel:
        play.edit(cancel=True)
    play.step()
    assert play.finished
    assert play.phases["ok"] == ("Cancelled" if cancel else "Failed")
    assert the_approval(play).status.state == "Open"
    assert play.requeue is not None
    assert play.requeue <= play.now + (after(within) - after(0))
    play.now, play.overrides = play.requeue, {}
    play.step()
    assert the_approval(play).status.state == "Withdrawn"
    assert play.step().before == (), "and once"


def test_recorded_decision_beats_a_withdrawal() -> None:
    play = opened(spec(gate("ok"), python("x")))
    play.endings = {"x": [raises()]}
    play.answer("ok", decision="Approved")
    play.step()  # records the decision
    play.advance(0.2)
    play.finish()
    assert play.phases == {"ok": "Succeeded", "x": "Failed"}, "what is recorded stays recorded"


def test_s73_foreign_approval_fails_the_gate() -> None:
    play = opened()
    fact = the_approval(play)
    play.approvals[fact.name] = replace(fact, owner_uid="someone-else")
    play.answer("ok", decision="Approved")
    play.step()
    assert play.reasons["ok"] == "LaunchRejected", "an Approval made by another opens nothing"
    assert "keep it" in (play.node("ok").message or "")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"message": "Lunch?"}, id="message"),
        pytest.param({"approvers": {"users": ["eve"]}}, id="approvers"),
        pytest.param({"expiresAt": timestamp(after(9e6))}, id="expiry"),
        pytest.param({"context": {"all": "fine"}}, id="context"),
        pytest.param({"path": "y"}, id="path"),
    ],
)
def test_b5_another_question_in_our_name_opens_nothing(change: JsonObject) -> None:
    play = opened()
    play.answer("ok", decision="Approved", **change)
    play.step()
    play.step()
    assert play.reasons["ok"] == "LaunchRejected", "our owner reference alone proves nothing"


def test_s74_deleted_approval_comes_back_with_its_clock() -> None:
    play = opened()
    name = the_approval(play).name
    first = play.approvals.pop(name)
    play.now = after(600)
    decision = play.step()
    assert [type(a) for a in decision.after] == [OpenApproval], "asked again"
    assert the_approval(play).spec == first.spec, "with the same expiry, not a new one"


def test_missing_approval_is_concluded_from_a_live_read_only() -> None:
    play = opened()
    play.approvals.clear()
    play.overrides = {"live": False}
    seen = play.observe()
    assert seen.live, "plan asks for a live read first"


def test_a_question_that_was_never_asked_expires_with_the_cause() -> None:
    play = opened()
    play.approvals.clear()
    problem = WriteProblem("exceeded quota: objects", permanent=False)
    play.overrides = {"child_problems": {play.node("ok").approval: problem}, "live": True}
    play.now = after(3600)
    play.step()
    assert play.reasons["ok"] == "ApprovalExpired"
    assert play.node("ok").message == "the Approval could not be created: exceeded quota: objects"


def test_b1_digest_covers_what_is_downstream() -> None:
    def digest(*nodes: JsonObject) -> str:
        play = opened(spec(gate("ok"), *nodes))
        return str(the_approval(play).spec.request_digest)

    base = digest(container("y", dependsOn=["ok"]), container("z", dependsOn=["y"]))
    near = digest(container("y", image="evil:1", dependsOn=["ok"]), container("z", dependsOn=["y"]))
    far = digest(container("y", dependsOn=["ok"]), container("z", image="evil", dependsOn=["y"]))
    beside = digest(
        container("y", dependsOn=["ok"]), container("z", dependsOn=["y"]), python("other")
    )
    assert len({base, near, far}) == 3, "a yes is a yes to these definitions"
    assert base == beside, "and not to what does not follow from it"


def test_context_is_bounded() -> None:
    play = opened(spec(gate("ok", context={"v": "${inputs.v}"}), inputs={"v": "x" * 70_000}))
    assert play.reasons["ok"] == "InputInvalid", "an Approval must fit into etcd"
    assert "approval.context" in (play.node("ok").message or "")


@pytest.mark.parametrize(("length", "phase"), [(32_768, "Waiting"), (32_769, "Failed")])
def test_a_question_is_shown_whole_or_not_asked(length: int, phase: str) -> None:
    play = opened(spec(gate("ok", message="${inputs.v}"), inputs={"v": "x" * length}))
    assert play.phases["ok"] == phase
    if phase == "Waiting":
        assert len(the_approval(play).spec.message) == length
    else:
        assert play.reasons["ok"] == "InputInvalid"
        assert "32769 characters, the limit is 32768" in (play.node("ok").message or "")
        assert not play.approvals


def test_null_in_a_message_is_a_word() -> None:
    play = opened(spec(gate("ok", message="v=${inputs.v}"), inputs={"v": None}))
    assert the_approval(play).spec.message == "v=null", "S13"


def test_s96_identity_is_not_claimed() -> None:
    play = opened()
    play.answer("ok", decision="Approved")
    play.step()
    identity = next(c for c in the_approval(play).status.conditions if c.type == "IdentityVerified")
    assert identity.status == "False", "nobody recorded who patched"
    assert identity.message == "authorized by the API server, identity not recorded"


def test_suspended_gate_takes_answers() -> None:
    play = opened()
    play.spec = {**play.spec, "suspend": True}
    play.answer("ok", decision="Approved")
    play.step()
    play.step()
    assert play.phases == {"ok": "Succeeded", "y": "Pending"}, "S80: recorded, nothing starts"


def test_s81_cancel_withdraws() -> None:
    play = opened(spec(gate("ok"), python("x")))
    play.endings = {"x": [never_ends()]}
    play.advance(0.2)
    play.spec = {**play.spec, "cancel": True}
    play.finish()
    assert play.phases == {"ok": "Cancelled", "x": "Cancelled"}
    assert the_approval(play).status.state == "Withdrawn"


# --- counting ------------------------------------------------------------------------------------


def ballot(required: int | None = None, **fields: Any) -> ApprovalSpec:
    approvers = fields.pop("approvers", {"users": ["ann", "bob", "cid"]})
    if required:
        approvers = {**approvers, "required": required}
    base = {"run": "r", "path": "ok", "message": "?", "requestDigest": "d", "approvers": approvers}
    return ApprovalSpec.model_validate({**base, **fields})


YES, NO = {"decision": "Approved"}, {"decision": "Denied"}


@pytest.mark.parametrize(
    ("ballot", "decision", "tally", "reason"),
    [
        pytest.param(ballot(), None, None, "nobody has answered", id="open"),
        pytest.param(ballot(decision="Approved"), "Approved", None, "one suffices", id="shorthand"),
        pytest.param(ballot(decision="Denied"), "Denied", None, "one suffices", id="denied"),
        pytest.param(
            ballot(2, decision="Approved"), None, "0/2", "decision is for one", id="not-for-two"
        ),
        pytest.param(ballot(2, votes={"ann": YES}), None, "1/2", "one of two", id="one-of-two"),
        pytest.param(
            ballot(2, votes={"ann": YES, "bob": YES}), "Approved", "2/2", "two", id="two-of-two"
        ),
        pytest.param(
            ballot(3, votes={"ann": YES, "bob": NO}), "Denied", "1/3", "first no ends", id="veto"
        ),
        pytest.param(
            ballot(2, votes={"ann": YES, "eve": YES}), None, "1/2", "eve is nobody", id="stranger"
        ),
        pytest.param(
            ballot(2, votes={"eve": NO}), None, "0/2", "a stranger has no veto", id="stranger-veto"
        ),
        pytest.param(
            ballot(2, votes={"ann": YES, "eve": YES}, approvers={"groups": ["sre"]}),
            "Approved",
            "2/2",
            "groups are for the API server to check",
            id="groups",
        ),
        pytest.param(
            ballot(1, votes={"bob": YES}), "Approved", "1/1", "a vote of one", id="vote-of-one"
        ),
        pytest.param(
            ballot(1, votes={"eve": NO}, decision="Approved"),
            "Approved",
            None,
            "a vote that cannot count shuts nobody out",
            id="stranger-beside-decision",
        ),
        pytest.param(
            ballot(1, votes={"bob": NO}, decision="Approved"),
            "Denied",
            "0/1",
            "a valid no beside a yes is a no",
            id="no-beside-yes",
        ),
        pytest.param(
            ballot(answerSchema={"type": "string"}, decision="Denied"),
            "Denied",
            None,
            "a denial needs no answer",
            id="denied-without-answer",
        ),
        pytest.param(
            ballot(decision="Denied", answer=1), None, None, "S71", id="denied-with-answer"
        ),
        pytest.param(
            ballot(2, votes={"ann": YES, "bob": {**YES, "answer": 2**60}}),
            None,
            "1/2",
            "an answer without a digest does not count",
            id="unsafe-vote",
        ),
    ],
)
def test_s72_counting(
    ballot: ApprovalSpec, decision: str | None, tally: str | None, reason: str
) -> None:
    verdict = count(ballot)
    assert (verdict.decision, verdict.tally) == (decision, tally), reason


def test_s72_answer_of_the_last_vote() -> None:
    votes = {"ann": {**YES, "answer": "a"}, "bob": {**YES, "answer": "b", "reason": "fine"}}
    verdict = count(ballot(2, votes=votes))
    assert (verdict.answer, verdict.reason, verdict.decided_by) == ("b", "fine", "ann, bob")


def test_problems_name_the_vote() -> None:
    verdict = count(ballot(2, votes={"eve": YES}))
    assert verdict == Tally(
        problem="votes.eve: expected one of the approvers ann, bob, cid; found eve", tally="0/2"
    )


def test_settling_writes_once() -> None:
    play = opened(spec(gate("ok", approvers={"users": ["ann", "bob"], "required": 2})))
    play.answer("ok", votes={"ann": YES})
    play.step()
    assert the_approval(play).status.votes == "1/2", "progress is shown"
    assert play.step().before == (), "nothing new, nothing written"


def test_recorded_states_are_followed() -> None:
    for state, phase in (
        ("Approved", "Succeeded"),
        ("Denied", "Failed"),
        ("Withdrawn", "Cancelled"),
    ):
        play = opened(spec(gate("ok")))
        fact = the_approval(play)
        recorded = ApprovalStatus.model_validate({"state": state, "decidedAt": timestamp(NOW)})
        play.approvals[fact.name] = replace(fact, status=recorded)
        play.step()
        assert play.phases["ok"] == phase, "the recorded state alone decides"


@pytest.mark.parametrize(
    ("owner", "advice", "never"),
    [
        pytest.param("", "delete it", "keep it", id="nobodys"),
        pytest.param("another-run", "belongs to run brief: keep it", "delete it", id="of-a-run"),
    ],
)
def test_e08_an_approval_of_another_is_told_with_the_right_advice(
    owner: str, advice: str, never: str
) -> None:
    play = opened()
    name = play.node("ok").approval or ""
    play.approvals[name] = replace(play.approvals[name], owner_uid=owner)
    play.step()
    assert play.reasons["ok"] == "LaunchRejected"
    message = play.node("ok").message or ""
    assert advice in message
    assert never not in message


def test_a_gate_is_asked_again_under_the_name_that_status_has() -> None:
    """An earlier release named it otherwise."""
    play = opened()
    nodes = [n.model_copy(update={"approval": "old-name"}) for n in play.status.nodes]
    play.status = play.status.model_copy(update={"nodes": nodes})
    play.approvals.clear()
    play.step()
    assert list(play.approvals) == ["old-name"]
