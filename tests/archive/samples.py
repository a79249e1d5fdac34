"""Finished runs for the archive."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from waypost.archive.core import document as documents
from waypost.archive.core.document import Document, encode
from waypost.archive.core.entry import Entry, entry
from waypost.ports.cluster import Obj

START: Final = datetime(2026, 11, 1, tzinfo=UTC)
PHASES: Final = ("Succeeded", "Succeeded", "Failed", "Cancelled")


def moment(seconds: float) -> str:
    """A time after START, as Kubernetes writes it."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def finished(number: int = 0, *, namespace: str = "default", **fields: Any) -> Obj:
    """A finished run; each number has another name, uid and time.

    `fields`: labels, uid, name, phase, template, inputs, cost, at (seconds), round.
    """
    phase = fields.get("phase", PHASES[number % len(PHASES)])
    good = phase == "Succeeded"
    reason = "Completed" if good else "NodeFailed"
    message = "all nodes have ended" if good else f"scan failed: ModelError: no answer {number}"
    spec: Obj = {
        "inputs": fields.get("inputs", {"ticket": f"T-{number}"}),
        "nodes": [{"name": "scan"}],
    }
    if template := fields.get("template", f"triage-{number % 7}"):
        spec["templateRef"] = {"name": template}
    condition = {"observedGeneration": 1, "lastTransitionTime": moment(0)}
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "AgentWorkflow",
        "metadata": {
            "name": fields.get("name", f"run-{number}"),
            "namespace": namespace,
            "uid": fields.get("uid", f"00000000-0000-4000-8000-{number:012d}"),
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": moment(number),
            "labels": fields.get("labels", {"team": f"team-{number % 5}"}),
            "managedFields": [{"manager": "x"}],
        },
        "spec": spec,
        "status": {
            "phase": phase,
            "round": fields.get("round", 1),
            "progress": "1/1",
            "observedGeneration": 1,
            "startedAt": moment(number),
            "finishedAt": moment(fields.get("at", number + 60)),
            "usage": {
                "totalTokens": 1000 + number,
                "costUSD": fields.get("cost", f"0.{number % 100:02d}"),
            },
            "nodes": [{"path": "scan", "phase": "Succeeded" if good else "Failed"}],
            "outputs": {"answer": f"it was number {number}"},
            "conditions": [
                {
                    "type": "Succeeded",
                    "status": str(good),
                    "reason": reason,
                    "message": message,
                    **condition,
                },
                {
                    "type": "Finished",
                    "status": "True",
                    "reason": reason,
                    "message": message,
                    **condition,
                },
            ],
        },
    }


def stored(run: Obj, *records: Obj) -> tuple[Entry, Document]:
    """What the store keeps of a run."""
    kept = documents.document(run, approvals=(), records=records)
    return entry(run), encode(kept)
