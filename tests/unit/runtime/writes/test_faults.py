"""API servers that refuse, stall and forget, and watches that lie (T1, T3): same end."""

import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.ports.cluster import Busy, Kind, QuotaExceeded, Rejected, Unavailable

from tests.fakes.api.watch import DELAYED, ROUGH, STALE, Delivery
from tests.fakes.nodes.programs import Outcome
from tests.support import reference
from tests.support.accidents import ERRORS, befalls
from tests.support.builders import container, python, spec
from tests.support.harness import Call, Operator, World, fails, gives
from tests.support.virtual import virtual


def sabotage(operator: Operator, *, rate: float, seed: int) -> None:
    """Every request may be refused, lost, or done with its answer lost; watchers are spared."""
    rng = random.Random(seed)

    async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        if rng.random() > rate:
            return await send()
        return await befalls(rng, call, send)

    operator.line.intercept = intercept


@pytest.mark.parametrize("seed", range(8))
@virtual
async def test_an_api_server_that_fails_a_third_of_all_requests(seed: int) -> None:
    async with World(script=reference.SCRIPT, seed=seed) as world:
        sabotage(world.start(seed=seed), rate=0.33, seed=seed)
        reference.check(world, await reference.play(world, within=4 * 3600))


@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_each_write_fails_once(error: str) -> None:
    async with World(script=reference.SCRIPT) as world:
        failed: set[tuple[str, Kind, str]] = set()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            which = (call.verb, call.kind, call.name)
            if call.writes and which not in failed:
                failed.add(which)
                raise ERRORS[error]()
            return await send()

        world.start().line.intercept = intercept
        reference.check(world, await reference.play(world))
        assert len(failed) > 20, "every kind of write of every object"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("delivery", [DELAYED, ROUGH, STALE], ids=["delayed", "rough", "stale"])
@virtual
async def test_a_bad_watch(delivery: Delivery, seed: int) -> None:
    async with World(script=reference.SCRIPT, seed=seed) as world:
        # No list to mend what an old state has spoilt: versions must keep it out.
        world.start(delivery=delivery, seed=seed, resync_seconds=7200.0)
        reference.check(world, await reference.play(world, within=300))


@virtual
async def test_a_watch_that_says_nothing_at_all() -> None:
    async with World(script=reference.SCRIPT) as world:
        operator = world.start(resync_seconds=60.0)
        operator.watch.pause()
        reference.check(world, await reference.play(world))


@virtual
async def test_a_busy_api_server_is_left_alone_for_as_long_as_it_asks() -> None:
    async with World() as world:
        operator = world.start()
        world.cluster.fail_next(
            "patch_status", Kind.AGENT_WORKFLOW, Busy("slow down", retry_after=20.0)
        )
        await world.submit(spec(python("a")))
        await world.finished()
        first, second = operator.line.writes(Kind.AGENT_WORKFLOW)[:2]
        assert second.at - first.at >= 20.0


@virtual
async def test_no_run_sleeps_on_when_the_api_server_is_busy_no_longer() -> None:
    """The API server asks for a retry in a second; twelve refusals do not make it a minute."""
    async with World() as world:
        world.start()
        busy = Busy("slow down", retry_after=1.0)
        world.cluster.fail_next("patch_status", Kind.AGENT_WORKFLOW, busy, times=12)
        await world.submit(spec(python("a")))
        await world.finished(within=110)


@virtual
async def test_a_job_that_is_refused_for_good_fails_its_node_in_the_servers_words() -> None:
    async with World() as world:
        world.start()
        text = 'Job.batch "x" is invalid: spec: must be less than or equal to cpu limit'
        world.cluster.fail_next("create", Kind.JOB, Rejected(text, code=422), times=99)
        await world.submit(spec(python("a", retry={"limit": 3}, onFailure="Continue")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")
        assert text in node["message"], "the server's own text"
        assert node["attempt"] == 1, "it would be refused again"


@virtual
async def test_one_refused_job_does_not_hold_up_its_siblings() -> None:
    async with World() as world:
        operator = world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if (call.verb, call.kind) == ("create", Kind.JOB) and "-a-" in call.name:
                raise Rejected('Job.batch "x" is invalid', code=422)
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(container("a", onFailure="Continue"), python("b"), python("c")))
        status = await world.finished(within=60)
        ends = {n["path"]: (n["phase"], n.get("reason")) for n in status["nodes"]}
        assert ends == {
            "a": ("Failed", "LaunchRejected"),
            "b": ("Succeeded", None),
            "c": ("Succeeded", None),
        }


@virtual
async def test_a_quota_is_waited_for() -> None:
    async with World() as world:
        world.start()
        quota = QuotaExceeded("exceeded quota: jobs", code=403, reason="Forbidden")
        world.cluster.fail_next("create", Kind.JOB, quota, times=6)
        await world.submit(spec(python("a"), python("b")))
        await world.until(
            lambda: "exceeded quota" in world.node("a").get("message", ""), "it says why", within=60
        )
        status = await world.finished(within=600)
        assert [(n["phase"], n["attempt"]) for n in status["nodes"]] == [("Succeeded", 1)] * 2
        assert world.cluster.faults_left == 0
        reference.check_ledger(world)


@virtual
async def test_a_quota_for_one_does_not_hold_up_its_siblings() -> None:
    async with World() as world:
        operator = world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and "-a-" in call.name and world.clock.monotonic() < 60:
                raise QuotaExceeded("exceeded quota: jobs", code=403, reason="Forbidden")
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a"), python("b"), python("c")))
        await world.quiet(5)
        assert {e.path for e in world.ledger.executions} == {"b", "c"}
        assert (await world.finished(within=200))["phase"] == "Succeeded"


@virtual
async def test_a_node_record_that_somebody_made_beforehand_is_not_taken_for_ours() -> None:
    async with World(script={"a": [gives("x" * 3000)]}) as world:
        operator = world.start()
        made: list[str] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.NODE_RECORD and not made:
                made.append(call.name)
                await forge_record(world, call.name)
            return await send()

        operator.line.intercept = intercept
        await world.submit(
            spec(python("a"), python("b", inputs={"x": "${nodes.a.output}"})),
        )
        status = await world.finished(within=60)
        assert status["phase"] == "Failed", "nothing is recorded that is not kept"
        assert world.node("a")["reason"] == "RecordRejected"
        assert made[0] in world.node("a")["message"]


async def forge_record(world: World, name: str) -> None:
    """Somebody else's output under the name of ours."""
    body = {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "NodeRecord",
        "metadata": {"name": name},
        "spec": {
            "run": "brief",
            "runUid": world.run()["metadata"]["uid"],
            "path": "a",
            "round": 1,
            "attempt": 1,
            "type": "Result",
            "data": "forged",
            "digest": "sha256:" + "0" * 64,
            "size": 8,
        },
    }
    await world.user.create(Kind.NODE_RECORD, namespace="default", body=body)


@virtual
async def test_a_quota_that_stays_fails_the_node_after_its_queue_timeout() -> None:
    async with World() as world:
        world.start()
        quota = QuotaExceeded("exceeded quota: jobs", code=403, reason="Forbidden")
        world.cluster.fail_next("create", Kind.JOB, quota, times=10**6)
        await world.submit(spec(python("a", queueTimeout="5m")))
        status = await world.finished(within=900)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")
        assert "exceeded quota" in node["message"]
        assert 300 <= world.clock.monotonic() < 400


@pytest.mark.parametrize("absent", ["killed", "cut-off", "suspended"])
@virtual
async def test_s520_a_refusal_before_an_absence_does_not_end_a_node(absent: str) -> None:
    """Whatever kept the operator from trying again lasts longer than the queueTimeout."""
    async with World() as world:
        operator, states = world.start(), {"full"}

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if "cut-off" in states:
                raise Unavailable("no route to host")
            if "full" in states and (call.verb, call.kind) == ("create", Kind.JOB):
                raise QuotaExceeded("exceeded quota: jobs", code=403, reason="Forbidden")
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a", queueTimeout="5m")))
        await world.until(
            lambda: world.node("a").get("reason") == "LaunchRejected", "it says why", within=60
        )
        states.add(absent)
        if absent == "killed":
            operator.die()
        await world.patch_run({"suspend": absent == "suspended"})
        await world.quiet(400)
        states.clear()
        if absent == "killed":
            world.start()
        await world.patch_run({"suspend": False})
        status = await world.finished(within=200)
        assert (status["phase"], world.node("a")["attempt"]) == ("Succeeded", 1)


@virtual
async def test_pods_that_are_refused_are_told_and_then_given_up() -> None:
    async with World() as world:
        world.start()
        world.work.refuse_pods(lambda job: 'serviceaccount "none" not found')
        await world.submit(spec(python("a", queueTimeout="2m")))
        await world.until(
            lambda: "serviceaccount" in world.node("a").get("message", ""),
            "the events of the Job are read",
            within=120,
        )
        assert world.node("a")["reason"] == "PodRejected"
        status = await world.finished(within=1200)
        node = status["nodes"][0]
        assert (node["reason"], node["attempt"], node["launchRetries"]) == ("PodRejected", 3, 2)
        assert 'serviceaccount "none" not found; gave up after 3 launches' in node["message"]
        assert world.ledger.executions == []


@virtual
async def test_pods_that_are_refused_for_good_are_not_waited_for() -> None:
    """A policy or a LimitRange says the same in half an hour."""
    async with World() as world:
        world.start()
        world.work.refuse_pods(lambda job: 'pods "a" is forbidden: violates PodSecurity "baseline"')
        await world.submit(spec(python("a", effect="once", retry={"never": True})))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["reason"], node["attempt"]) == ("PodRejected", 1)
        assert "violates PodSecurity" in node["message"]
        assert node["attempts"][0]["neverStarted"] is True


@virtual
async def test_an_image_name_that_is_none_is_not_waited_for() -> None:
    stuck = Outcome(blocked="ErrImagePull", blocked_text="InvalidImageName: cannot be parsed")
    async with World(script={"a": [lambda _: stuck]}) as world:
        world.start()
        await world.submit(spec(container("a")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["reason"], node["attempt"]) == ("ImagePull", 1)
        assert "cannot be parsed" in node["message"]


@virtual
async def test_pods_that_are_refused_for_a_while() -> None:
    async with World() as world:
        world.start()
        refused = 'pods "a" is forbidden: exceeded quota: pods'
        world.work.refuse_pods(lambda job: refused if world.clock.monotonic() < 100 else None)
        await world.submit(spec(python("a")))
        status = await world.finished(within=600)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 1)
        assert "reason" not in status["nodes"][0], "the trouble is forgotten"


@virtual
async def test_a_namespace_that_ends_in_mid_run_is_let_go() -> None:
    async with World(script={"a": [gives(seconds=300)], "b": [fails(seconds=300)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a"), python("b", retry={"limit": 5}), python("c")))
        await world.until(lambda: len(world.ledger.executions) == 3, "all run")
        await world.user.delete(Kind.NAMESPACE, namespace="", name="default")
        sent = len(operator.line.calls)
        await world.until(lambda: not world.all(Kind.NAMESPACE), "it is gone", within=300)
        after = operator.line.calls[sent:]
        assert [c for c in after if c.verb == "create" and c.kind is Kind.JOB] == [], (
            "D2: nothing is started in a namespace that ends"
        )
        assert len(world.ledger.executions) == 3
        await world.quiet(600)
        assert operator.controller.store.uids() == [], "nothing is remembered of it"


@pytest.mark.parametrize("why", ["ErrImagePull", "Unschedulable"])
@virtual
async def test_a_pod_that_does_not_start_is_launched_anew_without_a_retry(why: Any) -> None:
    stuck = Outcome(blocked=why, blocked_text="said the cluster")
    async with World(script={"a": [lambda _: stuck, gives(1)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a", queueTimeout="2m")))
        await world.until(lambda: world.node("a").get("phase") == "Backoff", "it was given up")
        assert "said the cluster" in world.node("a")["message"]
        operator.die()
        world.start()
        status = await world.finished(within=900)
        node = status["nodes"][0]
        assert (node["phase"], node["launchRetries"]) == ("Succeeded", 1)
        assert "retries" not in node
        assert [e.attempt for e in world.ledger.executions] == [2]


@pytest.mark.parametrize("stale", [True, False], ids=["somebody-wrote", "nobody-wrote"])
@virtual
async def test_a_patch_that_fails_before_its_fence_is_looked_at(stale: bool) -> None:
    """A JSON Patch removes what a faster operator has removed: 422, and not 409."""
    async with World() as world:
        operator = world.start()
        refused: list[float] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.writes and call.kind is Kind.AGENT_WORKFLOW and len(refused) < 3:
                refused.append(world.clock.monotonic())
                if stale:
                    await world.patch_run({"ttlSecondsAfterFinished": 10**6 + len(refused)})
                raise Rejected("doc is missing key: /status/waiting", code=422)
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.finished()
        waits = [later - earlier for earlier, later in itertools.pairwise(refused)]
        assert (max(waits) < 0.5) is stale, "a conflict is looked at again at once"
