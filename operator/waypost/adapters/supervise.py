"""Runs the controller and the watch concurrently, and ends both when one ends.

Recovery is by process: all state is in the cluster, so when one part fails the process exits, and
Kubernetes starts a new one.
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
    """What is needed of the controller to run it."""

    @property
    def ready(self) -> bool:
        """Whether the first list of every kind is complete."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish running passes and return."""
        ...


class OperatorFailed(Exception):
    """The controller or the watch ended by itself. The message says which and why."""


class Signals:
    """The first SIGTERM (or SIGINT) sets `stop`, the second ends the process at once."""

    def __init__(self, *, stop: asyncio.Event) -> None:
        self._stop = stop

    def install(self) -> None:
        """Handle the signals in the running loop, instead of any other handler."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._received, number)

    def remove(self) -> None:
        """Restore the default handlers."""
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
    """Run until `stop` is set or a signal arrives, and at most 20 seconds longer.

    The watch starts after the controller's first list, which proves that the API server serves all
    kinds: the watch looks them up only once. It begins with a list too, so it misses nothing.

    Raises:
        OperatorFailed: The controller or the watch ended by itself.
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
        stopped = stop.is_set()
        ended = [task for task in (working, watching) if task.done()]
    finally:
        # The controller stops first: its running passes still need the watch.
        stop.set()
        await _end(working, within=STOP_CONTROLLER_SECONDS)
        watch_stop.set()
        await _end(watching, within=STOP_WATCH_SECONDS)
        stopping.cancel()
        signals.remove()
    for task in [working, watching] if stopped else ended:
        _check(task, stopped=stopped)


async def _watch_when_ready(
    controller: Runnable, watch: Watch, stop: asyncio.Event, signals: Signals
) -> None:
    while not controller.ready and not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=READY_POLL_SECONDS)
    if not stop.is_set():
        await watch(stop, signals.install)


async def _end(task: asyncio.Task[None], *, within: float) -> None:
    """Wait for a task that should end, and cancel it after `within` seconds."""
    _, late = await asyncio.wait({task}, timeout=within)
    if late:
        logger.warning("%s did not stop within %g s: cancelled", task.get_name(), within)
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)


def _check(task: asyncio.Task[None], *, stopped: bool) -> None:
    """Raise OperatorFailed unless the task ended without error because of `stop`."""
    error = None if task.cancelled() or not task.done() else task.exception()
    if error is not None:
        raise OperatorFailed(f"{task.get_name()} failed: {_reason(error)}") from error
    if not stopped:
        raise OperatorFailed(f"{task.get_name()} ended by itself")


def _reason(error: BaseException) -> str:
    """The text of an error; of a group, the texts of the errors in it."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(inner) for inner in error.exceptions)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
