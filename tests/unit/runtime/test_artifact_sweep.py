"""S536 to S538: NodeRecords of artifacts that nothing names are removed, and no others."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Conflict, Kind, Obj, PatchType, Rejected, Unavailable
from waypost.protocol.artifacts.request import Content
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.runtime.sweeps.artifacts import EVERY
from waypost.runtime.sweeps.rounds import RepeatedSweep, Unused

from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support import artifact_store
from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, World
from tests.support.line import Notebook
from tests.support.virtual import virtual

PODS = PodSettings(runner_image="runner:test", gateway_url="http://gateway")
OUT = {"out": [{"name": "repo", "path": "/data/repo"}]}
ARTIFACT = {"$ref": "#/schemas/Artifact"}


def content(pod: PodView) -> Content:
    number = f"{pod.attempt:02}{pod.round:02}"
    return Content(f"sha256:{number * 16}", 2048, 1)


def makes(world: World, *, fails: bool = False, seconds: float = 1.0) -> Program:
    """A program that stores a folder, and then succeeds or fails."""

    def program(pod: PodView) -> Outcome:
        artifact_store.store(world, pod, content(pod))
        if fails:
            return pod.fails(seconds=seconds)
        me = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
        record = CommitRecord(me, "Succeeded", pod.attempt, artifacts={"repo": content(pod)})
        return Outcome(message=encode(record).decode(), seconds=seconds)

    return program


def maker(name: str = "make", **fields: Any) -> Obj:
    retry = {"limit": 3, "backoff": {"initial": "1s"}}
    return python(name, **{"artifacts": OUT, "retry": retry, **fields})


def stored(world: World) -> list[Obj]:
    """The artifacts that there are, as the specs of their records."""
    bodies = [body["spec"] for body in world.all(Kind.NODE_RECORD)]
    found = [one for one in bodies if one["type"] == "Artifact"]
    return sorted(found, key=lambda one: (one["round"], one["attempt"]))


def attempts(world: World) -> list[int]:
    return [one["attempt"] for one in stored(world)]


async def visits(world: World, count: int = 2) -> None:
    await world.quiet(count * EVERY + 60)


@virtual
async def test_what_a_failed_attempt_has_stored_is_removed() -> None:
    """S536"""
    async with World() as world:
        world.script["make"] = [makes(world, fails=True), makes(world)]
        operator = world.start(pods=PODS)
        await world.submit(spec(maker()))
        assert (await world.finished())["phase"] == "Succeeded"
        await visits(world, 1)
        assert attempts(world) == [1, 2], "seen once"
        await visits(world, 1)
        assert attempts(world) == [2]
        assert operator.telemetry.swept_objects["artifacts"] == 1


@virtual
async def test_what_a_round_has_replaced_is_removed() -> None:
    """S536"""
    async with World() as world:
        world.script["make"] = [makes(world)]
        world.start(pods=PODS)
        await world.submit(spec(maker()))
        await world.finished()
        await visits(world, 3)
        assert attempts(world) == [1], "the checkpoint names it, however long ago it was made"
        await world.patch_run({"rerun": {"round": 2, "from": ["make"]}})
        await world.until(lambda: world.status().get("round") == 2 and world.is_finished(), "round")
        await visits(world)
        assert attempts(world) == [2]


@virtual
async def test_a_node_that_a_round_removes_leaves_nothing() -> None:
    """S536"""
    async with World() as world:
        world.script["make"] = [makes(world)]
        world.start(pods=PODS)
        await world.submit(spec(maker(), python("other")))
        await world.finished()
        await world.patch_run({"rerun": {"round": 2}, "nodes": [python("other")]})
        await world.until(lambda: world.status().get("round") == 2 and world.is_finished(), "round")
        await visits(world)
        assert attempts(world) == []


@virtual
async def test_an_attempt_that_has_not_ended_keeps_what_it_has_stored() -> None:
    """S537"""
    async with World() as world:
        world.script["make"] = [makes(world, seconds=5 * EVERY)]
        world.start(pods=PODS)
        await world.submit(spec(maker(timeout="10h")))
        await world.until(lambda: bool(stored(world)), "it has stored its folder")
        await visits(world, 3)
        assert attempts(world) == [1]
        assert (await world.finished(within=6 * EVERY))["phase"] == "Succeeded"


@virtual
async def test_of_a_loop_the_last_iteration_stays() -> None:
    """S536"""
    async with World() as world:
        world.script["make"] = [makes(world)] * 3
        world.start(pods=PODS)
        await world.submit(spec(maker(repeat={"until": "${index >= 2}", "max": 3})))
        assert (await world.finished())["phase"] == "Succeeded"
        assert attempts(world) == [1, 2, 3]
        await visits(world)
        assert attempts(world) == [3]


def calling() -> Obj:
    """A run that passes a folder into a child run, which gives one back."""
    inner = maker(
        "inner",
        inputs={"given": "${inputs.given.digest}"},
        artifacts={**OUT, "in": [{"from": "${inputs.given}", "path": "/data/given"}]},
    )
    template = {
        "name": "t",
        "inputSchema": {"type": "object", "required": ["given"], "properties": {"given": ARTIFACT}},
        "nodes": [inner],
        "outputs": {"repo": "${nodes.inner.artifacts.repo}"},
        "outputSchema": {"type": "object", "required": ["repo"], "properties": {"repo": ARTIFACT}},
    }
    call = {
        "name": "call",
        "workflow": {"template": "t"},
        "inputs": {"given": "${nodes.make.artifacts.repo}"},
    }
    return {**spec(maker(), call), "templates": [template]}


@virtual
async def test_what_another_run_of_the_tree_names_stays() -> None:
    """S537: the parent has read what its child run made, and that one has begun a new round."""
    async with World() as world:
        world.script["make"] = world.script["inner"] = [makes(world)]
        world.start(pods=PODS)
        await world.submit(calling())
        assert (await world.finished())["phase"] == "Succeeded"
        child = world.node("call")["child"]["name"]
        [named] = world.node("call")["artifacts"]
        await world.patch_run({"rerun": {"round": 2, "from": ["inner"]}}, name=child)
        await world.until(
            lambda: world.status(child).get("round") == 2 and world.is_finished(child), "round"
        )
        await visits(world, 3)
        names = [body["metadata"]["name"] for body in world.all(Kind.NODE_RECORD)]
        assert named["record"] in names
        [inner] = world.node("inner", child)["artifacts"]
        assert inner["record"] in names
        assert inner["record"] != named["record"]


@virtual
async def test_what_a_parent_has_passed_on_stays() -> None:
    """S537: the child run of an earlier definition still has it in its spec."""
    async with World() as world:
        world.script["make"] = world.script["inner"] = [makes(world)]
        world.start(pods=PODS)
        await world.submit(calling())
        await world.finished()
        await world.patch_run({"rerun": {"round": 2, "from": ["make"]}})
        await world.until(lambda: world.status().get("round") == 2 and world.is_finished(), "round")
        await visits(world, 3)
        made = [one["attempt"] for one in stored(world) if one["path"] == "make"]
        assert made == [1, 2]


def mapped(**fields: Any) -> Obj:
    for_each = {"items": "${inputs.list}", **fields.pop("forEach", {})}
    return maker(forEach=for_each, inputs={"v": "${item}"}, **fields)


@pytest.mark.parametrize("count", [3, 40], ids=["in-the-status", "in-blocks"])
@virtual
async def test_what_items_have_made_stays(count: int) -> None:
    """S594: their names are in NodeRecords. What failed attempts of items have stored does not."""
    async with World() as world:
        world.script["make"] = [makes(world)]
        world.script["make/1"] = [makes(world, fails=True), makes(world)]
        world.start(pods=PODS)
        reader = python("read", inputs={"there": "${size(nodes.make.artifacts.repo)}"})
        run = spec(mapped(), reader, inputs={"list": list(range(count))})
        await world.submit(run)
        assert (await world.finished(within=2 * EVERY))["phase"] == "Succeeded"
        assert len(stored(world)) == count + 1
        await visits(world, 4)
        assert len(stored(world)) == count
        [failed] = [one for one in stored(world) if one["path"] == "make/1"]
        assert failed["attempt"] == 2


@virtual
async def test_what_items_of_a_failed_map_have_made_stays_for_the_next_round() -> None:
    """S593"""
    async with World() as world:
        world.script["make"] = [makes(world)]
        world.script["make/1"] = [makes(world, fails=True)] * 2 + [makes(world)]
        world.start(pods=PODS)
        retry = {"limit": 1, "backoff": {"initial": "1s"}}
        await world.submit(spec(mapped(retry=retry), inputs={"list": [1, 2, 3]}))
        assert (await world.finished())["phase"] == "Failed"
        await visits(world, 3)
        assert {one["path"] for one in stored(world)} == {"make/0", "make/2"}
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2 and world.is_finished(), "round")
        await visits(world, 3)
        assert {one["path"] for one in stored(world)} == {"make/0", "make/1", "make/2"}


@virtual
async def test_an_items_record_that_cannot_be_read_keeps_everything() -> None:
    """S594"""
    async with World() as world:
        world.script["make"] = [makes(world)]
        world.script["make/1"] = [makes(world, fails=True), makes(world)]
        world.start(pods=PODS)
        await world.submit(spec(mapped(), inputs={"list": [1, 2, 3]}))
        await world.finished()
        for body in world.all(Kind.NODE_RECORD):
            if body["spec"]["type"] == "Items":
                changed = {**body, "spec": {**body["spec"], "digest": f"sha256:{'0' * 64}"}}
                world.cluster.server.storage.write(Kind.NODE_RECORD, changed)
        await visits(world, 4)
        assert len(stored(world)) == 4


def _newer(run: Obj) -> Obj:
    return {"status": {"engineVersion": 99}}


def _unreadable(run: Obj) -> Obj:
    nodes = [{**node, "phase": "Dreaming"} for node in run["status"]["nodes"]]
    return {"status": {"nodes": nodes}}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_newer, id="a-newer-release-has-written-the-status"),
        pytest.param(_unreadable, id="the-status-cannot-be-read"),
    ],
)
@virtual
async def test_a_status_that_is_not_understood(change: Callable[[Obj], Obj]) -> None:
    """S537"""
    async with World() as world:
        world.script["make"] = [makes(world, fails=True), makes(world)]
        world.start(pods=PODS)
        await world.submit(spec(maker()))
        await world.finished()
        [run] = world.all(Kind.AGENT_WORKFLOW)
        world.cluster.server.storage.write(Kind.AGENT_WORKFLOW, _merged(run, change(run)))
        await visits(world, 3)
        assert attempts(world) == [1, 2]


def _merged(run: Obj, change: Obj) -> Obj:
    return {**run, "status": {**run["status"], **change["status"]}}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spec": {"type": "Result"}}, id="another-type"),
        pytest.param({"spec": {"path": "other"}}, id="a-name-of-another-attempt"),
        pytest.param({"metadata": {"labels": {}}}, id="no-label"),
        pytest.param({"metadata": {"ownerReferences": []}}, id="no-run"),
    ],
)
@virtual
async def test_records_of_others_stay(change: Obj) -> None:
    """S537"""
    async with World() as world:
        world.script["make"] = [makes(world, fails=True), makes(world)]
        world.start(pods=PODS)
        await world.submit(spec(maker()))
        await world.finished()
        body = next(b for b in world.all(Kind.NODE_RECORD) if b["spec"].get("attempt") == 1)
        changed = {key: {**body[key], **change.get(key, {})} for key in ("metadata", "spec")}
        world.cluster.server.storage.write(Kind.NODE_RECORD, {**body, **changed})
        await visits(world, 3)
        names = [one["metadata"]["name"] for one in world.all(Kind.NODE_RECORD)]
        assert body["metadata"]["name"] in names


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        pytest.param("list", Rejected("noderecords is forbidden", code=403), id="no-list"),
        pytest.param("get", Unavailable("no answer"), id="a-read-fails"),
        pytest.param("delete", Rejected("a webhook refuses it", code=403), id="no-deletion"),
        pytest.param("delete", Conflict("it has changed", code=409), id="changed"),
    ],
)
@virtual
async def test_a_visit_that_fails_is_repeated(verb: str, error: Any) -> None:
    """S536"""
    async with World() as world:
        world.script["make"] = [makes(world, fails=True), makes(world)]
        operator = world.start(pods=PODS)
        await world.submit(spec(maker()))
        await world.finished()
        world.cluster.fail_next(verb, Kind.NODE_RECORD, error)
        await visits(world, 5)
        assert attempts(world) == [2]
        assert not operator.task.done()


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@virtual
async def test_a_crash_around_the_deletion(sent: bool) -> None:
    """S536: the next operator looks twice again."""
    async with World() as world:
        world.script["make"] = [makes(world, fails=True), makes(world)]
        first = world.start(pods=PODS)

        async def dies(call: Any, send: Any) -> Any:
            if (call.verb, call.kind) == ("delete", Kind.NODE_RECORD):
                if sent:
                    await send()
                first.die()
                world.helper(later())
            return await send()

        async def later() -> None:
            await asyncio.sleep(1)
            world.start(pods=PODS)

        first.line.intercept = dies
        await world.submit(spec(maker()))
        await world.finished()
        await visits(world, 5)
        assert len(world.operators) == 2
        assert attempts(world) == [2]


@virtual
async def test_a_run_that_is_deleted_takes_its_records_with_it() -> None:
    """S538: the sweep leaves them to garbage collection."""
    async with World() as world:
        world.script["make"] = [makes(world, fails=True), makes(world)]
        world.start(pods=PODS)
        await world.submit(spec(maker()), finalizers=["example.com/keep"])
        await world.finished()
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await visits(world, 3)
        assert attempts(world) == [1, 2]
        await world.user.patch(
            Kind.AGENT_WORKFLOW,
            namespace=NAMESPACE,
            name="brief",
            body={"metadata": {"finalizers": None}},
            patch_type=PatchType.MERGE,
        )
        await world.until(lambda: not world.all(Kind.NODE_RECORD), "they are collected")


@virtual
async def test_another_object_of_the_same_name_is_not_removed() -> None:
    """S536: it was not there at the visit before."""
    removed: list[Obj] = []
    uids = iter(["one", "two", "two"])

    async def unused(namespace: str | None) -> Unused:
        return {("default", "a"): {"metadata": {"uid": next(uids)}}}

    async def remove(body: Obj) -> bool:
        removed.append(body)
        return True

    sweep = RepeatedSweep(
        what="artifacts",
        every=1.0,
        unused=unused,
        remove=remove,
        telemetry=Notebook(),
        namespaces=(None,),
    )
    seen = await sweep.sweep({})
    seen = await sweep.sweep(seen)
    assert removed == []
    await sweep.sweep(seen)
    assert [body["metadata"]["uid"] for body in removed] == ["two"]


@virtual
async def test_a_list_has_metadata_alone() -> None:
    """The content of an artifact has up to 1.4 MB."""
    async with World() as world:
        world.script["make"] = [makes(world)]
        world.start(pods=PODS)
        await world.submit(spec(maker()))
        await world.finished()
        listed = await world.user.list(
            Kind.NODE_RECORD, labels=meta.LABEL_ARTIFACT, metadata_only=True
        )
        assert [sorted(body) for body in listed.items] == [["apiVersion", "kind", "metadata"]]
