"""Tracks which asyncio tasks belong to kopf.

When kopf ends, it cancels all tasks of the event loop except those in a list to ignore. That list
must have the tasks of the controller and of the HTTP server, which come and go; but none of kopf's
own, because its watchers outlive the task that started them when one of them fails. All tasks
that descend from kopf's inherit a context variable, and a task factory sees each new task.
"""

import asyncio
from collections.abc import Collection, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from weakref import WeakSet

AnyTask = asyncio.Task[Any]
T = TypeVar("T")

_inside: ContextVar[bool] = ContextVar("inside_kopf", default=False)


class TaskTracker:
    """Records the tasks that are created `inside`; `strangers` are all others.

    Use it as a context manager: it installs a task factory in the running loop.
    """

    def __init__(self) -> None:
        self._members: WeakSet[AnyTask] = WeakSet()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.strangers: Collection[AnyTask] = _Strangers(self._members)

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        if self._loop.get_task_factory() is not None:
            raise RuntimeError("another task factory is installed")
        self._loop.set_task_factory(self._create)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is not None:
            self._loop.set_task_factory(None)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Record the tasks that are created in this block, and all tasks that they create."""
        token = _inside.set(True)
        try:
            yield
        finally:
            _inside.reset(token)

    def _create(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T],
        **options: Any,
    ) -> "asyncio.Future[T]":
        task = asyncio.Task(cast("Coroutine[Any, Any, T]", coroutine), loop=loop, **options)
        if _inside.get():
            self._members.add(task)
        return task


class _Strangers(Collection[AnyTask]):
    """All tasks of the running loop but the members, computed at each use."""

    def __init__(self, members: WeakSet[AnyTask]) -> None:
        self._members = members

    def __contains__(self, task: object) -> bool:
        return task not in self._members

    def __iter__(self) -> Iterator[AnyTask]:
        return (task for task in asyncio.all_tasks() if task in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
