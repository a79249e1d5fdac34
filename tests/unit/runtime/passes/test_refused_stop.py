"""A Job that the API server refuses to stop: the node says so, and ends when it can be stopped."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.ports.cluster import Kind, QuotaExceeded, RefusedForNow, Unavailable

from tests.support.builders import container, spec, wait
from tests.support.harness import Call, World, hangs
from tests.support.virtual import virtual


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(QuotaExceeded("exceeded quota: team", code=403), id="quota"),
        pytest.param(RefusedForNow("failed calling webhook: refused", code=500), id="webhook"),
        pytest.param(Unavailable("internal error", code=500), id="no answer"),
    ],
)
@virtual
async def test_s69_a_refused_stop_is_named_and_tried_again(error: Exception) -> None:
    async with World(script={"a": [hangs()]}) as world:
        operator = world.start()
        refused = True

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if refused and call.kind is Kind.JOB and call.verb == "patch":
                raise error
            return await send()

        operator.line.intercept = intercept
        more = {"timeout": "60s", "onFailure": "Continue"}
        await world.submit(spec(container("a", **more), wait("b", duration="200s")))
        await world.until(
            lambda: world.node("a").get("reason") == "StopRejected", "it is named", within=150
        )
        node = world.node("a")
        assert (node["phase"], str(error) in node["message"]) == ("Running", True)
        await world.until(
            lambda: world.node("b")["phase"] == "Succeeded", "b continues", within=300
        )
        refused = False
        status = await world.finished(within=300)
        node = next(n for n in status["nodes"] if n["path"] == "a")
        assert (node["phase"], node["reason"]) == ("Failed", "Timeout")
        assert "cannot be stopped" not in (node.get("message") or "")
