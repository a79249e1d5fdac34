"""A run with everything in it, as an API server would give it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from waypost.kube.payloads import AttemptRef
from waypost.kube.timestamps import timestamp

from tests.cli.conftest import Api

T0 = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
NAMESPACE = "here"
GROUP = "/apis/waypost.dev/v1alpha1"
RUN_PATH = f"{GROUP}/namespaces/{NAMESPACE}/agentworkflows/notes"


def at(seconds: float) -> str:
    return timestamp(T0 + timedelta(seconds=seconds))


USAGE = {
    "modelCalls": 2,
    "inputTokens": 1200,
    "cachedTokens": 400,
    "outputTokens": 90,
    "toolCalls": 1,
    "reasks": 1,
    "providerWaits": 1,
    "costUSD": "0.0042",
}
TRACE = {
    "v": 1,
    "dropped": 0,
    "entries": [
        {
            "type": "model",
            "start": at(10.1),
            "end": at(10.1),
            "model": "gpt",
            "finish": "tool_call",
            "replayed": True,
        },
        {
            "type": "model",
            "start": at(10.5),
            "end": at(11.5),
            "model": "gpt",
            "inputTokens": 500,
            "cachedTokens": 400,
            "outputTokens": 40,
            "finish": "tool_calls",
        },
        {
            "type": "tool",
            "start": at(11.5),
            "end": at(11.7),
            "name": "search",
            "callId": "c1",
            "server": "books",
            "outcome": "ok",
        },
        {"type": "wait", "start": at(12), "end": at(14), "reason": "RateLimited", "seconds": 2},
        {"type": "reask", "start": at(15), "end": at(15), "message": "$.title: \x1b[31mtoo long"},
    ],
}


def attempt(number: int, start: float, end: float, *, reason: str, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "job": f"notes-draft-{number}",
        "launchedAt": at(start - 0.5),
        "startedAt": at(start),
        "finishedAt": at(end),
        "reason": reason,
        **more,
    }


def run(**status: Any) -> dict[str, Any]:
    """An agent that failed once, and a gate that is open."""
    failed = attempt(1, 2, 9, reason="ProviderError", message="503: overloaded")
    good = attempt(2, 10, 16, reason="Succeeded", usage=USAGE, trace=ref(2).record_name("Trace"))
    good["carried"] = {"modelCalls": 3}
    draft = {
        "path": "draft",
        "phase": "Succeeded",
        "attempt": 2,
        "startedAt": at(1),
        "finishedAt": at(16),
        "usage": USAGE,
        "attempts": [failed, good],
    }
    gate = {"path": "review", "phase": "Waiting", "startedAt": at(16), "approval": "notes-review"}
    return {
        "metadata": {
            "name": "notes",
            "namespace": NAMESPACE,
            "uid": "uid-1",
            "resourceVersion": "5",
            "creationTimestamp": at(0),
        },
        "spec": {
            "budget": {"tokens": 5000},
            "nodes": [
                {"name": "draft", "agent": {"prompt": "go"}},
                {"name": "review", "approval": {"message": "ok?"}},
                {"name": "publish", "python": {"source": "..."}},
            ],
        },
        "status": {
            "phase": "Waiting",
            "progress": "1/3",
            "waiting": "approval/notes-review",
            "startedAt": at(1),
            "usage": USAGE,
            "nodes": [draft, gate],
            **status,
        },
    }


APPROVAL = {
    "metadata": {"name": "notes-review"},
    "spec": {"message": "ok?", "approvers": {"users": ["ann"], "groups": ["sre"]}},
    "status": {"state": "Open"},
}


def ref(number: int) -> AttemptRef:
    """An attempt of draft."""
    return AttemptRef(run="notes", run_uid="uid-1", path="draft", round=1, attempt=number)


def serve(api: Api, found: dict[str, Any]) -> None:
    """Let the API server have this run."""
    api.put(RUN_PATH, found)
    api.items(f"{GROUP}/agentworkflows", found)
    api.items(f"{GROUP}/namespaces/{NAMESPACE}/agentworkflows", found)
    api.items(f"{GROUP}/namespaces/{NAMESPACE}/approvals", APPROVAL)
