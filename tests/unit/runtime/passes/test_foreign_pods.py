"""Pods and Jobs of others beside ours: copies with our labels, and Jobs that others suspend."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest
from waypost.ports.cluster import Kind

from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, World, fails, gives, hangs
from tests.support.virtual import virtual

OTHERS = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "debug",
    "uid": "00000000-0000-0000-0000-000000000001",
    "controller": True,
}


async def copy_of_the_pod(world: World, owner: str, **changes: Any) -> None:
    """What `kubectl get pod -o yaml | kubectl create` under another name gives."""
    body = deepcopy(world.all(Kind.POD)[0])
    meta = body["metadata"]
    body["metadata"] = {key: meta[key] for key in ("namespace", "labels", "annotations")}
    body["metadata"] |= {"name": "copy", **changes}
    if owner == "another":
        body["metadata"]["ownerReferences"] = [OTHERS]
    elif owner == "ours":
        body["metadata"]["ownerReferences"] = meta["ownerReferences"]
    body.pop("status", None)
    body["spec"].pop("nodeName", None)
    await world.user.create(Kind.POD, namespace=NAMESPACE, body=body)


@pytest.mark.parametrize("owner", ["none", "another", "ours"])
@pytest.mark.parametrize("finalizers", [[], ["waypost.dev/result"]], ids=["plain", "finalizer"])
@virtual
async def test_a_copy_of_a_pod_changes_no_result(owner: str, finalizers: list[str]) -> None:
    async with World(script={"a": [gives(1, seconds=20), gives(2, seconds=20)]}) as world:
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        await copy_of_the_pod(world, owner, finalizers=finalizers)
        status = await world.finished(within=600)
        node = status["nodes"][0]
        assert (node["phase"], node["output"], node["attempt"]) == ("Succeeded", 1, 1)
        await world.quiet(900)
        assert not [p for p in world.all(Kind.POD) if p["metadata"].get("finalizers")], "released"


@pytest.mark.parametrize("owner", ["none", "another", "ours"])
@virtual
async def test_a_copy_that_fails_first_fails_nothing(owner: str) -> None:
    async with World() as world:
        ours, copied = gives(1, seconds=20), fails(seconds=1)
        world.work.program = lambda pod: copied(pod) if pod.name == "copy" else ours(pod)
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        await copy_of_the_pod(world, owner)
        node = (await world.finished(within=600))["nodes"][0]
        assert (node["phase"], node["output"], node["attempt"]) == ("Succeeded", 1, 1)


@pytest.mark.parametrize("owner", ["none", "another", "ours"])
@pytest.mark.parametrize("effect", ["idempotent", "once"])
@virtual
async def test_s240_a_copy_that_succeeds_first_gives_no_result(owner: str, effect: str) -> None:
    async with World() as world:
        ours, copied = gives(1, seconds=20), gives(2, seconds=1)
        world.work.program = lambda pod: copied(pod) if pod.name == "copy" else ours(pod)
        world.start()
        await world.submit(spec(python("a", effect=effect)))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        await copy_of_the_pod(world, owner)
        node = (await world.finished(within=600))["nodes"][0]
        assert (node["phase"], node["output"], node["attempt"]) == ("Succeeded", 1, 1)


@pytest.mark.parametrize("owner", ["none", "another"])
@pytest.mark.parametrize("cancel", [False, True], ids=["ends", "cancelled"])
@virtual
async def test_s240_a_copy_that_never_ends_holds_up_nothing(owner: str, cancel: bool) -> None:
    async with World() as world:
        copied, ours = (gives(2, seconds=90_000), gives(1, seconds=20))
        world.work.program = lambda pod: copied(pod) if pod.name == "copy" else ours(pod)
        world.start()
        clean_up = [python("clean")]
        await world.submit(spec(python("a", timeout="1m"), **{"finally": clean_up}))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        await copy_of_the_pod(world, owner, finalizers=["waypost.dev/result"])
        if cancel:
            await world.patch_run({"cancel": True})
        nodes = {node["path"]: node for node in (await world.finished(within=50))["nodes"]}
        assert nodes["a"]["phase"] == ("Cancelled" if cancel else "Succeeded")
        assert nodes["clean"]["phase"] == "Succeeded", "finally does not wait for it"
        await world.quiet(900)
        left = [p["metadata"] for p in world.all(Kind.POD) if p["metadata"]["name"] == "copy"]
        assert bool(left) is (owner == "none"), "the operator stops none; the other has no owner"
        for metadata in left:
            assert "deletionTimestamp" not in metadata
            assert not metadata.get("finalizers"), "its result is not awaited"


@virtual
async def test_s240_a_copy_whose_original_is_gone_is_not_stopped_again_and_again() -> None:
    """Nothing shows any more that it is younger than its original."""
    async with World(script={"a": [hangs()]}) as world:
        operator = world.start()
        await world.submit(spec(python("a", timeout="1m")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        original = world.all(Kind.POD)[0]["metadata"]["name"]
        name = f"{original[:-5]}zzzzz"
        await asyncio.sleep(3)
        await copy_of_the_pod(world, "none", name=name, finalizers=["waypost.dev/result"])
        assert (await world.finished(within=120))["nodes"][0]["reason"] == "Timeout"
        await world.until(lambda: len(world.all(Kind.POD)) == 1, "the original is gone")
        operator.die()
        world.start()
        await world.quiet(30)
        assert [w for w in await world.quiet(900) if w.request.kind is Kind.JOB] == []
        assert [p["metadata"]["name"] for p in world.all(Kind.POD)] == [name]


@virtual
async def test_s240_the_job_of_an_attempt_that_succeeded_is_not_stopped_for_a_copy() -> None:
    async with World() as world:
        ours, copied = gives(1, seconds=20), hangs()
        world.work.program = lambda pod: copied(pod) if "zzz" in pod.name else ours(pod)
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        original = world.all(Kind.POD)[0]["metadata"]["name"]
        await copy_of_the_pod(world, "none", name=f"{original[:-5]}zzzzz")
        assert (await world.finished(within=120))["phase"] == "Succeeded"
        await world.delete(Kind.POD, original)
        await world.until(lambda: len(world.all(Kind.POD)) == 1, "the original is gone")
        await world.quiet(900)
        jobs = [call.verb for call in operator.line.writes() if call.kind is Kind.JOB]
        assert jobs == ["create"]


@virtual
async def test_s240_what_a_deleted_job_has_left_still_counts() -> None:
    async with World() as world:
        ours, copied = gives(1, seconds=20), gives(2, seconds=1)
        world.work.program = lambda pod: copied(pod) if "zzz" in pod.name else ours(pod)
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        original = world.all(Kind.POD)[0]["metadata"]["name"]
        await world.delete(
            Kind.JOB, world.all(Kind.JOB)[0]["metadata"]["name"], propagation="Orphan"
        )
        await asyncio.sleep(3)
        assert not world.all(Kind.POD)[0]["metadata"].get("ownerReferences")
        await copy_of_the_pod(world, "none", name=f"{original[:-5]}zzzzz")
        node = (await world.finished(within=600))["nodes"][0]
        assert (node["phase"], node["output"], node["attempt"]) == ("Succeeded", 1, 1)


@virtual
async def test_s240_a_copy_does_not_hide_why_there_is_no_pod() -> None:
    async with World() as world:
        world.work.refuse_pods(lambda job: "exceeded quota: team")
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.all(Kind.JOB)), "its Job", within=30)
        labels = world.all(Kind.JOB)[0]["spec"]["template"]["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**labels, "name": "copy", "finalizers": []},
            "spec": {"containers": [{"name": "node", "image": "debug"}]},
        }
        world.work.program = lambda pod: gives(2, seconds=90_000)(pod)
        await world.user.create(Kind.POD, namespace=NAMESPACE, body=body)
        await world.until(
            lambda: "exceeded quota" in world.node("a").get("message", ""), "it says so", within=60
        )


@pytest.mark.parametrize(
    ("fields", "of_node", "cancel", "reason"),
    [
        pytest.param({}, {"deadline": "60s"}, False, "DeadlineExceeded", id="deadline-of-node"),
        pytest.param({"deadline": "60s"}, {}, False, "DeadlineExceeded", id="deadline-of-run"),
        pytest.param({}, {}, True, "Cancelled", id="cancel"),
        pytest.param(
            {}, {"queueTimeout": "20s", "effect": "once"}, False, "PodRejected", id="queue-timeout"
        ),
    ],
)
@virtual
async def test_a_job_that_stays_suspended_holds_up_no_clock(
    fields: dict[str, Any], of_node: dict[str, Any], cancel: bool, reason: str
) -> None:
    async with World() as world:
        world.start()
        world.work.queue_jobs(True)
        await world.submit(spec(python("a", **of_node), **fields))
        await world.until(
            lambda: "suspended" in world.node("a").get("message", ""), "it says so", within=30
        )
        assert world.node("a")["reason"] == "PodRejected"
        if cancel:
            await world.patch_run({"cancel": True})
        status = await world.finished(within=300)
        assert status["nodes"][0]["reason"] == reason, status["nodes"][0]
        assert "suspended" in str(status["nodes"][0]), "the cause stays visible"
        assert not world.ledger.executions


@pytest.mark.parametrize(("effect", "phase"), [("idempotent", "Succeeded"), ("once", "Failed")])
@virtual
async def test_a_job_that_is_suspended_while_its_program_runs(effect: str, phase: str) -> None:
    """The Job controller deletes the pod: a disruption, whatever becomes of the Job."""
    async with World(script={"a": [gives(1, seconds=20), gives(2)]}) as world:
        world.start()
        await world.submit(spec(python("a", effect=effect)))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        await world.patch(Kind.JOB, world.all(Kind.JOB)[0]["metadata"]["name"], {"suspend": True})
        node = (await world.finished(within=600))["nodes"][0]
        assert node["phase"] == phase, node
        expected = "UnknownEffect" if effect == "once" else "Disrupted"
        reasons = [attempt.get("reason") for attempt in node["attempts"]]
        assert expected in [node.get("reason"), *reasons], node
