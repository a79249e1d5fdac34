"""The sweep of slots visits what it could not visit before."""

import asyncio
from typing import Any, cast

from waypost.ports.cluster import Unavailable
from waypost.runtime.slots.leases import Slots
from waypost.runtime.sweeps.slots import SlotSweep

from tests.support.line import Notebook
from tests.support.virtual import virtual


class Unreliable:
    """Slots of which the first two sweeps fail."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.board: Any = self
        self.namespaces: set[str] = set()  # where it has seen slots

    async def sweep(self, namespace: str | None) -> int:
        """Nothing is found."""
        self.asked.append(namespace)
        if len(self.asked) <= 2:
            raise Unavailable("internal error", code=500)
        return 0


@virtual
async def test_all_namespaces_are_swept_again_until_it_succeeds() -> None:
    """A slot that an operator left in a namespace that the next one has not seen (seed 3125742)."""
    slots = Unreliable()
    sweep = SlotSweep(slots=cast(Slots, slots), telemetry=Notebook(), namespaces=(None,))
    task = asyncio.get_running_loop().create_task(sweep.run())
    await asyncio.sleep(200)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert slots.asked == [None, None, None]
