"""What is missing, and what that means (A1, A2, A5, A7, D6): nothing runs twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api import meta
from waypost.ports.cluster import Kind

from tests.fakes.api.watch import Delivery
from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import container, python, spec
from tests.support.harness import Call, World, fails, gives, hangs
from tests.support.virtual import virtual


def job_name(world: World, index: int = 0) -> str:
    """Name of the oldest Job there is."""
    return str(world.all(Kind.JOB)[index]["metadata"]["name"])


async def running(world: World, count: int = 1) -> None:
    """Wait until so many programs have started."""
    await world.until(lambda: len(world.ledger.executions) >= count, "it runs", step=0.05)


@virtual
async def test_a1a_the_job_of_a_running_node_is_deleted() -> None:
    """The pod has its grace period, and ends well in it: it was the attempt."""
    async with World(script={"a": [lambda pod: pod.stops_with("in time")]}) as world:
        world.start()
        await world.submit(spec(python("a", timeout="10m")))
        await running(world)
        await world.delete(Kind.JOB, job_name(world))
        status = await world.finished(within=120)
        assert status["nodes"][0]["output"] == "in time"
        assert len(world.ledger.executions) == 1, "the name was free, and nobody took it"


@virtual
async def test_a1a_and_it_ends_badly() -> None:
    async with World(script={"a": [hangs(), gives(2)]}) as world:
        world.start()
        await world.submit(spec(python("a")))
        await running(world)
        await world.delete(Kind.JOB, job_name(world))
        status = await world.finished(within=120)
        node = status["nodes"][0]
        assert (node["output"], node["attempt"]) == (2, 2)
        assert node["attempts"][0]["reason"] == "Disrupted", "not the user's fault"
        assert node.get("retries") is None, "and not the user's retry"
        assert world.ledger.overlaps() == [], "I2: the old pod was over first"


@virtual
async def test_a1b_the_jobs_ttl_fires_while_the_operator_is_down() -> None:
    async with World(script={"a": [gives("kept", seconds=30)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        operator.die()
        await world.quiet(2 * 86400)
        jobs = [j for j in world.all(Kind.JOB) if "deletionTimestamp" not in j["metadata"]]
        assert jobs == [], "the TTL of a day has fired"
        assert len(world.all(Kind.POD)) == 1, "D6: the finalizer keeps the pod with its record"
        world.start()
        status = await world.finished(within=60)
        assert (status["nodes"][0]["output"], status["nodes"][0]["attempt"]) == ("kept", 1)
        assert len(world.ledger.executions) == 1


@virtual
async def test_a1c_the_job_is_deleted_in_the_grace_period_of_its_pod() -> None:
    """Pod deleted, then Job deleted, then a new operator that knows of neither."""
    slow: Program = lambda pod: pod.hangs(stop_seconds=20.0)  # noqa: E731
    async with World(script={"a": [slow, gives(2)]}) as world:
        first = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        pod = world.work.pods("a")[0]
        await world.delete(Kind.POD, pod.name)
        await world.quiet(2)
        first.die()
        await world.delete(Kind.JOB, job_name(world))
        world.start()
        await world.quiet(5)
        assert len(world.all(Kind.POD)) == 1, "the old one has its grace period"
        status = await world.finished(within=120)
        assert status["nodes"][0]["attempt"] == 2
        assert world.ledger.overlaps() == []
        assert world.ledger.doubled() == []


@pytest.mark.parametrize("what", ["job", "pod", "both"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "restarted"])
@virtual
async def test_something_is_deleted_while_the_watch_hangs(what: str, known: bool) -> None:
    async with World(script={"a": [gives("first", seconds=8), gives("second")]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        operator.watch.pause()
        if what != "pod":
            await world.delete(Kind.JOB, job_name(world))
        if what != "job":
            await world.delete(Kind.POD, world.work.pods("a")[0].name)
        await world.quiet(2)
        if known:
            operator.watch.resume()
        else:
            operator.die()
            world.start()
        status = await world.finished(within=300)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 2)
        assert world.ledger.overlaps() == []
        assert world.ledger.doubled() == []


@virtual
async def test_a2_the_run_is_delivered_long_before_its_pods() -> None:
    """Start-up: kopf delivers three lists independently; only our own says what is absent."""
    async with World(script={"a": [gives("kept", seconds=60)]}) as world:
        first = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        first.die()
        second = world.start(delivery=Delivery(delay=(5.0, 30.0)), seed=3)
        for body in world.all(Kind.AGENT_WORKFLOW):
            second.controller.on_watch_event(Kind.AGENT_WORKFLOW, None, body)
        status = await world.finished(within=300)
        assert status["nodes"][0]["attempt"] == 1
        assert len(world.ledger.executions) == 1


@virtual
async def test_a2_nothing_is_decided_before_every_list_is_there() -> None:
    async with World(script={"a": [gives("kept", seconds=60)]}) as world:
        first = world.start()
        await world.submit(spec(python("a")))
        await running(world)
        first.die()
        held = world.cluster.hold("list", Kind.POD)
        second = world.start()
        await world.quiet(9)
        assert not second.ready
        assert second.line.writes() == []
        held.open()
        status = await world.finished(within=300)
        assert status["nodes"][0]["attempt"] == 1


@virtual
async def test_a2_a_pod_that_the_watch_never_mentioned_is_looked_for() -> None:
    """Absence is never inferred: the pods are not in the cache, so they are read live."""
    async with World(script={"a": [gives("kept", seconds=90)]}) as world:
        operator = world.start()
        operator.watch.close()
        world.cluster.subscribe(operator.controller.on_watch_event, kinds=[Kind.AGENT_WORKFLOW])
        await world.submit(spec(python("a")))
        status = await world.finished(within=600)
        assert (status["nodes"][0]["output"], status["nodes"][0]["attempt"]) == ("kept", 1)


def record_then_killed(pod: PodView) -> Outcome:
    """The record was written, then the container was killed."""
    message = pod.succeeds("kept").message
    return Outcome(exit_code=137, reason="Error", message=message)


def wrong_pod(pod: PodView) -> Outcome:
    """A record copied from elsewhere."""
    return Outcome(message=pod.succeeds("forged").message.replace(pod.uid, "0" * 36))


def wrong_digest(pod: PodView) -> Outcome:
    return Outcome(message=pod.succeeds("kept").message.replace("kept", "bent"))


@pytest.mark.parametrize(
    ("program", "phase", "reason", "attempt"),
    [
        pytest.param(record_then_killed, "Succeeded", None, 1, id="record and exit 137"),
        pytest.param(wrong_pod, "Failed", "ResultLost", 1, id="record of another pod"),
        pytest.param(wrong_digest, "Failed", "ResultLost", 1, id="record that was changed"),
        pytest.param(
            lambda pod: Outcome(), "Failed", "ResultLost", 1, id="exit 0 without a record"
        ),
        pytest.param(
            lambda pod: Outcome(exit_code=3, log="Traceback"), "Failed", "NodeError", 1, id="exit 3"
        ),
    ],
)
@virtual
async def test_a5_what_makes_an_attempt_succeed(
    program: Program, phase: str, reason: str | None, attempt: int
) -> None:
    async with World(script={"a": [program]}) as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        status = await world.finished(within=120)
        node = status["nodes"][0]
        assert (node["phase"], node.get("reason"), node["attempt"]) == (phase, reason, attempt)
        if reason == "NodeError":
            assert node["tail"] == "Traceback", "the log was read"
        if program in (wrong_pod, wrong_digest):
            await world.quiet(1)  # it is counted once the answer to the write is in
            assert operator.telemetry.refusals != [], "refused results are counted (I14)"


@virtual
async def test_a5_plain_json_needs_exit_0() -> None:
    bad = Outcome(exit_code=1, message='{"a":1}')
    async with World(script={"a": [lambda pod: bad], "b": [gives({"a": 1})]}) as world:
        world.start()
        nodes = [container("a", onFailure="Continue"), container("b")]
        await world.submit(spec(*nodes))
        status = await world.finished(within=120)
        assert [n["phase"] for n in status["nodes"]] == ["Failed", "Succeeded"]


@virtual
async def test_a5_a_job_that_failed_by_its_deadline_with_a_record_has_succeeded() -> None:
    """The pod's own deadline, a clean stop and a record: the record decides."""
    async with World(script={"a": [lambda pod: pod.stops_with("kept")]}) as world:
        operator = world.start()
        await world.submit(spec(python("a", timeout="1m", queueTimeout="1m")))
        await running(world)
        operator.die()  # so that only the backstop can end it
        await world.quiet(600)
        assert world.work.pods("a")[0].body["status"]["phase"] == "Failed"
        world.start()
        status = await world.finished(within=60)
        assert (status["nodes"][0]["phase"], status["nodes"][0]["output"]) == ("Succeeded", "kept")


@virtual
async def test_a_timeout_is_kept_by_the_operator() -> None:
    async with World(script={"a": [hangs()]}) as world:
        world.start()
        await world.submit(spec(container("a", timeout="30s")))
        status = await world.finished(within=180)
        assert status["nodes"][0]["reason"] == "Timeout"
        ran = world.ledger.executions[0]
        assert ran.ended_at is not None
        assert 29 <= ran.ended_at - ran.started_at <= 40


@virtual
async def test_a_cancel_stops_what_runs_and_starts_nothing() -> None:
    async with World(script={"a": [hangs()]}) as world:
        operator = world.start()
        await world.submit(spec(python("a"), python("b", dependsOn=["a"])))
        await running(world)
        await world.patch_run({"cancel": True})
        status = await world.finished(within=60)
        assert status["phase"] == "Cancelled"
        assert [n["phase"] for n in status["nodes"]] == ["Cancelled", "Cancelled"]
        assert len(world.all(Kind.JOB)) == 1, "the Job stays as a tombstone (A3)"
        assert not [c for c in operator.line.writes(Kind.JOB) if c.verb == "delete"]


@virtual
async def test_a_cancel_between_the_record_and_the_job() -> None:
    async with World() as world:
        operator = world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.JOB:
                operator.die()
                raise asyncio.CancelledError
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.quiet(2)
        await world.patch_run({"cancel": True})
        world.start()
        status = await world.finished(within=60)
        assert status["phase"] == "Cancelled"
        await world.quiet(600)
        assert world.ledger.executions == []


@pytest.mark.parametrize("disruption", [True, False])
@virtual
async def test_an_eviction(disruption: bool) -> None:
    async with World(script={"a": [hangs(), gives(2)]}) as world:
        world.start()
        await world.submit(spec(python("a")))
        await running(world)
        world.work.run_out_of(world.work.pods("a")[0], disruption=disruption)
        status = await world.finished(within=120)
        node = status["nodes"][0]
        if disruption:
            assert (node["phase"], node["attempt"]) == ("Succeeded", 2)
        else:
            assert (node["phase"], node["reason"]) == ("Failed", "OutOfDisk"), "E2: its own limit"


@virtual
async def test_retries_stay_within_their_limit_and_wait() -> None:
    async with World(script={"a": [fails()]}) as world:
        world.start()
        backoff = {"initial": "10s", "factor": 2, "max": "15s"}
        await world.submit(spec(python("a", retry={"limit": 2, "backoff": backoff})))
        status = await world.finished(within=300)
        assert status["nodes"][0]["attempt"] == 3
        starts = [e.started_at for e in world.ledger.executions]
        assert 10 <= starts[1] - starts[0] <= 20
        assert 15 <= starts[2] - starts[1] <= 25


@virtual
async def test_the_name_of_a_job_is_taken_by_somebody_else() -> None:
    """I3: AlreadyExists is success only for this run's own request."""
    async with World() as world:
        operator = world.start()
        foreign: list[str] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.JOB and not foreign:
                foreign.append(call.name)
                await world.user.create(Kind.JOB, namespace="default", body=_foreign(call.name))
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")
        assert foreign[0] in node["message"], "it says which name is taken"


def _foreign(name: str) -> dict[str, Any]:
    """A Job that somebody made under our name, with a copy of nothing but the name."""
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "x", "image": "x"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": pod}},
    }


@virtual
async def test_a_large_input_rides_in_a_config_map() -> None:
    async with World(script={"a": [gives("x" * 3500)]}) as world:
        world.start()
        big = {f"i{n}": "${nodes.a.output}" for n in range(4)}
        await world.submit(spec(python("a"), python("b", inputs=big)))
        status = await world.finished(within=120)
        assert status["phase"] == "Succeeded"
        maps = world.all(Kind.CONFIG_MAP)
        assert len(maps) == 1
        assert maps[0]["immutable"] is True
        request = world.work.pods("b")[0].request
        assert request["inputs"]["i3"] == "x" * 3500
        assert (
            meta.ANNOTATION_REQUEST not in world.work.pods("b")[0].body["metadata"]["annotations"]
        )


@virtual
async def test_s620_the_end_of_a_long_log_is_read() -> None:
    """The API counts its limit from the beginning of the lines that are asked for."""
    lines = [f"{number} " + "x" * 10_000 for number in range(300)]
    log = "\n".join([*lines, "password=hunter2hunter2", "the cause"])
    world = World(script={"a": [lambda pod: Outcome(exit_code=3, log=log)]})
    async with world:
        world.start()
        await world.submit(spec(python("a")))
        node = (await world.finished(within=120))["nodes"][0]
        assert node["tail"] == "password=[redacted]\nthe cause", "whole lines, below 4 KiB"
