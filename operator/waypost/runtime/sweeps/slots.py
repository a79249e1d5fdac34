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
        await self.sweep(self._namespaces)
        while True:
            await asyncio.sleep(_EVERY)
            await self.sweep(tuple(sorted(self._slots.board.namespaces)))

    async def sweep(self, namespaces: tuple[str | None, ...]) -> None:
        """Sweep these namespaces. What fails is logged, and tried again by the next sweep."""
        if removed := await visit(namespaces, "slots", self._slots.sweep):
            self._telemetry.swept(what="slots", count=removed)
