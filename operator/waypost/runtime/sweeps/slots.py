"""When slots are looked for whose holders have ended: an operator may die before it frees them."""

import asyncio
from typing import Final

from waypost.ports.telemetry import Telemetry
from waypost.runtime.slots.leases import Slots
from waypost.runtime.sweeps.rounds import visit

_EVERY: Final = 30.0  # seconds


class SlotSweep:
    """Sweeps all namespaces once, and then those where slots are used."""

    def __init__(
        self, *, slots: Slots, telemetry: Telemetry, namespaces: tuple[str | None, ...]
    ) -> None:
        self._slots = slots
        self._telemetry = telemetry
        self._namespaces = namespaces

    async def run(self) -> None:
        """Sweep until cancelled. Only the leader does this."""
        left = await self.sweep(self._namespaces)
        while True:
            await asyncio.sleep(_EVERY)
            left = await self.sweep((*left, *sorted(self._slots.board.namespaces)))

    async def sweep(self, namespaces: tuple[str | None, ...]) -> tuple[str | None, ...]:
        """Sweep these namespaces; those that could not be swept. Nobody else may know of their
        slots, so the next sweep must visit them."""
        swept: set[str | None] = set()

        async def one(namespace: str | None) -> int:
            count = await self._slots.sweep(namespace)
            swept.add(namespace)
            return count

        places = tuple(dict.fromkeys(namespaces))
        if removed := await visit(places, "slots", one):
            self._telemetry.swept(what="slots", count=removed)
        return tuple(place for place in places if place not in swept)
