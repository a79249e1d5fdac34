"""A store for the event loop: one thread writes, others read."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from waypost.archive.core.document import Document
from waypost.archive.core.entry import Entry
from waypost.archive.core.query import Cursor, Query
from waypost.archive.ports import StorageError
from waypost.archive.storage.database import problem
from waypost.archive.storage.store import Store
from waypost.ports.cluster import Obj

T = TypeVar("T")
_READERS: Final = 4


class AsyncStore:
    """The methods of a `Store`, each raising StorageError. Close it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="archive-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="archive-reader")

    async def put(self, run: Entry, document: Document, *, now: int) -> bool:
        """As `Store.put`."""
        return await self._in(self._writer, lambda: self._store.put(run, document, now=now))

    async def page(self, query: Query) -> tuple[list[Obj], Cursor | None]:
        """As `Store.page`."""
        return await self._in(self._readers, lambda: self._store.page(query))

    async def find(self, namespace: str, name: str) -> Document | None:
        """As `Store.find`."""
        return await self._in(self._readers, lambda: self._store.find(namespace, name))

    async def delete_archived_before(self, moment: int) -> int:
        """As `Store.delete_archived_before`."""
        return await self._in(self._writer, lambda: self._store.delete_archived_before(moment))

    def close(self) -> None:
        """Wait for what is in progress."""
        self._writer.shutdown()
        self._readers.shutdown()

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except SQLAlchemyError as error:
            raise StorageError(f"the database: {problem(error)}") from error
