"""All sweeps of an operator."""

import asyncio

from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.runs import RunCache
from waypost.runtime.egress.policies import EgressPolicies
from waypost.runtime.slots.leases import Slots
from waypost.runtime.sweeps.artifacts import ArtifactSweep
from waypost.runtime.sweeps.egress import EgressSweep
from waypost.runtime.sweeps.jobs import Sweeper
from waypost.runtime.sweeps.slots import SlotSweep


class Sweeps:
    """Those of slots, NetworkPolicies and artifacts run here; that of `jobs` with the resync."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        clock: Clock,
        slots: Slots,
        policies: EgressPolicies,
        telemetry: Telemetry,
        namespaces: tuple[str | None, ...],
    ) -> None:
        self.jobs = Sweeper(
            cluster=cluster, store=store, clock=clock, telemetry=telemetry, namespaces=namespaces
        )
        self._slots = SlotSweep(slots=slots, telemetry=telemetry, namespaces=namespaces)
        self._egress = EgressSweep(policies=policies, telemetry=telemetry, namespaces=namespaces)
        self._artifacts = ArtifactSweep(
            cluster=cluster, store=store, telemetry=telemetry, namespaces=namespaces
        )

    async def run(self) -> None:
        """Sweep until cancelled. Only the leader does this."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._slots.run(), name="slots")
            group.create_task(self._egress.run(), name="egress")
            group.create_task(self._artifacts.run(), name="artifacts")
