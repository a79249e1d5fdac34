"""examples/kept-logs: the failed attempt has a kept log, the one that succeeded has none."""

import asyncio
from typing import Any

import yaml
from waypost.kube.logs.policy import LogSettings
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.support.harness import World, fails, gives
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load(
    (EXAMPLES / "kept-logs" / "workflow.yaml").read_text(encoding="utf-8")
)


@virtual
async def test_only_what_failed_is_kept() -> None:
    """S586"""
    script = {"load": [fails(log="loading\nboom\n"), gives({"rows": 3}, log="loading\n")]}
    async with World(script=script) as world:
        world.start(logs=LogSettings("All", 256 * 1024))
        await world.submit(MANIFEST["spec"], name=MANIFEST["metadata"]["name"])
        status = await world.finished("kept-logs")
        assert status["outputs"] == {"rows": 3}
        await asyncio.sleep(30)
        records = [one["spec"] for one in world.all(Kind.NODE_RECORD)]
        logs = [(one["attempt"], one["data"]["text"]) for one in records if one["type"] == "Log"]
        assert logs == [(1, "loading\nboom\n")]
