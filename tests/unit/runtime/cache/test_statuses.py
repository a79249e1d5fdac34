"""The statuses of runs: what has not changed keeps its model, and nothing old is read."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from waypost.api.status import AgentWorkflowStatus
from waypost.api.wire.write import to_wire
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import Obj
from waypost.runtime.cache.statuses import Statuses

from tests.support.builders import NOW, attempt, node_status, status


def body(version: str, value: AgentWorkflowStatus) -> Obj:
    wire = json.loads(json.dumps(to_wire(value)))
    return {"metadata": {"resourceVersion": version}, "status": wire}


def two(**second: Any) -> AgentWorkflowStatus:
    first = node_status("a", "Succeeded", output={"n": [1, None]}, attempts=[attempt("a", 1)])
    return status(first, node_status("b", **{"phase": "Running", **second}))


def test_s800_a_checkpoint_that_has_not_changed_keeps_its_model() -> None:
    statuses = Statuses()
    before = statuses.of("uid", body("1", two()))
    after = statuses.of("uid", body("2", two(phase="Succeeded", output=1)))
    assert after == two(phase="Succeeded", output=1)
    assert after.nodes[0] is before.nodes[0]
    assert after.nodes[1] is not before.nodes[1]


def test_one_version_is_read_once_and_another_one_always() -> None:
    statuses = Statuses()
    first = statuses.of("uid", body("1", two()))
    assert statuses.of("uid", body("1", two())) is first
    assert statuses.of("other", body("1", two(phase="Failed"))).nodes[1].phase == "Failed"
    unknown = {"status": body("", two())["status"]}
    assert statuses.of("uid", unknown) == two()
    assert statuses.of("uid", {"status": {}}) == AgentWorkflowStatus()


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda nodes: nodes.reverse(), id="order"),
        pytest.param(lambda nodes: nodes.pop(0), id="one-less"),
        pytest.param(lambda nodes: nodes.append({"path": "c", "phase": "Pending"}), id="one-more"),
        pytest.param(lambda nodes: nodes[0].update(later=1), id="a-field-of-a-newer-release"),
        pytest.param(lambda nodes: nodes[0].update(output=None), id="an-output"),
        pytest.param(lambda nodes: nodes[0].pop("output"), id="no-output"),
        pytest.param(lambda nodes: nodes[0]["attempts"][0].update(reason="X"), id="an-attempt"),
    ],
)
def test_what_is_read_is_what_stands_there(edit: Any) -> None:
    statuses = Statuses()
    statuses.of("uid", body("1", two()))
    changed = body("2", two())
    edit(changed["status"]["nodes"])
    assert statuses.of("uid", changed) == AgentWorkflowStatus.model_validate(changed["status"])


@pytest.mark.parametrize("nodes", [7, [7], [None], [{"path": 7}], [{}], {"a": 1}])
def test_a_status_that_cannot_be_read_is_an_error_each_time(nodes: Any) -> None:
    statuses = Statuses()
    statuses.of("uid", body("1", two()))
    for _ in range(2):
        with pytest.raises(ValidationError):
            statuses.of("uid", {"metadata": {"resourceVersion": "2"}, "status": {"nodes": nodes}})


def test_s801_few_are_kept() -> None:
    statuses = Statuses()
    first = [statuses.of(f"uid-{at}", body("1", two())) for at in range(500)]
    again = [statuses.of(f"uid-{at}", body("1", two())) for at in reversed(range(500))]
    assert sum(one is other for one, other in zip(first[::-1], again, strict=True)) == 200
    large = status(*(node_status(f"n{at}") for at in range(200)))
    several = [statuses.of(f"large-{at}", body("1", large)) for at in range(30)]
    again = [statuses.of(f"large-{at}", body("1", large)) for at in reversed(range(30))]
    assert sum(one is other for one, other in zip(several[::-1], again, strict=True)) == 20
    ended = body("1", status(node_status("a"), finished_at=timestamp(NOW)))
    assert statuses.of("uid", ended) is not statuses.of("uid", ended), "its passes are few"
    statuses.forget("large-29")
    assert statuses.of("large-29", body("1", large)) is not several[29]
