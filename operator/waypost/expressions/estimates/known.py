"""What is known of the values of an expression before it runs, beside their sizes."""

from collections.abc import Callable, Mapping

from waypost.expressions.estimates.sizes import Data, Element, Size
from waypost.protocol.ijson import Json


def is_map(size: Size) -> bool:
    """Whether it is known to be a map, or elements of a loop that are maps."""
    known = size.total if isinstance(size, Element) else size
    return isinstance(known, Data) and _all(known, lambda value: isinstance(value, Mapping))


def is_list_of_scalars(size: Size) -> bool:
    """Whether it is known to be a list without lists and maps in it."""

    def flat_list(value: Json) -> bool:
        return isinstance(value, list) and not any(isinstance(v, list | Mapping) for v in value)

    return isinstance(size, Data) and _all(size, flat_list)


def _all(data: Data, test: Callable[[Json], bool]) -> bool:
    values = [value for group in data.groups for value in group]
    return bool(values) and all(map(test, values))
