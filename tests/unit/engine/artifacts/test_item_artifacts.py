"""Artifacts of the items of a map (S591 to S594)."""

from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.engine.state.decision import StartChild
from waypost.kube import node_records
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.facts.pods import PodFact
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol.artifacts.request import Content
from waypost.protocol.record import CommitRecord, encode

from tests.support import builders
from tests.support.builders import NOW, RUN, RUN_UID, python
from tests.support.maps import items_of, mapped, output, programs, requests, run_of
from tests.support.play import Ending, Play, ended_with, raises
from tests.unit.engine.artifacts.test_artifacts import GATEWAY, OUT, taking

LIST = "${nodes.scan.artifacts.repo}"


def content(index: int, attempt: int = 1) -> Content:
    return Content(f"sha256:{index:03}{attempt:061}", 1024 + index, 1)


def fact(index: int, attempt: int = 1, round_: int = 1) -> RecordFact:
    body = node_records.artifact(
        AttemptRef(RUN, RUN_UID, f"scan/{index}", round_, attempt),
        "repo",
        content(index, attempt),
        place={"compressedBytes": 9},
        form={"compressed": "x"},
        owner={"uid": RUN_UID, "controller": True, "kind": "AgentWorkflow", "name": RUN},
        namespace="default",
    )
    return node_records.record_fact(body)


def makes(index: int, attempt: int = 1) -> Ending:
    """The program of an item succeeds, and its commit record names its folder."""

    def end(pod: PodFact) -> PodFact:
        ref = builders.ref(pod.path, pod.attempt, pod_uid=pod.uid, round_=pod.round)
        made = {"repo": content(index, attempt)}
        return ended_with(
            pod, code=0, message=encode(CommitRecord(ref, "Succeeded", 7, artifacts=made)).decode()
        )

    return end


def scan(**fields: Any) -> JsonObject:
    return mapped(artifacts=OUT, **{"retry": {"limit": 0}, **fields})


def play(values: JsonValue, *nodes: JsonObject, facts: list[RecordFact], **endings: Any) -> Play:
    count = len(values) if isinstance(values, list) else 0
    scripts = {**programs(**{f"i{at}": [makes(at)] for at in range(count)}), **programs(**endings)}
    known = {one.name: one for one in facts}
    return Play(run_of(values, *nodes), endings=scripts, settings=GATEWAY, record_facts=known)


def folders(run: Play, path: str) -> list[tuple[str, str]]:
    """What an attempt takes: the folder of each entry, and the digest."""
    taken = requests(run)[path, 1]["artifacts"]["in"]
    return [(one["folder"], one["digest"]) for one in taken]


def facts(count: int) -> list[RecordFact]:
    return [fact(at) for at in range(count)]


def test_s591_a_node_takes_the_folders_of_all_items_in_order() -> None:
    run = play(["a", "b", "c"], scan(), taking("read", LIST), facts=facts(3)).finish()
    assert run.phases == {"scan": "Succeeded", "read": "Succeeded"}
    assert folders(run, "read") == [(str(at), content(at).digest) for at in range(3)]
    assert run.node("scan").artifacts is None, "a status has no room for a thousand"


def test_s592_failed_items_are_null_and_have_no_folder() -> None:
    reads = python("count", inputs={"there": "${nodes.scan.artifacts.repo.map(r, r != null)}"})
    run = play(
        ["a", "b", "c"],
        scan(forEach={"tolerate": 1}),
        taking("read", LIST),
        reads,
        facts=facts(3),
        i1=[raises()],
    ).finish()
    assert [folder for folder, _ in folders(run, "read")] == ["0", "2"]
    assert requests(run)["count", 1]["inputs"] == {"there": [True, False, True]}
    assert output(run, "scan") == [7, None, 7], "as the output has it"


def test_s591_one_index_is_one_folder() -> None:
    run = play(
        ["a", "b"], scan(), taking("read", "${nodes.scan.artifacts.repo[1]}"), facts=facts(2)
    ).finish()
    assert folders(run, "read") == [("", content(1).digest)]


DOWNSTREAM = {
    "over the artifacts": ("${nodes.scan.artifacts.repo}", "${item}"),
    "over the same list": ("${inputs.list}", "${nodes.scan.artifacts.repo[index]}"),
}


@pytest.mark.parametrize(("items", "from_"), DOWNSTREAM.values(), ids=DOWNSTREAM)
def test_s591_each_item_of_another_map_takes_one(items: str, from_: str) -> None:
    second = python(
        "use",
        forEach={"items": items},
        inputs={"at": "${index}"},
        artifacts={"in": [{"from": from_, "path": "/data/repo"}]},
    )
    run = play(["a", "b"], scan(), second, facts=facts(2)).finish()
    assert run.node("use").phase == "Succeeded"
    assert [folders(run, f"use/{at}") for at in (0, 1)] == [
        [("", content(0).digest)],
        [("", content(1).digest)],
    ]


def test_s591_the_value_may_come_through_another_node() -> None:
    pick = python("pick", inputs={"repo": f"{LIST[:-1]}[0]}}"})
    run = play(["a"], scan(), pick, taking("read", "${nodes.pick.output}"), facts=facts(1))
    run.endings = {**run.endings, "pick": [_gives(content(0))]}
    run.finish()
    assert folders(run, "read") == [("", content(0).digest)]


def _gives(made: Content) -> Ending:
    def end(pod: PodFact) -> PodFact:
        value = {"name": "repo", **made.to_json()}
        ref = builders.ref(pod.path, pod.attempt, pod_uid=pod.uid, round_=pod.round)
        return ended_with(
            pod, code=0, message=encode(CommitRecord(ref, "Succeeded", value)).decode()
        )

    return end


def test_s291_an_item_without_its_record_is_repeated() -> None:
    run = play(
        ["a", "b"],
        scan(retry={"limit": 1, "backoff": {"initial": "1s"}}),
        taking("read", LIST),
        facts=[fact(0), fact(1, 2)],
        i1=[makes(1), makes(1, 2)],
    ).finish()
    assert run.launched.count("scan/1") == 2
    assert folders(run, "read")[1] == ("1", content(1, 2).digest)


def test_s593_a_round_keeps_the_folders_of_items_that_succeeded() -> None:
    run = play(
        ["a", "b", "c"],
        scan(),
        taking("read", LIST),
        facts=[*facts(3), fact(1, 2, 2)],
        i1=[raises(), makes(1, 2)],
    ).finish()
    assert run.node("scan").phase == "Failed"
    run.edit(inputs={"list": ["c", "b", "a"]})
    run.rerun().finish()
    assert run.node("scan").phase == "Succeeded"
    digests = [digest for _, digest in folders(run, "read")]
    assert digests == [content(2).digest, content(1, 2).digest, content(0).digest]


def test_s593_a_map_that_is_kept_has_them_still() -> None:
    run = play(["a", "b"], scan(), taking("read", LIST), facts=facts(2)).finish()
    run.rerun(**{"from": ["read"]}).finish()
    assert run.node("scan").disposition == "Reused"
    assert [one["digest"] for one in requests(run)["read", 2]["artifacts"]["in"]] == [
        content(0).digest,
        content(1).digest,
    ]


def test_a_thousand_items_stay_out_of_the_status() -> None:
    """I15"""
    values = [str(number) for number in range(1000)]
    run = play(
        values,
        scan(forEach={"maxParallel": 100}),
        python("one", inputs={"d": "${nodes.scan.artifacts.repo[999].digest}"}),
        facts=facts(1000),
    )
    largest = 0
    for _ in range(60):
        run.step()
        largest = max(largest, len(run.status.model_dump_json(exclude_none=True)))
        if run.finished:
            break
        run.advance(0.2)
    assert run.finished
    assert largest < 32 * 1024
    assert requests(run)["one", 1]["inputs"] == {"d": content(999).digest}


def test_a_list_of_them_that_is_refused_fails_the_map() -> None:
    run = play(["a"], scan(), facts=facts(1))
    run.step()
    run.advance(0.2)
    prefix = items_of(run).list_record or ""
    problem = WriteProblem("a policy denies it", True, NOW)
    run.overrides = {"write_problems": {f"{prefix[:-10]}0000000000": problem}}
    run.step()
    node = run.node("scan")
    assert (node.phase, node.reason) == ("Failed", "RecordRejected")
    assert "the list of its artifacts could not be stored" in (node.message or "")


def test_s595_a_child_run_gets_the_artifacts_of_items() -> None:
    call = {
        "name": "call",
        "workflow": {"templateRef": {"name": "review"}},
        "inputs": {"pages": LIST},
    }
    run = play(["a", "b"], scan(), call, facts=facts(2))
    started: list[StartChild] = []
    while not started and len(run.decisions) < 20:
        started = [one for one in run.step().after if isinstance(one, StartChild)]
        run.advance(0.2)
    [start] = started
    given = start.manifest["spec"]["parent"]["artifacts"]
    assert {one["record"] for one in given} == {one.name for one in facts(2)}
