"""Facts of objects, each in the newest state that was put in."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

Fact = TypeVar("Fact")


class Newest(Mapping[str, Fact], Generic[Fact]):
    """Facts of one kind of object, by a key that is unique for the object."""

    def __init__(self) -> None:
        self._facts: dict[str, Fact] = {}
        self._versions: dict[str, int] = {}

    def __getitem__(self, key: str) -> Fact:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def put(self, key: str, fact: Fact, version: int) -> bool:
        """Put in a state; False when this or a newer one is there already.

        Args:
            key: The object.
            fact: The state.
            version: Its resourceVersion, as from `version_of`.
        """
        if version <= self._versions.get(key, -1):
            return False
        self._facts[key], self._versions[key] = fact, version
        return True

    def drop(self, key: str) -> None:
        """Remove an object that no longer exists. It is no error if it is not there."""
        self._facts.pop(key, None)
        self._versions.pop(key, None)

    def as_old_as(self, version: int) -> list[str]:
        """The keys of the states that are not newer than `version`."""
        return [key for key, known in self._versions.items() if known <= version]
