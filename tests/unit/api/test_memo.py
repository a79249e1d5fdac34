"""What follows from a model is computed once for each model, and forgotten with it."""

import gc

from waypost.api.changes import changed_node
from waypost.api.status import NodeStatus
from waypost.api.wire.memo import Memo
from waypost.api.wire.write import to_wire


def node(phase: str = "Running") -> NodeStatus:
    return NodeStatus.model_validate({"path": "a", "phase": phase})


def test_it_is_computed_once_for_each_model() -> None:
    computed: list[str] = []

    def compute(one: NodeStatus) -> str:
        computed.append(one.phase)
        return f"{one.phase}!"

    memo = Memo(compute)
    first, same = node(), node()
    assert [memo(first), memo(first), memo(same)] == ["Running!"] * 3
    assert computed == ["Running"] * 2, "equal models are two models"
    assert memo(changed_node(first, phase="Failed")) == "Failed!", "so is a changed copy"


def test_it_is_forgotten_with_the_model() -> None:
    memo = Memo[NodeStatus, str](lambda one: one.phase)
    phases = ["Pending", "Running", "Succeeded", "Failed"]
    kept = node("Waiting")
    assert memo(kept) == "Waiting"
    for at in range(400):  # ids are used again
        assert memo(node(phases[at % 4])) == phases[at % 4]
    gc.collect()
    assert len(memo) == 1
    assert memo(kept) == "Waiting"


def test_a_checkpoint_is_written_as_json_once() -> None:
    first = node()
    assert to_wire(first) is to_wire(first)
    assert to_wire(first) == {"path": "a", "phase": "Running"}
    assert to_wire(changed_node(first, message="m")) == {**to_wire(first), "message": "m"}
