"""Updates of stored objects: what stays possible, and what is final."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.crds.manifests import (
    Manifest,
    approval,
    node,
    record,
    workflow,
    written,
)

NOW = "2026-11-24T03:10:00Z"


@dataclass(frozen=True)
class Update:
    """One patch: a merge patch of an object, or a JSON Patch when it is a list."""

    patch: Any
    status: bool = False


def judged(accepted: str, **status: Any) -> Manifest:
    """The status of a run whose Accepted condition is `accepted`."""
    condition = {
        "type": "Accepted",
        "status": accepted,
        "reason": "Checked",
        "message": "",
        "lastTransitionTime": NOW,
    }
    other = condition | {"type": "Succeeded", "status": "Unknown"}
    return {"conditions": [other, condition], **status}


def checkpoint(path: str = "gather", phase: str = "Succeeded", **fields: Any) -> Manifest:
    """The status of one node."""
    return {"path": path, "phase": phase, **fields}


def row(id: str, before: Manifest, status: Manifest | None, update: Update, *says: str) -> Any:
    """One row: after `status` is written to `before`, `update` lands or fails with `says`."""
    return pytest.param(before, status, update, says, id=id)


def spec(**fields: Any) -> Update:
    """A merge patch of the spec."""
    return Update({"spec": written(fields)})


def status(*operations: Manifest) -> Update:
    """A JSON Patch of the status, as the operator writes it."""
    return Update(list(operations), status=True)


def replace(path: str, value: Any) -> Manifest:
    """One operation of a JSON Patch."""
    return {"op": "replace", "path": path, "value": value}


def add(path: str, value: Any) -> Manifest:
    """One operation of a JSON Patch; also where there is something."""
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> Manifest:
    """One operation of a JSON Patch."""
    return {"op": "remove", "path": path}


TWO = workflow(
    node("a", inputs={"deep": {"list": [1, {"x": 1}]}}),
    node("b"),
    inputs={"n": {"m": 1}},
    outputs={"o": "${nodes.a.output}"},
    parallelism=2,
)
REVERSED = list(reversed(TWO["spec"]["nodes"]))
CANCELLED = workflow(cancel=True)
WITH_FINALLY = workflow(finally_=[node("c")])
YES = judged("True")
FINAL = ("was accepted, so its definition cannot change", "Create a new run")
ROUND_2 = judged("True", round=2)
DONE = judged("True", nodes=[checkpoint(outputDigest="sha256:1", output={"a": None})])
CANNOT_TAKE_BACK = (
    "is cancelled, and cancel cannot be undone; keep cancel: true and create a new run"
)

RUNS = [
    row("not-judged-yet", TWO, None, spec(nodes=[node("c")])),
    row("refused-stays-editable", TWO, judged("False"), spec(nodes=[node("c")], inputs=None)),
    row(
        "definition",
        TWO,
        YES,
        spec(nodes=[node("c")], inputs={"n": 2}),
        "spec: Forbidden: run",
        "found a change of nodes, inputs; only cancel, skipFinally, suspend, "
        "ttlSecondsAfterFinished can change",
        *FINAL,
    ),
    row("inside-inputs", TWO, YES, spec(inputs={"n": {"m": 2}}), "a change of inputs;", *FINAL),
    row(
        "inside-node-inputs",
        TWO,
        YES,
        Update([replace("/spec/nodes/0/inputs/deep/list/1/x", None)]),
        "a change of nodes;",
        *FINAL,
    ),
    row(
        "null-removed-inside-inputs",
        workflow(inputs={"n": None}),
        YES,
        Update([remove("/spec/inputs/n")]),
        "a change of inputs;",
    ),
    row(
        "null-replaced-in-fallback",
        workflow(node(onFailure="Continue", fallbackOutput=None)),
        YES,
        Update([replace("/spec/nodes/0/fallbackOutput", 1)]),
        "a change of nodes;",
    ),
    row(
        "null-removed-in-fallback",
        workflow(node(onFailure="Continue", fallbackOutput=None)),
        YES,
        Update([remove("/spec/nodes/0/fallbackOutput")]),
        "a change of nodes;",
    ),
    row(
        "source-of-a-node",
        TWO,
        YES,
        Update([replace("/spec/nodes/0/python/source", "def run(): return 2")]),
        "a change of nodes;",
    ),
    row("input-schema", TWO, YES, spec(inputSchema={"a": 1}), "a change of inputSchema;", *FINAL),
    row("outputs", TWO, YES, spec(outputs={"o": 1}), "a change of outputs;", *FINAL),
    row("outputs-removed", TWO, YES, spec(outputs=None), "a change of outputs;", *FINAL),
    row("output-schema", TWO, YES, spec(outputSchema={}), "a change of outputSchema;", *FINAL),
    row("defaults", TWO, YES, spec(defaults={"timeout": "1m"}), "a change of defaults;", *FINAL),
    row("schemas", TWO, YES, spec(schemas={"A": {}}), "a change of schemas;", *FINAL),
    row("modules", TWO, YES, spec(modules={"a": "x = 1"}), "a change of modules;", *FINAL),
    row("parallelism", TWO, YES, spec(parallelism=3), "a change of parallelism;", *FINAL),
    row("deadline", TWO, YES, spec(deadline="1h"), "a change of deadline;", *FINAL),
    row("finally", TWO, YES, spec(finally_=[node("c")]), "a change of finally;", *FINAL),
    row(
        "finally-deadline",
        WITH_FINALLY,
        YES,
        spec(finallyDeadline="1m"),
        "a change of finallyDeadline;",
        *FINAL,
    ),
    row("finally-skipped", WITH_FINALLY, YES, spec(cancel=True, skipFinally=True)),
    row(
        "skip-finally-taken-back",
        workflow(finally_=[node("c")], cancel=True, skipFinally=True),
        YES,
        spec(skipFinally=False),
        "skips finally, and skipFinally cannot be undone; keep skipFinally: true",
    ),
    row("order-means-nothing", TWO, YES, spec(nodes=REVERSED)),
    row("steering", TWO, YES, spec(suspend=True, cancel=True, ttlSecondsAfterFinished=60)),
    row(
        "round-raised-with-an-edit",
        TWO,
        YES,
        spec(nodes=[node("c")], rerun={"round": 2, "from": ["c"]}),
    ),
    row("round-raised-before-the-first-ended", TWO, ROUND_2, spec(rerun={"round": 3})),
    row(
        "round-of-now",
        TWO,
        ROUND_2,
        spec(nodes=[node("c")], rerun={"round": 2}),
        "a change of nodes, rerun;",
        "raise rerun.round above status.round in the same update",
    ),
    row(
        "rerun-without-a-higher-round",
        workflow(rerun={"round": 2}),
        ROUND_2,
        spec(rerun={"round": 2, "from": ["gather"]}),
        "a change of rerun;",
    ),
    row("round-taken-back", workflow(rerun={"round": 2}), ROUND_2, spec(rerun=None), *FINAL),
    row(
        "a-refused-round-is-corrected",
        workflow(rerun={"round": 2, "from": ["x"]}),
        judged("False", nodes=[checkpoint()]),
        spec(rerun={"round": 2}, nodes=[node("c")]),
    ),
    row(
        "a-refused-round-is-not-a-way-around",
        workflow(rerun={"round": 2, "from": ["x"]}),
        judged("False", nodes=[checkpoint()]),
        spec(rerun=None, nodes=[node("c")]),
        *FINAL,
    ),
    row(
        "a-cancelled-run-has-no-next-round",
        CANCELLED,
        YES,
        spec(rerun={"round": 2}),
        "is cancelled, so no new round can start; create a new run",
    ),
    row(
        "cancelled-and-raised-at-once",
        TWO,
        YES,
        spec(rerun={"round": 2}, cancel=True),
        "is cancelled, so no new round can start; create a new run",
    ),
    row(
        "a-run-with-a-refused-round-is-cancelled",
        workflow(rerun={"round": 2, "from": ["x"]}),
        judged("False", nodes=[checkpoint()]),
        spec(cancel=True),
    ),
    row(
        "cancelled-with-a-refused-round-is-final",
        workflow(rerun={"round": 2, "from": ["x"]}, cancel=True),
        judged("False", nodes=[checkpoint()]),
        spec(cancel=None),
        CANNOT_TAKE_BACK,
    ),
    row(
        "a-round-undoes-success",
        TWO,
        DONE,
        status(
            replace("/status/nodes/0", checkpoint("gather", "Pending", round=2)),
            add("/status/round", 2),
        ),
    ),
    row(
        "a-round-drops-a-node",
        TWO,
        DONE,
        status(replace("/status/nodes", []), add("/status/round", 2)),
    ),
    row("resume", workflow(suspend=True), YES, spec(suspend=None)),
    row("cancel-back", CANCELLED, YES, spec(cancel=False), "spec: Forbidden", CANNOT_TAKE_BACK),
    row("cancel-removed", CANCELLED, YES, spec(cancel=None), CANNOT_TAKE_BACK),
    row("cancel-before-accepted", CANCELLED, judged("False"), spec(cancel=None)),
    row(
        "checkpoint-gained",
        TWO,
        judged("True", nodes=[checkpoint("a", "Running")]),
        status(replace("/status/nodes/0", checkpoint("a", output=None, outputDigest="sha256:1"))),
    ),
    row(
        "success-undone",
        TWO,
        DONE,
        status(replace("/status/nodes/0/phase", "Running")),
        "status.nodes[0]: Forbidden: node gather has Succeeded, so its phase and outputDigest",
    ),
    row(
        "result-replaced",
        TWO,
        DONE,
        status(replace("/status/nodes/0/outputDigest", "sha256:2")),
        "node gather has Succeeded, so its phase and outputDigest cannot change",
    ),
    row(
        "result-digest-removed",
        TWO,
        DONE,
        status(remove("/status/nodes/0/outputDigest")),
        "node gather has Succeeded",
    ),
    row(
        "checkpoint-lost",
        TWO,
        DONE,
        status(replace("/status/nodes", [])),
        "status: Forbidden: a checkpoint would be lost; nodes can be removed from status only in a "
        "new round",
    ),
    row(
        "status-lost",
        TWO,
        DONE,
        status(remove("/status")),
        "status cannot be removed, because it holds the checkpoints of the run",
    ),
    row(
        "message-of-a-success-may-change",
        TWO,
        DONE,
        status({"op": "add", "path": "/status/nodes/0/message", "value": "fine"}),
    ),
]

ASKED = approval(expiresAt=NOW, answerSchema={"type": "object"})
QUORUM = approval(approvers={"groups": ["sre"], "required": 2})
OPEN: Manifest = {"state": "Open"}
RECORDED: Manifest = {"state": "Approved", "decidedAt": NOW}
FINAL_QUESTION = ("spec: Forbidden: the question cannot be changed; found a change of",)
FINAL_ANSWER = "is recorded as Approved; its spec can no longer change"
FINAL_STATE = "is recorded as Approved; its state can no longer change"

APPROVALS = [
    row("decide", ASKED, None, spec(decision="Approved")),
    row("decide-while-open", ASKED, OPEN, spec(decision="Denied", reason="no", decidedBy="ann")),
    row("answer", ASKED, OPEN, spec(decision="Approved", answer={"n": 1})),
    row("answer-is-any-value", ASKED, OPEN, spec(decision="Approved", answer=False)),
    row(
        "answer-on-denied",
        ASKED,
        OPEN,
        spec(decision="Denied", answer={"n": 1}),
        "spec: Forbidden: answer is only allowed with Approved; remove answer, and give the cause",
    ),
    row("message", ASKED, None, spec(message="Else?"), *FINAL_QUESTION, "message; only decision"),
    row("context-inside", ASKED, None, spec(context={"diff": {"lines": 4}}), *FINAL_QUESTION),
    row("context-removed", ASKED, None, spec(context=None), *FINAL_QUESTION, "of context;"),
    row("answer-schema", ASKED, None, spec(answerSchema=None), "of answerSchema;"),
    row("approvers", ASKED, None, spec(approvers={"users": ["eve"]}), "of approvers;"),
    row("clock", ASKED, None, spec(expiresAt="2027-11-24T03:10:00Z"), "of expiresAt;"),
    row("digest", ASKED, None, spec(requestDigest="sha256:01"), "of requestDigest;"),
    row("run-and-path", ASKED, None, spec(run="b", path="c"), "of run, path;"),
    row("recorded", ASKED, RECORDED, spec(decision="Denied"), "spec: Forbidden", FINAL_ANSWER),
    row("recorded-reason", ASKED, RECORDED, spec(reason="late"), FINAL_ANSWER),
    row(
        "recorded-votes", ASKED, RECORDED, spec(votes={"eve": {"decision": "Denied"}}), FINAL_ANSWER
    ),
    row("withdrawn", ASKED, {"state": "Withdrawn"}, spec(decision="Approved"), "as Withdrawn"),
    row("record-it", ASKED, OPEN, status(replace("/status/state", "Approved"))),
    row("reopen", ASKED, RECORDED, status(replace("/status/state", "Open")), FINAL_STATE),
    row("other-way", ASKED, RECORDED, status(replace("/status/state", "Denied")), FINAL_STATE),
    row("status-removed", ASKED, RECORDED, status(remove("/status")), FINAL_STATE),
    row(
        "condition-of-a-recorded-one",
        ASKED,
        RECORDED,
        Update({"status": {"reason": "seen"}}, status=True),
    ),
    row("vote", QUORUM, OPEN, spec(votes={"ann": {"decision": "Approved", "answer": None}})),
    row(
        "vote-denied-with-answer",
        QUORUM,
        OPEN,
        spec(votes={"ann": {"decision": "Denied", "answer": 1}}),
        "spec.votes[ann]: Forbidden: answer is only allowed with Approved",
    ),
    row(
        "decision-where-votes-count",
        QUORUM,
        OPEN,
        spec(decision="Approved"),
        "spec.decision: Forbidden: approvers.required is greater than 1, so decision is not "
        "used; add your vote instead: votes: {<your user name>: {decision: Ap",
    ),
]

# The vote of Ann is there already.
VOTES = [
    pytest.param({"bob": {"decision": "Denied"}}, (), id="second-vote"),
    pytest.param({"ann": {"decision": "Approved"}}, (), id="same-vote-again"),
    pytest.param(
        {"ann": {"decision": "Denied"}}, ("votes cannot be changed or withdrawn",), id="changed"
    ),
    pytest.param(
        {"ann": {"reason": "else"}}, ("votes cannot be changed or withdrawn",), id="reason-added"
    ),
    pytest.param({"ann": None}, ("spec.votes: Forbidden: votes cannot be changed",), id="removed"),
    pytest.param(None, ("votes cannot be changed or withdrawn; keep the",), id="all-removed"),
]

RECORDS = [
    row(
        "record-data",
        record(data={"a": 1}),
        None,
        spec(data={"a": 2}),
        "a NodeRecord cannot be changed",
    ),
    row(
        "record-null",
        record(data=[None]),
        None,
        spec(data=[1]),
        "spec: Forbidden: a NodeRecord cannot",
    ),
    row("record-attempt", record(), None, spec(attempt=2), "create a new one for the new attempt"),
    row("record-label", record(), None, Update({"metadata": {"labels": {"a": "b"}}})),
]

TRANSITIONS = [*RUNS, *APPROVALS, *RECORDS]
