"""What a browser is shown live: one list and one watch for each kind, shared by all browsers.

A browser gets the names of what has changed, and asks for what it shows; after an interruption it
asks for all of it, so no history is kept.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from waypost.api.base import JsonObject
from waypost.cli.connection.cluster import Session
from waypost.cli.errors import AccessDenied
from waypost.ports.cluster import Kind, Obj
from waypost.ui.table import Key, Table

MOST_NAMED: Final = 200  # changed objects that a message names
LINGER: Final = 60.0  # seconds in which Approvals that nothing asks for are followed


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


class Feed:
    """The tables of one scope. Its tasks run inside `serving`.

    Runs are followed always. Approvals are followed while a run waits for an answer, or the person
    may not list runs, and for a minute after each `need`: no Approval changes at other times.

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
        self._demand = asyncio.Event()
        self._needed = -LINGER
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
        runs = asyncio.create_task(self.tables[Kind.AGENT_WORKFLOW].run())
        approvals = asyncio.create_task(self._on_demand(self.tables[Kind.APPROVAL]))
        try:
            yield
        finally:
            runs.cancel()
            approvals.cancel()

    @property
    def asks(self) -> bool:
        """Whether there may be an open question: a run waits for an answer, or runs are denied."""
        runs = self.tables[Kind.AGENT_WORKFLOW]
        return bool(runs.asking) or isinstance(runs.problem, AccessDenied)

    def need(self) -> None:
        """Somebody looks at Approvals."""
        self._needed = monotonic()
        self._demand.set()

    async def _on_demand(self, table: Table) -> None:
        while True:
            await self._demand.wait()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(table.run())
                await self._unneeded()
                following.cancel()

    async def _unneeded(self) -> None:
        """Return when nothing has asked for Approvals for a while."""
        while True:
            left = LINGER - (monotonic() - self._needed)
            if left > 0:
                await asyncio.sleep(left)
            elif self.asks:
                self._needed = monotonic()
            else:
                self._demand.clear()
                return

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
        if plural == Kind.AGENT_WORKFLOW.plural and self.asks:
            self.need()
        for one in self._subscribers:
            keys = one.changed.setdefault(plural, set())
            if key is not None:
                keys.add(key)
            one.woken.set()
