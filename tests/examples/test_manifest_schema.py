"""docs/manifests.schema.json accepts every manifest that is shown, and finds mistakes of people."""

from copy import deepcopy
from typing import Any

import jsonschema_rs
import pytest
from waypost.api.crd.manifest_schema import json_schema

from tests.examples.conftest import Shown, shown

VALIDATOR = jsonschema_rs.Draft202012Validator(json_schema())
BY_THE_OPERATOR = {"Approval", "MemoryEntry", "NodeRecord"}
WRITTEN = [one for one in shown() if one.values[0].manifest["kind"] not in BY_THE_OPERATOR]
HELLO: dict[str, Any] = {
    "apiVersion": "waypost.dev/v1alpha1",
    "kind": "AgentWorkflow",
    "metadata": {"name": "hello"},
    "spec": {"nodes": [{"name": "a", "wait": {"duration": "1s"}}]},
}


@pytest.mark.parametrize("one", WRITTEN)
def test_what_is_shown_is_accepted(one: Shown) -> None:
    found = [f"{list(error.instance_path)}: {error.message}"[:300]
             for error in VALIDATOR.iter_errors(one.manifest)]  # fmt: skip
    assert found == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("spec", "nodes", 0, "needs"), ["b"], id="word of another system"),
        pytest.param(("spec", "nodes", 0, "timeout"), "soon", id="no duration"),
        pytest.param(("spec", "nodes"), {}, id="map instead of list"),
        pytest.param(("kind",), "Workflow", id="other kind"),
        pytest.param(("status",), {}, id="status"),
        pytest.param(("spec", "parallelism"), "2", id="text instead of number"),
    ],
)
def test_a_mistake_is_found(path: tuple[Any, ...], value: Any) -> None:
    assert VALIDATOR.is_valid(HELLO)
    broken = deepcopy(HELLO)
    place: Any = broken
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(broken)
