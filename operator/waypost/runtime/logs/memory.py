"""What the keeper of logs remembers, bounded: an operator lives for months."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The last `most` entries that were put in."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def put(self, key: K, value: V) -> None:
        """Put in an entry; the oldest ones beyond the limit are dropped."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def get(self, key: K, default: V) -> V:
        """The value of an entry, `default` if there is none."""
        return self._entries.get(key, default)

    def drop(self, key: K) -> None:
        """Remove an entry, if it is there."""
        self._entries.pop(key, None)
