"""Starting, stopping and dying of the operator's two halves."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field

import pytest
from waypost.adapters import supervise
from waypost.adapters.supervise import OperatorFailed, Spawned, run_operator
from waypost.ports.cluster import Kind, Obj


@dataclass
class Part:
    """A controller and a watch whose behaviour the test scripts."""

    ready: bool = True
    controller_error: Exception | None = None
    controller_returns: bool = False
    watch_error: Exception | None = None
    linger: float = 0.0
    log: list[str] = field(default_factory=list)

    def on_watch_event(self, kind: Kind, change: str | None, raw: Obj) -> None:
        return None

    def health(self) -> str | None:
        return None

    async def run(self, stop: asyncio.Event) -> None:
        self.log.append("controller starts")
        if self.controller_error:
            raise self.controller_error
        if self.controller_returns:
            return
        try:
            await stop.wait()
            await asyncio.sleep(self.linger)
        finally:
            self.log.append("controller ends")

    async def watch(self, stop: asyncio.Event, spawned: Spawned) -> None:
        self.log.append("watch starts")
        spawned()
        if self.watch_error:
            raise self.watch_error
        await stop.wait()
        self.log.append("watch ends")


async def run(part: Part, *, stop_after: float | None = None) -> None:
    stop = asyncio.Event()
    if stop_after is not None:
        asyncio.get_running_loop().call_later(stop_after, stop.set)
    async with asyncio.timeout(100):
        await run_operator(controller=part, watch=part.watch, stop=stop)


async def test_the_controller_stops_before_the_watch() -> None:
    part = Part()
    await run(part, stop_after=0.2)
    assert part.log == ["controller starts", "watch starts", "controller ends", "watch ends"]


async def test_the_watch_waits_for_the_first_list() -> None:
    part = Part(ready=False)
    task = asyncio.create_task(run(part, stop_after=0.5))
    await asyncio.sleep(0.2)
    assert part.log == ["controller starts"], "kinds are resolved once, so they must be there"
    part.ready = True
    await task
    assert "watch starts" in part.log


async def test_stopping_before_the_first_list() -> None:
    await run(Part(ready=False), stop_after=0.1)


BROKEN = RuntimeError("lost its way")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        pytest.param(
            Part(controller_error=BROKEN),
            "controller failed: RuntimeError: lost its way",
            id="controller-raises",
        ),
        pytest.param(
            Part(controller_error=ExceptionGroup("g", [BROKEN, ValueError()])),
            "controller failed: RuntimeError: lost its way; ValueError",
            id="controller-raises-a-group",
        ),
        pytest.param(Part(controller_returns=True), "controller ended by itself", id="returns"),
        pytest.param(
            Part(watch_error=BROKEN), "watch failed: RuntimeError: lost its way", id="watch-raises"
        ),
    ],
)
async def test_a_part_that_ends_takes_the_process_with_it(part: Part, message: str) -> None:
    with pytest.raises(OperatorFailed) as caught:
        await run(part)
    assert str(caught.value) == message


async def test_a_dead_watch_stops_the_controller_gracefully() -> None:
    part = Part(watch_error=BROKEN)
    with pytest.raises(OperatorFailed):
        await run(part)
    assert part.log[-1] == "controller ends"


async def test_a_controller_that_does_not_stop_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervise, "STOP_CONTROLLER_SECONDS", 0.2)
    part = Part(linger=3600)
    await run(part, stop_after=0.1)
    assert "controller ends" in part.log


def test_the_time_to_stop_is_below_what_is_promised() -> None:
    assert supervise.STOP_CONTROLLER_SECONDS + supervise.STOP_WATCH_SECONDS < 20


async def test_sigterm_stops_even_after_the_watch_has_taken_the_signals() -> None:
    part = Part()

    async def watch(stop: asyncio.Event, spawned: Spawned) -> None:
        # What kopf does to the loop of the program that embeds it.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
        spawned()
        os.kill(os.getpid(), signal.SIGTERM)
        await part.watch(stop, lambda: None)

    async with asyncio.timeout(100):
        await run_operator(controller=part, watch=watch, stop=asyncio.Event())
    assert part.log[-1] == "watch ends"


SECOND_SIGNAL = """
    import asyncio, os, signal
    from tests.adapters.test_supervise import Part
    from waypost.adapters.supervise import run_operator

    async def main():
        part = Part(linger=3600)
        loop = asyncio.get_running_loop()
        for delay in (0.2, 0.4):
            loop.call_later(delay, os.kill, os.getpid(), signal.SIGTERM)
        await run_operator(controller=part, watch=part.watch, stop=asyncio.Event())

    asyncio.run(main())
"""


def test_a_second_sigterm_ends_the_process_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SECOND_SIGNAL)], check=False, timeout=100
    )
    assert done.returncode == 128 + signal.SIGTERM
