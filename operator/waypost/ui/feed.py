"""What a browser is shown live: one list and one watch for each kind, shared by all browsers.

Only rows are kept, at most 1 KiB each. A browser gets the names of what has changed, and asks for
what it shows; after an interruption it asks for all of it, so no history is kept.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from waypost.api.base import JsonObject
from waypost.cli.connection.cluster import Session, explained
from waypost.cli.connection.pages import read_list
from waypost.cli.errors import AccessDenied, CommandError, NotAuthenticated
from waypost.kube.objects import section, text
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import ClusterError, Kind, Obj, Rejected
from waypost.views.errors import CannotShow

Key = tuple[str, str]  # namespace, name
MOST_NAMED: Final = 200  # changed objects that a message names
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Row:
    """One object: its document for a list, and its version."""

    document: JsonObject
    version: str


@dataclass(eq=False)
class Subscriber:
    """A browser that waits for changes: the kinds and keys that changed since it was last asked."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    changed: dict[str, set[Key]] = field(default_factory=dict)

    def take(self) -> dict[str, set[Key]]:
        """What has changed; it is forgotten."""
        found, self.changed = self.changed, {}
        self.woken.clear()
        return found


class Table:
    """The rows of one kind, kept up to date by `run`."""

    def __init__(
        self,
        session: Session,
        kind: Kind,
        project: Callable[[Obj], JsonObject],
        *,
        everywhere: bool,
        changed: Callable[[str, Key | None], None],
    ) -> None:
        self._session = session
        self._kind = kind
        self._project = project
        self._everywhere = everywhere
        self._changed = changed
        self._listed = asyncio.Event()
        self.rows: dict[Key, Row] = {}
        self.problem: CommandError | None = None
        self.heard: str | None = None  # when the API server was last heard of

    async def ready(self, *, seconds: float) -> None:
        """Wait for the first list. Raises CommandError: it could not be read."""
        try:
            async with asyncio.timeout(seconds):
                await self._listed.wait()
        except TimeoutError as error:
            raise CommandError("the API server has not answered yet") from error
        if self.problem is not None and not self.heard:
            raise self.problem

    async def run(self) -> None:
        """List and watch, until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            listed = False
            try:
                version = await self._list()
                listed = True
                pause = _FIRST_PAUSE
                await self._watch(version)
            except (ClusterError, CommandError) as error:
                if isinstance(error, Rejected) and error.code == 410:
                    continue  # the version is too old: list again
                known = error if isinstance(error, CommandError) else explained(error)
                if not listed and isinstance(known, AccessDenied | NotAuthenticated):
                    self._forget()
                self._fail(known)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _fail(self, problem: CommandError) -> None:
        if self.problem is None or str(self.problem) != str(problem):
            self.problem = problem
            self._changed(self._kind.plural, None)
        self._listed.set()

    def _forget(self) -> None:
        """The user must not see the list any more."""
        self.rows.clear()
        self.heard = None

    async def _list(self) -> str:
        """Read all pages. Returns the version to watch from."""
        page = await self._session.cluster.page(self._kind, namespace=self._namespace, limit=1)
        found, _ = await read_list(
            self._session, self._kind, self._row, everywhere=self._everywhere
        )
        rows = dict(found)
        gone = self.rows.keys() - rows.keys()
        for key, row in rows.items():
            if self.rows.get(key) != row:
                self.rows[key] = row
                self._changed(self._kind.plural, key)
        for key in gone:
            self._remove(key)
        self._hear()
        self._listed.set()
        # The version before the list: the watch repeats what changed meanwhile.
        return page.resource_version

    async def _watch(self, version: str) -> None:
        while True:
            changes = self._session.cluster.watch(
                self._kind, namespace=self._namespace, version=version
            )
            async for change in changes:
                version = text(section(change.object, "metadata"), "resourceVersion") or version
                self._hear()
                if change.type == "BOOKMARK":
                    continue
                key, row = self._row(change.object)
                if change.type == "DELETED":
                    self._remove(key)
                elif self.rows.get(key) != row:
                    self.rows[key] = row
                    self._changed(self._kind.plural, key)
            await asyncio.sleep(_FIRST_PAUSE)  # a server that ends every watch at once

    @property
    def _namespace(self) -> str | None:
        return None if self._everywhere else self._session.namespace

    def _hear(self) -> None:
        self.heard = timestamp(datetime.now(UTC))
        if self.problem is not None:
            self.problem = None
            self._changed(self._kind.plural, None)

    def _remove(self, key: Key) -> None:
        if self.rows.pop(key, None) is not None:
            self._changed(self._kind.plural, key)

    def _row(self, body: Obj) -> tuple[Key, Row]:
        metadata = section(body, "metadata")
        key = (text(metadata, "namespace"), text(metadata, "name"))
        try:
            document = self._project(body)
        except CannotShow as error:
            document = {"namespace": key[0], "name": key[1], "problem": str(error)[:300]}
        return key, Row(document, text(metadata, "resourceVersion"))


class Feed:
    """The tables of one scope. Its tasks run inside `serving`.

    Args:
        session: The connection, and the namespace of the scope.
        projections: What a row has of an object.
        everywhere: Whether the scope is all namespaces.
        reads_others: Whether single objects of other namespaces may be asked for.
    """

    def __init__(
        self,
        session: Session,
        projections: dict[Kind, Callable[[Obj], JsonObject]],
        *,
        everywhere: bool,
        reads_others: bool = False,
    ) -> None:
        self.everywhere = everywhere
        self._reads_others = reads_others
        self.namespace = session.namespace
        self._subscribers: set[Subscriber] = set()
        self.tables = {
            kind: Table(session, kind, project, everywhere=everywhere, changed=self._note)
            for kind, project in projections.items()
        }

    def covers(self, namespace: str) -> bool:
        """Whether objects of this namespace are shown."""
        return self.everywhere or self._reads_others or namespace == self.namespace

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Keep the tables up to date."""
        tasks = [asyncio.create_task(table.run()) for table in self.tables.values()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    @contextmanager
    def subscribed(self) -> Iterator[Subscriber]:
        """A subscriber to all changes."""
        one = Subscriber()
        self._subscribers.add(one)
        try:
            yield one
        finally:
            self._subscribers.discard(one)

    def end(self) -> None:
        """Wake all subscribers, so that they can see that the server stops."""
        for one in self._subscribers:
            one.woken.set()

    def _note(self, plural: str, key: Key | None) -> None:
        for one in self._subscribers:
            keys = one.changed.setdefault(plural, set())
            if key is not None:
                keys.add(key)
            one.woken.set()
