"""The other documents: questions, differences, cost, graph, inputs and output; and their schema."""

import json
from pathlib import Path
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.protocol import ijson, schema
from waypost.views.approvals import approval_row, question
from waypost.views.cost import run_cost
from waypost.views.difference import as_lines, difference
from waypost.views.errors import CannotShow
from waypost.views.graph import dot, mermaid, run_graph
from waypost.views.io import needed_records, node_io
from waypost.views.json_changes import LISTED, changes
from waypost.views.models import ModelView, TraceView
from waypost.views.related import Related
from waypost.views.run.describe import run_view
from waypost.views.schema import json_schema
from waypost.views.typescript import typescript

from tests.support.builders import NOW, after, agent, gate, http, python
from tests.unit.views.objects import at, body, ended

ROOT = Path(__file__).resolve().parents[3]
REF = "${nodes.%s.output}"


def asked(**spec: Any) -> JsonObject:
    given = {
        "run": "brief",
        "path": "ok",
        "message": "Go on? " * 100,
        "approvers": {"users": ["ann"], "groups": ["sre"]},
        "requestDigest": "sha256:1",
        **spec,
    }
    return {
        "metadata": {"name": "q", "namespace": "demo", "creationTimestamp": at(0)},
        "spec": given,
        "status": {"state": "Open"},
    }


def guarded() -> JsonObject:
    pay = http("pay", url="https://bank.example/x", method="POST", dependsOn=["ok"])
    return body(python("a"), gate("ok", dependsOn=["a"]), pay, python("log", after=["pay"]))


def test_a_question_says_what_follows_a_yes() -> None:
    shown = question(asked(), define(guarded()["spec"]))
    assert [(node.path, node.kind, node.effect) for node in shown.then] == [
        ("pay", "http", "once"),
        ("log", "python", "idempotent"),
    ]
    assert shown.then[0].destination == "POST https://bank.example/x"
    assert shown.approvers == ["ann", "group sre"]
    assert len(shown.message) == 700, "whole"


def test_s480_the_question_of_an_item_says_what_follows_its_map() -> None:
    approval = asked()
    approval["spec"]["path"] = "ok/3"
    assert [one.path for one in question(approval, define(guarded()["spec"])).then] == [
        "pay",
        "log",
    ]


def test_a_list_of_questions_is_short() -> None:
    assert len(approval_row(asked()).message) == 200


def test_a_question_that_cannot_be_read() -> None:
    with pytest.raises(CannotShow, match="Approval q cannot be read"):
        question(asked(message=7), None)


@pytest.mark.parametrize(
    ("before", "after_", "lines"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="same"),
        pytest.param({"a": 1}, {"b": 2}, ["- a: 1", "+ b: 2"], id="keys"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": "1"}}, ['~ a.b: 1 -> "1"'], id="type"),
        pytest.param({"a": True}, {"a": 1}, ["~ a: true -> 1"], id="true-is-no-number"),
        pytest.param([1, 2], [1], ["- [1]: 2"], id="list"),
        pytest.param(
            {"n": [{"name": "x", "v": 1}, {"name": "y"}]},
            {"n": [{"name": "y"}, {"name": "x", "v": 2}]},
            ["~ n[x].v: 1 -> 2"],
            id="nodes-by-name",
        ),
        pytest.param(None, {"a": 1}, ['~ $: null -> {"a": 1}'], id="whole"),
    ],
)
def test_changes(before: Any, after_: Any, lines: list[str]) -> None:
    found, more = changes(before, after_)
    assert (as_lines(found), more) == (lines, 0)


def test_changes_are_bounded() -> None:
    found, more = changes({}, {str(key): "x" * 999 for key in range(LISTED + 5)})
    assert (len(found), more) == (LISTED, 5)
    assert all(len(change.after or "") <= 200 for change in found)


def test_the_difference_of_two_runs() -> None:
    first, second = body(python("a"), python("b")), body(python("a", timeout="5m"))
    first["spec"]["inputs"], second["spec"]["inputs"] = {"x": 1}, {"x": 2}
    first["status"]["nodes"] = ended(first, a="Succeeded", b="Succeeded")
    second["status"]["nodes"] = [{**ended(second, a="Succeeded")[0], "outputDigest": "sha256:9"}]
    shown = difference((first, second), (run_view(first, now=NOW), run_view(second, now=NOW)))
    assert as_lines(shown.inputs) == ["~ x: 1 -> 2"]
    assert [line[:12] for line in as_lines(shown.spec)] == ["+ nodes[a].t", "- nodes[b]: "]
    assert [(pair.path, pair.output, pair.differs) for pair in shown.nodes] == [
        ("a", "changed", True),
        ("b", "unknown", True),
    ]


def test_what_a_run_used_and_what_is_left() -> None:
    used = {"inputTokens": 70, "outputTokens": 10, "costUSD": "0.3", "toolCalls": 2}
    one = {"job": "j", "launchedAt": at(1), "usage": used, "finishedAt": at(2)}
    node = {
        "path": "draft",
        "phase": "Succeeded",
        "usage": used,
        "attempt": 2,
        "attempts": [
            {**one, "number": 1, "reason": "Refused", "trace": "t1"},
            {**one, "number": 2, "reason": "Succeeded", "trace": "t2"},
        ],
    }
    budget = {"tokens": 100, "costUSD": "0.25", "toolCalls": 5}
    run = body(agent("draft"), status={"nodes": [node], "usage": used}, budget=budget)
    entry = {"type": "model", "model": "m", "inputTokens": 70, "start": at(1), "end": at(2)}
    traces = {("draft", 2): TraceView(entries=[entry])}
    shown = run_cost(run_view(run, now=NOW, related=Related(traces=traces)))
    assert shown.left == {"tokens": 20, "costUSD": "0", "toolCalls": 3}
    assert shown.nodes[0].retried is not None
    assert shown.nodes[0].retried.cost_usd == "0.3"
    assert shown.models == [ModelView(model="m", calls=1, input_tokens=70)]
    assert shown.unread == 1, "the sums of models lack the first attempt"


def test_the_graph() -> None:
    run = guarded()
    shown = run_graph(run_view(run, now=NOW), define(run["spec"]))
    assert [(edge.from_, edge.to, edge.kind) for edge in shown.edges] == [
        ("a", "ok", "hard"),
        ("ok", "pay", "hard"),
        ("pay", "log", "soft"),
    ]
    assert "n2 -.-> n3" in mermaid(shown)
    assert '"pay" -> "log" [style=dashed];' in dot(shown)
    assert run_graph(run_view(run, now=NOW), None).note is not None


def read(run: JsonObject, path: str, records: Any = None) -> JsonObject:
    definition = define(run["spec"])
    return node_io(run, definition, path, records=records or {}, now=after(9)).to_json()


def two(value: Any) -> JsonObject:
    """b reads the output of a."""
    run = body(python("a", outputSchema={"type": "string"}), python("b", inputs={"x": REF % "a"}))
    a, b = ended(run, a="Succeeded", b="Failed")
    a |= {"output": value, "outputDigest": ijson.digest(value)}
    b |= {"inputDigest": ijson.digest({"x": value})}
    run["status"]["nodes"] = [a, b]
    return run


def test_inputs_are_evaluated_again_and_compared() -> None:
    shown = read(two("hello"), "b")
    assert (shown["inputs"], shown["same"]) == ({"x": "hello"}, True)
    assert shown["outputNote"] == "the node is Failed and has no output"


def test_inputs_that_are_others_now() -> None:
    run = two("hello")
    run["status"]["nodes"][1]["inputDigest"] = "sha256:0"
    assert read(run, "b")["same"] is False


def test_an_output_is_judged_by_its_schema() -> None:
    shown = read(two("hello"), "a")
    assert (shown["output"], shown["violations"]) == ("hello", [])
    assert "expected string, found 7" in read(two(7), "a")["violations"][0]


def test_a_record_that_cannot_be_read_is_named() -> None:
    run = two("hello")
    a = run["status"]["nodes"][0]
    a |= {"output": None, "outputRecord": "big"}
    needed = needed_records(run, define(run["spec"]), "b", records={}, now=after(9))
    assert needed == {"big"}
    known = needed_records(run, define(run["spec"]), "b", records={"big": None}, now=after(9))
    assert not known
    assert read(run, "a")["outputNote"] == "NodeRecord big cannot be read"
    assert "NodeRecord big cannot be read" in read(run, "b")["inputsNote"]


def test_a_node_that_has_not_started() -> None:
    run = body(python("a"))
    assert read(run, "a")["inputsNote"] == "the node has not started"
    with pytest.raises(CannotShow, match="no node 'z'"):
        read(run, "z")


def test_the_published_schema_is_that_of_the_models() -> None:
    text = (ROOT / "docs/views.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == json_schema(), "make crds"


def test_documents_match_the_published_schema() -> None:
    found = json_schema()
    run = guarded()
    for name, document in (
        ("RunView", run_view(run, now=NOW).to_json()),
        ("RunGraph", run_graph(run_view(run, now=NOW), define(run["spec"])).to_json()),
        ("Question", question(asked(), define(run["spec"])).to_json()),
    ):
        given = {"$ref": f"#/$defs/{name}", "$defs": found["$defs"]}
        assert not schema.validate(given, document), name


def test_the_types_of_the_web_interface_are_those_of_the_models() -> None:
    text = (ROOT / "ui/src/documents.ts").read_text(encoding="utf-8")
    assert typescript(json_schema()) == text
    assert "export interface RunRow {\n  name: string;\n" in text
    assert "  costUSD?: string;\n" in text
