"""Values that are nested as deep as the API server lets them be (K13, K15): the run says what is
wrong with it, before anything that would call itself for each level."""

from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.kube.facts.children import child_fact
from waypost.kube.node_records import record_fact
from waypost.kube.workflow_events import event_fact
from waypost.ports.cluster import Obj

from tests.support.builders import gate, python, spec

# JSON itself can be read to some 990 levels on Python 3.11.
DEPTHS = (65, 300, 900)
CREATED = "2026-11-24T03:10:00Z"


def deep(depth: int, *, objects: bool) -> Any:
    """A value of so many levels."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if objects else [value]
    return value


def http(body: Any) -> Obj:
    return {"name": "a", "http": {"url": "http://x/", "method": "POST", "body": body}}


SPECS: dict[str, Any] = {
    "inputs-of-the-run": lambda v: spec(python("a"), inputs={"v": v}),
    "inputs-of-a-node": lambda v: spec(python("a", inputs={"v": v})),
    "outputs-of-the-run": lambda v: spec(python("a"), outputs={"v": v}),
    "output-schema": lambda v: spec(python("a", outputSchema={"const": v})),
    "input-schema": lambda v: spec(python("a", inputSchema={"properties": {"v": v}})),
    "schema-of-the-inputs-of-the-run": lambda v: spec(python("a"), inputsSchema={"default": v}),
    "fallback": lambda v: spec(python("a", onFailure="Continue", fallbackOutput=v)),
    "body-of-a-request": lambda v: spec(http(v)),
    "list-of-a-map": lambda v: spec(python("a", forEach={"items": v}, inputs={"i": "${item}"})),
    "given-output": lambda v: spec(python("a"), rerun={"round": 1, "outputs": {"a": v}}),
    "shared-schema": lambda v: spec(python("a"), schemas={"S": {"enum": [v]}}),
    "local-template": lambda v: spec(
        python("a"), templates=[{"name": "t", "nodes": [python("b", inputs={"v": v})]}]
    ),
    "details-of-a-question": lambda v: spec(gate("a", details={"v": v})),
}


@pytest.mark.parametrize("objects", [False, True], ids=["lists", "objects"])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("make", SPECS.values(), ids=SPECS)
def test_a_deep_value_in_a_run_is_refused(make: Any, depth: int, objects: bool) -> None:
    problems = define(make(deep(depth, objects=objects))).problems
    assert any("nested deeper than 64 levels" in str(problem) for problem in problems)


@pytest.mark.parametrize("objects", [False, True], ids=["lists", "objects"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_deep_value_in_an_object_of_others_is_read(depth: int, objects: bool) -> None:
    value = deep(depth, objects=objects)
    metadata = {"name": "p", "uid": "u", "creationTimestamp": CREATED}
    owner = {"kind": "AgentWorkflow", "uid": "pu", "controller": True}
    parent = {"uid": "pu", "name": "p", "path": "a"}
    child = child_fact(
        {
            "metadata": {**metadata, "ownerReferences": [owner]},
            "spec": {"parent": parent, "inputs": {"v": value}},
            "status": {"outputs": {"v": value}},
        }
    )
    assert child is not None
    assert child.inputs_digest == ""
    sent = event_fact({"metadata": metadata, "spec": {"name": "n", "key": "k", "payload": value}})
    assert sent is not None
    assert "nested deeper than 64 levels" in sent.problem
    fact = record_fact({"spec": {"digest": "sha256:0", "size": 7, "data": value}})
    assert fact.problem
