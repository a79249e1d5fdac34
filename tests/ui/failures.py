"""A second run of the sample workflow, which has failed, and the kept log of one of its nodes."""

from typing import Any, Final

from waypost.compiler.definition import define
from waypost.kube.logs import document
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson

from tests.ui import samples

Obj = dict[str, Any]
NAME: Final = "triage-4712"
LOG: Final = (
    "reading ticket 4712\n"
    "asking gpt-5-mini for a reply\n"
    "Traceback (most recent call last):\n"
    '  File "/node/main.py", line 12, in run\n'
    "    raise ValueError('the ticket has no customer')\n"
    "ValueError: the ticket has no customer\n"
)


def failed() -> Obj:
    """The sample run with another message; `draft_reply` failed, what follows was skipped."""
    run = samples.triage()
    spec = {**run["spec"], "inputs": {"message": "Where is my invoice?"}}
    classify, invoices, handbook, *_ = run["status"]["nodes"]
    classify = {
        **classify,
        "output": {"category": "question", "urgency": 2},
        "inputDigest": ijson.digest({"message": "Where is my invoice?"}),
        "outputDigest": "sha256:" + "4" * 64,
    }
    broken = samples.done(
        "draft_reply",
        samples.attempt(1, 42, 45, 50, reason="NodeError", message="exit code 1"),
        samples.attempt(2, 52, 55, 61, reason="NodeError", message="exit code 1"),
        usage=samples.tokens(900, 40, "0.0012"),
    )
    broken |= {"phase": "Failed", "reason": "NodeError", "message": "exit code 1"}
    skipped = [
        {"path": path, "phase": "Skipped", "reason": "DependencyFailed", "message": "draft_reply"}
        for path in ("approve_refund", "refund", "send_reply")
    ]
    report = samples.done("report", samples.attempt(1, 62, 63, 64), stage="Finalizing")
    nodes = [classify, invoices, handbook, broken, *skipped, report]
    prints = define(spec).fingerprints
    for node in nodes:
        node["fingerprint"] = prints[node["path"]]
    condition = {
        "type": "Succeeded",
        "status": "False",
        "reason": "NodeFailed",
        "message": "draft_reply failed: NodeError",
        "lastTransitionTime": samples.at(64),
    }
    status = {
        **run["status"],
        "phase": "Failed",
        "progress": "4/8",
        "finishedAt": samples.at(64),
        "nodes": nodes,
        "conditions": [condition],
    }
    status.pop("waiting")
    return samples.workflow(NAME, uid="uid-2", spec=spec, status=status, created=-30)


def kept_log(text: str = LOG, *, path: str = "draft_reply", attempt: int = 2) -> Obj:
    """The NodeRecord with the log of an attempt."""
    log = document.kept(text, pod=f"{NAME}-{attempt}-x", now=samples.BEGUN, limit=256 * 1024)
    ref = AttemptRef(run=NAME, run_uid="uid-2", path=path, round=1, attempt=attempt)
    return document.manifest(log, ref, namespace=samples.NAMESPACE)[0]
