"""When slots are looked for whose holders have ended: an operator may die before it frees them."""

import asyncio
import logging
from typing import Final

from waypost.ports.cluster import ClusterError, Rejected, failure_text
from waypost.ports.telemetry import Telemetry
from waypost.runtime.slots.leases import Slots

_EVERY: Final = 30.0  # seconds

log = logging.getLogger(__name__)


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
        removed = 0
        for namespace in namespaces:
            about = {"namespace": namespace or ""}
            try:
                removed += await self._slots.sweep(namespace)
            except Rejected as error:
                log.warning("Leases cannot be listed: %s", error.message, extra=about)
            except (ClusterError, TimeoutError) as error:
                log.warning("slots were not swept: %s", failure_text(error), extra=about)
            except Exception:
                log.exception("a defect of the operator; slots are swept again later", extra=about)
        if removed:
            self._telemetry.swept(what="slots", count=removed)
