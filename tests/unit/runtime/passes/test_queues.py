"""S551 to S554: Jobs that a queue admits, holds and preempts."""

from functools import partial
from typing import Any

import pytest
from waypost.api.meta import LABEL_NODE, LABEL_QUEUE
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Rejected

from tests.fakes.nodes.kueue import Kueue, remove_workload
from tests.support.builders import python, spec
from tests.support.harness import World, gives
from tests.support.virtual import virtual

HIGH = {"queue": "team", "priorityClassName": "high"}
LOW = {"queue": "team"}
PRIORITIES = {"high": 10}


def kueue(world: World, quota: int = 1, **more: Any) -> Kueue:
    return Kueue(world.cluster.server, quota=quota, priorities=PRIORITIES, **more)


def has_run(world: World, times: int) -> bool:
    return len(world.ledger.executions) == times


def slow(pod: Any) -> Any:
    return pod.succeeds(None, seconds=300.0)


@virtual
async def test_s551_a_job_in_a_queue_is_created_suspended_with_its_label() -> None:
    async with World() as world:
        world.start()
        await world.submit(spec(python("a", isolation=LOW), python("b")))
        await world.until(lambda: len(world.all(Kind.JOB)) == 2, "there are Jobs", within=10)
        jobs = {section(job, "metadata", "labels")[LABEL_NODE]: job for job in world.all(Kind.JOB)}
        assert jobs["a"]["spec"]["suspend"] is True
        assert jobs["a"]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
        assert not jobs["b"]["spec"]["suspend"]
        assert LABEL_QUEUE not in jobs["b"]["metadata"]["labels"]


@virtual
async def test_s551_the_queue_of_the_chart_is_for_nodes_that_name_none() -> None:
    async with World() as world:
        world.start(pods=PodSettings(runner_image="runner:test", queue="all"))
        await world.submit(spec(python("a", isolation=LOW), python("b")))
        await world.until(lambda: len(world.all(Kind.JOB)) == 2, "there are Jobs", within=10)
        names = {section(job, "metadata", "labels")[LABEL_QUEUE] for job in world.all(Kind.JOB)}
        assert names == {"team", "all"}


@pytest.mark.parametrize("served", [Kind.WORKLOAD, Kind.WORKLOAD_V1BETA1], ids=lambda k: k.name)
@virtual
async def test_s552_queue_timeout_does_not_run_while_a_queue_holds_the_job(served: Kind) -> None:
    async with World(script={"a": [slow]}) as world:
        world.start()
        queue = kueue(world, quota=0, served=served)
        await world.submit(spec(python("a", isolation=LOW, queueTimeout="30s")))
        await world.until(lambda: world.node("a").get("reason") == "Queued", "said", within=10)
        said = "waits in queue team: couldn't assign flavors to pod set main"
        assert world.node("a")["message"].startswith(said)
        await world.quiet(3600)
        assert world.node("a")["attempt"] == 1
        queue.quota = 1
        await world.until(lambda: bool(world.work.pods("a")), "admitted", within=10)
        await world.until(lambda: "reason" not in world.node("a"), "cleared", within=10)
        status = await world.finished(within=600)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 1)
        [attempt] = status["nodes"][0]["attempts"]
        assert attempt["launchedAt"] < attempt["queuedUntil"] <= attempt["startedAt"]


@virtual
async def test_s552_queue_timeout_runs_from_the_admission() -> None:
    async with World() as world:
        world.start()
        world.work.refuse_pods(lambda job: "exceeded quota: tight")
        queue = kueue(world, quota=0)
        await world.submit(
            spec(python("a", isolation=LOW, queueTimeout="60s", onFailure="Continue"))
        )
        await world.quiet(600)
        queue.quota = 1
        await world.until(lambda: world.node("a").get("reason") == "PodRejected", "said", within=70)
        assert world.node("a")["attempt"] == 1
        await world.until(lambda: world.node("a").get("attempt") == 2, "given up", within=150)


@virtual
async def test_s552_without_a_workload_queue_timeout_runs_and_the_cause_is_named() -> None:
    async with World() as world:
        world.start()
        await world.submit(
            spec(python("a", isolation=LOW, queueTimeout="60s", onFailure="Continue"))
        )
        status = await world.finished(within=600)
        [node] = status["nodes"]
        assert (node["phase"], node["reason"]) == ("Failed", "PodRejected")
        assert "no Workload of Kueue exists for it" in node["message"]
        assert not world.ledger.executions


@virtual
async def test_s552_a_workload_that_cannot_be_read_ends_nothing() -> None:
    async with World() as world:
        world.start()
        queue = kueue(world, quota=0)
        refused = Rejected("workloads is forbidden", code=403)
        world.cluster.fail_next("list", Kind.WORKLOAD, refused, times=100)
        await world.submit(spec(python("a", isolation=LOW, queueTimeout="30s")))
        await world.quiet(600)
        node = world.node("a")
        assert (node["attempt"], node["reason"]) == (1, "Queued")
        assert "cannot be read: workloads is forbidden" in node["message"]
        queue.quota = 1
        assert (await world.finished(within=120))["phase"] == "Succeeded"


@virtual
async def test_s552_a_workload_that_is_deleted_for_a_moment_ends_nothing() -> None:
    async with World() as world:
        world.start()
        queue = kueue(world, quota=0)
        await world.submit(spec(python("a", isolation=LOW, queueTimeout="90s")))
        await world.quiet(3600)
        remove_workload(world.cluster.server, world.all(Kind.WORKLOAD)[0])
        await world.quiet(80)
        assert world.node("a")["attempt"] == 1
        queue.quota = 1
        assert (await world.finished(within=120))["nodes"][0]["attempt"] == 1


@pytest.mark.parametrize("effect", ["idempotent", "once"])
@virtual
async def test_s553_a_preempted_attempt_uses_no_retry(effect: str) -> None:
    async with World(script={"a": [slow, gives(1)], "b": [slow]}) as world:
        world.start()
        queue = kueue(world)
        low = python("a", isolation=LOW, effect=effect, onFailure="Continue")
        await world.submit(spec(low), name="low")
        await world.until(lambda: bool(world.work.pods("a")), "it runs", within=30)
        await world.quiet(10)
        await world.submit(spec(python("b", isolation=HIGH)), name="high")
        low_status = await world.finished("low", within=1200)
        await world.finished("high", within=1200)
        [node] = low_status["nodes"]
        first = node["attempts"][0]
        assert sum(queue.evictions.values()) == 1
        assert first["reason"] == "Preempted"
        assert (
            "queue team suspended its Job: Preempted: Preempted to accommodate" in first["message"]
        )
        assert not {"retries", "disruptions", "launchRetries"} & set(node)
        if effect == "once":
            assert (node["phase"], node["reason"]) == ("Failed", "UnknownEffect")
        else:
            assert (node["phase"], node["attempt"]) == ("Succeeded", 2)
        assert not world.ledger.doubled()


@virtual
async def test_s553_a_preempted_node_is_started_as_often_as_its_queue_allows() -> None:
    async with World(script={"a": [slow] * 8 + [gives(1)]}) as world:
        world.start()
        queue = kueue(world)
        await world.submit(spec(python("a", isolation=LOW)), name="low")
        for number in range(8):
            ran = 2 * number + 1
            await world.until(partial(has_run, world, ran), "a runs", within=60)
            await world.submit(spec(python("b", isolation=HIGH)), name=f"high-{number}")
            await world.finished(f"high-{number}", within=120)
        status = await world.finished("low", within=120)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 9)
        assert sum(queue.evictions.values()) == 8


@virtual
async def test_s553_a_queue_that_resumes_the_job_at_once_starts_nothing() -> None:
    """Its quota is free again at once: the Job is stopped while its pod still ends (A9)."""
    async with World(script={"a": [lambda pod: pod.hangs(stop_seconds=5.0), gives(1)]}) as world:
        world.start()
        queue = kueue(world)
        await world.submit(spec(python("a", isolation=LOW)))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        queue.preempt(world.all(Kind.JOB)[0])
        status = await world.finished(within=120)
        reasons = [one["reason"] for one in status["nodes"][0]["attempts"]]
        assert reasons == ["Preempted", "Succeeded"]
        assert not world.ledger.doubled()


@virtual
async def test_s553_an_attempt_that_its_queue_resumed_while_no_operator_ran_continues() -> None:
    async with World(script={"a": [slow]}) as world:
        operator = world.start()
        queue = kueue(world)
        await world.submit(spec(python("a", isolation=LOW)))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        operator.freeze()
        queue.preempt(world.all(Kind.JOB)[0])
        await world.quiet(60)
        operator.thaw()
        status = await world.finished(within=600)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 1)
        assert len(world.ledger.executions) == 2, "the known limit: docs/durability.md"


@virtual
async def test_s553_a_pod_that_a_person_deletes_is_disrupted_not_preempted() -> None:
    async with World(script={"a": [slow, gives(1)]}) as world:
        world.start()
        kueue(world)
        await world.submit(spec(python("a", isolation=LOW)))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        world.work.delete_pod(world.work.pods("a")[0])
        status = await world.finished(within=600)
        [node] = status["nodes"]
        assert [one["reason"] for one in node["attempts"]] == ["Disrupted", "Succeeded"]
        assert node["disruptions"] == 1


@virtual
async def test_s554_a_cancel_ends_an_attempt_in_a_queue_and_frees_its_place() -> None:
    async with World() as world:
        world.start()
        kueue(world, quota=0)
        await world.submit(spec(python("a", isolation=LOW)))
        await world.until(lambda: world.node("a").get("reason") == "Queued", "said", within=10)
        await world.patch_run({"cancel": True})
        status = await world.finished(within=120)
        assert status["phase"] == "Cancelled"
        await world.quiet(30)
        assert not world.all(Kind.WORKLOAD), "its Job asks for no quota any more"
        assert not world.ledger.executions
