"""The templates that the watch delivered, and the runs that wait for one.

A cache: that a name is not in it proves nothing. No run is accepted with what is cached here.
"""

import json
from dataclasses import dataclass
from typing import Any

from waypost.kube.objects import section, text
from waypost.ports.cluster import Listing, Obj
from waypost.runtime.cache.runs import Key, version_of


@dataclass(frozen=True)
class _Entry:
    body: bytes  # JSON, to save memory: most templates are idle
    version: int


class TemplateCache:
    """Templates by key. Not thread-safe: use it on the event loop only."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._waiting: dict[tuple[str, str], set[Key]] = {}  # by namespace and name
        self._awaited: dict[Key, tuple[str, str]] = {}  # the reverse

    def take(self, raw: Obj, *, deleted: bool = False) -> Key | None:
        """Put in a state of a template.

        Args:
            raw: Its body.
            deleted: The watch reported that it is gone.

        Returns:
            Its key, if the state is newer than the cached one.
        """
        key = _key(raw)
        if key is None:
            return None
        if deleted:
            return key if self._entries.pop(key, None) else None
        version = version_of(raw)
        known = self._entries.get(key)
        if known is not None and version <= known.version:
            return None
        metadata = {k: v for k, v in section(raw, "metadata").items() if k != "managedFields"}
        body = json.dumps({**raw, "metadata": metadata}).encode()
        self._entries[key] = _Entry(body, version)
        return key

    def replace(self, namespace: str | None, listing: Listing) -> None:
        """Put in a complete list, and drop what it does not contain.

        Args:
            namespace: What was listed; None for all namespaces.
            listing: The list. Cached states that are newer than it stay.
        """
        listed = listing.resource_version
        until = int(listed) if listed.isdecimal() else 0
        present = {_key(raw) for raw in listing.items}
        for raw in listing.items:
            self.take(raw)
        for key, entry in list(self._entries.items()):
            covered = namespace in (None, key.namespace)
            if covered and key not in present and entry.version <= until:
                del self._entries[key]

    def drop(self, key: Key) -> None:
        """Remove a template that no longer exists."""
        self._entries.pop(key, None)

    def known(self) -> list[Key]:
        """The keys of all cached templates."""
        return list(self._entries)

    def body(self, key: Key) -> Obj | None:
        """A new copy of the newest cached body; None when there is none."""
        entry = self._entries.get(key)
        body: Any = json.loads(entry.body) if entry else None
        return body if isinstance(body, dict) else None

    def note(self, run: Key, awaited: str) -> None:
        """Remember the template that a run waits for; "" if it waits for none."""
        place = (run.namespace, awaited) if awaited else None
        before = self._awaited.get(run)
        if before is not None and before != place:
            self._waiting[before].discard(run)
            if not self._waiting[before]:
                del self._waiting[before]
            del self._awaited[run]
        if place is not None:
            self._waiting.setdefault(place, set()).add(run)
            self._awaited[run] = place

    def waiting(self, namespace: str, name: str) -> list[Key]:
        """The runs that wait for a template."""
        return sorted(self._waiting.get((namespace, name), ()))


def _key(raw: Obj) -> Key | None:
    metadata = section(raw, "metadata")
    key = Key(text(metadata, "namespace"), text(metadata, "name"), text(metadata, "uid"))
    return key if key.uid else None
