"""A run whose pass fails again and again is set aside; the others do not notice."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.engine import decide as engine
from waypost.ports.cluster import Conflict, Kind, Obj, Rejected
from waypost.runtime import deciding

from tests.support.builders import python, spec
from tests.support.harness import RUN, Call, World, gives
from tests.support.virtual import virtual


class Defect:
    """The engine fails on one run while `on`."""

    def __init__(self, name: str = RUN, error: Exception | None = None) -> None:
        self.name = name
        self.error = error or RecursionError("secret of a user")
        self.on = True
        self.tries: list[float] = []

    def plant(self, patch: pytest.MonkeyPatch, world: World) -> "Defect":
        def decide(entry: Any, now: Any, settings: Any) -> Any:
            if self.on and entry.observed.name == self.name:
                self.tries.append(world.clock.monotonic())
                raise self.error
            return engine.decide(entry, now, settings)

        patch.setattr(deciding, "decide", decide)
        return self


def set_aside(world: World, name: str = RUN) -> Obj:
    return world.condition("SetAside", name)


@virtual
async def test_a_defect_is_told_on_the_run_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        Defect().plant(monkeypatch, world)
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.submit(spec(python("a")), name="other")
        await world.until(lambda: set_aside(world).get("status") == "True", "reported", within=60)
        assert "RecursionError" in set_aside(world)["message"]
        assert "secret" not in str(world.run()), "a user's data stays out of messages"
        reported = [e for e in world.all(Kind.EVENT) if e["reason"] == "SetAside"]
        assert [e["involvedObject"]["name"] for e in reported] == [RUN]
        assert operator.controller.set_aside.count("Failing") == 1
        assert (await world.finished("other", within=60))["phase"] == "Succeeded"


@virtual
async def test_a_machine_without_memory_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with World() as world:
        refused = OSError(12, "Cannot allocate memory")
        defect = Defect(error=refused).plant(monkeypatch, world)
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)
        assert "a process or a file: Cannot allocate memory" in set_aside(world)["message"]
        assert "defect" not in caplog.text
        defect.on = False
        assert (await world.finished(within=400))["phase"] == "Succeeded"


@virtual
async def test_it_is_tried_rarely_whatever_wakes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        defect = Defect().plant(monkeypatch, world)
        operator = world.start(resync_seconds=20.0)
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)
        defect.tries.clear()
        key = operator.controller.store.key_of(world.run()["metadata"]["uid"])
        assert key is not None
        for _ in range(60):
            operator.controller.queue.add(key)
            await world.quiet(10)
        assert 1 <= len(defect.tries) <= 3, "in ten minutes"


@virtual
async def test_it_comes_back_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        defect = Defect().plant(monkeypatch, world)
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)
        defect.on = False
        assert (await world.finished(within=400))["phase"] == "Succeeded"
        await world.until(lambda: set_aside(world)["status"] == "False", "taken back", within=10)
        assert operator.controller.set_aside.count("Failing") == 0


@virtual
async def test_an_edit_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        defect = Defect().plant(monkeypatch, world)
        world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)
        defect.on = False
        await world.patch_run({"cancel": True})
        assert (await world.finished(within=10))["phase"] == "Cancelled"


@virtual
async def test_the_next_operator_takes_the_condition_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World(script={"a": [gives(1, seconds=300)]}) as world:
        defect = Defect().plant(monkeypatch, world)
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)
        operator.die()
        defect.on = False
        world.start()
        await world.until(lambda: set_aside(world)["status"] == "False", "taken back", within=30)


@virtual
async def test_a_write_that_the_server_refuses_for_good_is_told_in_its_words() -> None:
    async with World() as world:
        operator = world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "patch_status" and not world.status().get("nodes"):
                tries.append(call)
                if len(tries) <= 5:
                    raise Rejected("denied the request: no checkpoints here", code=403)
            return await send()

        tries: list[Call] = []
        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)
        assert "no checkpoints here" in set_aside(world)["message"]
        assert (await world.finished(within=400))["phase"] == "Succeeded"


@virtual
async def test_a_conflict_does_not_hide_the_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        Defect().plant(monkeypatch, world)
        world.start()
        world.cluster.fail_next("patch_status", Kind.AGENT_WORKFLOW, Conflict("stale"), times=2)
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)


@virtual
async def test_a_run_that_is_gone_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        Defect().plant(monkeypatch, world)
        operator = world.start()
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(set_aside(world)), "it is set aside", within=60)
        await world.delete(Kind.AGENT_WORKFLOW, RUN)
        await world.until(
            lambda: operator.controller.set_aside.count("Failing") == 0, "forgotten", within=30
        )
