"""Who is served now. Each person has a connection, lists and watches that nobody else gets.

A person is a token: two tokens of the same user may have different rights. What nobody has looked
at for two minutes is closed, so an idle server makes no requests.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from starlette.types import ASGIApp

from waypost.cli.connection.cluster import Session
from waypost.cli.errors import CommandError, NotAuthenticated
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind
from waypost.ui.feed import Feed
from waypost.ui.hosting import PROJECTIONS

IDLE: Final = 120.0  # seconds
MOST_DESKS: Final = 200
_MOST_OF_ONE: Final = 10
MOST_JOINING: Final = 20  # tokens about which the API server is asked at the same time
_NOBODY: Final = "system:anonymous"


@dataclass(eq=False)
class Desk:
    """What a person looks at: all namespaces or one of them, with live lists.

    Attributes:
        person: Who.
        feed: The lists.
        used: When the last request ended.
        app: The API for it, made when it is first asked for.
        open: Requests in progress, streams among them.
    """

    person: "Person"
    feed: Feed
    used: float
    app: ASGIApp | None = None
    open: int = 0
    closed: bool = False
    tasks: ExitStack = field(default_factory=ExitStack)

    @property
    def over(self) -> bool:
        """Whether its streams must end."""
        return self.closed or self.person.refused

    def close(self) -> None:
        """End its streams and watches."""
        self.closed = True
        self.feed.end()
        self.tasks.close()


@dataclass(eq=False)
class Person:
    """A token that the API server has accepted.

    Attributes:
        session: The connection with this token.
        used: When it was last looked up.
        refused: Whether the API server has refused the token since.
    """

    session: Session
    used: float
    desks: dict[str, Desk] = field(default_factory=dict)
    refused: bool = False


class TooMany(CommandError):
    """The server serves as many people or namespaces as it can."""


class People:
    """Everybody who is served now.

    Args:
        connect: Makes a connection with a token; what it is given is called when the API server
            refuses the token.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        connect: Callable[[str, Callable[[], None]], Session],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._known: dict[str, Person] = {}
        self._joining: dict[str, asyncio.Task[Person]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._known)

    async def find(self, token: str) -> Person:
        """The person with this token, whom the API server has accepted.

        Raises:
            ClusterError: With code 401: the API server does not accept the token. Other codes:
                it could not be asked.
            NotAuthenticated: It takes the token for nobody.
            TooMany: It is asked about many other tokens.
        """
        name = _digest(token)
        known = self._known.get(name)
        if known is not None and not known.refused:
            known.used = self._clock()
            return known
        self._remove(name)
        task = self._joining.get(name)
        if task is None and len(self._joining) >= MOST_JOINING:
            raise TooMany("too many people log in at the same time; try again")
        if task is None:
            task = asyncio.create_task(self._join(name, token))
            self._joining[name] = task
            task.add_done_callback(lambda _: self._joining.pop(name, None))
        return await asyncio.shield(task)

    @asynccontextmanager
    async def at_desk(self, person: Person, scope: str) -> AsyncIterator[Desk]:
        """The desk of a scope ("" for all namespaces), in use inside the block. Raises TooMany."""
        desk = person.desks.get(scope)
        if desk is None:
            self._make_room(person)
            desk = self._open(person, scope)
        desk.open += 1
        try:
            yield desk
        finally:
            desk.open -= 1
            person.used = desk.used = self._clock()

    def drop(self, token: str) -> None:
        """Close all that was opened with a token."""
        self._remove(_digest(token))

    def tidy(self) -> None:
        """Close what nobody looks at."""
        end = self._clock() - IDLE
        for name, person in list(self._known.items()):
            for scope, desk in list(person.desks.items()):
                if desk.open == 0 and desk.used <= end:
                    person.desks.pop(scope).close()
            if not person.desks and person.used <= end:
                self._remove(name)

    def wake(self) -> None:
        """Wake all streams, so that they can see that the server stops."""
        for person in self._known.values():
            for desk in person.desks.values():
                desk.feed.end()

    async def close(self) -> None:
        """Close everything."""
        for name in list(self._known):
            self._remove(name)
        await asyncio.gather(*self._closing)

    async def _join(self, name: str, token: str) -> Person:
        def refused() -> None:
            if name in self._known:
                self._known[name].refused = True

        session = self._connect(token, refused)
        try:
            await _check(session)
        except BaseException:
            await session.cluster.close()
            raise
        self._known[name] = Person(session, self._clock())
        return self._known[name]

    def _open(self, person: Person, scope: str) -> Desk:
        session = Session(cluster=person.session.cluster, namespace=scope)
        feed = Feed(session, dict(PROJECTIONS), everywhere=not scope, reads_others=True)
        desk = Desk(person, feed, self._clock())
        desk.tasks.enter_context(feed.serving())
        person.desks[scope] = desk
        return desk

    def _make_room(self, person: Person) -> None:
        """Close the desk that was not used for longest, if there are as many as there may be."""
        everybody = [(one, key) for one in self._known.values() for key in one.desks]
        own = [(person, key) for key in person.desks]
        crowd = own if len(own) >= _MOST_OF_ONE else everybody
        if len(own) < _MOST_OF_ONE and len(everybody) < MOST_DESKS:
            return
        free = [pair for pair in crowd if pair[0].desks[pair[1]].open == 0]
        if not free:
            raise TooMany("too many pages are open; close some and try again")
        owner, key = min(free, key=lambda pair: pair[0].desks[pair[1]].used)
        owner.desks.pop(key).close()

    def _remove(self, name: str) -> None:
        person = self._known.pop(name, None)
        if person is None:
            return
        for desk in person.desks.values():
            desk.close()
        task = asyncio.create_task(person.session.cluster.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _check(session: Session) -> None:
    """Raises ClusterError or NotAuthenticated if the API server does not accept the token."""
    body = {"apiVersion": Kind.SELF_SUBJECT_REVIEW.api_version, "kind": "SelfSubjectReview"}
    found = await session.cluster.create(Kind.SELF_SUBJECT_REVIEW, namespace="", body=body)
    if text(section(found, "status", "userInfo"), "username") == _NOBODY:
        raise NotAuthenticated(f"not authenticated: the API server takes the token for {_NOBODY}")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
