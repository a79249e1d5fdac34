"""Runs and questions as an operator leaves them: one with everything in it, and others."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from waypost.kube import node_records
from waypost.kube.payloads import AttemptRef
from waypost.kube.timestamps import timestamp
from waypost.protocol import ijson
from waypost.protocol.work import Trace

Obj = dict[str, Any]
NAMESPACE: Final = "demo"
# The page shows ages, so the times are before the time of the test.
BEGUN: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=6)


def at(seconds: float) -> str:
    return timestamp(BEGUN + timedelta(seconds=seconds))


MODEL: Final = {"provider": "default", "name": "gpt-5-mini"}
TICKET: Final = {
    "type": "object",
    "required": ["category", "urgency"],
    "properties": {
        "category": {"enum": ["billing", "bug", "question"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
    },
}
ANSWER: Final = {
    "type": "object",
    "required": ["amount"],
    "additionalProperties": False,
    "properties": {
        "amount": {"type": "number", "minimum": 0, "title": "Refund in USD"},
        "channel": {"enum": ["email", "phone"], "title": "How to answer", "default": "email"},
        "note": {"type": "string", "description": "Is sent to the customer."},
    },
}
MESSAGE: Final = (
    "Refund the second payment of October to customer 4711?\n"
    "The invoice shows two payments of 49 USD."
)
SPEC: Final[Obj] = {
    "requestedBy": "bob",
    "inputs": {"message": "You charged me twice for October."},
    "inputSchema": {"type": "object", "properties": {"message": {"type": "string"}}},
    "budget": {"tokens": 50000},
    "nodes": [
        {
            "name": "classify",
            "inputs": {"message": "${inputs.message}"},
            "outputSchema": TICKET,
            "agent": {"model": MODEL, "prompt": "${self.inputs.message}"},
        },
        {
            "name": "invoices",
            "http": {"method": "GET", "url": "https://billing.example/invoices"},
            "retry": {"limit": 2},
        },
        {
            "name": "handbook",
            "forEach": {"items": "${['refund', 'invoice', 'login']}"},
            "inputs": {"topic": "${item}"},
            "dependsOn": ["classify"],
            "python": {"source": "def run(topic):\n    return topic"},
        },
        {
            "name": "draft_reply",
            "inputs": {"ticket": "${nodes.classify.output}"},
            "dependsOn": ["invoices", "handbook"],
            "agent": {"model": MODEL, "prompt": "Write a reply."},
        },
        {
            "name": "approve_refund",
            "approval": {
                "message": MESSAGE,
                "approvers": {"users": ["ann"], "groups": ["billing"]},
                "answerSchema": ANSWER,
            },
            "dependsOn": ["draft_reply"],
        },
        {
            "name": "refund",
            "effect": "once",
            "http": {"method": "POST", "url": "https://billing.example/refunds"},
            "dependsOn": ["approve_refund"],
        },
        {
            "name": "send_reply",
            "inputs": {"text": "${nodes.draft_reply.output}"},
            "python": {"source": "def run(text):\n    return text"},
            "dependsOn": ["refund"],
        },
    ],
    "finally": [
        {
            "name": "report",
            "python": {"source": "def run():\n    return 1"},
            "after": ["send_reply"],
        }
    ],
}


def attempt(number: int, launched: float, started: float, end: float, **more: Any) -> Obj:
    return {
        "number": number,
        "job": f"triage-4711-{number}-{int(launched)}",
        "launchedAt": at(launched),
        "startedAt": at(started),
        "finishedAt": at(end),
        "reason": "Succeeded",
        **more,
    }


def done(path: str, *attempts: Obj, **more: Any) -> Obj:
    return {
        "path": path,
        "phase": "Succeeded",
        "attempt": len(attempts),
        "startedAt": attempts[0]["launchedAt"],
        "finishedAt": attempts[-1]["finishedAt"],
        "attempts": list(attempts),
        **more,
    }


def tokens(given: int, got: int, cost: str) -> Obj:
    return {
        "modelCalls": 2,
        "inputTokens": given,
        "outputTokens": got,
        "totalTokens": given + got,
        "toolCalls": 1,
        "costUSD": cost,
    }


def trace_name() -> str:
    ref = AttemptRef(run="triage-4711", run_uid="uid-1", path="draft_reply", round=1, attempt=1)
    return ref.record_name("Trace")


def calls() -> Obj:
    """The NodeRecord with the trace of `draft_reply`."""
    trace = Trace()
    parts = (
        (46, 52, "model"),
        (52, 54, "wait"),
        (54, 60, "model"),
        (60, 63, "tool"),
        (63, 70, "model"),
    )
    for start, end, type_ in parts:
        trace.add(type_, start=at(start), end=at(end))
    document = trace.to_json()
    canonical = ijson.canonical(document)
    form = node_records.form_of(document, canonical)
    assert form is not None, "a short trace fits"
    return node_records.manifest(
        "Trace",
        AttemptRef(run="triage-4711", run_uid="uid-1", path="draft_reply", round=1, attempt=1),
        digest=ijson.digest(document),
        size=len(canonical),
        form=form,
        owner={"kind": "AgentWorkflow", "uid": "uid-1", "controller": True},
        namespace=NAMESPACE,
    )


def awaiting(status: str) -> Obj:
    """Whether a run waits for an answer."""
    more = {"reason": "AwaitingApproval", "message": "", "lastTransitionTime": at(71)}
    return {"type": "AwaitingApproval", "status": status, **more}


def triage() -> Obj:
    """A run that waits for an answer."""
    refused = attempt(1, 1, 3, 9, reason="ProviderError", message="503: the model is overloaded")
    timeout = attempt(1, 1, 4, 34, reason="TimedOut", message="exceeded its timeout of 30s")
    nodes = [
        done(
            "classify",
            refused,
            attempt(2, 12, 14, 22, usage=tokens(412, 38, "0.0006")),
            usage=tokens(412, 38, "0.0006"),
            output={"category": "billing", "urgency": 4},
            inputDigest=ijson.digest({"message": "You charged me twice for October."}),
            outputDigest="sha256:" + "1" * 64,
        ),
        done(
            "invoices",
            timeout,
            attempt(2, 36, 37, 39),
            output={
                "status": 200,
                "body": [{"id": "INV-1", "usd": 49}, {"id": "INV-2", "usd": 49}],
            },
            outputDigest="sha256:" + "2" * 64,
        ),
        done(
            "handbook",
            attempt(1, 23, 25, 41),
            items={"round": 1, "total": 3, "succeeded": 3, "failed": 0, "states": "S*3"},
        ),
        done(
            "draft_reply",
            attempt(1, 42, 45, 71, usage=tokens(1840, 260, "0.0041"), trace=trace_name()),
            usage=tokens(1840, 260, "0.0041"),
            output="Dear customer, you are right: we charged you twice. We will refund 49 USD.",
            outputDigest="sha256:" + "3" * 64,
        ),
        {
            "path": "approve_refund",
            "phase": "Waiting",
            "startedAt": at(71),
            "approval": "triage-4711-approve-refund",
        },
    ]
    status = {
        "observedGeneration": 1,
        "phase": "Waiting",
        "progress": "4/8",
        "round": 1,
        "waiting": "approval/triage-4711-approve-refund",
        "conditions": [awaiting("True")],
        "startedAt": at(0),
        "usage": {**tokens(2252, 298, "0.0047"), "modelCalls": 4},
        "nodes": nodes,
    }
    return workflow("triage-4711", uid="uid-1", spec=SPEC, status=status)


def workflow(name: str, *, spec: Obj | None = None, uid: str = "", **more: Any) -> Obj:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": uid or f"uid-{name}",
        "generation": 1,
        "creationTimestamp": at(more.pop("created", 0)),
    }
    kind = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    return {**kind, "metadata": metadata, "spec": spec or {"nodes": []}, **more}


def question(**spec: Any) -> Obj:
    metadata = {
        "name": "triage-4711-approve-refund",
        "namespace": NAMESPACE,
        "uid": "uid-question",
        "creationTimestamp": at(71),
        "labels": {"waypost.dev/run": "uid-1"},
    }
    given = {
        "run": "triage-4711",
        "path": "approve_refund",
        "subject": "gate",
        "message": MESSAGE,
        "context": {"customer": 4711, "invoices": ["INV-1", "INV-2"]},
        "approvers": {"users": ["ann"], "groups": ["billing"]},
        "requesters": ["bob"],
        "answerSchema": ANSWER,
        "expiresAt": at(86400 * 3),
        "requestDigest": "sha256:" + "a" * 64,
        **spec,
    }
    kind = {"apiVersion": "waypost.dev/v1alpha1", "kind": "Approval"}
    return {**kind, "metadata": metadata, "spec": given, "status": {"state": "Open"}}


def others() -> list[Obj]:
    """Runs in other phases, for the list."""
    rows = [
        ("nightly-invoices-29", "Succeeded", "12/12", -9000, 640, "0.8120", ""),
        ("nightly-invoices-28", "Failed", "7/12", -95400, 210, "0.3004", "NodeFailed"),
        ("release-notes-1-4-2", "Succeeded", "5/5", -4000, 95, "0.0210", ""),
        ("research-brief-eu-ai-act", "Running", "3/9", -60, None, "1.2045", ""),
        ("triage-4710", "Succeeded", "8/8", -700, 120, "0.0051", ""),
        ("triage-4709", "Cancelled", "2/8", -1500, 30, "", "Cancelled"),
        ("hello", "Succeeded", "2/2", -200000, 4, "", ""),
        ("typo-in-spec", "Rejected", "", -300, None, "", "InvalidSpec"),
    ]
    found = []
    for name, phase, progress, created, seconds, cost, reason in rows:
        status: Obj = {"phase": phase, "progress": progress, "round": 1}
        if phase != "Rejected":
            status["startedAt"] = at(created + 1)
        if seconds is not None:
            status["finishedAt"] = at(created + seconds)
        if cost:
            status["usage"] = {"totalTokens": int(float(cost) * 300_000), "costUSD": cost}
        if reason:
            kind = "Accepted" if phase == "Rejected" else "Succeeded"
            condition = {
                "type": kind,
                "status": "False",
                "reason": reason,
                "message": f"the run ended: {reason}",
                "lastTransitionTime": at(created),
            }
            status["conditions"] = [condition]
        spec: Obj = {"nodes": [], "requestedBy": "bob"}
        if name.startswith("nightly"):
            spec["templateRef"] = {"name": "nightly-invoices"}
        found.append(workflow(name, spec=spec, status=status, created=created))
    return found
