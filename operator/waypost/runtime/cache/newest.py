"""Facts of objects, each in the newest state that was put in, and which state is newer."""

from collections.abc import Callable, Container, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from waypost.kube.objects import section, text
from waypost.ports.cluster import Listing, Obj

K = TypeVar("K", bound=Hashable)
Fact = TypeVar("Fact")


def version_of(body: Obj) -> int:
    """The resourceVersion as a number, to compare two states of ONE object; newer is higher.

    The order is a fact of etcd3 storage, and guaranteed since Kubernetes 1.35 (KEP-5504). A
    resourceVersion that is not a number gives 0, the oldest.
    """
    return _number(text(section(body, "metadata"), "resourceVersion"))


def version_of_list(listing: Listing) -> int:
    """The resourceVersion of a list as a number, to compare it with states of its objects."""
    return _number(listing.resource_version)


class Newest(Mapping[K, Fact], Generic[K, Fact]):
    """Facts of one kind of object, by a key that is unique for the object."""

    __slots__ = ("_facts", "_versions")  # each run has two of these

    def __init__(self) -> None:
        self._facts: dict[K, Fact] = {}
        self._versions: dict[K, int] = {}

    def __getitem__(self, key: K) -> Fact:
        return self._facts[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def has(self, key: K, version: int) -> bool:
        """Whether this state of an object, or a newer one, is there already."""
        return version <= self._versions.get(key, -1)

    def put(self, key: K, fact: Fact, version: int) -> bool:
        """Put in a state; False when this or a newer one is there already.

        Args:
            key: The object.
            fact: The state.
            version: Its resourceVersion, as from `version_of`.
        """
        if self.has(key, version):
            return False
        self._facts[key], self._versions[key] = fact, version
        return True

    def drop(self, key: K) -> None:
        """Remove an object that no longer exists. It is no error if it is not there."""
        self._facts.pop(key, None)
        self._versions.pop(key, None)

    def as_old_as(self, version: int) -> list[K]:
        """The keys of the states that are not newer than `version`."""
        return [key for key, known in self._versions.items() if known <= version]

    def retain(self, listed: Container[object], version: int, covered: Callable[[K], bool]) -> None:
        """Drop what a complete list does not contain, unless it is newer than the list.

        Args:
            listed: The keys of the list.
            version: The resourceVersion of the list, as from `version_of_list`.
            covered: Whether the list would contain the object of a key.
        """
        for key in self.as_old_as(version):
            if covered(key) and key not in listed:
                self.drop(key)


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
