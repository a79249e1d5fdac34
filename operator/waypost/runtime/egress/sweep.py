"""When NetworkPolicies that nothing uses are removed: seen unused twice, ten minutes apart.

Once is not enough: an operator that has just lost the lead may have read a policy and be about to
create the Job. Its right to do so ends after ten seconds, and the second look sees that Job.
"""

import asyncio
import logging
from typing import Final

from waypost.ports.cluster import ClusterError, Obj, Rejected, failure_text
from waypost.ports.telemetry import Telemetry
from waypost.runtime.egress.policies import EgressPolicies

EVERY: Final = 600.0  # seconds

log = logging.getLogger(__name__)


class EgressSweep:
    """Looks at the policies of all namespaces that the operator serves."""

    def __init__(
        self,
        *,
        policies: EgressPolicies,
        telemetry: Telemetry,
        namespaces: tuple[str | None, ...],
    ) -> None:
        self._policies = policies
        self._telemetry = telemetry
        self._namespaces = namespaces

    async def run(self) -> None:
        """Sweep until cancelled. Only the leader does this."""
        seen: dict[tuple[str, str], Obj] = {}
        while True:
            await asyncio.sleep(EVERY)
            try:
                seen = await self.sweep(seen)
            except Exception:
                log.exception("a defect of the operator; policies are swept again later")

    async def sweep(self, before: dict[tuple[str, str], Obj]) -> dict[tuple[str, str], Obj]:
        """Remove what is unused now and was in `before`; what is unused now, for the next sweep."""
        removed = 0
        unused: dict[tuple[str, str], Obj] = {}
        for namespace in self._namespaces:
            about = {"namespace": namespace or ""}
            try:
                found = await self._policies.unused(namespace)
                unused |= found  # also if a deletion fails: the next sweep tries it again
                for place, body in found.items():
                    if place in before and _same(before[place], body):
                        removed += await self._policies.remove(body)
            except Rejected as error:
                log.warning("NetworkPolicies cannot be listed: %s", error.message, extra=about)
            except (ClusterError, TimeoutError) as error:
                log.warning("policies were not swept: %s", failure_text(error), extra=about)
        if removed:
            self._telemetry.swept(what="policies", count=removed)
        return unused


def _same(one: Obj, other: Obj) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])
