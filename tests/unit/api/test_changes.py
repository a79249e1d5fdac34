"""Typed changes of a status name every field of its model, and none that is not there."""

from typing import Any, get_type_hints

import pytest
from waypost.api import changes
from waypost.api.status import AgentWorkflowStatus, AttemptStatus, NodeStatus


@pytest.mark.parametrize(
    ("model", "typed", "fixed"),
    [
        pytest.param(NodeStatus, changes.NodeChanges, {"path"}, id="node"),
        pytest.param(AttemptStatus, changes.AttemptChanges, {"number", "job"}, id="attempt"),
        pytest.param(AgentWorkflowStatus, changes.RunChanges, {"engine_version"}, id="run"),
    ],
)
def test_changes_have_the_fields_of_the_model(model: Any, typed: Any, fixed: set[str]) -> None:
    hints, declared = get_type_hints(typed), get_type_hints(model)
    assert hints.keys() == model.model_fields.keys() - fixed
    assert {name: hints[name] for name in hints} == {name: declared[name] for name in hints}


def test_a_change_replaces_only_what_it_names() -> None:
    before = NodeStatus(path="a", phase="Running", attempt=2, message="text")
    after = changes.changed_node(before, phase="Succeeded", message=None)
    assert (after.path, after.phase, after.attempt, after.message) == ("a", "Succeeded", 2, None)
    assert before.phase == "Running"
