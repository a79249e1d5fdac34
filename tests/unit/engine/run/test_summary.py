"""The status of a run: its size, its conditions at every stage, its end and its disposal."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.engine.run.status_size import STATUS_LIMIT, trim
from waypost.engine.state.decision import DeleteRun, PutRecord, ReleasePod
from waypost.engine.state.transition import INLINE_OUTPUT, INLINE_TOTAL
from waypost.kube.timestamps import timestamp
from waypost.protocol import ijson

from tests.support import builders
from tests.support.builders import (
    NOW,
    SETTINGS,
    after,
    done,
    exited,
    failure_record,
    gate,
    in_flight,
    node_status,
    observed,
    pod,
    python,
    spec,
    wait,
    wire_size,
    without_a_job,
)
from tests.support.passes import decide
from tests.support.play import Play, never_ends, raises, returns

# --- size ----------------------------------------------------------------------------------------


def text_of(size: int) -> str:
    """A string whose JSON has `size` bytes."""
    return "x" * (size - 2)


@pytest.mark.parametrize(
    ("size", "inline"),
    [
        pytest.param(INLINE_OUTPUT, True, id="2-KiB"),
        pytest.param(INLINE_OUTPUT + 1, False, id="+1"),
    ],
)
def test_s91_spill_of_one_output(size: int, inline: bool) -> None:
    value = text_of(size)
    raw = spec(python("a"), python("b", inputs={"v": "${nodes.a.output}"}))
    play = Play(raw, endings={"a": [returns(value)]}).finish()
    entry = play.node("a")
    assert (entry.output is not None, entry.output_record is None) == (inline, inline)
    assert entry.output_digest == ijson.digest(value), "the digest is in status either way"
    assert list(play.records.values()) == ([] if inline else [value])
    assert play.phases["b"] == "Succeeded", "dependants read it from wherever it is"


def test_spilled_record_is_written_before_the_status_that_names_it() -> None:
    play = Play(spec(python("a")), endings={"a": [returns(text_of(3000))]})
    play.step()
    play.advance()
    decision = play.step()
    put = decision.before[0]
    assert isinstance(put, PutRecord)
    manifest = put.manifest
    assert manifest["metadata"]["name"] == play.node("a").output_record
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == builders.RUN_UID, "goes with it"
    assert manifest["spec"]["digest"] == play.node("a").output_digest
    assert manifest["spec"]["size"] == 3000


def test_spill_of_many_outputs() -> None:
    count = 40
    raw = spec(*[python(f"n{i}") for i in range(count)])
    play = Play(raw, endings={f"n{i}": [returns(text_of(2000))] for i in range(count)}).finish()
    inline = [n for n in play.status.nodes if n.output is not None]
    assert len(inline) == INLINE_TOTAL // 2000, "the run's inline outputs share 64 KiB"
    assert len(play.records) == count - len(inline)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x", id="ascii"),
        pytest.param("\U0001f4a5", id="four-bytes"),
        pytest.param("\x01", id="six-bytes-escaped"),
    ],
)
@pytest.mark.parametrize("attempts", [1, 6])
def test_200_failing_nodes_fit(text: str, attempts: int) -> None:
    nodes = [python(f"node_with_a_long_name_{i}", onFailure="Continue") for i in range(200)]
    statuses, pods = [], []
    for node in nodes:
        path = node["name"]
        running = in_flight(path, attempts)
        past = [
            a.model_copy(update={"message": text * 256, "reason": "NodeError", "pod_uid": "u" * 36})
            for a in (running.attempts or [])[:-1]
        ]
        last = (running.attempts or [])[-1:]
        statuses.append(running.model_copy(update={"attempts": past + last}))
        message = failure_record(path=path, attempt=attempts, message=text * 600, tail=text * 100)
        pods.append(exited(path, attempts, code=1, message=message))
    seen = observed(spec(*nodes), status=builders.status(*statuses), pods=tuple(pods))
    decision = decide(seen, NOW, SETTINGS)
    assert wire_size(decision.status) <= STATUS_LIMIT, "C1: what etcd can bear"
    for entry in decision.status.nodes:
        assert (entry.phase, entry.reason) == ("Failed", "NodeError"), "what happened stays"
        assert entry.attempts, "and the last attempt"
        assert entry.attempts[-1].number == entry.attempt
        assert entry.message, "and the beginning of the reason"
    repeated = decide(replace(seen, status=decision.status), NOW, SETTINGS)
    assert repeated.status == decision.status, "fitting is idempotent"


def test_fit_leaves_small_statuses_alone() -> None:
    status = builders.status(in_flight("a", 6))
    assert trim(status) is status


def test_kept_attempts() -> None:
    raw = spec(python("a", retry={"limit": 9, "backoff": {"initial": "1s", "factor": 1}}))
    play = Play(raw, endings={"a": [raises()] * 9 + [returns(1)]}).finish()
    numbers = [a.number for a in play.node("a").attempts or []]
    assert numbers == [1, 6, 7, 8, 9, 10], "the first and the last five"
    assert (play.node("a").attempt, play.node("a").retries) == (10, 9), "counted in full"


# --- what the summary says -----------------------------------------------------------------------


def stage(raw: JsonObject, *passes: float, **more: Any) -> Play:
    """A run after a pass, and one more after each pause."""
    play = Play(raw, **more)
    play.step()
    for pause in passes:
        play.advance(pause)
        play.step()
    return play


HANG = {"a": [never_ends()]}


@pytest.mark.parametrize(
    ("play", "phase", "progress", "waiting"),
    [
        pytest.param(stage(spec(python("a"))), "Running", "0/1", None, id="running"),
        pytest.param(
            stage(spec(python("a"), python("b", dependsOn=["a"])), 1.0),
            "Running",
            "1/2",
            None,
            id="one-ended",
        ),
        pytest.param(
            stage(spec(wait("w"))), "Waiting", "0/1", f"until {timestamp(after(3600))}", id="wait"
        ),
        pytest.param(
            stage(spec(python("a"), wait("w")), endings=HANG), "Running", "0/2", None, id="both"
        ),
        pytest.param(
            stage(spec(python("a"), suspend=True)), "Suspended", "0/1", None, id="suspended"
        ),
        pytest.param(
            stage(spec(python("a", retry={"limit": 1})), 1.0, endings={"a": [raises()]}),
            "Running",
            "0/1",
            None,
            id="backoff",
        ),
        pytest.param(stage(spec(python("a")), 1.0), "Succeeded", "1/1", None, id="succeeded"),
        pytest.param(
            stage(spec(python("a")), 1.0, endings={"a": [raises()]}),
            "Failed",
            "1/1",
            None,
            id="failed",
        ),
        pytest.param(
            stage(spec(gate("ok"), cancel=True)), "Cancelled", "1/1", None, id="cancelled"
        ),
        pytest.param(stage({"nodes": []}), "Rejected", "", None, id="rejected"),
    ],
)
def test_columns_of_kubectl(play: Play, phase: str, progress: str, waiting: str | None) -> None:
    found = (play.status.phase, play.status.progress, play.status.waiting)
    assert found == (phase, progress, waiting), "kubectl get aw reads well at every stage"


CONDITIONS = ("Accepted", "Succeeded", "Finished", "Reconciling", "Stalled")


@pytest.mark.parametrize(
    ("play", "expected"),
    [
        pytest.param(stage(spec(python("a"))), "True Unknown False True False", id="running"),
        pytest.param(stage(spec(gate("ok"))), "True Unknown False True False", id="waiting"),
        pytest.param(stage(spec(python("a")), 1.0), "True True True False False", id="succeeded"),
        pytest.param(
            stage(spec(python("a")), 1.0, endings={"a": [raises()]}),
            "True False True False True",
            id="failed",
        ),
        pytest.param(
            stage(spec(wait("w"), cancel=True)), "True False True False True", id="cancelled"
        ),
        pytest.param(
            stage(spec(python("a", timeout="0s"))), "False False True False True", id="no"
        ),
    ],
)
def test_conditions(play: Play, expected: str) -> None:
    assert " ".join(play.condition(c)[0] for c in CONDITIONS) == expected
    assert {c.observed_generation for c in play.status.conditions} == {1}, "kubectl wait looks"


def test_transition_times_move_with_the_status_only() -> None:
    play = stage(spec(python("a"), python("b", dependsOn=["a"])), 5.0)
    finished = next(c for c in play.status.conditions if c.type == "Finished")
    assert finished.last_transition_time == timestamp(NOW)
    play.advance(5.0)
    play.step()
    finished = next(c for c in play.status.conditions if c.type == "Finished")
    assert finished.last_transition_time == timestamp(after(10.0))


def test_trouble_of_a_running_node_is_told() -> None:
    play = stage(spec(python("a")))
    uid = next(iter(play.pods))
    play.pods[uid] = pod("a", waiting_reason="ErrImagePull", waiting_message="no such image")
    play.step()
    assert play.condition("Finished")[2] == "a: ImagePull: ErrImagePull: no such image"
    assert play.reasons["a"] == "ImagePull", "named within one pass, while it still tries"
    play.pods[uid] = builders.running("a")
    play.step()
    assert play.reasons["a"] is None, "and forgotten once it started"


def test_suspended_says_how_to_go_on() -> None:
    play = stage(spec(python("a"), suspend=True))
    assert "set spec.suspend to false to continue" in play.condition("Succeeded")[2]


def test_s28_names_of_our_domain_are_warned_of() -> None:
    text = "the label waypost.dev/team has no effect: the domain waypost.dev is reserved"
    play = Play(spec(python("a")), overrides={"reserved": (text,)})
    play.step()
    (accepted,) = [c for c in play.status.conditions if c.type == "Accepted"]
    assert accepted.status == "True"
    assert accepted.message == f"the spec is valid. warning: {text}"


def test_s28_pruned_fields_are_told() -> None:
    play = Play(spec(python("a")), overrides={"pruned": ("nodes[0].dependOn",)})
    play.step()
    assert "nodes[0].dependOn" in play.condition("Accepted")[2]
    refused = Play(spec(python("a", timeout="0s")), overrides={"pruned": ("nodes[0].dependOn",)})
    refused.step()
    assert "nodes[0].dependOn" in refused.condition("Accepted")[2]


# --- suspend and cancel --------------------------------------------------------------------------


def test_s80_suspend() -> None:
    raw = spec(python("a"), python("b", dependsOn=["a"]), wait("w", duration="10s"))
    play = stage(raw)
    play.spec = {**raw, "suspend": True}
    play.advance(11.0)
    play.step()
    assert play.phases == {"a": "Succeeded", "b": "Pending", "w": "Succeeded"}, (
        "running attempts finish, timers go on, nothing starts"
    )
    play.spec = raw
    play.step()
    assert play.phases["b"] == "Running", "and continues where it stood"


def test_s80_suspend_holds_retries() -> None:
    raw = spec(python("a", retry={"limit": 1}))
    play = stage(raw, 1.0, endings={"a": [raises(), returns(1)]})
    play.spec = {**raw, "suspend": True}
    play.now = after(600)
    play.step()
    assert (play.phases["a"], play.status.phase) == ("Backoff", "Suspended")
    play.spec = raw
    play.step()
    assert play.phases["a"] == "Running"


def test_s81_cancel_stops_and_keeps() -> None:
    raw = spec(python("a"), python("h"), python("b", dependsOn=["a", "h"]), wait("w"))
    play = stage(raw, 1.0, endings={"h": [never_ends()]})
    play.spec = {**raw, "cancel": True}
    play.step()
    assert play.condition("Finished")[0] == "False", "not before its pods are over"
    play.finish()
    assert play.phases == {
        "a": "Succeeded",
        "h": "Cancelled",
        "b": "Cancelled",
        "w": "Cancelled",
    }, "finished checkpoints are kept"
    assert play.status.phase == "Cancelled"


def test_s81_cancel_cannot_be_taken_back() -> None:
    raw = spec(python("a"), python("b", dependsOn=["a"]))
    play = stage(raw, endings=HANG)
    play.spec = {**raw, "cancel": True}
    play.step()
    play.spec = raw  # a GitOps tool heals it away
    play.finish()
    assert play.status.phase == "Cancelled", "the latch in status holds"
    assert "b" not in play.launched


def test_cancel_before_anything_started() -> None:
    play = Play(spec(python("a"), cancel=True)).finish()
    assert (play.phases, play.jobs) == ({"a": "Cancelled"}, {})


def test_cancel_creates_no_missing_job() -> None:
    raw = spec(python("a"), cancel=True)
    status = builders.status(in_flight("a"))
    assert without_a_job(raw, status, 100, 101, 112).nodes[0].phase == "Running"
    assert without_a_job(raw, status, 100, 101, 113).nodes[0].phase == "Cancelled"


# --- deletion, disposal, correction --------------------------------------------------------------


def test_d2_a_run_that_is_being_deleted_only_lets_go() -> None:
    seen = observed(
        spec(python("a"), python("b")), deleting=True, pods=(done(1), pod("b", held=False))
    )
    decision = decide(seen, NOW, SETTINGS)
    assert decision.status == seen.status, "no write"
    assert decision.after == (ReleasePod(name=done(1).name, uid="pod-a-1"),), "held pods only"


@pytest.mark.parametrize(
    ("seconds", "fields", "deleted"),
    [
        pytest.param(59.0, {}, False, id="not-yet"),
        pytest.param(60.0, {}, True, id="due"),
        pytest.param(99.0, {"tracked": True}, False, id="tracked-by-git"),
        pytest.param(99.0, {"pods": (pod("a"),)}, False, id="a-pod-still-held"),
        pytest.param(99.0, {"pods": (pod("a", held=False),)}, True, id="pod-let-go"),
    ],
)
def test_ttl(seconds: float, fields: dict[str, Any], deleted: bool) -> None:
    raw = spec(python("a"), ttlSecondsAfterFinished=60)
    status = builders.status(
        node_status("a", "Succeeded"), phase="Succeeded", finished_at=timestamp(NOW)
    )
    decision = decide(observed(raw, status=status, **fields), after(seconds), SETTINGS)
    assert (DeleteRun() in decision.after) is deleted
    if seconds < 60:
        assert decision.requeue_at == after(60), "it comes back by itself"


def test_s83_a_ttl_that_git_would_undo_is_said_to_be_ignored() -> None:
    raw = spec(python("a"), ttlSecondsAfterFinished=60)
    [accepted] = [
        c
        for c in decide(observed(raw, tracked=True), NOW, SETTINGS).status.conditions
        if c.type == "Accepted"
    ]
    assert "ttlSecondsAfterFinished is not applied: Argo CD or Flux track" in accepted.message


def test_no_ttl_no_deletion() -> None:
    play = Play(spec(python("a"))).finish()
    play.now = after(1e7)
    assert play.step().after == ()


def test_refused_and_corrected() -> None:
    play = Play(spec(python("a", timeout="0s")))
    play.step()
    assert play.status.phase == "Rejected"
    assert play.status.nodes == [], "nothing ran"
    assert "nodes.a.timeout" in play.condition("Accepted")[2], "field and reason"
    assert play.condition("Stalled")[2].startswith("correct the spec"), "it stays editable"
    assert play.step().events == (), "said once"
    play.spec, play.generation = spec(python("a")), 2
    play.step()
    assert (play.status.phase, play.status.finished_at) == ("Running", None)
    assert play.condition("Finished")[0] == "False"
    assert play.finish().condition("Succeeded")[0] == "True"


def test_i10_a_stricter_release_does_not_reject_the_past() -> None:
    play = Play(spec(python("a"))).finish()
    ended = play.status
    play.spec = spec(python("a", timeout="0s"))
    play.step()
    assert play.status == ended, "a finished run was judged by the rules of its time"


def test_i10_a_finished_run_only_follows_its_generation() -> None:
    play = Play(spec(python("a"))).finish()
    play.spec, play.generation = {**play.spec, "cancel": True, "suspend": True}, 7
    play.step()
    assert play.status.phase == "Succeeded"
    assert play.status.observed_generation == 7, "kubectl wait must not hang"
    assert {c.observed_generation for c in play.status.conditions} == {7}


def test_outputs_too_large() -> None:
    big = "x" * 2000
    raw = spec(python("a"), outputs={f"o{i}": "${nodes.a.output}" for i in range(40)})
    play = Play(raw, endings={"a": [returns(big)]}).finish()
    assert (play.status.phase, play.status.outputs) == ("Failed", None)
    assert play.condition("Succeeded")[1] == "OutputTooLarge"


def test_outputs_break_the_schema() -> None:
    raw = spec(python("a"), outputs={"n": "${nodes.a.output}"})
    raw["outputSchema"] = {"properties": {"n": {"type": "integer"}}}
    play = Play(raw).finish()
    assert play.condition("Succeeded")[1] == "OutputInvalid"
    assert play.status.phase == "Failed"


def test_releases_follow_checkpoints() -> None:
    raw = spec(python("a"), python("b"))
    play = stage(raw, endings={"b": [never_ends()]})
    play.advance()
    decision = play.step()
    released = [a.uid for a in decision.after if isinstance(a, ReleasePod)]
    assert released == ["pod-a-1"], "the pod whose result this status holds, no other"


def test_superseded_pods_are_released() -> None:
    thinned = in_flight("a", 3)
    thinned = thinned.model_copy(update={"attempts": (thinned.attempts or [])[-1:]})
    pods = (exited("a", 1, code=1), builders.running("a", 3))
    seen = observed(spec(python("a")), status=builders.status(thinned), pods=pods)
    released = [a.uid for a in decide(seen, NOW, SETTINGS).after if isinstance(a, ReleasePod)]
    assert released == ["pod-a-1"], "also when its attempt no longer stands in status"


def test_statuses_keep_the_order_of_the_spec() -> None:
    names = ["zed", "alpha", "mid"]
    play = Play(spec(*[python(n) for n in names])).finish()
    assert [entry.path for entry in play.status.nodes] == names, "entries are patched by index"


def test_empty_status_reads_back() -> None:
    assert AgentWorkflowStatus.model_validate({}) == AgentWorkflowStatus()
    assert isinstance(
        NodeStatus.model_validate({"path": "a", "phase": "Pending", "new": 1}), object
    )
