"""Reads that failed: what is known of them, and when each is tried again.

A read that fails does not end the pass. Its problem is a fact for the engine, so that only what
needs the object waits.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from waypost.kube.facts.read_problems import ReadProblem
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    ClusterError,
    Conflict,
    NotFound,
    RefusedForNow,
    Rejected,
    Unavailable,
    failure_text,
)

# Seconds between two tries: as long as the problem has lasted, within these bounds.
_PASSING: Final = (1.0, 30.0)
_PERMANENT: Final = (10.0, 120.0)

_SOON: Final = timedelta(seconds=1)

T = TypeVar("T")


class ReadProblems:
    """The problems of one operator process, by run and by what could not be read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, dict[str, ReadProblem]] = {}

    def waits(self, uid: str, what: str) -> ReadProblem | None:
        """The problem of an earlier try, if it is too early for the next one."""
        known = self._known.get(uid, {}).get(what)
        return known if known is not None and self._clock.now() < known.retry_at else None

    def failed(self, uid: str, what: str, error: Exception, began: datetime) -> ReadProblem:
        """Keep why a read failed.

        Args:
            uid: The uid of the run.
            what: What was to be read, for messages.
            error: What the read raised.
            began: When it began.
        """
        now, known = self._clock.now(), self._known.setdefault(uid, {})
        since = known[what].since if what in known else began
        permanent = isinstance(error, Rejected) and not isinstance(error, RefusedForNow)
        shortest, longest = _PERMANENT if permanent else _PASSING
        age = (now - since).total_seconds()
        known[what] = ReadProblem(
            what=what,
            message=failure_text(error),
            permanent=permanent,
            since=since,
            retry_at=now + timedelta(seconds=min(max(age, shortest), longest)),
        )
        return known[what]

    def succeeded(self, uid: str, what: str) -> None:
        """It could be read."""
        known = self._known.get(uid)
        if known is not None:
            known.pop(what, None)
            if not known:
                del self._known[uid]

    def forget(self, uid: str) -> None:
        """Drop what is known of a run that no longer exists."""
        self._known.pop(uid, None)


class Tries:
    """Reads of one kind in one pass over one run. After one without an answer the others are left
    to a later pass: each could take ten seconds."""

    def __init__(self, problems: ReadProblems, *, uid: str, clock: Clock) -> None:
        self.found: dict[str, ReadProblem] = {}
        self._problems = problems
        self._uid = uid
        self._clock = clock
        self._silent: ReadProblem | None = None

    async def read(self, what: str, reading: Callable[[], Awaitable[T]]) -> T | ReadProblem:
        """What `reading` gives, or why it failed.

        Raises:
            NotFound: As `reading` raises it, and so Conflict: they are answers.
        """
        began = self._clock.now()
        problem = self._problems.waits(self._uid, what)
        if problem is None and self._silent is not None:
            problem = replace(self._silent, what=what, since=began, retry_at=began + _SOON)
        if problem is not None:
            self.found[what] = problem
            return problem
        try:
            value = await reading()
        except (NotFound, Conflict):
            self._problems.succeeded(self._uid, what)
            raise
        except (ClusterError, TimeoutError) as error:
            problem = self._problems.failed(self._uid, what, error, began)
            if isinstance(error, Unavailable | TimeoutError):
                self._silent = problem
            self.found[what] = problem
            return problem
        self._problems.succeeded(self._uid, what)
        return value
