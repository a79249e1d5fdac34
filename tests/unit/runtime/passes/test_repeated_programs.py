"""A webhook of others sets another restartPolicy in pods: the kubelet starts a program again that
has ended. The first run counts; the operator stops the others and names the cause (S524)."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.ports.cluster import Kind

from tests.fakes.api.wire import copied
from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import container, python, spec
from tests.support.harness import RUN, World
from tests.support.virtual import virtual

NAMED = "restartPolicy OnFailure, where Waypost sets Never"


def first(outcome: Any, then: Any) -> Program:
    """A program that does another thing when it is started again."""
    return lambda pod: replace(outcome(pod), again=then(pod))


def crashes(_: PodView) -> Outcome:
    return Outcome(seconds=2.0, exit_code=3, message="disk is gone")


def second_is_good(pod: PodView) -> Outcome:
    return pod.succeeds("second", seconds=1.0)


def second_hangs(pod: PodView) -> Outcome:
    return pod.hangs()


@pytest.mark.parametrize("then", [second_is_good, second_hangs], ids=["good", "hangs"])
@pytest.mark.parametrize("make", [container, python], ids=["container", "python"])
@virtual
async def test_s524_a_program_that_is_started_again_is_stopped_and_named(
    make: Any, then: Any
) -> None:
    """Its second run is no result of a node with effect once."""
    async with World(script={"a": [first(crashes, then)]}) as world:
        world.work.repeat(lambda job: "OnFailure")
        world.start()
        await world.submit(spec(make("a", effect="once", timeout="2h")))
        await world.until(lambda: len(world.ledger.executions) == 2, "it runs again", within=60)
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"]) == ("Failed", "UnknownEffect")
        assert "the kubelet has started its program 2 times" in node["message"]
        assert NAMED in node["message"]
        assert "the first time it ended with exit code 3: disk is gone" in node["message"]
        assert [a["reason"] for a in node["attempts"]] == ["ContainerRestarted"]
        assert len(world.ledger.executions) == 2


@virtual
async def test_s524_it_is_named_while_it_is_stopped() -> None:
    script = {"a": [first(crashes, lambda pod: pod.hangs(stop_seconds=20.0))]}
    async with World(script=script) as world:
        world.work.repeat(lambda job: "OnFailure")
        world.start()
        await world.submit(spec(container("a", timeout="2h")))
        await world.until(
            lambda: world.node("a").get("reason") == "ContainerRestarted", "named", within=20
        )
        assert world.node("a")["phase"] == "Running"
        assert "waypost.dev/run" in world.node("a")["message"]


@virtual
async def test_s524_it_is_retried_as_a_program_that_failed() -> None:
    async with World(script={"a": [first(crashes, second_hangs), second_is_good]}) as world:
        world.work.repeat(lambda job: "OnFailure")
        world.start()
        await world.submit(spec(container("a", retry={"limit": 1})))
        status = await world.finished(within=120)
        node = status["nodes"][0]
        assert [a["reason"] for a in node["attempts"]] == ["ContainerRestarted", "Succeeded"]
        assert (node["output"], node["retries"]) == ("second", 1)


@virtual
async def test_s524_of_many_runs_that_nobody_saw_the_first_is_not_known() -> None:
    async with World(script={"a": [first(crashes, crashes)]}) as world:
        world.work.repeat(lambda job: "OnFailure")
        operator = world.start()
        await world.submit(spec(container("a", effect="once", timeout="2h")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=60)
        operator.die()
        await world.until(lambda: len(world.ledger.executions) == 4, "it repeats", within=200)
        world.start()
        status = await world.finished(within=200)
        node = status["nodes"][0]
        assert node["reason"] == "UnknownEffect"
        assert "started its program 4 times" in node["message"]
        assert "how it ended the first time is not known any more" in node["message"]


@pytest.mark.parametrize("make", [container, python], ids=["container", "python"])
@virtual
async def test_s524_a_program_that_succeeds_at_once_is_left_alone(make: Any) -> None:
    async with World(script={"a": [second_is_good]}) as world:
        world.work.repeat(lambda job: "OnFailure")
        world.start()
        await world.submit(spec(make("a", effect="once")))
        status = await world.finished(within=60)
        assert (status["phase"], status["nodes"][0]["output"]) == ("Succeeded", "second")


@pytest.mark.parametrize("make", [container, python], ids=["container", "python"])
@virtual
async def test_s524_the_result_of_the_first_run_counts(make: Any) -> None:
    """With Always, a program that has succeeded is started again too."""
    good = lambda pod: pod.succeeds("first", seconds=1.0)  # noqa: E731
    async with World(script={"a": [first(good, second_hangs)]}) as world:
        world.work.repeat(lambda job: "Always")
        world.start()
        await world.submit(spec(make("a", effect="once")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (status["phase"], node["output"], node["attempt"]) == ("Succeeded", "first", 1)


@virtual
async def test_s524_a_cancel_ends_it_as_cancelled() -> None:
    script = {"a": [first(crashes, lambda pod: pod.hangs(stop_seconds=20.0))]}
    async with World(script=script) as world:
        operator = world.start()
        world.work.repeat(lambda job: "OnFailure")
        await world.submit(spec(container("a", timeout="2h")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=60)
        operator.die()
        await world.until(lambda: len(world.ledger.executions) == 2, "again", within=60)
        await world.patch(Kind.AGENT_WORKFLOW, RUN, {"cancel": True})
        world.start()
        status = await world.finished(within=120)
        assert status["phase"] == "Cancelled"


@virtual
async def test_s524_a_job_with_another_restart_policy_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So nothing of it starts. The message names the cause and what to do."""
    async with World(script={"a": [second_is_good]}) as world:
        server = world.cluster.server
        create = server.create

        def changed(kind: Kind, *, body: Any, **more: Any) -> Any:
            if kind is Kind.JOB:
                body = copied(body)
                body["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
            return create(kind, body=body, **more)

        monkeypatch.setattr(server, "create", changed)
        world.start()
        await world.submit(spec(python("a", effect="once")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")
        assert "a webhook or policy has changed the restartPolicy Never" in node["message"]
        assert not world.ledger.executions


def gone(seconds: float = 1.0) -> Program:
    """A program whose container is removed from its machine; it is started again all the same."""
    return lambda pod: Outcome(seconds=None, gone_after=seconds, again=second_is_good(pod))


@pytest.mark.parametrize("make", [container, python], ids=["container", "python"])
@virtual
async def test_s524_what_the_kubelet_says_of_a_container_that_is_gone_is_no_end(make: Any) -> None:
    """It says exit code 137 of it, and nobody knows how it ended. No policy was changed."""
    async with World(script={"a": [gone()]}) as world:
        world.start()
        await world.submit(spec(make("a", effect="once", timeout="2h")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        assert (node["phase"], node["reason"]) == ("Failed", "UnknownEffect")
        assert "although its pod has restartPolicy Never" in node["message"]
        assert "its container was gone from the machine while it ran" in node["message"]
        assert "how it ended the first time is not known any more" in node["message"]
        assert "137" not in node["message"]
        assert "webhook" not in node["message"]
        assert "exitCode" not in node["attempts"][0]


@virtual
async def test_s524_an_exit_code_that_the_kubelet_made_up_allows_no_retry() -> None:
    """retry.exitCodes has 137, which no program gave; the reason decides."""
    retry = {"limit": 1, "exitCodes": {"fail": [137]}}
    async with World(script={"a": [gone(), second_is_good]}) as world:
        world.start()
        await world.submit(spec(container("a", retry=retry)))
        status = await world.finished(within=120)
        reasons = [a["reason"] for a in status["nodes"][0]["attempts"]]
        assert reasons == ["ContainerRestarted", "Succeeded"]


@pytest.mark.parametrize(
    ("policy", "outcome", "words"),
    [
        ("OnFailure", crashes, "the first time it ended with exit code 3: disk is gone"),
        ("Always", lambda pod: pod.succeeds("first", seconds=1.0), None),
    ],
    ids=["its-exit-code", "its-result"],
)
@virtual
async def test_s524_what_was_seen_of_the_first_run_outlasts_its_container(
    policy: str, outcome: Any, words: str | None
) -> None:
    """When a pod ends, its kubelet removes the containers that ended before."""
    program: Program = lambda pod: replace(outcome(pod), again=second_hangs(pod), forgets=True)  # noqa: E731
    async with World(script={"a": [program]}) as world:
        world.work.repeat(lambda job: policy)
        world.start()
        await world.submit(spec(python("a", effect="once", timeout="2h")))
        status = await world.finished(within=60)
        node = status["nodes"][0]
        if words is None:
            assert (node["phase"], node["output"]) == ("Succeeded", "first")
        else:
            assert words in node["message"]


@virtual
async def test_s524_a_first_run_of_which_nobody_knows_the_end() -> None:
    """The kubelet has removed it before an operator looked."""
    program: Program = lambda pod: replace(crashes(pod), again=second_hangs(pod), forgets=True)  # noqa: E731
    async with World(script={"a": [program]}) as world:
        world.work.repeat(lambda job: "OnFailure")
        operator = world.start()
        await world.submit(spec(container("a", effect="once", timeout="2h")))
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=60)
        operator.die()
        await world.until(lambda: len(world.ledger.executions) == 2, "again", within=60)
        world.work.delete_pod(world.work.pods("a")[0])
        await world.until(
            lambda: world.work.pods("a")[0].body["status"]["phase"] == "Failed", "ended", within=60
        )
        world.start()
        node = (await world.finished(within=120))["nodes"][0]
        assert node["reason"] == "UnknownEffect"
        assert "how it ended the first time is not known any more" in node["message"]
        assert "exitCode" not in node["attempts"][0]
