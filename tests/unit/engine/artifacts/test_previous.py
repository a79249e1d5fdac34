"""`previous.artifacts`: an iteration takes what the one before has made."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.kube import node_records
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol.artifacts.request import Content

from tests.support.builders import RUN, RUN_UID, python, spec
from tests.support.maps import requests
from tests.support.play import Play, raises
from tests.unit.engine.artifacts.test_artifacts import (
    GATEWAY,
    MAKE,
    ONE,
    OUT,
    TWO,
    fact,
    makes,
)

THREE = Content(f"sha256:{'3' * 64}", 5120, 4)
DONE = {
    "type": "object",
    "required": ["done"],
    "properties": {"done": {"type": "boolean"}},
}
BEFORE = "${previous.?artifacts.?repo.orValue(nodes.make.artifacts.repo)}"


def edits(from_: str = BEFORE, **fields: Any) -> JsonObject:
    """A loop that takes a folder, changes it and stores it."""
    entry = {"from": from_, "path": "/data/repo", "writable": True}
    return python(
        "edit",
        repeat={"until": "${self.output.done}", "max": 3},
        outputSchema=DONE,
        artifacts={"in": [entry], **OUT},
        **fields,
    )


def stored(content: Content, path: str, attempt: int, round_: int = 1) -> RecordFact:
    body = node_records.artifact(
        AttemptRef(RUN, RUN_UID, path, round_, attempt),
        "repo",
        content,
        place={"compressedBytes": 9},
        form={"compressed": "x"},
        owner={"uid": RUN_UID, "controller": True, "kind": "AgentWorkflow", "name": RUN},
        namespace="default",
    )
    return node_records.record_fact(body)


FACTS = (
    fact(),
    stored(TWO, "edit/0", 1),
    stored(THREE, "edit/1", 2),
    stored(THREE, "edit/1", 3),
    stored(THREE, "edit/2", 3),
)


def played(*endings: Any, node: JsonObject | None = None) -> Play:
    scripts = {"make": [makes()], "edit": list(endings)}
    run = Play(spec(MAKE, node or edits()), endings=scripts, settings=GATEWAY)
    run.overrides = {"records": {one.name: one for one in FACTS}}
    return run.finish()


def taken(run: Play, path: str, attempt: int) -> list[str]:
    return [one["digest"] for one in requests(run)[path, attempt]["artifacts"]["in"]]


def no(content: Content) -> Any:
    return makes(content, output={"done": False})


def yes(content: Content) -> Any:
    return makes(content, output={"done": True})


def test_s500_an_iteration_takes_what_the_one_before_has_made() -> None:
    run = played(no(TWO), yes(THREE))
    assert run.phases == {"make": "Succeeded", "edit": "Succeeded"}, run.node("edit").message
    assert taken(run, "edit/0", 1) == [ONE.digest], "the first one has no previous"
    assert taken(run, "edit/1", 2) == [TWO.digest]
    [made] = run.node("edit").artifacts or []
    assert (made.digest, made.record) == (THREE.digest, stored(THREE, "edit/1", 2).name)


def test_s500_a_retry_takes_the_same() -> None:
    run = played(no(TWO), raises(), yes(THREE), node=edits(retry={"limit": 1}))
    assert taken(run, "edit/1", 2) == taken(run, "edit/1", 3) == [TWO.digest]


def test_s500_a_round_that_continues_the_loop_takes_the_last_folder() -> None:
    run = played(no(TWO), raises(), node=edits(retry={"limit": 0}))
    assert run.node("edit").phase == "Failed"
    run.endings = {"edit": [yes(THREE)] * 3}
    late = stored(THREE, "edit/1", 3, round_=2)
    run.overrides = {"records": {one.name: one for one in (*FACTS, late)}}
    run.rerun().finish()
    assert run.phases["edit"] == "Succeeded", run.node("edit").message
    assert taken(run, "edit/1", 3) == [TWO.digest]


PROBLEMS = {
    "without a guard": (
        edits("${previous.artifacts.repo}"),
        "previous.?artifacts.?repo.orValue(...), or test index > 0 first",
    ),
    "another name": (edits("${previous.?artifacts.?rep.orValue(null)}"), "did you mean 'repo'?"),
    "no artifacts": (
        python(
            "edit",
            repeat={"until": "${index > 1}", "max": 3},
            inputs={"x": "${previous.?artifacts.?repo.?digest.orValue('')}"},
        ),
        "previous",
    ),
}


@pytest.mark.parametrize(("node", "text"), PROBLEMS.values(), ids=PROBLEMS)
def test_s500_previous_artifacts_are_typed(node: JsonObject, text: str) -> None:
    problems = [str(one) for one in define(spec(MAKE, node)).problems]
    assert any(text in one for one in problems), problems


def test_s500_a_test_of_the_index_is_a_guard() -> None:
    node = edits("${index > 0 ? previous.artifacts.repo : nodes.make.artifacts.repo}")
    found = define(spec(MAKE, node))
    assert (found.problems, found.warnings) == ((), ())


def test_s500_a_loop_gives_others_the_artifact_of_its_last_iteration_only() -> None:
    entry = {"from": "${nodes.edit.artifacts.repo}", "path": "/data/x"}
    read = python("read", artifacts={"in": [entry]})
    scripts = {"make": [makes()], "edit": [no(TWO), yes(THREE)]}
    run = Play(spec(MAKE, edits(), read), endings=scripts, settings=GATEWAY)
    run.overrides = {"records": {one.name: one for one in FACTS}}
    run.finish()
    assert taken(run, "read", 1) == [THREE.digest]
