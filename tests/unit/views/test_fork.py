"""A new run takes over what a new round would keep, as far as it can be given (S667 to S669)."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.kube import node_records
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson
from waypost.views.documents import ForkPreview
from waypost.views.run import fork as forks

from tests.support.builders import NOW, RUN, RUN_UID, gate, http, python
from tests.unit.views.objects import at, body, ended

REF = "${nodes.%s.output}"


def forked(
    run: JsonObject, records: JsonObject | None = None, **rerun: Any
) -> tuple[ForkPreview, JsonObject]:
    run["spec"]["rerun"] = {"round": 2, **rerun}
    return forks.fork(run, define(run["spec"]), records=records or {}, now=NOW)


def ran(*nodes: JsonObject, outputs: Any = None, **phases: str) -> JsonObject:
    """A run that has ended with these phases and outputs of nodes."""
    run = body(*nodes)
    statuses = ended(run, **phases)
    for status in statuses:
        if status["phase"] == "Succeeded":
            status["output"] = (outputs or {}).get(status["path"], status["path"])
            status["attempt"] = 1
            status["attempts"] = [
                {"number": 1, "job": "j", "launchedAt": at(1), "startedAt": at(2)}
                | {"finishedAt": at(9), "reason": "Succeeded"}
            ]
    run["status"] |= {"phase": "Failed", "finishedAt": at(10), "nodes": statuses}
    return run


def chain() -> JsonObject:
    return ran(
        python("a"),
        python("b", inputs={"x": REF % "a"}),
        python("c", inputs={"x": REF % "b"}),
        python("d"),
        a="Succeeded",
        b="Failed",
        c="Skipped",
        d="Succeeded",
    )


def actions(shown: ForkPreview) -> dict[str, str]:
    return {node.path: node.action for node in shown.nodes}


def why(shown: ForkPreview, path: str) -> str:
    return next(node.message or "" for node in shown.nodes if node.path == path)


@pytest.mark.parametrize(
    ("rerun", "expected", "given"),
    [
        pytest.param(
            {},
            {"a": "keep", "b": "run", "c": "run", "d": "keep"},
            {"round": 2, "outputs": {"a": "a", "d": "d"}},
            id="from-failed",
        ),
        pytest.param(
            {"from": ["a"]},
            {"a": "run", "b": "run", "c": "run", "d": "keep"},
            {"round": 2, "outputs": {"d": "d"}},
            id="from-a-node",
        ),
        pytest.param(
            {"from": ["a", "d"]},
            {"a": "run", "b": "run", "c": "run", "d": "run"},
            {},
            id="nothing-is-left",
        ),
        pytest.param(
            {"skip": ["b"], "outputs": {"d": 4}},
            {"a": "keep", "b": "skip", "c": "run", "d": "keep"},
            {"round": 2, "outputs": {"a": "a", "d": 4}, "skip": ["b"]},
            id="skip-and-output",
        ),
    ],
)
def test_s667_what_is_taken_over(
    rerun: JsonObject, expected: dict[str, str], given: JsonObject
) -> None:
    shown, result = forked(chain(), **rerun)
    assert shown.problems == []
    assert actions(shown) == expected
    assert result == given


def test_s667_a_changed_input_runs_what_reads_it() -> None:
    nodes = (python("a", inputs={"x": "${inputs.topic}"}), python("b", inputs={"x": REF % "a"}))
    run = body(*nodes, python("c"), inputs={"topic": "news"})
    run["status"] |= {
        "phase": "Succeeded",
        "nodes": ended(run, a="Succeeded", b="Succeeded", c="Succeeded"),
    }
    run["spec"]["inputs"] = {"topic": "sport"}
    shown, _ = forked(run)
    assert actions(shown) == {"a": "run", "b": "run", "c": "keep"}
    assert why(shown, "a") == "its definition has changed"


def test_s667_a_cancelled_run_can_be_a_source() -> None:
    run = chain()
    run["status"] |= {"phase": "Cancelled", "cancelledAt": at(9)}
    shown, _ = forked(run)
    assert shown.problems == []
    assert actions(shown)["a"] == "keep"


def after(node: JsonObject, *more: JsonObject) -> JsonObject:
    """`node`, which succeeded, and `z` after it, which succeeded too."""
    name = node["name"]
    return ran(node, *more, python("z", dependsOn=[name]), **{name: "Succeeded", "z": "Succeeded"})


@pytest.mark.parametrize(
    ("node", "words"),
    [
        pytest.param(gate("ok"), "people have to answer it again", id="approval"),
        pytest.param(
            python("made", artifacts={"out": [{"name": "repo", "path": "/data/repo"}]}),
            "its artifacts cannot be taken over",
            id="artifacts",
        ),
    ],
)
def test_s668_what_cannot_be_given_runs_again_and_all_after_it(
    node: JsonObject, words: str
) -> None:
    run = after(node)
    shown, given = forked(run)
    assert define(run["spec"]).problems == ()
    assert actions(shown) == {node["name"]: "run", "z": "run"}
    assert why(shown, node["name"]) == words
    assert why(shown, "z") == f"{node['name']} is not taken over"
    assert given == {}


def pay(**fields: Any) -> JsonObject:
    return http("pay", url="https://bank.example/x", method="POST", effect="once", **fields)


def test_s668_an_effect_is_not_repeated_unless_a_person_names_it() -> None:
    nodes = (gate("ok"), pay(dependsOn=["ok"]))
    phases = {"ok": "Succeeded", "pay": "Succeeded"}
    shown, _ = forked(ran(*nodes, **phases))
    (problem,) = shown.problems
    assert "node pay has effect: once and has run in brief" in problem
    assert "ok is not taken over" in problem
    for rerun in ({"from": ["pay"]}, {"skip": ["pay"]}, {"outputs": {"pay": {"status": 200}}}):
        shown, _ = forked(ran(*nodes, **phases), **rerun)
        assert shown.problems == [], rerun


def test_s668_an_effect_that_can_be_taken_over_is_not_repeated() -> None:
    run = ran(python("a"), pay(dependsOn=["a"]), a="Succeeded", pay="Succeeded")
    shown, given = forked(run)
    assert actions(shown) == {"a": "keep", "pay": "keep"}
    assert given["outputs"] == {"a": "a", "pay": "pay"}


def test_s668_an_effect_in_progress_is_a_problem() -> None:
    run = ran(pay(), pay="Succeeded")
    status = run["status"]["nodes"][0]
    status |= {"phase": "Running"}
    status["attempts"][0].pop("finishedAt")
    shown, _ = forked(run)
    assert "it is Running" in shown.problems[0]


def test_s667_a_node_that_was_skipped_is_decided_again_without_running_others() -> None:
    run = ran(
        python("a"),
        python("b", when="${nodes.a.output == 'x'}", dependsOn=["a"]),
        python("c", after=["b"]),
        a="Succeeded",
        b="Skipped",
        c="Succeeded",
    )
    run["status"]["nodes"][1]["reason"] = "ConditionFalse"
    shown, _ = forked(run)
    assert actions(shown) == {"a": "keep", "b": "run", "c": "keep"}
    assert why(shown, "b") == "is decided again; it was skipped in brief"


def test_s667_an_output_in_a_record_is_given_as_a_value() -> None:
    run = ran(python("a"), python("b", inputs={"x": REF % "a"}), a="Succeeded", b="Failed")
    value = "x" * 5000
    ref = AttemptRef(run=RUN, run_uid=RUN_UID, path="a", round=1, attempt=1)
    canonical = ijson.canonical(value)
    form = node_records.form_of(value, canonical)
    assert form is not None
    record = node_records.manifest(
        "Result", ref, digest=ijson.digest(value), size=len(canonical), form=form, owner={},
        namespace="demo",
    )  # fmt: skip
    status = run["status"]["nodes"][0]
    status.pop("output")
    status["outputRecord"] = record["metadata"]["name"]
    shown, given = forked(run, {status["outputRecord"]: record})
    assert given["outputs"] == {"a": value}
    shown, given = forked(run)
    assert given == {}
    assert "cannot be read" in why(shown, "a")


@pytest.mark.parametrize(
    ("nodes", "size", "words"),
    [(51, 1, "51 results would be taken over"), (3, 100_000, "have 300,006 bytes")],
)
def test_s669_limits(nodes: int, size: int, words: str) -> None:
    names = [f"n{number}" for number in range(nodes)]
    outputs = dict.fromkeys(names, "x" * size)
    phases = dict.fromkeys(names, "Succeeded")
    shown, _ = forked(ran(*map(python, names), outputs=outputs, **phases))
    assert words in shown.problems[0]


def test_s667_the_new_run() -> None:
    run = {"metadata": {"name": "old", "uid": "u", "labels": {"team": "x", "waypost.dev/a": "b"}}}
    made = forks.new_run(run, {"nodes": []}, {"round": 2, "skip": ["a"]}, name=None)
    assert made["metadata"] == {
        "generateName": "old-fork-",
        "labels": {"team": "x"},
        "annotations": {"waypost.dev/forked-from": "old u"},
    }
    assert made["spec"] == {"nodes": [], "rerun": {"round": 2, "skip": ["a"]}}
    assert forks.new_run(run, {}, {}, name="new")["metadata"]["name"] == "new"
