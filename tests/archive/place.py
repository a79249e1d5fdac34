"""An archiver on the cluster of the tests, and its store in memory."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from waypost.archive.archiver import Archiver, Limits
from waypost.archive.core.document import Document, decode
from waypost.archive.core.entry import Entry
from waypost.archive.core.query import Cursor, Query
from waypost.archive.metrics import ArchiveMetrics
from waypost.archive.ports import StorageError
from waypost.archive.storage.database import open_database
from waypost.archive.storage.store import Store
from waypost.ports.cluster import Cluster, Obj
from waypost.ports.offload import inline

from tests.fakes.clock import ManualClock, VirtualClock


@dataclass
class Shelf:
    """A database without threads: for virtual time. `broken` makes every call fail."""

    store: Store
    broken: bool = False
    puts: list[str] = field(default_factory=list)  # uids, in their order

    async def put(self, run: Entry, document: Document, *, now: int) -> bool:
        self._look()
        self.puts.append(run.uid)
        return self.store.put(run, document, now=now)

    async def page(self, query: Query) -> tuple[list[Obj], Cursor | None]:
        self._look()
        return self.store.page(query)

    async def find(self, namespace: str, name: str) -> Document | None:
        self._look()
        return self.store.find(namespace, name)

    async def delete_archived_before(self, moment: int) -> int:
        self._look()
        return self.store.delete_archived_before(moment)

    def names(self) -> list[str]:
        """The names of all runs in it, newest end first."""
        rows, _ = self.store.page(Query(limit=500))
        return [row["name"] for row in rows]

    def document(self, name: str, namespace: str = "default") -> Obj:
        """The document of a run."""
        found = self.store.find(namespace, name)
        assert found is not None, f"{name} is not archived"
        return decode(found)

    def _look(self) -> None:
        if self.broken:
            raise StorageError("the database: disk full")


def shelf(folder: Path) -> Shelf:
    """An empty database in a folder."""
    return Shelf(Store(open_database(f"sqlite:///{folder}/archive.db")))


def archiver(
    cluster: Cluster,
    kept: Shelf,
    clock: VirtualClock | ManualClock,
    *,
    namespaces: tuple[str, ...] = (),
    document: int = 32 * 1024 * 1024,
    days: float | None = None,
) -> Archiver:
    """An archiver that has seen nothing yet, as after a start."""
    return Archiver(
        cluster=cluster,
        keeper=kept,
        metrics=ArchiveMetrics(),
        limits=Limits(namespaces, document, timedelta(days=days) if days else None),
        offload=inline,
        now=clock.now,
    )
