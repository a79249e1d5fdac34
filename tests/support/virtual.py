"""Virtual time for whole operators: hours cost milliseconds, and every turn of the loop some time.

looptime would do, but for one thing: its time stands still between two timers, so a timer that
rings a rounding error early, and is then set again for that error, would ring forever. Here, as
in life, each turn of the event loop takes a moment.
"""

import asyncio
import functools
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, ParamSpec

P = ParamSpec("P")

PROCESS: ContextVar[object] = ContextVar("process", default=None)
_TURN: Final = 1e-9  # seconds


class _Selector(selectors.DefaultSelector):
    """Instead of waiting it lets virtual time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "a deadlock: nothing will ever happen again"
        self.now += max(timeout, _TURN)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop without I/O, in virtual time from 0, that can hold a process back.

    PROCESS names the process of each callback, in the context that asyncio
    carries along with each: its tasks, its timers, the answers to its requests. `exempt` is the
    owner of callbacks that never do, though they may have been set in a process's context.
    """

    def __init__(self) -> None:
        self._virtual = _Selector()
        self._held: dict[object, deque[tuple[Any, tuple[Any, ...], Context]]] = {}
        self.exempt: object = None
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def freeze(self, process: object) -> None:
        """Run nothing of it any more."""
        self._held.setdefault(process, deque())

    def thaw(self, process: object) -> None:
        """Run what has been held back, in order, and go on."""
        for callback, args, context in self._held.pop(process, ()):
            self.call_soon(callback, *args, context=context)

    def call_soon(  # type: ignore[override]  # as its callers use it
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        context = context or copy_context()
        return super().call_soon(self._run, callback, args, context, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Any:
        context = context or copy_context()
        return super().call_at(when, self._run, callback, args, context, context=context)

    def _run(self, callback: Any, args: tuple[Any, ...], context: Context) -> None:
        held = self._held.get(PROCESS.get()) if self._held else None
        if held is None or getattr(callback, "__self__", self) is self.exempt:
            callback(*args)
        else:
            held.append((callback, args, context))


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a separate VirtualLoop."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
