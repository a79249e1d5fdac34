"""Builders, so that a test of the engine reads like its scenario.

Specs are plain objects as a user writes them (`spec(python("a"), gate("ok"))`); pods, approvals
and statuses are facts as the engine sees them. `tests.play` runs them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.base import JsonObject, JsonValue
from waypost.api.meta import ANNOTATION_GUARD
from waypost.api.status import AgentWorkflowStatus, AttemptStatus, NodeStatus
from waypost.compiler.definition import define
from waypost.engine.state.decision import Launch
from waypost.engine.state.observed import Observed
from waypost.kube import names
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.jobs import JobFact
from waypost.kube.facts.pods import PodFact
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.timestamps import timestamp
from waypost.protocol.record import Attempt, CommitRecord, encode

from tests.support.passes import decide

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
RUN = "brief"
RUN_UID = "11111111-2222-3333-4444-555555555555"
SETTINGS = PodSettings(runner_image="runner:test", agent_image="agent:test")
SOURCE = "def run(**inputs):\n    return inputs\n"


def after(seconds: float) -> datetime:
    """The moment `seconds` after the beginning of the test."""
    return NOW + timedelta(seconds=seconds)


# --- specs ---------------------------------------------------------------------------------------


def python(name: str, *, source: str = SOURCE, **fields: JsonValue) -> JsonObject:
    """A python node; fields as in the manifest (`onFailure="Continue"`)."""
    block = {key: fields.pop(key) for key in ("env", "resources") if key in fields}
    return {"name": name, "python": {"source": source, **block}, **fields}


def container(name: str, *, image: str = "work:1", **fields: JsonValue) -> JsonObject:
    """A container node; `command`, `args`, `env`, `resources` go into the container block."""
    keys = ("command", "args", "env", "resources", "imagePullPolicy")
    block = {key: fields.pop(key) for key in keys if key in fields}
    return {"name": name, "container": {"image": image, **block}, **fields}


def agent(name: str, *, prompt: str = "Think.", **fields: JsonValue) -> JsonObject:
    """An agent node of model m of the provider `main`."""
    texts = ("instructions", "attachments", "tools", "toolApproval", "memory", "image", "env")
    keys = (*texts, "models", "settings", "limits", "reasks")
    block: JsonObject = {"model": {"provider": "main", "name": "m"}}
    block |= {key: fields.pop(key) for key in keys if key in fields}
    return {"name": name, "agent": {"prompt": prompt, **block}, **fields}


def http(name: str, *, url: str = "https://example.com/", **fields: JsonValue) -> JsonObject:
    """An http node; a GET unless `method` says otherwise."""
    request = ("method", "query", "headers", "auth", "body", "tls")
    keys = (*request, "responseSchema", "successCodes", "bigIntegers")
    block = {key: fields.pop(key) for key in keys if key in fields}
    return {"name": name, "http": {"url": url, **block}, **fields}


def gate(name: str, *, message: str = "Go on?", **fields: JsonValue) -> JsonObject:
    """An approval node, asked of user ann unless `approvers` says otherwise."""
    keys = (
        "context",
        "answerSchema",
        "approvers",
        "timeout",
        "onTimeout",
        "escalation",
        "onDenied",
        "attachments",
    )
    block = {"approvers": {"users": ["ann"]}}
    block |= {key: fields.pop(key) for key in keys if key in fields}
    return {"name": name, "approval": {"message": message, **block}, **fields}


def wait(
    name: str, *, duration: str = "1h", until: str | None = None, **fields: JsonValue
) -> JsonObject:
    """A wait node, of one hour by default."""
    block = {"until": until} if until is not None else {"duration": duration}
    return {"name": name, "wait": block, **fields}


def spec(*nodes: JsonObject, **fields: JsonValue) -> JsonObject:
    """A workflow of these nodes."""
    return {"nodes": list(nodes), **fields}


# --- facts ---------------------------------------------------------------------------------------


def job_of(path: str, attempt: int = 1) -> str:
    """Name of an attempt's Job."""
    return names.job_name(run=RUN, run_uid=RUN_UID, path=path, attempt=attempt)


def pod(path: str = "a", attempt: int = 1, **fields: Any) -> PodFact:
    """A pod that is bound to a machine and has not started its container."""
    job = job_of(path, attempt)
    made = PodFact(
        name=f"{job}-x",
        uid=f"pod-{path}-{attempt}",
        run_uid=RUN_UID,
        path=path,
        attempt=attempt,
        phase="Pending",
        held=True,
        deleting=False,
        scheduled=True,
        owned_by=f"Job/{job}",
    )
    return replace(made, **fields)


def running(path: str = "a", attempt: int = 1, *, since: datetime = NOW, **fields: Any) -> PodFact:
    """A pod whose container runs."""
    return pod(path, attempt, **{"phase": "Running", "started_at": since, **fields})


def exited(
    path: str = "a", attempt: int = 1, *, code: int | None = 0, message: str = "", **fields: Any
) -> PodFact:
    """A pod whose container has ended."""
    changes: dict[str, Any] = {
        "phase": "Succeeded" if code == 0 else "Failed",
        "started_at": NOW,
        "finished_at": NOW,
        "terminated": True,
        "exit_code": code,
        "terminated_reason": "Completed" if code == 0 else "Error",
        "message": message,
    }
    return pod(path, attempt, **{**changes, **fields})


def ref(
    path: str = "a", attempt: int = 1, *, pod_uid: str | None = None, round_: int = 1
) -> Attempt:
    """The identity that a commit record of this attempt carries."""
    return Attempt(
        run_uid=RUN_UID,
        path=path,
        round=round_,
        attempt=attempt,
        pod_uid=pod_uid or f"pod-{path}-{attempt}",
    )


def record(
    output: JsonValue = None,
    path: str = "a",
    attempt: int = 1,
    *,
    pod_uid: str | None = None,
    round_: int = 1,
) -> str:
    """The termination message of a python node that returned `output`."""
    mine = ref(path, attempt, pod_uid=pod_uid, round_=round_)
    made = CommitRecord(mine, "Succeeded", output)
    return encode(made).decode()


def failure_record(
    reason: str = "NodeError",
    path: str = "a",
    attempt: int = 1,
    *,
    message: str = "boom",
    tail: str = "Traceback",
    pod_uid: str | None = None,
    round_: int = 1,
) -> str:
    """The termination message of a python node that failed in its own words."""
    mine = ref(path, attempt, pod_uid=pod_uid, round_=round_)
    made = CommitRecord(mine, "Failed", None, reason, message, tail)
    return encode(made).decode()


def done(output: JsonValue = None, path: str = "a", attempt: int = 1, **fields: Any) -> PodFact:
    """The pod of a python node that returned `output`."""
    return exited(path, attempt, message=record(output, path, attempt), **fields)


def job(path: str = "a", attempt: int = 1, **fields: Any) -> JobFact:
    """The Job of an attempt, made at the beginning of the test."""
    name = job_of(path, attempt)
    made = JobFact(name=name, uid=f"job-{name}", path=path, attempt=attempt, created_at=NOW)
    return replace(made, **fields)


def approval(
    manifest: JsonObject | None = None,
    *,
    name: str = "ap",
    state: str = "Open",
    answered_at: datetime | None = None,
    status: ApprovalStatus | None = None,
    owner_uid: str = RUN_UID,
    **answer: JsonValue,
) -> ApprovalFact:
    """An Approval: the question of `manifest` (as the engine asked it), and an answer to it."""
    question = (
        dict(manifest["spec"])
        if manifest
        else {
            "run": RUN,
            "path": "ok",
            "message": "Go on?",
            "approvers": {"users": ["ann"]},
            "requestDigest": "sha256:0",
        }
    )
    return ApprovalFact(
        name=manifest["metadata"]["name"] if manifest else name,
        uid="approval-uid",
        resource_version="1",
        owner_uid=owner_uid,
        spec=ApprovalSpec.model_validate({**question, **answer}),
        status=status or ApprovalStatus.model_validate({"state": state}),
        guard=(manifest or {}).get("metadata", {}).get("annotations", {}).get(ANNOTATION_GUARD, ""),
        answered_at=answered_at,
    )


# --- statuses and observations -------------------------------------------------------------------


def attempt(path: str = "a", number: int = 1, **fields: Any) -> AttemptStatus:
    """An attempt that was launched at the beginning of the test."""
    made = {"number": number, "job": job_of(path, number), "launched_at": timestamp(NOW)}
    return AttemptStatus.model_validate({**made, **fields})


def node_status(path: str = "a", phase: str = "Pending", **fields: Any) -> NodeStatus:
    """The checkpoint of a node."""
    return NodeStatus.model_validate({"path": path, "phase": phase, **fields})


def in_flight(path: str = "a", number: int = 1, **fields: Any) -> NodeStatus:
    """A node whose attempt `number` runs."""
    attempts = [attempt(path, n, finished_at=timestamp(NOW)) for n in range(1, number)]
    attempts.append(attempt(path, number))
    changes = {"attempt": number, "attempts": attempts, "started_at": timestamp(NOW)}
    return node_status(path, "Running", **{**changes, **fields})


def status(*nodes: NodeStatus, **fields: Any) -> AgentWorkflowStatus:
    """The status of a run that was accepted and has these checkpoints."""
    made = {"phase": "Running", "observed_generation": 1, "started_at": timestamp(NOW)}
    return AgentWorkflowStatus.model_validate({**made, "nodes": list(nodes), **fields})


def observed(raw_spec: Any, **fields: Any) -> Observed:
    """What a pass sees of a run with this spec: nothing but the run itself unless given. If a pod
    was deleted and `live_at` is not given, the pass has read live, and the Job is gone too."""
    if "live_at" not in fields:
        fields.setdefault("live", any(pod.deleting for pod in fields.get("pods", ())))
    made = Observed(
        name=RUN,
        namespace="team",
        uid=RUN_UID,
        generation=1,
        resource_version="1",
        created_at=NOW,
        definition=define(raw_spec),
        status=AgentWorkflowStatus(),
    )
    return replace(made, **fields)


def read_live(seen: Observed, jobs: Mapping[str, JobFact], now: datetime) -> Observed:
    """A pass after a live read of these Jobs: those whose pods are over have ended."""
    over: dict[str, bool] = {}
    for one in seen.pods:
        name = job_of(one.path, one.attempt)
        over[name] = one.over and over.get(name, True)
    found = {
        name: replace(fact, ended=fact.ended or over.get(name, False))
        for name, fact in jobs.items()
    }
    return replace(seen, jobs=found, live=True, live_at=now)


def without_a_job(
    raw_spec: Any, status_: AgentWorkflowStatus, *moments: float
) -> AgentWorkflowStatus:
    """The status after passes at these times (seconds), each with a live look that finds no Job.
    Fails when one of them launches something."""
    for moment in moments:
        seen = observed(raw_spec, status=status_, live=True, live_at=after(moment))
        decision = decide(seen, after(moment), SETTINGS)
        assert not any(isinstance(action, Launch) for action in decision.after)
        status_ = decision.status
    return status_


def wire_size(value: AgentWorkflowStatus) -> int:
    """Bytes of a status as JSON on the wire."""
    from waypost.api.wire.write import to_wire

    return len(json.dumps(to_wire(value), ensure_ascii=False, separators=(",", ":")).encode())
