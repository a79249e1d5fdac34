"""What Argo CD and Flux say of objects on a real cluster, and what the actions of Argo CD do.

The scripts and expressions are those of the chart and of docs/gitops.md. With
WAYPOST_RECORD_GITOPS set to a folder, each object is kept there as `KIND/testdata/STATE.yaml`: so
the objects of tests/gitops were recorded.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from e2e.suite.build import Obj, workflow
from e2e.suite.kube import MERGE, path_of
from e2e.suite.space import Run, Space
from e2e.suite.test_providers import made, provider, server
from e2e.suite.waiting import until
from tests.gitops.flux import health as flux_health
from tests.gitops.lua import act, actions, health

PLURALS = {
    "AgentWorkflow": "agentworkflows",
    "AgentWorkflowTemplate": "agentworkflowtemplates",
    "Approval": "approvals",
    "ModelProvider": "modelproviders",
    "ToolServer": "toolservers",
}
FAILS = "raise ValueError('no such customer')"
AS_FLUX = {
    "Healthy": "Current",
    "Degraded": "Failed",
    "Suspended": "InProgress",
    "Progressing": "InProgress",
}


def becomes(space: Space, kind: str, name: str, expected: str, *, says: str, state: str) -> Obj:
    """The object once Argo CD would show this health, with these words in its message."""

    def look() -> Obj | None:
        found = space.get(PLURALS[kind], name)
        if found is None or health(found)["status"] != expected:
            return None
        return found if says in health(found)["message"] else None

    def seen() -> str:
        found = space.get(PLURALS[kind], name)
        return f"{health(found)}\n{yaml.safe_dump(found)}" if found else "it is not there"

    found = until(look, within=60, what=f"{kind} {name} is {expected}: {says}", seen=seen)
    if kind == "AgentWorkflow":
        assert flux_health(found) == AS_FLUX[expected], health(found)
    _record(found, kind, state)
    return found


def _record(found: Obj, kind: str, state: str) -> None:
    if folder := os.environ.get("WAYPOST_RECORD_GITOPS"):
        target = Path(folder) / kind / "testdata" / f"{state}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        namespace = found["metadata"]["namespace"]
        kept = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
        text = yaml.safe_dump({**found, "metadata": kept}, sort_keys=False, width=100)
        target.write_text(text.replace(namespace, "default"))


def run_action(space: Space, kind: str, name: str, action: str) -> None:
    """Do what Argo CD does: the difference that the script makes, as a merge patch."""
    found = space.get(PLURALS[kind], name)
    assert found is not None
    assert actions(found)[action] is True, f"{action} is offered for {health(found)}"
    body = _difference(found, act(found, action))
    space.kube.request("PATCH", path_of(PLURALS[kind], space.name, name), body, content_type=MERGE)


def _difference(before: Any, after: Any) -> Any:
    """The merge patch (RFC 7386) that turns one object into the other."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    patch = {key: None for key in before if key not in after}
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return patch | {key: _difference(before.get(key), value) for key, value in changed.items()}


def start(space: Space, made_of: Any) -> Run:
    run: Run = space.start(made_of)
    return run


def test_a_run_is_healthy_once_it_has_succeeded(space: Space) -> None:
    run = start(space, workflow("done").wait("a", "1s"))
    becomes(space, "AgentWorkflow", run.name, "Healthy", says="all nodes", state="succeeded")


def test_a_failed_run_is_degraded_and_can_be_run_again(space: Space) -> None:
    run = start(space, workflow("broken").python("charge", FAILS).wait("after", "1s"))
    becomes(space, "AgentWorkflow", run.name, "Degraded", says="charge failed", state="failed")
    run_action(space, "AgentWorkflow", run.name, "rerun")
    run.until(lambda seen: seen["status"]["round"] == 2, what="round 2 has begun")
    becomes(
        space, "AgentWorkflow", run.name, "Degraded", says="charge failed", state="failed-again"
    )


def test_a_run_that_needs_a_decision_is_degraded(space: Space) -> None:
    run = start(space, workflow("paused").python("charge", FAILS, onFailure="Pause"))
    becomes(space, "AgentWorkflow", run.name, "Degraded", says="charge", state="paused")
    assert actions(run.read())["rerun"] is True
    run_action(space, "AgentWorkflow", run.name, "cancel")
    becomes(space, "AgentWorkflow", run.name, "Degraded", says="cancelled", state="cancelled")
    assert not any(actions(run.read()).values()), "a cancelled run is final"


def test_a_run_that_asks_is_suspended_until_it_is_answered(space: Space) -> None:
    run = start(space, workflow("gate").approval("ask"))
    becomes(space, "AgentWorkflow", run.name, "Suspended", says="ask", state="awaiting-approval")
    name = run.opened("ask")
    becomes(space, "Approval", name, "Suspended", says="decision", state="open")
    assert actions({"kind": "Approval", "metadata": {}}) == {}, "a person answers, not Argo CD"
    run.answer("ask", decision="Approved")
    becomes(space, "AgentWorkflow", run.name, "Healthy", says="", state="approved")
    becomes(space, "Approval", name, "Healthy", says="Approved", state="approved")


def test_actions_hold_a_run_and_let_it_continue(space: Space) -> None:
    run = start(space, workflow("held").wait("first", "2h").wait("second", "1s"))
    becomes(
        space, "AgentWorkflow", run.name, "Progressing", says="nodes have ended", state="running"
    )
    run_action(space, "AgentWorkflow", run.name, "suspend")
    becomes(space, "AgentWorkflow", run.name, "Suspended", says="suspended", state="suspended")
    run_action(space, "AgentWorkflow", run.name, "resume")
    becomes(
        space, "AgentWorkflow", run.name, "Progressing", says="nodes have ended", state="resumed"
    )
    run.set(cancel=True)


def test_a_definition_with_a_mistake_is_degraded(space: Space) -> None:
    run = start(space, workflow("typo").wait("a", "1s", dependsOn=["b"]))
    becomes(space, "AgentWorkflow", run.name, "Degraded", says="no node 'b'", state="rejected")


def test_templates(space: Space) -> None:
    waits = {"nodes": [{"name": "a", "wait": {"duration": "1s"}}]}
    made(space, "agentworkflowtemplates", "AgentWorkflowTemplate", "good", waits)
    wrong = {"nodes": [{"name": "a", "wait": {"duration": "1s"}, "dependsOn": ["b"]}]}
    made(space, "agentworkflowtemplates", "AgentWorkflowTemplate", "bad", wrong)
    kind = "AgentWorkflowTemplate"
    becomes(space, kind, "good", "Healthy", says="", state="accepted")
    becomes(space, kind, "bad", "Degraded", says="no node 'b'", state="rejected")
    run_action(space, kind, "good", "suspend")
    becomes(space, kind, "good", "Suspended", says="New runs", state="suspended")
    run_action(space, kind, "good", "resume")
    becomes(space, kind, "good", "Healthy", says="", state="resumed")


def test_what_cannot_be_reached_is_degraded_and_is_probed_again(space: Space) -> None:
    provider(space, "nowhere", baseURL="http://127.0.0.1:9/v1")
    server(space, "nowhere", http={"url": "http://127.0.0.1:9/mcp"})
    for kind in ("ModelProvider", "ToolServer"):
        seen = becomes(space, kind, "nowhere", "Degraded", says="127.0.0.1:9", state="unreachable")
        run_action(space, kind, "nowhere", "probe")
        until(
            partial(_probed_again, space, kind, seen),
            within=60,
            what=f"the {kind} is probed again",
        )


def _probed_again(space: Space, kind: str, seen: Obj) -> bool:
    found = space.get(PLURALS[kind], "nowhere")
    return found is not None and found["status"]["probe"] != seen["status"]["probe"]


def test_the_operator_writes_no_field_that_git_does_not_have(space: Space) -> None:
    made_of = workflow("plain").wait("a", "1s")
    run = start(space, made_of)
    assert run.succeeded()["spec"].keys() == made_of.manifest()["spec"].keys(), "no drift"
