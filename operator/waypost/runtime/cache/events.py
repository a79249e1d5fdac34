"""The WorkflowEvents that the watch delivered, without payloads, and the runs that wait for some.

A cache: that an event is not in it proves nothing.
"""

from collections.abc import Iterable

from waypost.api.event.model import SETTLED
from waypost.kube.objects import section, text
from waypost.kube.workflow_events import EventFact, Selector, event_fact
from waypost.ports.cluster import Listing, Obj
from waypost.runtime.cache.newest import Newest, version_of, version_of_list
from waypost.runtime.cache.runs import Key

Place = tuple[str, Selector]  # namespace, and whom events there are for


class EventCache:
    """Events by key and by place. Not thread-safe: use it on the event loop only."""

    def __init__(self) -> None:
        self._facts: Newest[Key, EventFact] = Newest()
        self._unsettled: dict[Place, set[Key]] = {}
        self._waiting: dict[Place, set[Key]] = {}  # runs
        self._awaited: dict[Key, frozenset[Place]] = {}  # the reverse

    def take(self, raw: Obj, *, deleted: bool = False) -> Key | None:
        """Put in a state of an event; its key, if the state is newer than the cached one."""
        key, fact = _key(raw), event_fact(raw)
        if key is None or fact is None:
            return None
        if deleted:
            known = key in self._facts
            self.drop(key)
            return key if known else None
        if not self._facts.put(key, fact.slim(), version_of(raw)):
            return None
        self._index(key, fact)
        return key

    def replace(self, namespace: str | None, listing: Listing) -> None:
        """Put in a complete list, and drop what it does not contain and is not newer.

        Args:
            namespace: What was listed; None for all namespaces.
            listing: The list.
        """
        for raw in listing.items:
            self.take(raw)
        listed = {_key(raw) for raw in listing.items}
        for key in self._facts.as_old_as(version_of_list(listing)):
            if namespace in (None, key.namespace) and key not in listed:
                self.drop(key)

    def drop(self, key: Key) -> None:
        """Remove an event that no longer exists."""
        fact = self._facts.get(key)
        self._facts.drop(key)
        if fact is not None:
            _discard(self._unsettled, _place(key, fact), key)

    def known(self) -> list[Key]:
        """The keys of all cached events."""
        return list(self._facts)

    def fact(self, key: Key) -> EventFact | None:
        """The newest cached state of an event, without its payload."""
        return self._facts.get(key)

    def arrived(self, namespace: str, awaited: Iterable[Selector]) -> frozenset[Selector]:
        """For which of these there are events in a namespace that are not settled."""
        return frozenset(one for one in awaited if (namespace, one) in self._unsettled)

    def of_run(self, namespace: str, name: str) -> list[Key]:
        """The events that are not settled and are for the run with this name."""
        return sorted(self._unsettled.get((namespace, Selector("workflow", name)), ()))

    def note(self, run: Key, awaited: Iterable[Selector]) -> None:
        """Remember whom the events are for that a run waits for."""
        places = frozenset((run.namespace, selector) for selector in awaited)
        before = self._awaited.pop(run, frozenset())
        for place in before - places:
            _discard(self._waiting, place, run)
        for place in places - before:
            self._waiting.setdefault(place, set()).add(run)
        if places:
            self._awaited[run] = places

    def waiting(self, key: Key) -> list[Key]:
        """The runs that may wait for an event."""
        fact = self._facts.get(key)
        place = _place(key, fact) if fact is not None and fact.phase not in SETTLED else None
        return sorted(self._waiting.get(place, ())) if place is not None else []

    def _index(self, key: Key, fact: EventFact) -> None:
        place = _place(key, fact)
        if place is None:
            return
        if fact.phase in SETTLED:
            _discard(self._unsettled, place, key)
        else:
            self._unsettled.setdefault(place, set()).add(key)


def _place(key: Key, fact: EventFact) -> Place | None:
    return (key.namespace, fact.selector) if fact.selector is not None else None


def _discard(index: dict[Place, set[Key]], place: Place | None, key: Key) -> None:
    if place is None or place not in index:
        return
    index[place].discard(key)
    if not index[place]:
        del index[place]


def _key(raw: Obj) -> Key | None:
    metadata = section(raw, "metadata")
    key = Key(text(metadata, "namespace"), text(metadata, "name"), text(metadata, "uid"))
    return key if key.uid else None
