"""The conditional status write: another's JSON Patch makes exactly the status of it."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.api.approval import ApprovalStatus
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.api.wire.write import to_wire
from waypost.runtime.writes.status_patch import status_patch

from tests.support.builders import attempt, node_status, status

STEADY = settings(derandomize=True, database=None, max_examples=200, deadline=None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
TEXT = st.none() | st.text(max_size=5)


@st.composite
def nodes(draw: st.DrawFn, path: str) -> NodeStatus:
    phase = draw(st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]))
    attempts = [attempt(path, n) for n in range(1, draw(st.integers(1, 3)))]
    return node_status(
        path, phase, output=draw(JSON), message=draw(TEXT), attempts=attempts or None
    )


@st.composite
def statuses(draw: st.DrawFn) -> AgentWorkflowStatus:
    made = [draw(nodes(f"n{i}")) for i in range(draw(st.integers(0, 4)))]
    return status(*made, outputs=draw(JSON), waiting=draw(TEXT), inputs=draw(JSON))


def apply(body: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """The body after a JSON Patch, by a second implementation of add, remove and replace."""
    changed: dict[str, Any] = copy.deepcopy(body)
    for operation in json.loads(json.dumps(patch)):
        *parents, last = [
            step.replace("~1", "/").replace("~0", "~")
            for step in operation["path"].removeprefix("/").split("/")
        ]
        target: Any = changed
        for step in parents:
            target = target[int(step)] if isinstance(target, list) else target[step]
        _one(target, last, operation)
    return changed


def _one(target: Any, step: str, operation: dict[str, Any]) -> None:
    verb = operation["op"]
    assert verb in ("add", "remove", "replace")
    if isinstance(target, list):
        at = len(target) if step == "-" else int(step)
        assert at < len(target) or (verb == "add" and at == len(target)), "an index that exists"
        target[at : at + (verb != "add")] = [] if verb == "remove" else [operation["value"]]
    elif verb == "remove":
        del target[step]
    else:
        assert verb == "add" or step in target, "only what exists is replaced"
        target[step] = operation["value"]


def body_of(value: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r", "resourceVersion": "7"}, "spec": {"x": 1}, "status": value}


@STEADY
@given(statuses(), statuses())
def test_applied_it_gives_exactly_the_new_status(old: Any, new: Any) -> None:
    body = body_of(json.loads(json.dumps(to_wire(old))))
    patch = status_patch(body=body, resource_version="7", status=new)
    assert patch[0] == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}
    changed = apply(body, patch)
    assert changed["status"] == to_wire(new)
    assert changed["spec"] == body["spec"]
    assert AgentWorkflowStatus.model_validate(changed["status"]) == new, "and reads back"


@STEADY
@given(statuses(), st.sampled_from([None, {}, "junk", [], {"odd": 1, "nodes": []}]))
def test_over_whatever_stands_there(new: Any, found: Any) -> None:
    body = body_of(found)
    if found is None:
        body.pop("status")
    changed = apply(body, status_patch(body=body, resource_version="7", status=new))
    assert changed["status"] == to_wire(new)


@STEADY
@given(statuses())
def test_nothing_changed_nothing_but_the_fence(value: Any) -> None:
    body = body_of(json.loads(json.dumps(to_wire(value))))
    assert len(status_patch(body=body, resource_version="7", status=value)) == 1


def test_nulls_inside_outputs_are_kept() -> None:
    made = status(node_status("a", "Succeeded", output={"n": None, "deep": [{"y": None}]}))
    assert to_wire(made)["nodes"][0]["output"] == {"n": None, "deep": [{"y": None}]}, "B3"


def test_absent_fields_are_left_out() -> None:
    wire = to_wire(node_status("a", message="m"))
    assert wire == {"path": "a", "phase": "Pending", "message": "m"}


def test_one_node_changes_one_entry() -> None:
    old = status(*[node_status(f"n{i}") for i in range(50)])
    changed = [node_status(f"n{i}", "Running" if i == 7 else "Pending") for i in range(50)]
    patch = status_patch(body=body_of(to_wire(old)), resource_version="7", status=status(*changed))
    assert [op["path"] for op in patch[1:]] == ["/status/nodes/7"], "C1: not the whole list"


def test_nodes_are_added_and_removed_in_order() -> None:
    two, four = (status(*[node_status(f"n{i}") for i in range(n)]) for n in (2, 4))
    grow = status_patch(body=body_of(to_wire(two)), resource_version="7", status=four)
    assert [(op["op"], op["path"]) for op in grow[1:]] == [("add", "/status/nodes/-")] * 2
    shrink = status_patch(body=body_of(to_wire(four)), resource_version="7", status=two)
    assert [op["path"] for op in shrink[1:]] == ["/status/nodes/3", "/status/nodes/2"]


@pytest.mark.parametrize("answer", [None, 0, False, "", {"n": None}])
def test_statuses_of_approvals(answer: Any) -> None:
    made = ApprovalStatus(state="Approved", answer=answer)
    patch = status_patch(body=body_of({"state": "Open"}), resource_version="3", status=made)
    changed = apply(body_of({"state": "Open"}), patch)
    expected = {"state": "Approved", "conditions": []}
    assert changed["status"] == expected | ({} if answer is None else {"answer": answer})
