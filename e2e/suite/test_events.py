"""Events on a real cluster: kept until the wait begins, one for each wait, refused when wrong."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.kube import ApiError
from e2e.suite.operators import Operator
from e2e.suite.space import Space
from e2e.suite.waiting import until

EVENTS = "workflowevents"


def send(space: Space, id_: str, *, name: str = "paid", **spec: Any) -> Obj:
    fields = {"name": name, **({} if "workflow" in spec else {"key": "42"}), **spec}
    manifest = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "WorkflowEvent",
        "metadata": {"name": id_},
        "spec": fields,
    }
    return space.create(EVENTS, manifest)


def waits(name: str, *, key: str | None = "42", **block: Any) -> Workflow:
    event = {"names": ["paid"], **({"key": key} if key else {}), **block}
    return (
        workflow(name)
        .node("paid", event=event)
        .python("use", "return x", inputs={"x": "${nodes.paid.output}"})
        .having(outputs={"got": "${nodes.use.output}"})
    )


def phase(space: Space, id_: str) -> str:
    body = space.get(EVENTS, id_) or {}
    return str(body.get("status", {}).get("phase", "Pending"))


def consumed(space: Space, id_: str) -> None:
    until(lambda: phase(space, id_) == "Consumed", within=30, what=f"{id_} is consumed")


def test_s641_an_event_a_second_before_its_wait(space: Space) -> None:
    send(space, "early", payload={"amount": 7})
    time.sleep(1)  # what the test is about
    seen = space.start(waits("before")).succeeded()
    assert seen["status"]["outputs"]["got"]["id"] == "early"
    assert seen["status"]["outputs"]["got"]["payload"] == {"amount": 7}
    consumed(space, "early")


def test_s641_an_event_a_second_after_its_wait(space: Space) -> None:
    run = space.start(waits("after"))
    run.reaches("paid", "Waiting")
    assert not run.pods()
    time.sleep(1)  # what the test is about
    send(space, "late", payload=None)
    assert run.succeeded()["status"]["outputs"]["got"]["id"] == "late"
    consumed(space, "late")


def test_s642_the_same_event_five_times(space: Space) -> None:
    runs = [space.start(waits(f"twin-{number}")) for number in range(2)]
    for run in runs:
        run.reaches("paid", "Waiting")
    send(space, "once")
    for _ in range(4):
        with pytest.raises(ApiError, match="already exists"):
            send(space, "once")
    consumed(space, "once")
    ended = [run for run in runs if run.node("paid")["phase"] == "Succeeded"]
    assert len(ended) == 1, "one event, one consumer"
    with pytest.raises(ApiError, match="an event cannot be changed"):
        space.patch(EVENTS, "once", {"spec": {"key": "43"}})
    send(space, "twice")
    for run in runs:
        run.succeeded()


def test_s648_a_payload_that_does_not_match(space: Space) -> None:
    shape = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    run = space.start(waits("typed", key=None, schema=shape))
    run.reaches("paid", "Waiting")
    send(space, "bad", workflow="typed", payload={"n": "x"})
    until(lambda: phase(space, "bad") == "Refused", within=30, what="it is refused")
    message = (space.get(EVENTS, "bad") or {})["status"]["message"]
    assert "payload.n: expected integer" in message
    send(space, "good", workflow="typed", payload={"n": 1})
    run.succeeded()


def test_s647_no_event_in_time(space: Space) -> None:
    run = space.start(waits("silent", timeout="2s", onTimeout="Fail"))
    assert run.finished()["status"]["phase"] == "Failed"
    assert run.node("paid")["reason"] == "EventTimeout"


def test_s643_a_hundred_events_are_each_taken_once(space: Space) -> None:
    nodes = workflow("many")
    for number in range(100):
        nodes.node(f"n{number}", event={"names": ["paid"], "key": "many"})
    run = space.start(nodes)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: send(space, f"m{number}", key="many"), range(100)))
    seen = run.succeeded(within=180)
    taken = [node["output"]["id"] for node in seen["status"]["nodes"]]
    assert sorted(taken) == sorted(f"m{number}" for number in range(100))


@pytest.mark.alone
def test_s643_an_operator_that_is_killed_takes_no_second_event(
    space: Space, operator: Operator
) -> None:
    run = space.start(waits("killed", key="k"))
    run.reaches("paid", "Waiting")
    send(space, "k1", key="k")
    operator.crash(operator.ready())
    send(space, "k2", key="k")
    operator.ready()
    got = run.succeeded()["status"]["outputs"]["got"]["id"]
    other = {"k1": "k2", "k2": "k1"}[got]
    consumed(space, got)
    assert phase(space, other) == "Pending"
