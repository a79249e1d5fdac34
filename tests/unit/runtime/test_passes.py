"""What of a pass is done beside the event loop: all that users' text can make long."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from waypost.ports.offload import inline
from waypost.runtime.controller import Controller

from tests.support import harness
from tests.support.builders import python, spec
from tests.support.harness import World, gives
from tests.support.virtual import virtual

SPEC = spec(python("a"), python("b", inputs={"v": "${nodes.a.output}"}))


@virtual
async def test_definitions_and_decisions_are_handed_to_the_offload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def noting(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        done.append(work.__name__)
        return await inline(work, *args, **kwargs)

    monkeypatch.setattr(harness, "Controller", partial(Controller, offload=noting))
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.start()
        await world.submit(SPEC)
        assert (await world.finished())["phase"] == "Succeeded"
    assert set(done) == {"define", "required_reads", "decide"}
    assert done.count("define") == 1
