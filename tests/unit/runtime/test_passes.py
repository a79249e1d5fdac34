"""What of a pass is done beside the event loop: all that users' text can make long."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from waypost.ports.offload import inline
from waypost.runtime.controller import Controller

from tests.builders import python, spec
from tests.unit.runtime import harness
from tests.unit.runtime.harness import World, gives
from tests.unit.runtime.virtual import virtual

SPEC = spec(python("a"), python("b", inputs={"v": "${nodes.a.output}"}))


@virtual
async def test_definitions_and_decisions_are_handed_to_the_offload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def noting(work: Callable[..., Any], *args: Any) -> Any:
        done.append(work.__name__)
        return await inline(work, *args)

    monkeypatch.setattr(harness, "Controller", partial(Controller, offload=noting))
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.start()
        await world.submit(SPEC)
        assert (await world.finished())["phase"] == "Succeeded"
    assert set(done) == {"define", "plan", "decide"}
    assert done.count("define") == 1
