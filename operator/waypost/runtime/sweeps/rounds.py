"""What sweeps share: they visit all namespaces, and remove what two visits in a row find unused."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from waypost.ports.cluster import ClusterError, Obj, Rejected, failure_text
from waypost.ports.telemetry import Telemetry

Place = tuple[str, str]  # namespace and name
Unused = dict[Place, Obj]

log: Final = logging.getLogger(__name__)


async def visit(
    namespaces: Iterable[str | None], what: str, sweep: Callable[[str | None], Awaitable[int]]
) -> int:
    """Sweep some namespaces. A failure is logged, and stops only the sweep of its namespace.

    Args:
        namespaces: Where; None: everywhere.
        what: The objects, for the log.
        sweep: Sweeps one of them, and returns how many objects it removed.

    Returns:
        How many objects were removed.
    """
    removed = 0
    for namespace in namespaces:
        about = {"namespace": namespace or ""}
        try:
            removed += await sweep(namespace)
        except Rejected as error:
            log.warning("%s cannot be listed: %s", what, error.message, extra=about)
        except (ClusterError, TimeoutError) as error:
            log.warning("%s were not swept: %s", what, failure_text(error), extra=about)
        except Exception:
            log.exception("a defect of the operator; %s are swept again later", what, extra=about)
    return removed


class RepeatedSweep:
    """Removes what is unused at two visits in a row.

    One visit is not enough: what it reads may be older than a decision that another operator, or a
    pass in progress, is about to carry out.
    """

    def __init__(
        self,
        *,
        what: str,
        every: float,
        unused: Callable[[str | None], Awaitable[Unused]],
        remove: Callable[[Obj], Awaitable[bool]],
        telemetry: Telemetry,
        namespaces: tuple[str | None, ...],
    ) -> None:
        """Sweep `namespaces` each `every` seconds.

        Args:
            what: The objects, in the plural, for metrics and the log.
            every: Seconds between two visits.
            unused: What is unused in a namespace now, live.
            remove: Deletes an object that is still as it was read; whether it did.
            telemetry: Counts what was removed.
            namespaces: Those that the operator serves; None: all.
        """
        self._what = what
        self._every = every
        self._unused = unused
        self._remove = remove
        self._telemetry = telemetry
        self._namespaces = namespaces

    async def run(self) -> None:
        """Sweep until cancelled. Only the leader does this."""
        seen: Unused = {}
        while True:
            await asyncio.sleep(self._every)
            seen = await self.sweep(seen)

    async def sweep(self, before: Unused) -> Unused:
        """Remove what is unused now and was in `before`; what is unused now, for the next visit."""
        unused: Unused = {}

        async def one(namespace: str | None) -> int:
            nonlocal unused
            found = await self._unused(namespace)
            unused |= found  # also if a deletion fails: the next visit tries it again
            again = [b for place, b in found.items() if place in before and _same(before[place], b)]
            return sum([await self._remove(body) for body in again])

        if removed := await visit(self._namespaces, self._what, one):
            self._telemetry.swept(what=self._what, count=removed)
        return unused


def _same(one: Obj, other: Obj) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])
