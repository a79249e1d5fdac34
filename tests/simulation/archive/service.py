"""The archive as a process of the simulation, and its database: it can die and freeze anywhere.

The archiver and the store are those of the product, on SQLite in memory. A transaction takes a
moment before and after its commit, so that what goes wrong comes between.
"""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Final

from waypost.archive.archiver import Archiver, Limits, repeat
from waypost.archive.core.document import Document, decode
from waypost.archive.core.entry import Entry
from waypost.archive.metrics import ArchiveMetrics
from waypost.archive.ports import StorageError
from waypost.archive.storage.database import open_database
from waypost.archive.storage.store import Store
from waypost.ports.cluster import Obj
from waypost.ports.offload import inline

from tests.support.harness import NAMESPACE, World
from tests.support.line import Line
from tests.support.virtual import PROCESS

USER: Final = "archive"
_EVERY: Final = 15.0  # seconds between two looks
_MOMENT: Final = 0.05  # that a transaction takes, before its commit and after it


class Database:
    """What all archivers of a play write to.

    Attributes:
        down: Whether each transaction fails.
        committed: Is called with each run whose document was written.
        putting: The name of the run of the latest transaction.
    """

    def __init__(self) -> None:
        self._engine = open_database("sqlite://")
        self.store = Store(self._engine)
        self.down = False
        self.committed: Callable[[Entry], None] = lambda run: None
        self.putting = ""
        self._turn = asyncio.Event()

    async def moment(self, run: str) -> None:
        """The moment before a commit, or after it."""
        self.putting = run
        self._turn.set()
        await asyncio.sleep(_MOMENT)
        if self.down:
            raise StorageError("the database: disk full")

    async def next_moments(self, count: int, *, within: float) -> None:
        """Until so many moments have come, or `within` seconds have passed."""
        try:
            async with asyncio.timeout(within):
                for _ in range(count):
                    self._turn.clear()
                    await self._turn.wait()
        except TimeoutError:
            return

    def document(self, uid: str) -> tuple[str, Obj] | None:
        """The digest and the content of the document of a run."""
        found = self.store.find(NAMESPACE, uid)
        return (found.digest, decode(found)) if found is not None else None

    def count(self) -> int:
        """How many runs it has."""
        return self.store.count()

    def close(self) -> None:
        """Close it."""
        self._engine.dispose()


class Service:
    """A process of the archive. Made within the play."""

    def __init__(self, world: World, database: Database) -> None:
        self._world, self._database = world, database
        self.line = Line(world.cluster.as_user(USER), world.clock)
        archiver = Archiver(
            cluster=self.line,
            keeper=self,
            metrics=ArchiveMetrics(),
            limits=Limits((), 32 * 1024 * 1024, None),
            offload=inline,
            now=world.clock.now,
        )
        inside = copy_context()
        inside.run(PROCESS.set, self)
        work = repeat(archiver.look, every=_EVERY, what="a look", stop=asyncio.Event())
        self.task = asyncio.get_running_loop().create_task(work, context=inside)

    async def put(self, run: Entry, document: Document, *, now: int) -> bool:
        """Keep a run."""
        await self._database.moment(run.name)
        written = self._database.store.put(run, document, now=now)
        if written:
            self._database.committed(run)
        await self._database.moment(run.name)
        return written

    async def delete_archived_before(self, moment: int) -> int:
        """Delete some old runs."""
        return self._database.store.delete_archived_before(moment)

    def die(self) -> None:
        """As by SIGKILL."""
        self.line.dead = True
        self.task.cancel()
        self._world.loop.thaw(self)

    def freeze(self) -> None:
        """As by SIGSTOP."""
        self._world.loop.freeze(self)

    def thaw(self) -> None:
        """Continue from the next instruction."""
        self._world.loop.thaw(self)
