"""Child runs that the API server refuses to create, to show or to change, and rounds that they
refuse: the node says so, and continues once it can.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.ports.cluster import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Kind,
    QuotaExceeded,
    RefusedForNow,
    Rejected,
    Unavailable,
)

from tests.support.builders import python, spec
from tests.support.children import DOUBLE, PARENT, calls, child, child_runs, patch_child, ran
from tests.support.harness import RUN, Call, Operator, World, fails, gives, hangs
from tests.support.refusals import says_unread
from tests.support.templates import REVIEW, create_template
from tests.support.virtual import virtual

FORBIDDEN = Rejected("agentworkflows.waypost.dev is forbidden", code=403)


class Refusing:
    """Requests for child runs that fail while it is on. `verbs` says with what."""

    def __init__(self, operator: Operator, verbs: dict[str, ClusterError]) -> None:
        self.on = True

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            about = call.kind is Kind.AGENT_WORKFLOW and call.name != RUN
            if self.on and operator.ready and about and call.verb in verbs:
                raise verbs[call.verb]
            return await send()

        operator.line.intercept = intercept


@virtual
async def test_s207_a_round_that_the_child_refuses_is_named() -> None:
    """Its node has effect: once, so a person decides in the child run."""
    body = spec(python("pay", effect="once"), outputs={"o": "${nodes.pay.output}"})
    async with World(script={"pay": [fails(), gives(2)]}) as world:
        world.start()
        await create_template(world, body)
        await world.submit(spec(calls("check"), outputs={"o": "${nodes.check.output.o}"}))
        await world.finished()
        await world.quiet(5)
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(
            lambda: "rerun.from" in (world.node("check").get("message") or ""),
            "the node says it",
            within=120,
        )
        assert world.node("check")["phase"] == "Running"
        await patch_child(world, {"rerun": {"round": 2, "from": ["pay"]}})
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"o": 2})
        assert ran(world) == ["pay", "pay"]


@virtual
async def test_s206_a_cancel_ends_a_node_whose_child_refuses_the_round() -> None:
    async with World(script={"pay": [fails(), gives(2)]}) as world:
        world.start()
        await create_template(world, spec(python("pay", effect="once")))
        await world.submit(spec(calls("check")))
        await world.finished()
        await world.quiet(5)
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(
            lambda: "rerun.from" in (world.node("check").get("message") or ""),
            "the node says it",
            within=120,
        )
        await world.patch_run({"cancel": True})
        status = await world.finished(within=120)
        assert (status["phase"], world.node("check")["phase"]) == ("Cancelled", "Cancelled")
        await world.quiet(60)
        assert ran(world) == ["pay"]


@virtual
async def test_s210_a_child_that_has_run_outlives_a_template_that_is_missing() -> None:
    """Its checkpoints would be lost with it."""
    async with World(script={"twice": [fails(), gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        parent = {**PARENT, "nodes": [{**PARENT["nodes"][0], "queueTimeout": "1m"}]}
        inputs = parent.pop("inputs")
        await create_template(world, {**parent, "inputSchema": {"type": "object"}}, "outer")
        await world.submit({"templateRef": {"name": "outer"}, "inputs": inputs})
        await world.finished()
        await world.quiet(5)
        await world.delete(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW)
        await world.patch_run({"rerun": {"round": 2, "template": "Latest"}})
        await world.until(
            lambda: world.node("check").get("reason") == "MissingReference", "it is named"
        )
        await world.quiet(180)
        assert world.node("check")["phase"] == "Running"
        assert "stopping" not in world.node("check")["child"]
        await create_template(world, DOUBLE)
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        assert world.node("check")["child"]["generation"] == 1


@virtual
async def test_a_create_that_is_never_answered_is_named_and_holds_up_no_other() -> None:
    async with World() as world:
        operator = world.start()
        await create_template(world, spec(python("x")))
        silent: list[str] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.kind is Kind.AGENT_WORKFLOW and call.verb == "create":
                silent.append(call.name)
                if call.name == silent[0]:
                    await asyncio.sleep(60)
                    raise Unavailable("lost")
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(calls("a"), calls("b")))
        await world.until(lambda: world.node("b").get("phase") == "Succeeded", "b", within=150)
        await world.until(
            lambda: world.node("a").get("reason") == "LaunchRejected", "it is named", within=150
        )
        assert "does not answer in time" in world.node("a")["message"]


@virtual
async def test_a_child_that_exists_and_cannot_be_read_is_not_refused_for_good() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        refusing = Refusing(
            world.start(), {"create": AlreadyExists("exists", code=409), "get": FORBIDDEN}
        )
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await world.until(
            lambda: world.node("check").get("reason") == "LaunchRejected", "it is named"
        )
        node = world.node("check")
        assert node["phase"] == "Running"
        assert "may exist already and cannot be read: agentworkflows" in node["message"]
        refusing.on = False
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})


@virtual
async def test_a_child_that_has_changed_is_read_before_it_is_patched_again() -> None:
    async with World(script={"twice": [hangs()]}) as world:
        operator = world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        name, conflicts, read = child(world)["metadata"]["name"], 0, False

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal conflicts, read
            if call.name == name and call.verb == "get":
                read = True
            if call.name == name and call.verb == "patch" and not read and conflicts < 20:
                conflicts += 1
                raise Conflict("the object has been modified", code=409)
            return await send()

        operator.line.intercept = intercept
        await world.patch_run({"cancel": True})
        await world.finished()
        assert (conflicts, read) == (1, True)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FORBIDDEN, id="rbac"),
        pytest.param(RefusedForNow("failed calling webhook: refused", code=500), id="webhook"),
    ],
)
@virtual
async def test_a_refused_change_of_a_child_is_named_and_tried_again(error: Rejected) -> None:
    async with World(script={"twice": [hangs()]}) as world:
        operator = world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        refusing = Refusing(operator, {"patch": error})
        await world.patch_run({"cancel": True})
        await world.until(
            lambda: world.node("check").get("reason") == "StopRejected", "it is named", within=150
        )
        name = child(world)["metadata"]["name"]
        text = f"run {name} cannot be changed: {error.message}"
        assert text in world.node("check")["message"]
        refusing.on = False
        status = await world.finished()
        assert (status["phase"], world.node("check")["phase"]) == ("Cancelled", "Cancelled")
        assert "cannot be changed" not in world.node("check")["message"]


@virtual
async def test_s85_a_node_names_the_list_of_child_runs_that_is_refused() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        refusing = Refusing(world.start(), {"create": Unavailable("lost"), "list": FORBIDDEN})
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        node = await says_unread(world, "check")
        assert "Jobs, pods and child runs cannot be read: agentworkflows" in node["message"]
        refusing.on = False
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})


@virtual
async def test_s202_a_child_that_a_quota_refuses_fails_after_queue_timeout() -> None:
    async with World() as world:
        Refusing(world.start(), {"create": QuotaExceeded("exceeded quota: team", code=403)})
        await create_template(world, DOUBLE)
        await world.submit(spec(calls("check", inputs={"n": 4}, queueTimeout="1m")))
        await world.finished(within=600)
        node = world.node("check")
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")
        assert "exceeded quota: team" in node["message"]
        assert not child(world)


@virtual
async def test_s520_a_refusal_before_an_absence_does_not_end_a_child() -> None:
    """The operator is cut off for longer than the queueTimeout; then the quota has room."""
    async with World(script={"twice": [gives(8)]}) as world:
        operator = world.start()
        refusing = Refusing(operator, {"create": QuotaExceeded("exceeded quota", code=403)})
        refuse = operator.line.intercept
        await create_template(world, DOUBLE)
        await world.submit(spec(calls("check", inputs={"n": 4}, queueTimeout="2m")))
        await world.until(
            lambda: world.node("check").get("reason") == "LaunchRejected", "says why", within=60
        )

        async def cut_off(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            raise Unavailable("no route to host")

        operator.line.intercept = cut_off
        await world.quiet(300)
        refusing.on = False
        operator.line.intercept = refuse
        assert (await world.finished(within=200))["phase"] == "Succeeded"
