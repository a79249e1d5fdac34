"""A run waits for a person, without a pod, and continues according to the answer."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import ApiError
from e2e.suite.people import Person
from e2e.suite.space import Space, condition, container_state, node_of

ANSWER = {
    "type": "object",
    "required": ["target"],
    "properties": {"target": {"enum": ["blue", "green"]}},
}


def gated(name: str, *, gate: dict[str, Any] | None = None) -> Workflow:
    """A gate between two nodes."""
    return (
        workflow(name)
        .python("draft", "return 'text'")
        .approval("review", gate={"message": "Publish ${nodes.draft.output}?", **(gate or {})})
        .python("publish", "return decision", inputs={"decision": "${nodes.review.output}"})
        .having(outputs={"decision": "${nodes.publish.output}"})
    )


def test_run_pauses_without_a_pod_and_one_kubectl_patch_continues_it(space: Space) -> None:
    run = space.start(gated("approved"))
    gate = run.opened("review")
    assert not any(container_state(p, "running") for p in run.pods()), "nothing runs meanwhile"
    assert not run.jobs("review")
    asked = run.read()
    assert condition(asked, "AwaitingApproval")["status"] == "True"
    assert gate in condition(asked, "AwaitingApproval")["message"], "says how to answer"
    approval = space.get("approvals", gate)
    assert approval is not None
    assert approval["spec"]["message"] == "Publish text?"
    space.kubectl(
        *("patch", "approval", gate, "--as=ann", "--type", "merge"),
        *("-p", '{"spec":{"decision":"Approved","decidedBy":"ann"}}'),
    )
    seen = run.succeeded()
    assert seen["status"]["outputs"]["decision"]["decision"] == "Approved"
    assert seen["status"]["outputs"]["decision"]["expired"] is False
    with pytest.raises(ApiError, match="can no longer change"):
        space.answer(gate, decision="Denied")


ENDINGS = [
    pytest.param({}, "Denied", "Failed", "ApprovalDenied", id="denied"),
    pytest.param({"onDenied": "Continue"}, "Denied", "Succeeded", None, id="denied-continue"),
    pytest.param({"timeout": "1s"}, None, "Failed", "ApprovalExpired", id="expired"),
    pytest.param(
        {"timeout": "1s", "onDenied": "Continue"}, None, "Succeeded", None, id="expired-continue"
    ),
    pytest.param(
        {"timeout": "1s", "onTimeout": "Fail", "onDenied": "Continue"},
        None,
        "Failed",
        "ApprovalExpired",
        id="expired-fail",
    ),
]


@pytest.mark.parametrize(("gate", "decision", "phase", "reason"), ENDINGS)
def test_denial_and_expiry_end_as_declared(
    space: Space,
    request: pytest.FixtureRequest,
    gate: dict[str, Any],
    decision: str | None,
    phase: str,
    reason: str | None,
) -> None:
    run = space.start(
        workflow(request.node.callspec.id)
        .approval("review", gate=gate)
        .python("publish", "return 1", when="${nodes.review.output.decision == 'Approved'}")
    )
    if decision:
        run.answer("review", decision=decision, reason="not today")
    seen = run.finished()
    review = node_of(seen, "review")
    assert (review["phase"], review.get("reason")) == (phase, reason)
    publish = node_of(seen, "publish")
    why = "ConditionFalse" if phase == "Succeeded" else "DependencyFailed"
    assert (publish["phase"], publish["reason"]) == ("Skipped", why)
    assert condition(seen, "Succeeded")["status"] == str(phase == "Succeeded")
    if phase == "Succeeded":
        assert review["output"]["decision"] == "Denied"
        assert review["output"]["expired"] is (decision is None)
    elif decision:
        assert "not today" in review["message"]
    assert not run.pods(), "nothing that needed a yes has started"


def test_answer_that_breaks_its_schema_keeps_the_gate_open_until_corrected(space: Space) -> None:
    run = space.start(gated("typed", gate={"answerSchema": ANSWER}))
    run.answer("review", decision="Approved", answer={"target": "red"})
    gate = run.opened("review")

    def judged(_: object) -> bool:
        found = space.get("approvals", gate) or {}
        return condition(found, "AnswerValid").get("status") == "False"

    run.until(judged, what="AnswerValid=False")
    found = space.get("approvals", gate) or {}
    text = condition(found, "AnswerValid")["message"]
    assert "target" in text, "names the field"
    assert "red" in text, "and what was found"
    assert found["status"].get("state", "Open") == "Open"
    assert run.node("review")["phase"] == "Waiting"
    run.answer("review", answer={"target": "blue"})
    seen = run.succeeded()
    assert seen["status"]["outputs"]["decision"]["answer"] == {"target": "blue"}


def test_two_people_must_approve_where_two_are_required(space: Space) -> None:
    approvers = {"users": ["ann", "bob"], "required": 2}
    run = space.start(gated("quorum", gate={"approvers": approvers}))
    gate = run.opened("review")
    space.answer(gate, by="ann", votes={"ann": {"decision": "Approved"}})
    run.until(
        lambda _: (space.get("approvals", gate) or {}).get("status", {}).get("votes") == "1/2",
        what="one vote of two is counted",
    )
    assert run.node("review")["phase"] == "Waiting"
    space.answer(gate, by="bob", votes={"bob": {"decision": "Approved"}})
    run.succeeded()


def test_gate_of_a_failed_run_is_withdrawn(space: Space) -> None:
    run = space.start(
        workflow("withdrawn")
        .approval("review")
        .python("slow", "import time\ntime.sleep(1)\nraise ValueError('late')", takes="")
    )
    gate = run.opened("review")
    seen = run.finished()
    assert node_of(seen, "review")["phase"] == "Cancelled"
    with pytest.raises(ApiError, match="Withdrawn"):
        space.answer(gate, decision="Approved")


def test_typed_answer_is_data_for_the_branches(space: Space) -> None:
    answer = schema(count="integer")
    run = space.start(
        workflow("answer-data")
        .approval("ask", gate={"answerSchema": answer})
        .python("use", "return n * 2", inputs={"n": "${nodes.ask.output.answer.count}"})
    )
    run.answer("ask", decision="Approved", answer={"count": 4})
    assert node_of(run.succeeded(), "use")["output"] == 8


def test_s498_a_question_is_about_an_artifact_that_people_can_read(
    space: Space, people: dict[str, Person], tmp_path: Path
) -> None:
    out = {"out": [{"name": "report", "path": "/data/report"}]}
    write = "open('/data/report/report.txt', 'w').write('all is well')"
    gate = {"attachments": [{"from": "${nodes.write.artifacts.report}"}]}
    run = space.start(
        workflow("attached").python("write", write, artifacts=out).approval("review", gate=gate)
    )
    name = run.opened("review")
    [made] = node_of(run.read(), "write")["artifacts"]
    [attached] = (space.get("approvals", name) or {})["spec"]["attachments"]
    assert attached == {**made, "name": "nodes.write.artifacts.report"}
    path = tmp_path / "report.tar.gz"
    people["dana"].reads("download", attached["record"], "--to", str(path))
    with tarfile.open(path) as found:
        file = found.extractfile("report.txt")
        assert file is not None
        assert file.read() == b"all is well"
    run.answer("review", decision="Approved")
    run.succeeded()
