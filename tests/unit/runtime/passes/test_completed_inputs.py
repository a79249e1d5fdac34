"""Inputs of a run with the defaults of its schema: what nodes read, and what the status shows."""

import json

import pytest
from waypost.ports.cluster import Obj

from tests.support.builders import python, spec
from tests.support.harness import World
from tests.support.virtual import virtual

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "default": 3}, "text": {"type": "string"}},
}
NODE = python("a", inputs={"n": "${inputs.n}", "size": "${size(inputs.text)}"})


@pytest.mark.parametrize(
    ("inputs", "shown"),
    [
        pytest.param({"text": "x" * 8000}, {"n": 3, "text": "x" * 8000}, id="small"),
        pytest.param({"text": "x" * 9000}, None, id="large"),
        pytest.param({"text": "x" * 200_000}, None, id="very-large"),
        pytest.param({"text": "x", "n": 4}, None, id="nothing-to-complete"),
    ],
)
@virtual
async def test_s634_completed_inputs_are_shown_if_they_are_small(
    inputs: Obj, shown: Obj | None
) -> None:
    async with World() as world:
        world.start()
        await world.submit(spec(NODE, inputSchema=SCHEMA, inputs=inputs))
        status = await world.finished()
        assert status.get("inputs") == shown
        expected = {"n": inputs.get("n", 3), "size": len(inputs["text"])}
        assert world.work.pods("a")[0].inputs == expected, "nodes read the defaults"
        assert len(json.dumps(status)) < 16 * 1024
