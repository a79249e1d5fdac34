"""What the watch forgot, what nobody names, and what must be let go (D2, D6, A3)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api import meta
from waypost.ports.cluster import Kind, NotFound, Obj, Rejected, Unavailable

from tests.fakes.api.deletion import Deletion
from tests.fakes.api.watch import Delivery
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import gate, python, spec
from tests.support.harness import Call, World, gives, hangs
from tests.support.virtual import virtual


def held(world: World) -> list[str]:
    """Pods that still carry our finalizer."""
    return [
        pod["metadata"]["name"]
        for pod in world.all(Kind.POD)
        if meta.FINALIZER_RESULT in pod["metadata"].get("finalizers", [])
    ]


async def running(world: World, count: int = 1) -> None:
    """Wait until so many programs have started."""
    await world.until(lambda: len(world.ledger.executions) >= count, "it runs", step=0.05)


def stray(world: World, *, attempt: int = 7, path: str = "a", **metadata: Any) -> Obj:
    """A Job with our labels that no status names."""
    run = world.run()["metadata"]
    labels = {
        meta.LABEL_RUN: run["uid"],
        meta.LABEL_NODE: path,
        meta.LABEL_ATTEMPT: str(attempt),
        meta.LABEL_ROUND: "1",
    }
    pod = {"restartPolicy": "Never", "containers": [{"name": "node", "image": "x"}]}
    notes = {meta.ANNOTATION_RUN_NAME: run["name"], meta.ANNOTATION_PATH: path}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "stray", "labels": labels, "annotations": notes, **metadata},
        "spec": {
            "suspend": True,
            "template": {"metadata": {"labels": labels, "annotations": notes}, "spec": pod},
        },
    }


# --- the cache -----------------------------------------------------------------------------------


@virtual
async def test_a_deletion_nobody_told_of_is_found_by_the_next_list() -> None:
    async with World() as world:
        operator = world.start(resync_seconds=100.0)
        await world.submit(spec(gate("ok")))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked")
        operator.watch.pause()
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await world.quiet(2)
        operator.watch.relist()  # a reconnect: it says what there is, not what there was
        store = operator.controller.store
        assert len(store) == 1
        await world.quiet(250)
        assert len(store) == 0
        assert store.uids() == [], "its children are forgotten, too"


@virtual
async def test_a_run_that_was_made_anew_under_its_name_is_another_run() -> None:
    async with World(script={"a": [gives(1, seconds=30)]}) as world:
        operator = world.start()
        first = await world.submit(spec(python("a")))
        await running(world)
        operator.watch.pause()
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await world.quiet(1)
        second = await world.submit(spec(python("a")))
        operator.watch.resume()
        status = await world.finished(within=300)
        assert status["nodes"][0]["attempt"] == 1
        assert world.run()["metadata"]["uid"] == second["metadata"]["uid"]
        starts = [e.run_uid for e in world.ledger.executions]
        assert starts == [first["metadata"]["uid"], second["metadata"]["uid"]]
        await world.until(lambda: not held(world), "the old pod is released", within=600)


@virtual
async def test_what_was_made_during_a_list_is_not_dropped_by_it() -> None:
    async with World() as world:
        operator = world.start(resync_seconds=30.0, sweep_seconds=1000.0)
        await world.submit(spec(python("a")))
        await world.finished()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            listing = await send()
            if call.verb == "list" and call.kind is Kind.AGENT_WORKFLOW:
                operator.line.intercept = None
                await world.submit(spec(gate("ok")), name="late")
            return listing

        operator.line.intercept = intercept
        await world.quiet(60)
        assert [r["metadata"]["name"] for r in world.all(Kind.AGENT_WORKFLOW)] == ["brief", "late"]
        assert len(operator.controller.store) == 2


@virtual
async def test_a_list_that_is_older_than_a_deletion_brings_no_run_back() -> None:
    """Its answer comes late: the run in it is gone, and its name is another's already."""
    async with World() as world:
        await world.submit(spec(gate("ok")))
        operator = world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            listing = await send()
            if call.verb == "list" and call.kind is Kind.AGENT_WORKFLOW:
                operator.line.intercept = None
                await world.delete(Kind.AGENT_WORKFLOW, "brief")
                await world.submit(spec(python("a")))
            return listing

        operator.line.intercept = intercept
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        await world.quiet(60)
        assert operator.telemetry.outcomes["conflict"] <= 2, "it is not fought over"
        assert len(operator.controller.store) == 1


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(tuple(Kind), id="everything"),
        pytest.param((Kind.APPROVAL,), id="approvals"),
        pytest.param((Kind.TOOL_SERVER,), id="tool servers"),
        pytest.param((Kind.JOB,), id="jobs"),
    ],
)
@virtual
async def test_a_namespace_that_may_not_be_listed_does_not_stop_the_others(
    kinds: tuple[Kind, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """The first in the list, so that all others come after it."""
    names = ("forbidden", "default")
    async with World(script={"a": [gives(1)]}, namespaces=names) as world:
        operator = world.start(namespaces=names, resync_seconds=60.0, sweep_seconds=60.0)
        operator.line.refused = {(kind, "forbidden") for kind in kinds}
        await world.submit(spec(python("a")))
        assert (await world.finished())["phase"] == "Succeeded"
        await world.delete(Kind.JOB, world.all(Kind.JOB)[0]["metadata"]["name"])
        await world.user.create(Kind.JOB, namespace="default", body=stray(world))
        await world.quiet(300)
        assert not world.all(Kind.JOB), "the sweep continues, too"
        named = [r for r in caplog.records if getattr(r, "namespace", "") == "forbidden"]
        assert named, "the log names the namespace"
        assert operator.controller.syncer.refused == (0 if kinds == (Kind.JOB,) else 1)
        assert operator.controller.health() is None

        operator.line.refused = set()
        await world.submit(spec(python("a")), name="late", namespace="forbidden")
        await world.quiet(120)
        assert operator.controller.syncer.refused == 0
        assert len(operator.controller.store) == 2


@virtual
async def test_s637_what_a_list_brings_is_worked_on_although_the_next_one_fails() -> None:
    """The watch will not report again what is in the cache already."""
    late = Delivery(delay=(900.0, 900.0))
    async with World(script={"a": [gives(1)]}) as world:
        operator = world.start(resync_seconds=60.0, delivery=late)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "list" and call.kind is Kind.POD:
                raise Unavailable("down")
            return await send()

        await asyncio.sleep(5)
        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.all(Kind.JOB)), "its Job")


@virtual
async def test_an_operator_that_may_list_no_namespace_is_not_ready() -> None:
    async with World() as world:
        operator = world.start(namespaces=("default",))
        operator.line.refused = {(Kind.POD, "default")}
        await world.quiet(60)
        assert not operator.ready
        operator.line.refused = set()
        await world.quiet(60)
        assert operator.ready


# --- children that name a run --------------------------------------------------------------------


@virtual
async def test_a_forged_child_without_the_runs_name_does_not_hide_the_run() -> None:
    async with World(script={"a": [gives(1, seconds=20)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a"), python("b", dependsOn=["a"])))
        await running(world)
        labels = dict(world.work.pods("a")[0].body["metadata"]["labels"])

        async def forge(number: int) -> None:
            body = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"forged-{number}", "labels": labels},
                "spec": {"containers": [{"name": "node", "image": "x"}]},
            }
            await world.user.create(Kind.POD, namespace="default", body=body)

        await world.quiet(18)
        for number in range(40):  # so that some of them wake the run when there is work to do
            await forge(number)
            await asyncio.sleep(0.1)
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        assert {c.name for c in operator.line.writes(Kind.AGENT_WORKFLOW)} == {"brief"}
        assert len(operator.controller.store) == 1


@pytest.mark.parametrize("early", [False, True], ids=["after the run", "before it was known"])
@virtual
async def test_nobody_has_children_in_another_namespace(early: bool) -> None:
    def program(pod: PodView) -> Outcome:
        forged = pod.body["metadata"]["namespace"] == "elsewhere"
        return pod.succeeds("forged") if forged else pod.fails(seconds=30)

    async with World(script={"a": [program]}, namespaces=("default", "elsewhere")) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        true = world.work.pods("a")[0].body["metadata"]
        copied = {"labels": true["labels"], "annotations": true["annotations"]}
        forged = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "forged", **copied},
            "spec": {"containers": [{"name": "node", "image": "x"}]},
        }
        if early:
            operator.die()
        mallory = world.cluster.as_user("mallory")
        await mallory.create(Kind.POD, namespace="elsewhere", body=forged)
        if early:
            await world.quiet(10)
            ended = world.work.pods("a", namespace="elsewhere")[0].body
            operator = world.start(delivery=Delivery(delay=(5.0, 9.0)))
            operator.controller.on_watch_event(Kind.POD, None, ended)
        status = await world.finished(within=120)
        assert status["nodes"][0]["phase"] == "Failed", "its end there says nothing about ours"
        wrong = [c for c in operator.line.calls if c.kind is Kind.AGENT_WORKFLOW and c.name == ""]
        assert len(wrong) <= 1, "the list at the start"
        assert len(operator.controller.store) == 1


# --- the sweep -----------------------------------------------------------------------------------


@virtual
async def test_a_stray_job_that_may_not_be_deleted_does_not_hold_up_the_next() -> None:
    async with World(script={"a": [hangs()]}) as world:
        operator = world.start(sweep_seconds=10.0)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "delete" and call.name == "stray":
                raise Rejected("a policy keeps it", code=403)
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.node("a")), "it is accepted")
        for name in ("stray", "stray-too"):
            body = stray(world)
            body["metadata"]["name"] = name
            await world.user.create(Kind.JOB, namespace="default", body=body)
        await world.until(
            lambda: "stray-too" not in [j["metadata"]["name"] for j in world.all(Kind.JOB)],
            "the other one is swept",
            within=120,
        )


@virtual
async def test_a_stray_job_is_deleted_after_a_minute_and_a_look() -> None:
    async with World(script={"a": [hangs()]}) as world:
        operator = world.start(sweep_seconds=10.0)
        await world.submit(spec(python("a")))
        await running(world)
        await world.user.create(Kind.JOB, namespace="default", body=stray(world))
        since = world.clock.monotonic()
        await world.until(
            lambda: "stray" not in [j["metadata"]["name"] for j in world.all(Kind.JOB)],
            "it is swept",
            within=120,
        )
        assert 59 <= world.clock.monotonic() - since <= 75
        assert operator.telemetry.swept_jobs == 1
        deleted = next(c for c in operator.line.calls if c.verb == "delete")
        looks = [c for c in operator.line.calls if c.verb == "get" and c.at <= deleted.at]
        assert looks, "never on the word of the cache alone"
        assert world.work.pods("a"), "the real one runs on"


@virtual
async def test_a_job_that_only_the_cluster_knows_to_be_named_is_spared() -> None:
    """The cache is old: the other operator has recorded an attempt that this one never saw."""
    async with World(script={"a": [gives(1, seconds=200)]}) as world:
        blind = world.start(sweep_seconds=20.0)
        await world.submit(spec(python("g", inputs={}), python("a", dependsOn=["g"])))
        await world.until(lambda: bool(world.ledger.of("g")), "g runs", step=0.05)
        blind.watch.pause()
        blind.line.intercept = _reads_only
        world.start()
        await world.until(lambda: bool(world.ledger.of("a")), "the other continues", within=60)
        await world.quiet(150)
        assert [c for c in blind.line.calls if c.verb == "delete"] == []
        assert (await world.finished(within=200))["phase"] == "Succeeded"


async def _reads_only(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
    if call.writes and call.verb != "delete":
        raise Unavailable("it may only delete")
    return await send()


@virtual
async def test_tombstones_stay() -> None:
    """A3: Jobs of attempts that have ended keep their names taken."""
    async with World() as world:
        world.start(sweep_seconds=10.0)
        await world.submit(spec(python("a"), python("b", dependsOn=["a"])))
        await world.finished()
        await world.quiet(600)
        assert len(world.all(Kind.JOB)) == 2


# --- letting go ----------------------------------------------------------------------------------


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
@pytest.mark.parametrize("down", [False, True], ids=["operator up", "operator down"])
@virtual
async def test_d3_pods_of_a_run_that_is_gone_are_released(propagation: str, down: bool) -> None:
    async with World(script={"a": [gives(1, seconds=40)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        if down:
            operator.die()
        await world.delete(Kind.AGENT_WORKFLOW, "brief", propagation=propagation)
        await world.quiet(100)
        if down:
            assert held(world) != [], "D6: nobody was there to let go"
            operator = world.start()
            await world.quiet(100)
        assert held(world) == []
        assert len(world.ledger.executions) == 1
        if propagation != "Orphan":
            assert world.all(Kind.POD) == []


@virtual
async def test_d2_a_run_that_is_being_deleted_starts_nothing_and_writes_nothing() -> None:
    async with World(script={"a": [gives(1, seconds=5)]}) as world:
        operator = world.start()
        await world.submit(
            spec(python("a"), python("b", dependsOn=["a"])), finalizers=["example.com/slow"]
        )
        await running(world)
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        since = len(operator.line.calls)
        await world.quiet(300)
        writes = [c for c in operator.line.calls[since:] if c.writes]
        assert {(c.verb, c.kind) for c in writes} <= {("patch", Kind.POD)}, writes
        assert held(world) == []
        assert world.ledger.of("b") == []


@virtual
async def test_d1_sigterm_in_a_namespace_that_ends_releases_every_pod() -> None:
    """Its only worker is busy with another run when the pods are deleted and SIGTERM arrives."""
    async with World(
        script={"a": [hangs(stop_seconds=20.0)]}, namespaces=("default", "elsewhere")
    ) as world:
        operator = world.start(workers=1)
        await world.submit(spec(python("a")))
        await running(world)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.name == "busy":
                await asyncio.sleep(8)
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")), name="busy", namespace="elsewhere")
        await world.quiet(0.5)
        await world.user.delete(Kind.NAMESPACE, namespace="", name="default")
        await world.quiet(1)
        assert len(held(world)) == 1
        await operator.shut_down()
        assert held(world) == [], "nobody will be left to do it"
        await world.until(lambda: "default" not in _names(world), "it is gone", within=120)


def _names(world: World) -> list[str]:
    return [body["metadata"]["name"] for body in world.all(Kind.NAMESPACE)]


@virtual
async def test_d1_a_namespace_that_takes_long_to_end_is_left_alone() -> None:
    """1.34 deletes pods first and waits for them: until then the run looks as alive as ever."""
    script = {"quick": [hangs(stop_seconds=0.5)], "slow": [hangs(stop_seconds=None)]}
    async with World(script=script) as world:
        operator = world.start()
        await world.submit(spec(python("quick", retry={"limit": 3}), python("slow")))
        await running(world, 2)
        before = world.status()
        since = len(operator.line.calls)
        await world.user.delete(Kind.NAMESPACE, namespace="", name="default")
        await world.quiet(8)
        assert world.work.pods("slow"), "it holds the namespace up"
        assert world.status() == before, "nothing is written"
        assert world.work.pods("quick") == [], "and what has ended is let go"
        writes = [c for c in operator.line.calls[since:] if c.writes]
        assert {(c.verb, c.kind) for c in writes} == {("patch", Kind.POD)}
        await world.until(lambda: not world.all(Kind.NAMESPACE), "it is gone", within=120)


@virtual
async def test_d1_sigterm_elsewhere_keeps_what_is_not_read() -> None:
    async with World(script={"a": [hangs(stop_seconds=20.0)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        await world.delete(Kind.POD, world.work.pods("a")[0].name)
        await operator.shut_down()
        assert len(held(world)) == 1, "a drain takes no result away"


@virtual
async def test_d5_releasing_brings_no_other_finalizer_back() -> None:
    async with World() as world:
        operator = world.start()
        operator.watch.pause()
        world.start()
        await world.submit(spec(python("a")))
        await world.finished()
        await world.quiet(10)
        pod = world.all(Kind.POD)[0]
        assert pod["metadata"].get("finalizers", []) == []


@virtual
async def test_d6_a_drain_takes_no_result_away() -> None:
    async with World(script={"a": [gives("kept", seconds=5)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        operator.die()
        await world.quiet(10)
        pod = world.work.pods("a")[0]
        world.work.delete_pod(pod, grace=0)
        world.cluster.server.delete(
            Kind.JOB,
            namespace="default",
            name=world.all(Kind.JOB)[0]["metadata"]["name"],
            options=Deletion(),
        )
        await world.quiet(100)
        assert len(world.all(Kind.POD)) == 1, "Job, pod and all are deleted, the record is there"
        world.start()
        status = await world.finished(within=30)
        assert (status["nodes"][0]["output"], status["nodes"][0]["attempt"]) == ("kept", 1)
        await world.quiet(10)
        assert world.all(Kind.POD) == []


@virtual
async def test_a_ttl_deletes_the_run_once_nothing_holds_it() -> None:
    async with World() as world:
        world.start()
        await world.submit(spec(python("a"), ttlSecondsAfterFinished=60))
        await world.finished()
        await world.until(lambda: not world.run(), "it is deleted", within=120)
        await world.quiet(60)
        assert world.all(Kind.POD) == []
        assert world.all(Kind.JOB) == []


# --- shutting down -------------------------------------------------------------------------------


@virtual
async def test_a_graceful_stop_finishes_the_pass_under_way() -> None:
    async with World() as world:
        operator = world.start()
        stopping: list[asyncio.Task[None]] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            answer = await send()
            if call.verb == "patch_status" and not stopping:
                stopping.append(asyncio.create_task(operator.shut_down()))
                await asyncio.sleep(3)
            return answer

        operator.line.intercept = intercept
        await world.submit(spec(python("a"), python("b")))
        await world.until(lambda: bool(stopping), "it gets the signal to stop")
        await stopping[0]
        assert len(world.all(Kind.JOB)) == 2, "what was recorded has also been started"
        assert not operator.ready
        assert operator.controller.health() is None


@virtual
async def test_a_pass_that_hangs_does_not_hold_up_the_end() -> None:
    async with World() as world:
        operator = world.start(shutdown_seconds=9.0)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.writes:
                await asyncio.sleep(3600)
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.quiet(1)
        began = world.clock.monotonic()
        await operator.shut_down()
        assert world.clock.monotonic() - began <= 9.5


@virtual
async def test_a_run_that_is_unknown_is_not_an_error() -> None:
    async with World() as world:
        operator = world.start()
        await world.quiet(1)
        with pytest.raises(NotFound):
            world.cluster.server.get(Kind.AGENT_WORKFLOW, namespace="default", name="none")
        await world.submit(spec(python("a")))
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await world.quiet(60)
        assert operator.telemetry.outcomes["bug"] == 0
        assert operator.telemetry.outcomes["error"] <= 1
