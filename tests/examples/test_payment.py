"""examples/payment: an event before the run, one after, and none."""

import asyncio
from typing import Any

import pytest
import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.test_templates import own_program
from tests.support.events import send
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "payment" / "workflow.yaml"


@pytest.mark.parametrize(
    ("name", "early", "result"),
    [
        ("payment.succeeded", True, "shipped for 7"),
        ("payment.succeeded", False, "shipped for 7"),
        ("payment.failed", False, "payment failed"),
        ("", False, "not paid in time"),
    ],
)
@virtual
async def test_the_order(name: str, early: bool, result: str) -> None:
    manifest: Any = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    async with World(script={"ship": [own_program], "cancel_order": [own_program]}) as world:
        world.start()
        sent = {"name": name, "key": "order-42", "payload": {"amount": 7}}
        if name and early:
            await send(world, "pay-1", **sent)
            await asyncio.sleep(60)
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=manifest)
        if name and not early:
            await asyncio.sleep(3600)
            await send(world, "pay-1", **sent)
        status = await world.finished("payment", within=100_000)
        assert status["outputs"] == {"result": result}, world.tell()
