"""Where work goes that would hold the event loop: decisions, and what users' text takes."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Offload(Protocol):
    """Does one thing after the other, elsewhere."""

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` gives; raises what it raises."""


async def inline(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Does it here and now, for who has virtual time or nothing else to do."""
    return work(*args, **kwargs)
