"""Objects of one kind that the watch delivered, each in its newest state.

A cache: that a name is not in it proves nothing.
"""

import json
from typing import Any

from waypost.kube.objects import section, text
from waypost.ports.cluster import Listing, Obj
from waypost.runtime.cache.newest import Newest, version_of, version_of_list
from waypost.runtime.cache.runs import Key


class BodyCache:
    """Objects by key. Not thread-safe: use it on the event loop only."""

    def __init__(self) -> None:
        self._bodies: Newest[Key, bytes] = Newest()  # JSON, to save memory: most are idle

    def take(self, raw: Obj, *, deleted: bool = False) -> Key | None:
        """Put in a state of an object.

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
            known = key in self._bodies
            self._bodies.drop(key)
            return key if known else None
        version = version_of(raw)
        if self._bodies.has(key, version):
            return None
        metadata = {k: v for k, v in section(raw, "metadata").items() if k != "managedFields"}
        body = json.dumps({**raw, "metadata": metadata}).encode()
        self._bodies.put(key, body, version)
        return key

    def replace(self, namespace: str | None, listing: Listing) -> None:
        """Put in a complete list, and drop what it does not contain.

        Args:
            namespace: What was listed; None for all namespaces.
            listing: The list. Cached states that are newer than it stay.
        """
        for raw in listing.items:
            self.take(raw)
        self._bodies.retain(
            {_key(raw) for raw in listing.items},
            version_of_list(listing),
            lambda key: namespace in (None, key.namespace),
        )

    def drop(self, key: Key) -> None:
        """Remove an object that no longer exists."""
        self._bodies.drop(key)

    def known(self) -> list[Key]:
        """The keys of all cached objects."""
        return list(self._bodies)

    def body(self, key: Key) -> Obj | None:
        """A new copy of the newest cached body; None when there is none."""
        stored = self._bodies.get(key)
        body: Any = json.loads(stored) if stored else None
        return body if isinstance(body, dict) else None


def _key(raw: Obj) -> Key | None:
    metadata = section(raw, "metadata")
    key = Key(text(metadata, "namespace"), text(metadata, "name"), text(metadata, "uid"))
    return key if key.uid else None
