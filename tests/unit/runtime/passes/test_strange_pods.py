"""What others put beside a node's container, and what the kubelet says where it knows nothing
(K2, K3)."""

import pytest
from waypost.kube.objects import section
from waypost.ports.cluster import Kind

from tests.fakes.nodes.programs import Outcome, Program
from tests.support.builders import container, python, spec
from tests.support.harness import RUN, World, gives
from tests.support.virtual import virtual

START_ERROR = Outcome(blocked="StartError", blocked_text='exec: "/no": no such file')
NO_IMAGE = Outcome(blocked="ErrImagePull", blocked_text="not found")


@pytest.mark.parametrize("make", [container, python], ids=["container", "python"])
@virtual
async def test_s67_a_program_that_cannot_be_started_has_no_times(make: object) -> None:
    async with World(script={"a": [lambda _: START_ERROR]}) as world:
        world.start()
        assert callable(make)
        await world.submit(spec(make("a", effect="once")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"]) == ("Failed", "NodeError")
        assert "StartError" in node["message"]
        assert "no such file" in node["message"]
        assert "refused" not in node["message"], "its words are no record"
        attempt = node["attempts"][-1]
        assert "startedAt" not in attempt
        assert attempt["finishedAt"] > attempt["launchedAt"]
        assert attempt["neverStarted"] is True


@virtual
async def test_once_is_tried_again_when_its_program_never_started() -> None:
    async with World(script={"a": [lambda _: NO_IMAGE, lambda _: NO_IMAGE, gives(1)]}) as world:
        world.start()
        await world.submit(spec(python("a", effect="once", queueTimeout="20s")))
        status = await world.finished(within=300)
        node = status["nodes"][0]
        assert (node["phase"], node["attempt"], node["launchRetries"]) == ("Succeeded", 3, 2)
        assert [a.get("neverStarted") for a in node["attempts"]] == [True, True, None]


@virtual
async def test_a_deleted_pod_that_was_seen_waiting_never_started() -> None:
    async with World(script={"a": [lambda _: NO_IMAGE, gives(1)]}) as world:
        world.start()
        await world.submit(spec(python("a", effect="once")))
        await world.until(lambda: world.node("a").get("reason") == "ImagePull", "named", within=60)
        world.work.delete_pod(world.work.pods("a")[0])
        status = await world.finished(within=300)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 2)


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "operator-down"])
@pytest.mark.parametrize(
    "after", [1.0, 1.3, 1.6, 1.9]
)  # so that some end just before a full second
@virtual
async def test_s60_a_program_that_obeys_sigterm_has_not_done_its_work(
    after: float, seen: bool
) -> None:
    """The kubelet's last delete comes later than the end, and moves the deletionTimestamp."""
    obeys: Program = lambda pod: pod.hangs(stop_code=0, stop_seconds=after)  # noqa: E731
    async with World(script={"a": [obeys, gives("done")]}) as world:
        operator = world.start()
        await world.submit(spec(container("a")))
        await world.until(lambda: bool(world.ledger.executions), "it runs")
        if not seen:
            operator.die()
        world.work.delete_pod(world.work.pods("a")[0])
        await world.quiet(5)
        if not seen:
            world.start()
        status = await world.finished(within=120)
        node = status["nodes"][0]
        assert [a["reason"] for a in node["attempts"]] == ["Disrupted", "Succeeded"]
        assert node["output"] == "done"


# --- init containers ------------------------------------------------------------------------------


@virtual
async def test_s66_an_init_container_that_fails_is_named() -> None:
    stuck = Outcome(blocked="InitFails", blocked_text="no token")
    async with World(script={"a": [lambda _: stuck]}) as world:
        world.start()
        await world.submit(spec(python("a", effect="once")))
        status = await world.finished(within=300)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"], node["attempt"]) == ("Failed", "PodRejected", 3)
        assert (
            "init container vault-agent-init failed with exit code 7: no token" in node["message"]
        )
        assert world.ledger.executions == []


@virtual
async def test_an_init_container_that_cannot_be_pulled_is_named_at_once() -> None:
    stuck = Outcome(blocked="InitPull", blocked_text="no such tag", blocked_seconds=100)
    async with World(script={"a": [lambda _: stuck]}) as world:
        world.start()
        await world.submit(spec(container("a")))
        await world.until(lambda: bool(world.node("a").get("reason")), "named", within=30)
        assert world.node("a")["reason"] == "ImagePull"
        assert "vault-agent-init: ErrImagePull: no such tag" in world.node("a")["message"]
        assert (await world.finished(within=300))["phase"] == "Succeeded"


# --- sidecars ------------------------------------------------------------------------------------


@virtual
async def test_s66_a_sidecar_does_not_outlive_its_node() -> None:
    async with World() as world:
        world.work.inject(lambda job: [{"name": "proxy", "image": "proxy:1"}])
        world.start()
        await world.submit(spec(python("a", timeout="2h")))
        status = await world.finished(within=30)
        assert status["phase"] == "Succeeded"
        pod = world.work.pods("a")[0]
        assert section(pod.body, "status")["phase"] == "Running", "the sidecar lives on"
        await world.until(lambda: not world.work.pods("a"), "the pod is gone", within=60)
        assert world.status() == status


@virtual
async def test_s66_a_sidecar_does_not_outlive_a_node_whose_job_was_orphaned() -> None:
    """The operator lists no Jobs: it still knows one that a person has deleted."""
    async with World() as world:
        world.work.inject(lambda job: [{"name": "proxy", "image": "proxy:1"}])
        world.work.program = gives(1, seconds=20)
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        job = world.all(Kind.JOB)[0]["metadata"]["name"]
        await world.delete(Kind.JOB, job, propagation="Orphan")
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        await world.until(lambda: not world.all(Kind.POD), "the pod is gone", within=60)


@virtual
async def test_a_sidecar_is_stopped_once_though_the_watch_is_silent() -> None:
    async with World() as world:
        world.work.inject(lambda job: [{"name": "proxy", "image": "proxy:1"}])
        operator = world.start(resync_seconds=7200.0)
        await world.submit(spec(python("a")))
        await world.finished(within=30)
        operator.watch.pause()
        await world.quiet(600)
        assert not world.work.pods("a")
        assert [c.verb for c in operator.line.writes(Kind.JOB)] == ["create", "patch"]


@virtual
async def test_a_pod_without_sidecars_is_not_touched() -> None:
    async with World() as world:
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.finished(within=30)
        await world.quiet(60)
        assert [c.verb for c in operator.line.writes(Kind.JOB)] == ["create"]


# --- Jobs that others suspend --------------------------------------------------------------------


async def suspend_job(world: World, suspended: bool) -> None:
    await world.patch(Kind.JOB, world.all(Kind.JOB)[0]["metadata"]["name"], {"suspend": suspended})


@virtual
async def test_s66_a_job_that_a_queue_holds_is_told_and_goes_on() -> None:
    async with World() as world:
        world.start()
        world.work.refuse_pods(lambda job: "held" if world.clock.monotonic() < 3 else None)
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.all(Kind.JOB)), "there is a Job", within=10, step=0.05)
        await suspend_job(world, True)
        await world.until(
            lambda: "suspended" in world.node("a").get("message", ""), "reported", within=60
        )
        assert world.node("a")["reason"] == "PodRejected"
        await suspend_job(world, False)
        status = await world.finished(within=120)
        assert (status["phase"], status["nodes"][0]["attempt"]) == ("Succeeded", 1)
        assert world.run(RUN)["status"]["nodes"][0].get("reason") is None


@virtual
async def test_a_job_that_stays_suspended_ends_after_its_queue_timeout() -> None:
    async with World() as world:
        world.start()
        world.work.refuse_pods(lambda job: "held")
        await world.submit(spec(python("a", queueTimeout="60s", onFailure="Continue"), python("b")))
        await world.until(lambda: bool(world.all(Kind.JOB)), "there is a Job", within=10, step=0.05)
        await suspend_job(world, True)
        await world.until(lambda: world.node("a").get("attempt") == 2, "given up", within=120)


@virtual
async def test_a_stopped_attempt_does_not_start_when_a_queue_resumes_its_job() -> None:
    async with World() as world:
        world.start()
        world.work.queue_jobs(True)
        once = python("a", queueTimeout="20s", effect="once", retry={"never": True})
        await world.submit(spec(once, python("b", after=["a"])))
        await world.until(lambda: world.node("a").get("attempt") == 2, "given up", within=120)
        world.work.queue_jobs(False)
        status = await world.finished(within=300)
        assert status["phase"] == "Succeeded"
        assert [e.attempt for e in world.ledger.executions if e.path == "a"] != [1]
        assert [e.path for e in world.ledger.executions].count("a") == 1
