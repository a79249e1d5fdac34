"""Reads beside records and lists that fail: templates, definitions, machines, namespaces, and the
object whose name is taken (S85)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.ports.cluster import (
    ClusterError,
    Kind,
    Obj,
    PatchType,
    QuotaExceeded,
    RefusedForNow,
    Unavailable,
)

from tests.support.builders import container, gate, python, spec, wait
from tests.support.harness import NAMESPACE, Call, Operator, World, fails, hangs
from tests.support.refusals import FORBIDDEN, Refusal, says_unread
from tests.support.templates import REVIEW, RUN_OF, create_template
from tests.support.virtual import virtual

ERRORS: list[Any] = [
    pytest.param(FORBIDDEN, id="rbac"),
    pytest.param(RefusedForNow("failed calling webhook: refused", code=500), id="webhook"),
    pytest.param(Unavailable("internal error", code=500), id="500"),
    pytest.param(None, id="timeout"),
]


@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "readable"])
@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_a_run_whose_template_cannot_be_read_waits_and_says_so(
    error: ClusterError | None, cancel: bool
) -> None:
    async with World() as world:
        refused = Refusal(world.start(), error, Kind.AGENT_WORKFLOW_TEMPLATE, verb="get")
        await create_template(world, spec(python("a")))
        await world.submit(RUN_OF)
        await world.until(
            lambda: world.condition("Accepted").get("reason") == "ReadRejected", "said", within=60
        )
        text = world.condition("Accepted")["message"]
        assert "AgentWorkflowTemplate review cannot be read" in text
        if cancel:
            await world.patch_run({"cancel": True})
        else:
            refused.on = False
        status = await world.finished(within=150)
        assert status["phase"] == ("Cancelled" if cancel else "Succeeded")


@pytest.mark.parametrize("end", ["readable", "cancel", "deadline"])
@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_a_pinned_definition_that_a_new_operator_cannot_read(
    error: ClusterError | None, end: str
) -> None:
    async with World(script={"a": [hangs()]}) as world:
        first = world.start()
        await create_template(world, spec(container("a", timeout="60s"), python("b")))
        await world.submit({**RUN_OF, **({"deadline": "3m"} if end == "deadline" else {})})
        await world.until(lambda: "finishedAt" in world.node("b"), "b has run", within=30)
        first.die()
        refused = Refusal(world.start(), error, Kind.NODE_RECORD, verb="get")
        await world.until(
            lambda: world.condition("Accepted").get("reason") == "DefinitionUnread",
            "said",
            within=60,
        )
        assert "cannot be read" in world.condition("Stalled")["message"]
        if end == "readable":
            refused.on = False
        elif end == "cancel":
            await world.patch_run({"cancel": True})
        status = await world.finished(within=260)
        expected = {"readable": "Timeout", "cancel": "Cancelled", "deadline": "DeadlineExceeded"}
        assert world.node("a")["reason"] == expected[end]
        assert status["phase"] == ("Cancelled" if end == "cancel" else "Failed")
        if end == "readable":
            assert world.condition("Accepted")["status"] == "True"


async def until_ended(world: World, path: str) -> None:
    await world.until(lambda: "finishedAt" in world.node(path), path, within=150)


UNREAD_NODES: list[Obj] = [
    container("a", timeout="20m", deadline="90s", onFailure="Continue"),
    container("long", timeout="20m"),
    container("retried", deadline="2m", retry={"limit": 3, "backoff": {"initial": "1h"}}),
]


@pytest.mark.parametrize("lost", [False, True], ids=["unread", "lost"])
@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s465_deadlines_of_nodes_do_not_wait_for_the_definition(
    error: ClusterError | None, lost: bool
) -> None:
    """An attempt is stopped and closed; a node between two attempts ends; others continue."""
    script = {"a": [hangs()], "long": [hangs()], "retried": [fails()]}
    async with World(script=script) as world:
        first = world.start()
        await create_template(world, spec(*UNREAD_NODES))
        await world.submit(RUN_OF)
        await world.until(lambda: world.node("retried").get("phase") == "Backoff", "ran", within=30)
        first.die()
        await world.user.patch(
            Kind.AGENT_WORKFLOW_TEMPLATE,
            namespace=NAMESPACE,
            name=REVIEW,
            body={"spec": spec(python("other"))},
            patch_type=PatchType.MERGE,
        )
        record = world.status()["template"]["record"]
        body = next(r for r in world.all(Kind.NODE_RECORD) if r["metadata"]["name"] == record)
        if lost:
            await world.delete(Kind.NODE_RECORD, record)
        refused = Refusal(world.start(), error, Kind.NODE_RECORD, verb="get")
        refused.on = not lost
        reason = "DefinitionLost" if lost else "DefinitionUnread"
        await world.until(
            lambda: world.condition("Accepted").get("reason") == reason, "said", within=60
        )
        for path in ("a", "retried"):
            await until_ended(world, path)
            assert world.node(path)["phase"] == "Failed"
            assert world.node(path)["reason"] == "DeadlineExceeded"
        await world.quiet(60)
        assert world.node("long")["phase"] == "Running"
        assert not world.work.pods("a")
        refused.on = False
        if lost:
            del body["metadata"]["resourceVersion"], body["metadata"]["uid"]
            await world.user.create(Kind.NODE_RECORD, namespace=NAMESPACE, body=body)
        await world.until(
            lambda: world.condition("Accepted")["status"] == "True", "continues", within=150
        )


def phases(world: World) -> list[str]:
    return [pod.body["status"]["phase"] for pod in world.work.pods("a")]


@virtual
async def test_s521_a_container_ends_by_its_pods_limit_while_the_definition_is_unread() -> None:
    """Cancel and deadlines: see above. What follows from the definition waits for it."""
    async with World(script={"a": [hangs()]}) as world:
        first = world.start()
        await create_template(world, spec(container("a", timeout="30s", queueTimeout="1m")))
        await world.submit(RUN_OF)
        await world.until(lambda: bool(world.work.pods("a")), "runs", within=30)
        first.die()
        refused = Refusal(world.start(), FORBIDDEN, Kind.NODE_RECORD, verb="get")
        await world.quiet(80)
        assert phases(world) == ["Running"], "no work is lost"
        await world.quiet(70)
        assert world.node("a")["phase"] == "Running"
        assert phases(world) == ["Failed"], "the kubelet has ended it"
        refused.on = False
        await world.finished(within=150)
        assert world.node("a")["reason"] == "Timeout"


@virtual
async def test_s85_a_namespace_that_cannot_be_read_holds_up_no_disrupted_pod() -> None:
    async with World(script={"a": [hangs()]}) as world:
        refused = Refusal(world.start(), FORBIDDEN, Kind.NAMESPACE, verb="get")
        await world.submit(spec(container("a", onFailure="Continue"), python("b")))
        await world.until(lambda: bool(world.work.pods("a")), "it runs", within=30)
        await world.delete(Kind.POD, world.work.pods("a")[0].name)
        await world.until(lambda: world.node("a").get("attempt") == 2, "replaced", within=90)
        assert refused.count > 0


@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_a_machine_that_cannot_be_read_is_not_lost(error: ClusterError | None) -> None:
    async with World(script={"a": [hangs()]}) as world:
        refused = Refusal(world.start(), error, Kind.NODE, verb="get")
        await world.submit(spec(container("a", timeout="2h"), wait("w", duration="20m")))
        await world.until(lambda: world.node("a").get("phase") == "Running", "it runs", within=30)
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
        world.work.lose_machine(world.all(Kind.POD)[0]["spec"]["nodeName"])
        await world.until(lambda: world.node("a").get("reason") == "NodeLost", "said", within=240)
        assert "cannot be read" in world.node("a")["message"]
        await world.quiet(600)
        assert world.node("a")["attempt"] == 1
        refused.on = False
        await world.until(lambda: world.node("a")["attempt"] == 2, "replaced", within=500)
        await world.until(lambda: world.node("w")["phase"] == "Succeeded", "w", within=1300)


def unreadable_after_create(operator: Operator, kind: Kind) -> dict[str, bool]:
    """The first create is done and its answer lost; what stands cannot be read while `on`."""
    state = {"on": True, "lost": False}

    async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        if call.kind is kind and call.verb == "create" and not state["lost"]:
            state["lost"] = True
            await send()
            raise Unavailable("the connection was reset")
        if call.kind is kind and call.verb in ("get", "list") and operator.ready and state["on"]:
            raise FORBIDDEN
        return await send()

    operator.line.intercept = intercept
    return state


@pytest.mark.parametrize("kind", [Kind.JOB, Kind.CONFIG_MAP])
@virtual
async def test_s85_a_job_that_stands_and_cannot_be_read_is_not_refused(kind: Kind) -> None:
    """It may run: LaunchRejected would say that it was never started."""
    async with World() as world:
        state = unreadable_after_create(world.start(), kind)
        node = python("a", effect="once", inputs={"x": "y" * 9000})
        await world.submit(spec(node, python("b")))
        await world.until(lambda: "finishedAt" in world.node("b"), "b", within=60)
        await world.quiet(60)
        assert world.node("a").get("reason") != "UnknownEffect"
        assert world.node("a")["phase"] in ("Running", "Succeeded")
        state["on"] = False
        assert (await world.finished(within=150))["phase"] == "Succeeded"
        assert len(world.ledger.of("a")) == 1


@virtual
async def test_s85_an_approval_that_stands_and_cannot_be_read_holds_up_its_gate_alone() -> None:
    async with World() as world:
        operator = world.start()
        operator.watch.pause()  # or the watch would deliver it
        state = unreadable_after_create(operator, Kind.APPROVAL)
        await world.submit(spec(gate("ok"), wait("w", duration="30s")))
        operator.watch.resume()
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked", within=30)
        await world.until(lambda: "finishedAt" in world.node("w"), "w", within=60)
        assert operator.controller.set_aside.count("Failing") == 0
        state["on"] = False
        await world.answer(decision="Approved")
        assert (await world.finished(within=150))["phase"] == "Succeeded"


@virtual
async def test_s85_pods_that_may_not_be_deleted_are_named_and_hold_up_nothing_else() -> None:
    """Neither the Job can be suspended nor its pod be deleted."""
    async with World(script={"a": [hangs()], "c": [hangs()]}) as world:
        operator = world.start()
        on = True

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            job = call.kind is Kind.JOB and call.verb == "patch" and "-a-" in call.name
            pod = call.kind is Kind.POD and call.verb == "delete"
            if on and (job or pod):
                raise FORBIDDEN
            return await send()

        operator.line.intercept = intercept
        nodes: list[Obj] = [
            container("a", timeout="20s", onFailure="Continue"),
            container("c", deadline="150s", onFailure="Continue"),
            wait("w", duration="100s"),
            python("b", dependsOn=["w"]),
        ]
        await world.submit(spec(*nodes))
        await world.until(
            lambda: world.node("a").get("reason") == "StopRejected", "named", within=90
        )
        assert FORBIDDEN.message in world.node("a")["message"]
        await world.until(lambda: "finishedAt" in world.node("b"), "b", within=115)
        await world.until(lambda: "finishedAt" in world.node("c"), "c", within=70)
        assert operator.controller.set_aside.count("Failing") == 0
        on = False
        await world.finished(within=150)
        assert world.node("a")["reason"] == "Timeout"


@virtual
async def test_s85_the_message_of_a_node_that_could_be_read_again_is_cleared() -> None:
    async with World() as world:
        operator = world.start()
        world.work.queue_jobs(True)
        refused = Refusal(operator, FORBIDDEN, Kind.JOB, verb="list")
        await world.submit(spec(python("a")))
        await says_unread(world, "a")
        refused.on = False
        await world.until(
            lambda: world.node("a").get("reason") == "PodRejected", "the Job waits", within=150
        )


@virtual
async def test_s85_a_create_that_is_never_answered_is_named_and_holds_up_no_other() -> None:
    """It uses up the ten seconds in which the operator may create anything."""
    async with World() as world:
        operator = world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.kind is Kind.JOB and call.verb == "create" and "-a-" in call.name:
                await asyncio.sleep(9.5)
                raise Unavailable("the request timed out")
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a"), python("b")))
        await world.until(lambda: world.node("b").get("phase") == "Succeeded", "b", within=60)
        await world.until(
            lambda: world.node("a").get("reason") == "LaunchRejected", "named", within=60
        )


LATEST: Obj = {"rerun": {"round": 2, "template": "Latest"}}
QUOTA = QuotaExceeded("exceeded quota: team, requested: count/noderecords=1", code=403)


@virtual
async def test_s85_a_cancel_does_not_wait_for_a_round_whose_definition_cannot_be_stored() -> None:
    async with World(script={"a": [fails()]}) as world:
        refused = Refusal(world.start(), QUOTA, Kind.NODE_RECORD)
        refused.on = False
        await create_template(world, spec(python("a", onFailure="Pause")))
        await world.submit(RUN_OF)
        await world.until(lambda: world.status().get("phase") == "Paused", "paused", within=60)
        refused.on = True
        await world.user.patch(
            Kind.AGENT_WORKFLOW_TEMPLATE,
            namespace=NAMESPACE,
            name=REVIEW,
            body={"spec": {"deadline": "2h"}},
            patch_type=PatchType.MERGE,
        )
        await world.patch_run(LATEST)
        await world.until(lambda: QUOTA.message in str(world.status()), "said", within=60)
        await world.patch_run({"cancel": True})
        status = await world.finished(within=60)
        assert (status["phase"], status.get("round", 1)) == ("Cancelled", 1)
