"""S708: claims of a run are there before the Job that mounts them, once, and go with the run."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.kube import names
from waypost.ports.cluster import Kind, Obj, QuotaExceeded, Rejected
from waypost.protocol import ijson

from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, RUN, Call, World, gives
from tests.support.virtual import virtual


def shared(**claim: Any) -> JsonObject:
    """Two nodes, one after the other, that mount one claim."""
    volume = {"name": "data", "mountPath": "/data", "volumeClaim": "work"}
    isolation: Any = {"volumes": [volume]}
    return spec(
        python("a", isolation=isolation),
        python("b", isolation=isolation, inputs={"v": "${nodes.a.output}"}),
        volumeClaims=[{"name": "work", "storage": "1Gi", **claim}],
    )


def no_job_without_its_claim(world: World) -> Callable[[Kind, str, Obj], None]:
    def judge(kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.JOB and change == "ADDED":
            volumes = body["spec"]["template"]["spec"]["volumes"]
            user = [volume for volume in volumes if volume["name"].startswith("user-")]
            named = {volume["persistentVolumeClaim"]["claimName"] for volume in user}
            assert named <= {claim["metadata"]["name"] for claim in world.all(Kind.CLAIM)}

    return judge


@virtual
async def test_s708_nodes_share_one_claim_that_goes_with_the_run() -> None:
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.cluster.server.storage.listeners.insert(0, no_job_without_its_claim(world))
        world.start()
        await world.submit(shared())
        assert (await world.finished())["phase"] == "Succeeded"
        [claim] = world.all(Kind.CLAIM)
        assert claim["metadata"]["namespace"] == NAMESPACE
        mounted = {
            volume["persistentVolumeClaim"]["claimName"]
            for job in world.all(Kind.JOB)
            for volume in job["spec"]["template"]["spec"]["volumes"]
            if "persistentVolumeClaim" in volume
        }
        assert mounted == {claim["metadata"]["name"]}
        await world.delete(Kind.AGENT_WORKFLOW, RUN)
        await world.until(lambda: not world.all(Kind.CLAIM), "the claim is gone", within=600)


@virtual
async def test_s708_a_run_without_claims_asks_for_none() -> None:
    asked: set[Kind] = set()

    async def noted(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        asked.add(call.kind)
        return await send()

    async with World(script={"a": [gives(1)]}) as world:
        world.start().line.intercept = noted
        await world.submit(spec(python("a")))
        await world.finished()
    assert Kind.JOB in asked
    assert Kind.CLAIM not in asked


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(Kind.CLAIM, id="the claim is created"),
        pytest.param(Kind.JOB, id="the Job is created"),
    ],
)
@virtual
async def test_s708_a_crash_around_the_claim(kind: Kind, sent: bool) -> None:
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        first = world.start()

        async def dies(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is kind:
                if sent:
                    await send()
                first.die()
                world.helper(later())
            return await send()

        async def later() -> None:
            world.start()

        first.line.intercept = dies
        world.cluster.server.storage.listeners.insert(0, no_job_without_its_claim(world))
        await world.submit(shared())
        assert (await world.finished())["phase"] == "Succeeded"
        assert len(world.ledger.executions) == 2
        assert len(world.all(Kind.CLAIM)) == 1


@pytest.mark.parametrize(
    ("error", "words", "ends"),
    [
        pytest.param(
            QuotaExceeded("exceeded quota: tight, requested: requests.storage=1Gi", code=403),
            "exceeded quota: tight",
            False,
            id="quota",
        ),
        pytest.param(
            Rejected("admission webhook denied the claim", code=403),
            "denied the claim",
            True,
            id="policy-engine",
        ),
    ],
)
@virtual
async def test_s708_a_claim_that_is_refused(error: Any, words: str, ends: bool) -> None:
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.cluster.fail_next("create", Kind.CLAIM, error, times=3)
        world.start()
        await world.submit(shared())
        await world.until(lambda: words in world.node("a").get("message", ""), "the node says why")
        assert not world.all(Kind.JOB)
        assert world.node("a")["reason"] == "LaunchRejected"
        assert (await world.finished())["phase"] == ("Failed" if ends else "Succeeded")
        assert len(world.ledger.executions) == (0 if ends else 2)


@virtual
async def test_s708_a_claim_of_another_is_not_mounted() -> None:
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        run = await world.submit(shared())
        digest = ijson.digest({"name": "work", "storage": "1Gi"})
        name = names.claim_name(
            run=RUN, run_uid=run["metadata"]["uid"], claim="work", digest=digest
        )
        body = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": NAMESPACE},
        }
        await world.user.create(Kind.CLAIM, namespace=NAMESPACE, body=body)
        world.start()
        assert (await world.finished())["phase"] == "Failed"
        found = world.node("a")
        assert found["reason"] == "LaunchRejected"
        assert f"PersistentVolumeClaim {name} exists and is not this run's" in found["message"]
        assert not world.all(Kind.JOB)
