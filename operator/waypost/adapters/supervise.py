"""Runs the controller and the watch side by side, and ends both when one ends.

The process is the unit of recovery: everything that matters is in the cluster, so a part that
died takes the process with it and Kubernetes starts a new one.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from waypost.ports.sink import Sink

STOP_CONTROLLER_SECONDS = 15.0
STOP_WATCH_SECONDS = 4.0  # both together below the 20 s promised, and the pod's 30 s
READY_POLL_SECONDS = 0.05
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger(__name__)

# Watches until the event is set; calls the second argument once kopf's signal handlers are set.
Spawned = Callable[[], None]
Watch = Callable[[asyncio.Event, Spawned], Awaitable[None]]


class Runnable(Sink, Protocol):
    """The controller, as far as running it goes."""

    @property
    def ready(self) -> bool:
        """The first list of every kind is complete."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is under way and return."""
        ...


class OperatorFailed(Exception):
    """A part of the operator ended by itself. The message says which and why."""


class Signals:
    """The first SIGTERM (or SIGINT) sets `stop`, the second ends the process at once."""

    def __init__(self, *, stop: asyncio.Event) -> None:
        self._stop = stop

    def install(self) -> None:
        """Take over the signals of the running loop, from whoever has them."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._received, number)

    def remove(self) -> None:
        """Give the signals back to the interpreter."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def _received(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            logger.warning("%s again: exiting at once", number.name)
            os._exit(128 + number)
        logger.info("%s: stopping", number.name)
        self._stop.set()


async def run_operator(*, controller: Runnable, watch: Watch, stop: asyncio.Event) -> None:
    """Run until `stop` is set or a signal arrives; at most 20 seconds longer.

    Raises OperatorFailed when the controller or the watch ended by itself. The watch starts after
    the controller's first list: by then the kinds are known to be served (the watch resolves them
    only once), and as it begins with a list of its own, nothing is missed in between.
    """
    signals = Signals(stop=stop)
    signals.install()
    watch_stop = asyncio.Event()
    working = asyncio.create_task(controller.run(stop), name="controller")
    watching = asyncio.create_task(
        _watch_when_ready(controller, watch, watch_stop, signals), name="watch"
    )
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({working, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        asked = stop.is_set()
        ended = [task for task in (working, watching) if task.done()]
    finally:
        # The controller goes first: it needs the watch to see what it has still under way.
        stop.set()
        await _end(working, within=STOP_CONTROLLER_SECONDS)
        watch_stop.set()
        await _end(watching, within=STOP_WATCH_SECONDS)
        stopping.cancel()
        signals.remove()
    for task in [working, watching] if asked else ended:
        _judge(task, asked=asked)


async def _watch_when_ready(
    controller: Runnable, watch: Watch, stop: asyncio.Event, signals: Signals
) -> None:
    while not controller.ready and not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=READY_POLL_SECONDS)
    if not stop.is_set():
        await watch(stop, signals.install)


async def _end(task: asyncio.Task[None], *, within: float) -> None:
    """Wait for a task that has been asked to end, and cancel it when it takes too long."""
    _, late = await asyncio.wait({task}, timeout=within)
    if late:
        logger.warning("%s did not stop within %g s: cancelled", task.get_name(), within)
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)


def _judge(task: asyncio.Task[None], *, asked: bool) -> None:
    """Raise OperatorFailed unless the task ended because it was asked to."""
    error = None if task.cancelled() or not task.done() else task.exception()
    if error is not None:
        raise OperatorFailed(f"{task.get_name()} failed: {_reason(error)}") from error
    if not asked:
        raise OperatorFailed(f"{task.get_name()} ended by itself")


def _reason(error: BaseException) -> str:
    """The errors inside of groups, whose own text is no more than how many there are."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(inner) for inner in error.exceptions)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
