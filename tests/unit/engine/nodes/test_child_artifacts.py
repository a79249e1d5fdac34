"""Artifacts into and out of child runs (S430 to S432)."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.nodes.artifacts import ArtifactStatus, digests_in
from waypost.api.state.child import ChildStatus
from waypost.api.status import LoopStatus
from waypost.engine.state.decision import PatchChild, StartChild
from waypost.kube.facts.children import ChildFact, child_fact

from tests.support.builders import NOW, SETTINGS, node_status, observed, python, spec, status
from tests.support.passes import decide

CALLS = {"name": "check", "workflow": {"templateRef": {"name": "review"}}}


def artifact(number: int) -> ArtifactStatus:
    digest = f"sha256:{number:064}"
    return ArtifactStatus(name="repo", digest=digest, bytes=9, files=1, record=f"r{number}")


def value(number: int) -> JsonObject:
    one = artifact(number)
    return {"name": "repo", "digest": one.digest, "bytes": 9, "files": 1}


def started(*makers: int, names: list[int]) -> Any:
    """What a pass does with a call whose inputs name artifacts. Each node made some."""
    nodes = [
        node_status(f"m{at}", "Succeeded", artifacts=[artifact(8 * at + i) for i in range(count)])
        for at, count in enumerate(makers)
    ]
    inputs = {"l": [value(number) for number in names]}
    call = {**CALLS, "inputs": {"l": "${inputs.l}"}}
    seen = observed(
        spec(*(python(f"m{at}") for at in range(len(makers))), call, inputs=inputs),
        status=status(*nodes, node_status("check", "Pending")),
    )
    return decide(seen, NOW, SETTINGS)


def test_s430_a_child_run_gets_the_artifacts_that_its_inputs_name() -> None:
    [start] = [one for one in started(2, names=[1, 99]).after if isinstance(one, StartChild)]
    given = start.manifest["spec"]["parent"]["artifacts"]
    digest = artifact(1).digest
    assert given == [{"digest": digest, "bytes": 9, "files": 1, "record": "r1"}], "99 is unknown"


@pytest.mark.parametrize(
    ("count", "phase"),
    [pytest.param(32, "Running", id="the limit"), pytest.param(33, "Failed", id="one more")],
)
def test_s432_inputs_name_at_most_32_artifacts(count: int, phase: str) -> None:
    decision = started(8, 8, 8, 8, 8, names=list(range(count)))
    [node] = [one for one in decision.status.nodes if one.path == "check"]
    assert node.phase == phase
    if phase == "Failed":
        assert node.reason == "InputInvalid"
        assert "33 artifacts, the limit is 32" in (node.message or "")


def ended(count: int, **fields: Any) -> ChildFact:
    fact: dict[str, Any] = {
        "name": "run-check", "uid": "child", "owner_uid": "parent", "resource_version": "1",
        "path": "check", "template": "review", "inputs_digest": "", "phase": "Succeeded",
        "finished": True, "finalizers": ("waypost.dev/child",),
        "outputs": {"l": [value(number) for number in range(count)]},
        "artifacts": tuple(artifact(number) for number in range(count)),
    }  # fmt: skip
    return ChildFact(**{**fact, **fields})


def taken(
    fact: ChildFact, phase: str = "Running", repeat: JsonObject | None = None, **fields: Any
) -> Any:
    mine = ChildStatus(name=fact.name, uid=fact.uid, generation=1, round=1)
    call = {**CALLS, "repeat": repeat} if repeat else CALLS
    seen = observed(
        spec(call, python("a")),
        status=status(
            node_status("check", phase, child=mine, **fields), node_status("a", "Pending")
        ),
        children={fact.name: fact},
    )
    return decide(seen, NOW, SETTINGS)


@pytest.mark.parametrize(
    ("count", "phase"),
    [pytest.param(8, "Succeeded", id="the limit"), pytest.param(9, "Failed", id="one more")],
)
def test_s432_outputs_name_at_most_8_artifacts(count: int, phase: str) -> None:
    [node] = [one for one in taken(ended(count)).status.nodes if one.path == "check"]
    assert node.phase == phase
    if phase == "Failed":
        assert node.reason == "OutputInvalid"
        assert "name 9 artifacts, the limit is 8" in (node.message or "")
    else:
        assert [one.record for one in node.artifacts or ()] == [f"r{at}" for at in range(8)]


@pytest.mark.parametrize(
    ("until", "phase", "named"),
    [
        pytest.param("size(self.output.l) == 2", "Succeeded", ["r0", "r1"], id="the last one"),
        pytest.param("size(self.output.l) == 9", "Running", [], id="an earlier one"),
    ],
)
def test_s623_a_loop_gives_what_its_last_child_run_made(
    until: str, phase: str, named: list[str]
) -> None:
    repeat = {"until": f"${{{until}}}", "max": 3}
    decision = taken(ended(2), repeat=repeat, loop=LoopStatus(number=1, begun=0))
    [node] = [one for one in decision.status.nodes if one.path == "check"]
    assert node.phase == phase
    assert [one.record for one in node.artifacts or ()] == named
    assert node.loop is not None
    assert node.loop.artifacts is None, "the next child run cannot take them"


@pytest.mark.parametrize(
    ("count", "released"),
    [pytest.param(1, False, id="has an artifact"), pytest.param(0, True, id="has none")],
)
@pytest.mark.parametrize("deleting", [False, True], ids=["there", "a person deletes it"])
def test_s431_a_child_run_stays_while_its_artifacts_are_named(
    count: int, released: bool, deleting: bool
) -> None:
    listed = [artifact(number) for number in range(count)]
    decision = taken(ended(count, deleting=deleting), "Succeeded", artifacts=listed or None)
    patches = [one for one in decision.after if isinstance(one, PatchChild)]
    assert bool(patches) is released


def test_s430_only_artifacts_of_checkpoints_that_the_outputs_name_come_up() -> None:
    made = [artifact(number).model_dump() for number in range(4)]
    nodes = [
        {"path": "a", "phase": "Succeeded", "artifacts": [made[0], made[1], {"name": 1}]},
        {"path": "b", "phase": "Failed", "artifacts": [made[2]]},
        {"path": "c", "phase": "Succeeded", "artifacts": "x"},
    ]
    outputs = {"deep": [{"x": value(0)}], "failed": value(2), "nobody": value(3)}
    owner = {"controller": True, "kind": "AgentWorkflow", "name": "up", "uid": "up"}
    fact = child_fact(
        {
            "metadata": {"name": "c", "uid": "c", "ownerReferences": [owner]},
            "spec": {"parent": {"uid": "up"}},
            "status": {"nodes": nodes, "outputs": outputs},
        }
    )
    assert fact is not None
    assert [one.record for one in fact.artifacts] == ["r0"]


def test_digests_are_found_at_any_depth() -> None:
    deep: Any = value(1)
    for _ in range(50_000):
        deep = [deep, {"digest": 7}]
    assert digests_in(deep) == {artifact(1).digest}
