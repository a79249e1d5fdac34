"""Attachments of approvals: the question names them, and an answer counts for their digests."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.approval import ApprovalSpec
from waypost.api.base import JsonObject
from waypost.protocol.artifacts.request import Content

from tests.support.builders import gate, python, spec
from tests.support.play import Play, returns
from tests.unit.engine.artifacts.test_artifacts import GATEWAY, MAKE, ONE, REPO, TWO, fact, makes

ASKS = gate("ok", attachments=[{"from": REPO}])


def asking(content: Content = ONE, asks: JsonObject = ASKS, **endings: Any) -> Play:
    """A run whose gate asks about what `make` has made."""
    scripts = {"make": [makes(content)], **{name: [one] for name, one in endings.items()}}
    nodes = [MAKE, *(python(name) for name in endings), asks, python("after", dependsOn=["ok"])]
    run = Play(spec(*nodes), endings=scripts, settings=GATEWAY)
    run.overrides = {"records": {fact(content).name: fact(content)}}
    for _ in range(8):  # `make` and what it needs have ended, and the gate waits
        run.step()
        run.advance(1)
    return run


def question(run: Play) -> ApprovalSpec:
    found = run.approvals[run.node("ok").approval or ""].spec
    assert found is not None
    return found


def test_s498_the_question_names_what_it_is_about() -> None:
    [attached] = question(asking()).attachments or []
    assert attached.name == "nodes.make.artifacts.repo"
    assert (attached.digest, attached.bytes, attached.files) == ONE
    assert attached.record == fact().name


def test_s498_each_artifact_of_a_list_is_named() -> None:
    listed = gate("ok", attachments=[{"from": "${[null, nodes.make.artifacts.repo]}"}])
    [attached] = question(asking(ONE, listed)).attachments or []
    assert attached.name == "[null, nodes.make.artifacts.repo][1]"


def test_s499_the_digest_of_the_question_covers_the_artifacts() -> None:
    one, two = question(asking(ONE)), question(asking(TWO))
    assert one.request_digest != two.request_digest
    assert one.message == two.message


def test_s499_a_question_about_another_artifact_is_not_that_of_the_gate() -> None:
    run = asking()
    name = run.node("ok").approval or ""
    asked = question(run)
    [attached] = asked.attachments or []
    forged = attached.model_copy(update={"digest": TWO.digest})
    changed = asked.model_copy(update={"attachments": [forged], "decision": "Approved"})
    run.approvals[name] = replace(run.approvals[name], spec=changed)
    run.step()
    assert (run.node("ok").phase, run.node("ok").reason) == ("Failed", "LaunchRejected")


def test_a_question_without_attachments_keeps_its_digest() -> None:
    """An upgrade does not change the questions of other gates."""
    assert question(asking(ONE, gate("ok"))).request_digest == (
        question(asking(TWO, gate("ok"))).request_digest
    )


FORGED = {
    "digest of nobody": {"name": "repo", "digest": TWO.digest, "bytes": 1, "files": 1},
    "no artifact": "a text",
    "too many": [{"digest": ONE.digest}] * 33,
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_s498_what_no_node_has_made_is_not_asked_about(value: Any) -> None:
    run = asking(ONE, gate("ok", attachments=[{"from": "${nodes.say.output}"}]), say=returns(value))
    node = run.node("ok")
    assert (node.phase, node.reason) == ("Failed", "InputInvalid")
    assert "approval.attachments" in (node.message or "")
