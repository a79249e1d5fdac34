"""Tells the tasks of a guest on our event loop from our own.

When kopf ends, it cancels every task of the loop that it has not been told to ignore ("an
assumption! the loop is not fully ours!", says its source): the controller's and the HTTP
server's too, and those come and go. It must be let do so to its own, because watchers outlive
the task that started them when one of them fails. A context variable is inherited by all tasks
that descend from kopf's, and a task factory sees each one being made.
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

_inside: ContextVar[bool] = ContextVar("inside_household", default=False)


class TaskTracker:
    """Keeps the roll of a guest's tasks while it is entered; `strangers` are all others."""

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
        """Tasks that are created in here, and all that they create, are members."""
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
    """All tasks of the running loop but the members, whenever it is asked."""

    def __init__(self, members: WeakSet[AnyTask]) -> None:
        self._members = members

    def __contains__(self, task: object) -> bool:
        return task not in self._members

    def __iter__(self) -> Iterator[AnyTask]:
        return (task for task in asyncio.all_tasks() if task in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
