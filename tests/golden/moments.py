"""Moments of a run as documents: the stored objects a pass saw, the time, and what it decided.

`recorded` plays a run and keeps the moments at which something was written; `replayed`
decides on such a document with the engine of today.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest
from waypost.api.status import AgentWorkflowStatus
from waypost.compiler.definition import define
from waypost.engine import decide as engine
from waypost.engine.run.entry import Entry
from waypost.engine.state.decision import (
    Decision,
    DeleteRun,
    Launch,
    OpenApproval,
    PutRecord,
    ReleasePod,
    SettleApproval,
    StopAttempt,
)
from waypost.engine.state.observed import Observed
from waypost.kube.facts.approvals import approval_fact
from waypost.kube.facts.jobs import job_fact
from waypost.kube.facts.pods import pod_fact
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.ports.cluster import Kind, Obj
from waypost.runtime import deciding
from waypost.runtime.writes.status_patch import status_patch

from tests.support.builders import container, gate, python, spec, wait
from tests.support.harness import NAMESPACE, RUN, Script, World, fails, gives
from tests.support.passes import decide
from tests.support.virtual import virtual

SETTINGS: Final = PodSettings(runner_image="runner:test", agent_image="agent:test")
# Small, and with every phase that a checkpoint can be in.
SPEC: Final = spec(
    python("start"),
    python(
        "again",
        inputs={"n": "${nodes.start.output.n}"},
        retry={"limit": 1, "backoff": {"initial": "2s"}},
    ),
    container("broken", onFailure="Continue", fallbackOutput={"n": 0}, dependsOn=["start"]),
    gate("ok", message="Publish ${nodes.again.output}?", timeout="24h"),
    wait("pause", duration="30s", dependsOn=["ok"]),
    python("publish", when="${nodes.ok.output.decision == 'Approved'}", dependsOn=["pause"]),
    python("never", when="${nodes.broken.output.n > 0}"),
    outputs={"again": "${nodes.again.output}"},
)
SCRIPT: Final[Script] = {
    "start": [gives({"n": 7})],
    "again": [fails(), gives({"n": 1, "none": None})],
    "broken": [fails()],
    "publish": [gives("published")],
}
_KEPT_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
)
_KEPT_ANNOTATIONS: Final = ("waypost.dev/path", "waypost.dev/run-name")


def actions_of(decision: Decision) -> list[str]:
    """What a decision asks for, in words."""
    return [_words(action) for action in (*decision.before, *decision.after)]


def _words(action: Any) -> str:
    match action:
        case Launch():
            return f"launch {action.path} {action.attempt}: {action.job['metadata']['name']}"
        case ReleasePod():
            return f"release {action.name}"
        case OpenApproval():
            return f"ask {action.manifest['metadata']['name']}"
        case SettleApproval():
            return f"settle {action.name}: {action.status.state}"
        case PutRecord():
            return f"keep {action.manifest['metadata']['name']}"
        case StopAttempt():
            return f"stop {action.job}"
        case DeleteRun():
            return "delete the run"
    raise AssertionError(action)


def replayed(raw: Obj, moment: Obj) -> Obj:
    """The change of the status and the actions that follow from a recorded moment today."""
    run = moment["run"]
    now = _time(moment["now"])
    pods = [pod_fact(body) for body in moment["pods"]]
    approvals = [approval_fact(body) for body in moment["approvals"]]
    jobs = [job_fact(body) for body in moment["jobs"]]
    observed = Observed(
        name=RUN,
        namespace=NAMESPACE,
        uid=run["metadata"]["uid"],
        generation=run["metadata"]["generation"],
        resource_version=run["metadata"]["resourceVersion"],
        created_at=_time(run["metadata"]["creationTimestamp"]),
        definition=define(raw),
        status=AgentWorkflowStatus.model_validate(run.get("status", {})),
        pods=tuple(pod for pod in pods if pod is not None),
        jobs={job.name: job for job in jobs if job is not None},
        approvals={fact.name: fact for fact in approvals if fact is not None},
        payloads=moment["payloads"],
        live=moment["live"],
    )
    decision = decide(observed, now, SETTINGS)
    version = run["metadata"]["resourceVersion"]
    patch = status_patch(body=run, resource_version=version, status=decision.status)[1:]
    return {"patch": patch, "actions": actions_of(decision)}


def _time(text: str) -> datetime:
    moment = parse_timestamp(text)
    assert moment is not None
    return moment


def recorded() -> Obj:
    """A run's spec and its moments, under the engine of today."""
    moments: list[Obj] = []

    @virtual
    async def play() -> None:
        async with World(script=SCRIPT) as world:
            with pytest.MonkeyPatch.context() as patch:

                def noticed(entry: Entry, now: datetime, settings: PodSettings) -> Decision:
                    decision, observed = engine.decide(entry, now, settings), entry.observed
                    if decision.status != observed.status or decision.before:
                        moments.extend(_moment(world, observed, now))
                    return decision

                patch.setattr(deciding, "decide", noticed)
                world.start()
                await world.submit(SPEC)
                world.helper(world.answer(decision="Approved", decidedBy="ann"))
                await world.finished()

    play()
    for moment in moments:
        moment["then"] = replayed(SPEC, moment)
    return {"spec": SPEC, "moments": moments}


def _moment(world: World, observed: Observed, now: datetime) -> Iterator[Obj]:
    body = world.run()
    if body["metadata"]["resourceVersion"] != observed.resource_version:
        return  # it is about to lose to a newer state
    seen = {pod.uid for pod in observed.pods}
    yield {
        "now": timestamp(now),
        "run": {"metadata": _slim(body["metadata"]), "status": body.get("status", {})},
        "pods": [_pod(p) for p in world.all(Kind.POD) if p["metadata"]["uid"] in seen],
        "approvals": [
            {"metadata": _slim(a["metadata"]) | _answered(a), "spec": a["spec"], **_status(a)}
            for a in world.all(Kind.APPROVAL)
            if a["metadata"]["name"] in observed.approvals
        ],
        "jobs": [
            {"metadata": _slim(j["metadata"]), **_status(j)}
            for j in world.all(Kind.JOB)
            if observed.live and j["metadata"]["name"] in observed.jobs
        ],
        "payloads": dict(observed.payloads),
        "live": observed.live,
    }


def _status(body: Obj) -> Obj:
    return {"status": body["status"]} if body.get("status") else {}


def _answered(body: Obj) -> Obj:
    return {"managedFields": body["metadata"].get("managedFields", [])}


def _pod(body: Obj) -> Obj:
    spec = {"nodeName": body["spec"]["nodeName"]} if "nodeName" in body["spec"] else {}
    return {"metadata": _slim(body["metadata"]), "spec": spec, "status": body["status"]}


def _slim(metadata: Obj) -> Obj:
    """The metadata that a pass looks at."""
    slim: Obj = {key: metadata[key] for key in _KEPT_METADATA if key in metadata}
    labels = {k: v for k, v in metadata.get("labels", {}).items() if k.startswith("waypost.dev/")}
    notes = {k: v for k, v in metadata.get("annotations", {}).items() if k in _KEPT_ANNOTATIONS}
    owners = [o for o in metadata.get("ownerReferences", []) if o.get("controller")]
    for key, value in (("labels", labels), ("annotations", notes), ("ownerReferences", owners)):
        if value:
            slim[key] = value
    return slim
