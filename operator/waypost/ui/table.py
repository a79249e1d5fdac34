"""The rows of one kind, kept up to date by a list and a watch: at most 1 KiB of an object."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.meta import Condition
from waypost.cli.connection.cluster import Session, explained
from waypost.cli.connection.pages import read_list
from waypost.cli.errors import AccessDenied, CommandError, NotAuthenticated, NotNow
from waypost.kube.objects import items, section, text
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import ClusterError, Kind, Obj, Rejected
from waypost.views.errors import CannotShow

Key = tuple[str, str]  # namespace, name
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Row:
    """One object: its document for a list, its version, whether it is a run that waits for an
    answer of a person, and its labels as KEY=VALUE."""

    document: JsonObject
    version: str
    asks: bool = False
    labels: tuple[str, ...] = ()


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
        self.asking: set[Key] = set()  # rows of runs that wait for an answer
        self.problem: CommandError | None = None
        self.heard: str | None = None  # when the API server was last heard of

    async def ready(self, *, seconds: float) -> None:
        """Wait for the first list, also while the API server starts. Raises CommandError: it could
        not be read."""
        try:
            async with asyncio.timeout(seconds):
                await self._listed.wait()
        except TimeoutError as error:
            raise self.problem or NotNow("the API server has not answered yet") from error
        if self.problem is not None and not self.heard:
            raise self.problem

    async def run(self) -> None:
        """List and watch, until cancelled. Nothing is kept then."""
        try:
            await self._follow()
        finally:
            self._forget()
            self.problem = None
            self._listed.clear()

    async def _follow(self) -> None:
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
        if not isinstance(problem, NotNow):
            self._listed.set()

    def _forget(self) -> None:
        """The user must not see the list any more, or nobody looks at it."""
        self.rows.clear()
        self.asking.clear()
        self.heard = None

    async def _list(self) -> str:
        """Read all pages. Returns the version to watch from."""
        version = await self._version()
        found, _ = await read_list(
            self._session, self._kind, self._row, everywhere=self._everywhere
        )
        rows = dict(found)
        gone = self.rows.keys() - rows.keys()
        for key, row in rows.items():
            self._put(key, row)
        for key in gone:
            self._remove(key)
        self._hear()
        self._listed.set()
        # The version before the list: the watch repeats what changed meanwhile.
        return version

    async def _version(self) -> str:
        page = await self._session.cluster.page(self._kind, namespace=self._namespace, limit=1)
        return page.resource_version

    async def _watch(self, version: str) -> None:
        while True:
            changes = self._session.cluster.watch(
                self._kind, namespace=self._namespace, version=version
            )
            async for change in changes:
                version = text(section(change.object, "metadata"), "resourceVersion") or version
                self._hear()
                if change.type != "BOOKMARK":
                    self._take(change.type, change.object)
                del change  # the whole object, until the next one
            await asyncio.sleep(_FIRST_PAUSE)  # a server that ends every watch at once

    def _take(self, event: str, body: Obj) -> None:
        key, row = self._row(body)
        if event == "DELETED":
            self._remove(key)
        else:
            self._put(key, row)

    def _put(self, key: Key, row: Row) -> None:
        if self.rows.get(key) == row:
            return
        self.rows[key] = row
        if row.asks:
            self.asking.add(key)
        else:
            self.asking.discard(key)
        self._changed(self._kind.plural, key)

    @property
    def _namespace(self) -> str | None:
        return None if self._everywhere else self._session.namespace

    def _hear(self) -> None:
        self.heard = timestamp(datetime.now(UTC))
        if self.problem is not None:
            self.problem = None
            self._changed(self._kind.plural, None)

    def _remove(self, key: Key) -> None:
        self.asking.discard(key)
        if self.rows.pop(key, None) is not None:
            self._changed(self._kind.plural, key)

    def _row(self, body: Obj) -> tuple[Key, Row]:
        metadata = section(body, "metadata")
        key = (text(metadata, "namespace"), text(metadata, "name"))
        try:
            document = self._project(body)
        except CannotShow as error:
            document = {"namespace": key[0], "name": key[1], "problem": str(error)[:300]}
        version = text(metadata, "resourceVersion")
        return key, Row(document, version, _asks(body), _labels(metadata))


def _asks(body: Obj) -> bool:
    return any(
        one.get("type") == Condition.AWAITING_APPROVAL and one.get("status") == "True"
        for one in items(section(body, "status"), "conditions")
    )


def _labels(metadata: Obj) -> tuple[str, ...]:
    """Many runs have the same ones, which are kept once."""
    found = section(metadata, "labels")
    return tuple(sys.intern(f"{key}={value}") for key, value in sorted(found.items()))
