"""Whose processor time it is: that of the operator, or that of the simulated cluster around it.

Both run on one virtual event loop, in one thread. The operator has the callbacks of its process and
the watch events that it takes; what the API server does with a request is not the operator's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

from waypost.ports.telemetry import Telemetry

from tests.support.harness import Operator, World
from tests.support.virtual import PROCESS, VirtualLoop


class Meter:
    """Adds up the processor time of the operator, in seconds."""

    def __init__(self) -> None:
        self.operator = 0.0
        self._is_operator = False
        self._since = 0.0

    @contextmanager
    def of(self, *, operator: bool) -> Iterator[None]:
        """What happens inside is the operator's, or is not; afterwards it is as before."""
        before = self._switch(operator)
        try:
            yield
        finally:
            self._switch(before)

    def wrapped(self, call: Callable[..., Any], *, operator: bool) -> Callable[..., Any]:
        """The same function, whose time is the operator's, or is not."""

        def metered(*args: Any, **kwargs: Any) -> Any:
            with self.of(operator=operator):
                return call(*args, **kwargs)

        return metered

    def _switch(self, operator: bool) -> bool:
        now, before = time.thread_time(), self._is_operator
        if before:
            self.operator += now - self._since
        self._is_operator, self._since = operator, now
        return before


class MeteredLoop(VirtualLoop):
    """A virtual loop that meters the callbacks of operators."""

    def __init__(self) -> None:
        super().__init__()
        self.meter = Meter()

    def _run(self, callback: Any, args: tuple[Any, ...], context: Context) -> None:
        owner = getattr(callback, "__self__", self)
        ours = isinstance(PROCESS.get(), Operator) and owner is not self.exempt
        with self.meter.of(operator=ours):
            super()._run(callback, args, context)


def start_metered(world: World, telemetry: Telemetry | None = None) -> tuple[Operator, Meter]:
    """Start an operator of a world on a MeteredLoop, and the meter of its time."""
    loop = world.loop
    assert isinstance(loop, MeteredLoop), "run it with loop_factory=MeteredLoop"
    wire: Any = world.cluster._wire
    wire._commit = loop.meter.wrapped(wire._commit, operator=False)
    operator = world.start(telemetry=telemetry)
    # The subscription has been given the controller's method already.
    watch: Any = operator.watch
    watch._sink = loop.meter.wrapped(watch._sink, operator=True)
    return operator, loop.meter
