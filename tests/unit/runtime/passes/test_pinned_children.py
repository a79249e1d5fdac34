"""Child runs that keep what they were started with (S101, S207), and runs that only look like one
(S202)."""

from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.names import child_name
from waypost.ports.cluster import Kind, Obj
from waypost.protocol import ijson

from tests.support.builders import python, spec
from tests.support.children import DOUBLE, PARENT, calls, child, ran
from tests.support.harness import NAMESPACE, RUN, World, fails, gives
from tests.support.templates import REVIEW, create_template
from tests.support.virtual import virtual

TWO = spec(
    python("first"),
    python("second", dependsOn=["first"]),
    outputs={"o": "${nodes.second.output}"},
)
OTHER = [python("first"), python("second", dependsOn=["first"]), python("third")]


@pytest.mark.parametrize("restart", [False, True], ids=["same-operator", "after-a-restart"])
@virtual
async def test_s207_a_child_keeps_its_definition_in_a_round_after_its_template_was_edited(
    restart: bool,
) -> None:
    async with World(script={"second": [fails(), gives(2)]}) as world:
        operator = world.start()
        await create_template(world, TWO)
        await world.submit(spec(calls("check"), outputs={"o": "${nodes.check.output.o}"}))
        await world.finished()
        await world.quiet(5)
        pinned = child(world)["status"]["template"]["digest"]
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"nodes": OTHER})
        if restart:
            operator.die()
            world.start()  # with nothing in its cache
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"o": 2})
        assert ran(world) == ["first", "second", "second"], "no third node"
        assert child(world)["status"]["template"]["digest"] == pinned


@virtual
async def test_s207_another_child_of_the_same_node_has_the_edited_template() -> None:
    async with World(script={"twice": [gives(8), gives(9)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await world.finished()
        edited = {"nodes": [*DOUBLE["nodes"], python("third")]}
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, edited)
        await world.patch_run({"rerun": {"round": 2, "from": ["check"]}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        await world.finished()
        assert sorted(ran(world)) == ["third", "twice", "twice"]


@pytest.mark.parametrize(
    ("block", "owned"),
    [
        pytest.param({"inputs": {"n": 5}}, True, id="other-inputs"),
        pytest.param({"templateRef": {"name": "other"}}, True, id="another-template"),
        pytest.param({}, False, id="not-owned-by-the-run"),
    ],
)
@virtual
async def test_s202_a_run_with_the_name_of_a_child_is_adopted_only_if_it_is_the_child(
    block: Obj, owned: bool
) -> None:
    async with World() as world:
        await create_template(world, DOUBLE)
        await create_template(world, DOUBLE, "other")
        first = world.start()
        await world.submit({**PARENT, "suspend": True})
        await world.quiet(5)
        first.die()
        uid = world.run()["metadata"]["uid"]
        body = _lookalike(uid, {"inputs": {"n": 4}, "templateRef": {"name": REVIEW}, **block})
        if not owned:
            del body["metadata"]["ownerReferences"]
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=body)
        await world.patch_run({"suspend": False})
        world.start()
        await world.finished()
        node = world.node("check")
        assert node["reason"] == "LaunchRejected"
        assert "is not the child run of this node" in node["message"]


def _lookalike(uid: str, block: Obj) -> Obj:
    """A run with the name of the child run, made by a stranger who has copied its annotation."""
    request = [block["templateRef"]["name"], block["inputs"]]
    owner: Any = {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "name": RUN,
        "uid": uid,
        "controller": True,
    }
    name = child_name(run=RUN, run_uid=uid, path="check", generation=1)
    return {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "metadata": {
            "name": name,
            "ownerReferences": [owner],
            "annotations": {meta.ANNOTATION_REQUEST_DIGEST: ijson.digest(request)},
        },
        "spec": block,
    }
