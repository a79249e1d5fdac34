"""Entries that wait, in groups that take turns: the oldest of the next group comes first.

A group is a namespace: a thousand runs of one do not make the run of another wait for all of them.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairLane(Generic[T]):
    """Each entry is there once, with a number that the caller gives it."""

    def __init__(self) -> None:
        self._groups: OrderedDict[Hashable, dict[T, float]] = OrderedDict()
        self._group_of: dict[T, Hashable] = {}

    def __len__(self) -> int:
        return len(self._group_of)

    def __contains__(self, entry: T) -> bool:
        return entry in self._group_of

    def values(self) -> Iterator[float]:
        """The numbers of all entries."""
        return (number for group in self._groups.values() for number in group.values())

    def add(self, entry: T, group: Hashable, number: float = 0.0) -> None:
        """Put an entry behind the others of its group; a group that was empty is the last one."""
        self._group_of[entry] = group
        self._groups.setdefault(group, {})[entry] = number

    def remove(self, entry: T, default: float) -> float:
        """Take an entry out. Returns its number, or `default` if it is not there."""
        if entry not in self._group_of:
            return default
        group = self._group_of.pop(entry)
        entries = self._groups[group]
        number = entries.pop(entry)
        if not entries:
            del self._groups[group]
        return number

    def take(self) -> T:
        """Take out the oldest entry of the group whose turn it is. Raises StopIteration if none."""
        group = next(iter(self._groups))
        entry = next(iter(self._groups[group]))
        self.remove(entry, 0.0)
        if group in self._groups:
            self._groups.move_to_end(group)
        return entry
