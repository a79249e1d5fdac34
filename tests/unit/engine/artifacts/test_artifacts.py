"""Artifacts in the engine: what is pinned at a launch, and what a checkpoint needs."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.kube import node_records
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import ReadProblem, of_record
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol.artifacts.request import Content
from waypost.protocol.record import CommitRecord, encode

from tests.support import builders
from tests.support.builders import NOW, RUN, RUN_UID, SETTINGS, container, python, spec
from tests.support.maps import requests
from tests.support.play import Ending, Play, ended_with, raises, returns

GATEWAY = replace(SETTINGS, gateway_url="http://gateway")
OUT = {"out": [{"name": "repo", "path": "/data/repo"}]}
REPO = "${nodes.make.artifacts.repo}"
ONE = Content(f"sha256:{'1' * 64}", 3072, 2)
TWO = Content(f"sha256:{'2' * 64}", 4096, 3)


def makes(content: Content | None = ONE, *, output: Any = None, name: str = "repo") -> Ending:
    """The program succeeds, and its commit record names this artifact."""

    def end(pod: PodFact) -> PodFact:
        ref = builders.ref(pod.path, pod.attempt, pod_uid=pod.uid, round_=pod.round)
        made = None if content is None else {name: content}
        text = encode(CommitRecord(ref, "Succeeded", output, artifacts=made)).decode()
        return ended_with(pod, code=0, message=text)

    return end


def taking(name: str, from_: str = REPO, **fields: Any) -> JsonObject:
    entry = {"from": from_, "path": "/data/repo", **fields}
    return python(name, artifacts={"in": [entry]})


def fact(
    content: Content = ONE, *, attempt: int = 1, round_: int = 1, **changes: Any
) -> RecordFact:
    ref = AttemptRef(RUN, RUN_UID, "make", round_, attempt)
    body = node_records.artifact(
        ref,
        "repo",
        content,
        place={"compressedBytes": 9},
        form={"compressed": "x"},
        owner={"uid": RUN_UID, "controller": True, "kind": "AgentWorkflow", "name": RUN},
        namespace="default",
    )
    return replace(node_records.record_fact(body), **changes)


def known(*facts: RecordFact) -> dict[str, Mapping[str, RecordFact]]:
    return {"records": {one.name: one for one in facts}}


def play(*nodes: JsonObject, **endings: Any) -> Play:
    scripts = {name: [ending] for name, ending in endings.items()}
    return Play(spec(*nodes), endings=scripts, settings=GATEWAY)


MAKE = python("make", artifacts=OUT)


def test_s290_a_checkpoint_names_what_the_gateway_has_recorded() -> None:
    run = play(MAKE, taking("read"), make=makes())
    run.overrides = known(fact())
    run.finish()
    [made] = run.node("make").artifacts or []
    assert (made.name, made.digest, made.bytes, made.files) == ("repo", *ONE)
    assert made.record == fact().name
    assert run.node("read").phase == "Succeeded"


def test_s293_the_operator_pins_the_record_and_the_digest_at_launch() -> None:
    run = play(MAKE, taking("read"), make=makes())
    run.overrides = known(fact())
    run.finish()
    template = run.manifests["read", 1]["spec"]["template"]
    pins = json.loads(template["metadata"]["annotations"][meta.ANNOTATION_ARTIFACTS])
    assert pins == {"in": [{"record": fact().name, "digest": ONE.digest}], "out": {}}
    assert requests(run)["read", 1]["artifacts"]["in"] == [
        {"volume": "artifact-0", "folder": "", **ONE.to_json()}
    ]


LOST = {
    "no record": ({}, makes(), "the NodeRecord of artifact repo does not exist"),
    "another digest": (known(fact(TWO)), makes(), "has digest"),
    "of another attempt": (known(fact(attempt=1, run_uid="x")), makes(), "is not that of"),
    "another artifact": (known(fact(artifact="other")), makes(), "is not that of artifact repo"),
    "not in the commit record": (known(fact()), makes(None), "does not name artifact repo"),
    "under another name": (known(fact()), makes(name="x"), "does not name artifact repo"),
}


@pytest.mark.parametrize(("overrides", "ending", "text"), LOST.values(), ids=LOST)
def test_s291_without_its_record_there_is_no_checkpoint(
    overrides: dict[str, Any], ending: Ending, text: str
) -> None:
    run = play({**MAKE, "retry": {"limit": 0}, "effect": "once"}, make=ending)
    run.overrides = overrides
    run.step()
    run.advance(0.2)
    run.overrides = {"records": overrides.get("records") or {fact().name: None}}
    run.step()
    latest = run.node("make").latest_attempt
    assert latest is not None
    assert (latest.reason, text in (latest.message or "")) == ("ResultLost", True)


def test_s291_the_record_is_read_live_before_the_attempt_is_judged() -> None:
    run = play(MAKE, make=makes())
    run.step()
    run.advance(0.2)
    assert fact().name in run.planned().records


def test_s291_a_record_that_cannot_be_read_is_waited_for() -> None:
    run = play(MAKE, make=makes())
    run.step()
    run.advance(0.2)
    what = of_record(fact().name)
    later = NOW + timedelta(seconds=5)
    run.overrides = {"unread": {what: ReadProblem(what, "timeout", False, NOW, later)}}
    run.step()
    assert run.node("make").phase == "Running"


def test_a_result_without_a_commit_record_has_the_artifacts_of_its_records() -> None:
    """They are stored before the result: the pod died between the result and its record."""
    stored = RecordFact(
        name=AttemptRef(RUN, RUN_UID, "make", 1, 1).record_name("Result"),
        type="Result",
        run_uid=RUN_UID,
        path="make",
        round=1,
        attempt=1,
        owner_uid=RUN_UID,
        payload=replace(fact().payload, read=True, value=7),
    )
    run = play(MAKE, make=lambda pod: ended_with(pod, code=137))
    run.overrides = {"records": {fact().name: fact(), stored.name: stored}}
    run.finish()
    assert (run.node("make").artifacts or [])[0].digest == ONE.digest


FORGED = {
    "digest of nobody": {"name": "repo", "digest": TWO.digest, "bytes": 1, "files": 1},
    "no object": "sha256:1",
    "a list of them": [{"name": "repo", "digest": TWO.digest, "bytes": 1, "files": 1}],
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_s293_a_value_that_no_node_has_made_is_no_artifact(value: Any) -> None:
    say = python("say")
    run = play(MAKE, say, taking("read", "${nodes.say.output}"), make=makes(), say=returns(value))
    run.overrides = known(fact())
    run.finish()
    node = run.node("read")
    assert (node.phase, node.reason) == ("Failed", "InputInvalid")
    assert "artifacts.in[0].from" in (node.message or "")


def test_s294_a_list_gives_a_folder_for_each_and_leaves_nulls_out() -> None:
    say = python("say", inputs={"repo": REPO})
    one = {"name": "repo", "digest": ONE.digest, "bytes": 1, "files": 1}
    run = play(
        MAKE,
        say,
        taking("read", "${nodes.say.output}"),
        make=makes(),
        say=returns([one, None, one]),
    )
    run.overrides = known(fact())
    run.finish()
    taken = requests(run)["read", 1]["artifacts"]["in"]
    assert [one["folder"] for one in taken] == ["0", "2"]
    assert {one["volume"] for one in taken} == {"artifact-0"}


def test_a_node_that_takes_it_waits_and_needs_its_success() -> None:
    run = play(
        {**MAKE, "onFailure": "Continue", "retry": {"limit": 0}}, taking("read"), make=raises()
    )
    run.finish()
    assert (run.node("read").phase, run.node("read").reason) == ("Skipped", "DependencyFailed")


def test_without_a_gateway_the_node_says_what_to_configure() -> None:
    run = Play(spec(MAKE))
    run.finish()
    node = run.node("make")
    assert (node.phase, node.reason) == ("Failed", "InputInvalid")
    assert "gateway.enabled" in (node.message or "")


def test_a_round_keeps_the_artifacts_of_reused_checkpoints() -> None:
    run = play(MAKE, taking("read"), make=makes())
    run.overrides = known(fact())
    run.finish()
    run.rerun(**{"from": ["read"]}).finish()
    assert run.node("make").disposition == "Reused"
    assert (run.node("make").artifacts or [])[0].digest == ONE.digest
    assert run.node("read").phase == "Succeeded"


def test_another_folder_is_another_definition() -> None:
    run = play(MAKE, taking("read"), make=makes())
    run.overrides = known(fact())
    run.finish()
    moved = {"out": [{"name": "repo", "path": "/data/moved"}]}
    run.edit_node("make", artifacts=moved).rerun()
    run.overrides = known(fact(), fact(attempt=2, round_=2))
    run.finish()
    assert run.node("make").disposition == "Rerun"


def test_a_container_that_makes_artifacts_has_the_sidecar_and_its_time() -> None:
    changed = {
        "in": [{"from": REPO, "path": "/data/repo", "writable": True}],
        "out": [{"name": "repo", "path": "/data/repo"}],
    }
    run = play(MAKE, container("edit", artifacts=changed), make=makes())
    run.overrides = known(fact())
    run.step()
    run.advance(0.2)
    run.step()
    pod = run.manifests["edit", 1]["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["initContainers"]] == ["fetch", "carry"]
    assert pod["terminationGracePeriodSeconds"] == 630
    [program] = pod["containers"]
    assert {"name": "artifact-0", "mountPath": "/data/repo"} in program["volumeMounts"]
    assert "token" not in {mount["name"] for mount in program["volumeMounts"]}
    fetch, carry = pod["initContainers"]
    folder = {"name": "artifact-0", "mountPath": "/waypost/artifacts/artifact-0"}
    assert folder in fetch["volumeMounts"]
    assert {**folder, "readOnly": True} in carry["volumeMounts"]
    names = [volume["name"] for volume in pod["volumes"]]
    assert len(names) == len(set(names))


def test_what_is_only_taken_is_mounted_read_only() -> None:
    run = play(MAKE, taking("read"), make=makes())
    run.overrides = known(fact())
    run.finish()
    pod = run.manifests["read", 1]["spec"]["template"]["spec"]
    mounts = pod["containers"][0]["volumeMounts"]
    assert {"name": "artifact-0", "mountPath": "/data/repo", "readOnly": True} in mounts
    assert pod["terminationGracePeriodSeconds"] == 30
