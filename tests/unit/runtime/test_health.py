"""Is it alive, is it ready, and what one run can do to the others (I16)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.engine.decide import decide
from waypost.engine.run.entry import Entry
from waypost.engine.state.decision import Decision
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Busy, ClusterError, Kind, Obj, Unavailable
from waypost.runtime import deciding as deciding_module

from tests.support.builders import python, spec
from tests.support.harness import Call, World, gives
from tests.support.virtual import virtual


@virtual
async def test_before_the_first_lists_it_is_alive_and_not_ready() -> None:
    async with World() as world:
        world.cluster.fail_next("list", None, Unavailable("not yet"), times=20)
        operator = world.start()
        await world.quiet(5)
        assert not operator.ready
        assert operator.controller.health() is None, "no reason to be restarted"
        await world.until(lambda: operator.ready, "it lists until it can", within=60)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Busy("slow down", retry_after=2.0), id="busy"),
        pytest.param(Unavailable("bad gateway", code=502), id="unavailable"),
    ],
)
@virtual
async def test_a_list_that_fails_is_tried_again_without_the_others(error: ClusterError) -> None:
    """If one failure repeated the lists of all namespaces, they would rarely all succeed."""
    async with World() as world:
        world.cluster.fail_next("list", Kind.POD, error, times=3)
        operator = world.start()
        await world.until(lambda: operator.ready, "it lists until it can", within=60)
        await world.quiet(1)  # the lists that follow at once are complete
        listed = Counter(call.kind for call in operator.line.calls if call.verb == "list")
        assert listed[Kind.POD] == listed[Kind.AGENT_WORKFLOW] + 3


@virtual
async def test_lists_that_never_come_are_a_reason_to_be_restarted() -> None:
    async with World() as world:
        world.cluster.fail_next("list", None, Unavailable("never"), times=10**6)
        operator = world.start(resync_seconds=100.0)
        await world.quiet(300)
        assert operator.controller.health() is None
        await world.quiet(100)
        assert "list" in (operator.controller.health() or "")


@virtual
async def test_resyncs_that_fail_are_tried_again_and_then_told() -> None:
    async with World() as world:
        operator = world.start(resync_seconds=100.0, sweep_seconds=100.0)
        await world.quiet(250)
        assert operator.controller.health() is None
        world.cluster.fail_next("list", None, Unavailable("gone"), times=4)
        await world.quiet(400)
        assert operator.controller.health() is None, "one missed is no reason"
        world.cluster.fail_next("list", None, Unavailable("gone"), times=10**6)
        await world.quiet(700)
        assert "list" in (operator.controller.health() or "")
        assert operator.ready, "it still works on what it knows"


@virtual
async def test_a_queue_that_stands_still_is_a_reason_to_be_restarted() -> None:
    async with World() as world:
        operator = world.start(workers=1)
        await world.quiet(1)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            await asyncio.sleep(3600)  # a bound that failed to bind
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.submit(spec(python("a")), name="second")
        await world.quiet(60)
        assert operator.controller.health() is None
        await world.quiet(120)
        assert operator.controller.health() is not None


@virtual
async def test_many_runs_are_no_reason_to_be_restarted() -> None:
    """A queue that is long but moves: a restart would only make it longer."""
    async with World(latency=(0.5, 1.5)) as world:
        operator = world.start(workers=1)
        for number in range(60):
            await world.submit(spec(python("a")), name=f"run-{number}")
        complaints = set()
        for _ in range(400):
            await asyncio.sleep(2)
            complaints.add(operator.controller.health())
        assert complaints == {None}
        assert all(world.is_finished(f"run-{n}") for n in range(60))


def poison_status(world: World, name: str) -> None:
    """A status no version of this operator can read, as a broken restore may leave it."""

    def change(body: Obj) -> None:
        body["status"] = {"nodes": [{"path": 7}], "conditions": "none"}

    storage = world.cluster.server.storage
    body = {**world.run(name)}
    change(body)
    body["metadata"] = dict(body["metadata"])
    storage.write(Kind.AGENT_WORKFLOW, body)


@virtual
async def test_a_status_that_cannot_be_read_stops_nobody_else() -> None:
    async with World() as world:
        await world.submit(spec(python("a")), name="poisoned")
        poison_status(world, "poisoned")
        operator = world.start(workers=2)
        await world.submit(spec(python("a")))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        await world.quiet(3600)
        assert world.status("poisoned") == {"nodes": [{"path": 7}], "conditions": "none"}, (
            "what cannot be read must not be taken for nothing"
        )
        assert world.ledger.of("a", run_uid=world.run("poisoned")["metadata"]["uid"]) == []
        passes = operator.telemetry.outcomes["bug"]
        assert 10 < passes < 100, f"it is tried again, with a backoff: {passes}"
        assert operator.controller.health() is None


@virtual
async def test_a_poisoned_run_among_the_jobs_does_not_stop_the_sweep() -> None:
    async with World(script={"a": [gives(1, seconds=400)]}) as world:
        operator = world.start(sweep_seconds=30.0)
        await world.submit(spec(python("a")), name="aaa")
        await world.submit(spec(python("a")), name="zzz")
        await world.until(lambda: len(world.ledger.executions) == 2, "both run")
        stray = dict(world.all(Kind.JOB)[1])
        metadata = dict(stray["metadata"])
        metadata["labels"] = {**metadata["labels"], "waypost.dev/attempt": "9"}
        kept = {k: metadata[k] for k in ("labels", "annotations")}
        template = {"metadata": kept, "spec": stray["spec"]["template"]["spec"]}
        body = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {**kept, "name": "zzzz-stray"},
            "spec": {"suspend": True, "template": template},
        }
        await world.user.create(Kind.JOB, namespace="default", body=body)
        poison_status(world, "aaa")
        await world.quiet(200)
        assert operator.telemetry.swept_jobs == 1
        assert operator.ready
        assert not operator.task.done(), "the operator lives"


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param({}, id="no nodes"),
        pytest.param({"nodes": [{"name": "a"}]}, id="a node without a kind"),
        pytest.param({"nodes": [{"name": "a", "python": {"source": "("}}]}, id="bad source"),
        pytest.param(
            {"nodes": [{"name": "a", "wait": {"duration": "1h"}, "when": "${1 +}"}]}, id="bad when"
        ),
        pytest.param(
            {
                "nodes": [
                    {"name": "a", "wait": {"duration": "1h"}, "dependsOn": ["b"]},
                    {"name": "b", "wait": {"duration": "1h"}, "dependsOn": ["a"]},
                ]
            },
            id="a cycle",
        ),
    ],
)
@virtual
async def test_garbage_that_got_past_the_api_server(garbage: Obj) -> None:
    """A CRD without its rules: the operator must judge for itself."""
    async with World() as world:
        await world.submit(spec(python("a")), name="poisoned")
        body = {**world.run("poisoned"), "spec": garbage}
        body["metadata"] = dict(body["metadata"])
        world.cluster.server.storage.write(Kind.AGENT_WORKFLOW, body)
        operator = world.start()
        await world.submit(spec(python("a")))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        await world.quiet(600)
        assert not operator.task.done()
        assert operator.telemetry.passes < 60, "no hot loop"
        assert operator.telemetry.outcomes["bug"] == 0, "user errors are outcomes"


@virtual
async def test_a_defect_in_the_engine_stops_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = True

    def faulty(entry: Entry, now: Any, settings: PodSettings) -> Decision:
        if broken and entry.observed.name == "poisoned":
            raise ZeroDivisionError("a defect")
        return decide(entry, now, settings)

    monkeypatch.setattr(deciding_module, "decide", faulty)
    async with World() as world:
        operator = world.start(workers=1)
        await world.submit(spec(python("a")), name="poisoned")
        await world.submit(spec(python("a")))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        await world.quiet(600)
        bugs = operator.telemetry.outcomes["bug"]
        assert 5 < bugs < 40, "retried with a backoff of at most a minute"
        broken = False
        assert (await world.finished("poisoned", within=90))["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"metadata": None}, id="null metadata"),
        pytest.param({"metadata": {"uid": 7, "labels": [], "annotations": "x"}}, id="wrong types"),
        pytest.param(
            {"metadata": {"uid": "u", "resourceVersion": "many", "labels": {"waypost.dev/run": 1}}},
            id="no number",
        ),
        pytest.param(
            {
                "metadata": {
                    "uid": "u",
                    "name": "x",
                    "namespace": "default",
                    "finalizers": "waypost.dev/result",
                    "labels": {"waypost.dev/run": "u", "waypost.dev/attempt": "99999999999999"},
                },
                "status": {"containerStatuses": {"a": 1}, "conditions": [1, None]},
            },
            id="wild pod",
        ),
    ],
)
@virtual
async def test_notice_never_raises(body: Obj) -> None:
    async with World() as world:
        operator = world.start()
        await world.quiet(1)
        for kind in Kind:
            for change in ("ADDED", "MODIFIED", "DELETED", None):
                operator.controller.on_watch_event(kind, change, body)
        await world.quiet(60)
        await world.submit(spec(python("a")))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        assert not operator.task.done()
