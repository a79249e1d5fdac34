"""Why a run does not move, and what a person can do."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.meta import ANNOTATION_PATH, LABEL_ATTEMPT, LABEL_RUN
from waypost.kube.names import child_name
from waypost.views.related import Related
from waypost.views.run.describe import run_view

from tests.support.builders import RUN_UID, after, gate, python
from tests.unit.views.objects import at, body

APPROVAL = {"spec": {"approvers": {"users": ["ann"], "groups": ["sre"]}, "expiresAt": at(90)}}
QUEUED: JsonObject = {"path": "a", "phase": "Running", "attempt": 1}


def pending(reason: str, message: str) -> JsonObject:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return {
        "metadata": {
            "name": "p",
            "uid": "p",
            "creationTimestamp": at(2),
            "labels": {LABEL_RUN: RUN_UID, LABEL_ATTEMPT: "1"},
            "annotations": {ANNOTATION_PATH: "a"},
        },
        "status": {"phase": "Pending", "conditions": [condition]},
    }


def unpulled() -> JsonObject:
    found = pending("x", "")
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    states = [{"name": "node", "state": {"waiting": waiting}}]
    found["status"] = {"phase": "Pending", "containerStatuses": states}
    return found


CHILD = child_name(run="brief", run_uid=RUN_UID, path="a/0", generation=4)


def calling(**fields: str) -> JsonObject:
    child = {"name": "c", "generation": 1, "round": 1}
    return {"path": "a", "phase": "Running", "child": child, **fields}


def calls_items(*opened: str) -> JsonObject:
    """A map of which items 1 and 2 run."""
    shown = [text.replace("CHILD", CHILD) for text in opened]
    items = {"round": 1, "total": 3, "states": "S R*2", "open": shown}
    return {"path": "a", "phase": "Running", "items": items}


def condition(type_: str, status: str, message: str) -> JsonObject:
    return {
        "type": type_,
        "status": status,
        "reason": "R",
        "message": message,
        "lastTransitionTime": at(5),
    }


@pytest.mark.parametrize(
    ("status", "related", "expected", "command"),
    [
        pytest.param(
            {"nodes": [{"path": "ok", "phase": "Waiting", "approval": "q"}]},
            Related(approvals={"q": APPROVAL}),
            f"it waits for an answer by ann, group sre, until {at(90)}",
            "waypost approve q",
            id="approval",
        ),
        pytest.param(
            {"nodes": [{"path": "a", "phase": "Waiting", "event": {"wait": 1, "key": "in 42"}}]},
            Related(),
            "it waits for an event with key in 42",
            "waypost send NAME --key 'in 42'",
            id="event-with-a-key",
        ),
        pytest.param(
            {"nodes": [{"path": "a", "phase": "Waiting", "event": {"wait": 1}, "wakeAt": at(90)}]},
            Related(),
            f"it waits for an event, until {at(90)}",
            "waypost send NAME --run brief",
            id="event-for-the-run",
        ),
        pytest.param(
            {"nodes": [QUEUED]},
            Related(pods=(pending("Unschedulable", "0/1 nodes: Insufficient cpu"),)),
            "pod p: Unschedulable: 0/1 nodes: Insufficient cpu",
            None,
            id="no-room",
        ),
        pytest.param(
            {"nodes": [QUEUED]},
            Related(pods=(unpulled(),)),
            "pod p: ImagePullBackOff: no such image",
            None,
            id="image",
        ),
        pytest.param(
            {"nodes": [calling(reason="MissingReference", message="there is no template t")]},
            Related(),
            "it waits for child run c: MissingReference: there is no template t",
            "waypost get c",
            id="child-run",
        ),
        pytest.param(
            {"nodes": [calls_items("1 +1 ~0/4/1/u/01 run CHILD: waits for approval/x", "2 +1")]},
            Related(),
            f"it waits for child run {CHILD}: waits for approval/x",
            f"waypost get {CHILD}",
            id="child-run-of-an-item",
        ),
        pytest.param(
            {"nodes": [{"path": "a", "phase": "Waiting", "reason": "MissingReference"}]},
            Related(),
            "MissingReference",
            None,
            id="reason-of-the-node",
        ),
        pytest.param(
            {"nodes": [{"path": "a", "phase": "Backoff", "reason": "Busy", "wakeAt": at(60)}]},
            Related(),
            f"Busy: ; the next attempt starts at {at(60)}",
            None,
            id="backoff",
        ),
        pytest.param(
            {"conditions": [condition("Stalled", "True", "a failed; repair it")]},
            Related(),
            "a failed; repair it",
            None,
            id="paused",
        ),
        pytest.param(
            {"phase": "Rejected", "finishedAt": at(1)}
            | {"conditions": [condition("Accepted", "False", "nodes[0]: bad")]},
            Related(),
            "nodes[0]: bad",
            None,
            id="rejected",
        ),
        pytest.param(
            {"conditions": [condition("SetAside", "True", "the status is broken")]},
            Related(),
            "the status is broken",
            None,
            id="set-aside",
        ),
        pytest.param(
            {"observedGeneration": 0},
            Related(),
            "the operator has not looked at generation 1 of this run; check that it runs and "
            "serves this namespace",
            "waypost doctor",
            id="no-operator",
        ),
    ],
)
def test_what_a_run_waits_for(
    status: Any, related: Related, expected: str, command: str | None
) -> None:
    run = body(python("a"), gate("ok"), status=status)
    (found,) = run_view(run, now=after(60), related=related).obstacles
    assert found.text == expected
    assert found.command == command


def test_suspended() -> None:
    run = body(python("a"), suspend=True)
    (found,) = run_view(run, now=after(60)).obstacles
    assert found.command == "waypost resume brief"


def test_a_run_that_has_ended_waits_for_nothing() -> None:
    nodes = [{"path": "ok", "phase": "Waiting", "approval": "q"}]
    run = body(gate("ok"), status={"nodes": nodes, "finishedAt": at(9)}, suspend=True)
    assert run_view(run, now=after(60)).obstacles == []


def test_the_list_is_bounded() -> None:
    nodes = [{"path": f"n{at_}", "phase": "Waiting", "reason": "R"} for at_ in range(100)]
    run = body(python("a"), status={"nodes": nodes})
    assert len(run_view(run, now=after(60)).obstacles) == 20
