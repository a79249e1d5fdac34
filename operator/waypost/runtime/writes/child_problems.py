"""Why children could not be created, or their Jobs stopped, kept for the next pass to decide on."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from waypost.kube.facts.jobs import WriteProblem, refused_since
from waypost.kube.facts.restarts import explained
from waypost.ports.clock import Clock
from waypost.ports.cluster import ClusterError, RefusedForNow, Rejected, Unavailable
from waypost.runtime.cache.runs import RunEntry
from waypost.runtime.slots.leases import SlotTaken
from waypost.runtime.writes.creates import Foreign

# A shorter silence of the API server, or of a webhook, is nothing to report.
_SILENCE: Final = timedelta(seconds=20)

log = logging.getLogger(__name__)


@contextmanager
def kept(
    entry: RunEntry,
    name: str,
    clock: Clock,
    *,
    what: str,
    about: Mapping[str, object] | None = None,
) -> Iterator[None]:
    """Keep why the child `name` could not be created by the block, or that it could be.

    A refusal that will not pass by itself ends the block; any other error is raised again.

    Args:
        entry: The run.
        name: The name of the child.
        clock: The time.
        what: The child, for the log.
        about: Fields for the log.
    """
    try:
        yield
    except (Rejected, Foreign) as error:
        log.warning("%s was refused: %s", what, error.message, extra=about)
        permanent = not isinstance(error, RefusedForNow)
        _note(entry, name, error, clock.now(), permanent=permanent)
        if not permanent:
            raise
    except SlotTaken as error:
        log.info("%s waits: %s", what, error.message, extra=about)
        entry.child_problems[name] = WriteProblem(error.message, permanent=False, slot_taken=True)
    except Unavailable as error:
        note_no_answer(entry, name, error, clock.now())
        raise
    else:
        forget(entry, name)


def note_refused_stop(entry: RunEntry, name: str, error: ClusterError, now: datetime) -> None:
    """Keep why the Job `name` or its pods could not be stopped. Never permanent: the program may
    still run, so its attempt stays open."""
    _note(entry, name, error, now, permanent=False)


def note_no_answer(entry: RunEntry, name: str, error: Unavailable, now: datetime) -> None:
    """Keep that a request for the child `name` has had no usable answer, once that has lasted."""
    since = entry.unanswered.setdefault(name, now)
    if now - since >= _SILENCE:
        problem = WriteProblem(message=error.message, permanent=False, since=since, at=now)
        entry.child_problems[name] = problem


def forget(entry: RunEntry, name: str) -> None:
    """The request for the child `name` has succeeded."""
    entry.child_problems.pop(name, None)
    entry.unanswered.pop(name, None)


def _note(
    entry: RunEntry, name: str, error: ClusterError, now: datetime, *, permanent: bool
) -> None:
    known = entry.child_problems
    since = refused_since(known.get(name), now)
    text = explained(error.message)
    known[name] = WriteProblem(message=text, permanent=permanent, since=since, at=now)
