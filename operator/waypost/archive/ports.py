"""What the archiver and the API need of a database. The methods do not block the event loop."""

from typing import Protocol

from waypost.archive.core.document import Document
from waypost.archive.core.entry import Entry
from waypost.archive.core.query import Cursor, Query
from waypost.ports.cluster import Obj


class StorageError(Exception):
    """The database could not be read or written."""


class Keeper(Protocol):
    """Keeps documents."""

    async def put(self, run: Entry, document: Document, *, now: int) -> bool:
        """Keep a run; see `storage.store.Store.put`. Raises StorageError."""
        ...

    async def delete_archived_before(self, moment: int) -> int:
        """Delete some old runs; see `storage.store.Store`. Raises StorageError."""
        ...


class Library(Protocol):
    """Reads documents."""

    async def page(self, query: Query) -> tuple[list[Obj], Cursor | None]:
        """The rows of a page, and where it ends if there are more. Raises StorageError."""
        ...

    async def find(self, namespace: str, name: str) -> Document | None:
        """The document of a run by name or uid. Raises StorageError."""
        ...
