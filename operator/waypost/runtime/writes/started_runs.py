"""Creates the runs of schedules and events, each within the time of its fence."""

import asyncio
import logging
from typing import Final

from waypost.ports.clock import Clock
from waypost.ports.cluster import AlreadyExists, Cluster, Kind, Obj, Rejected
from waypost.runtime.cache.runs import Key

FENCE_SECONDS: Final = 10.0  # for which an operator may create a run after it wrote the status

log = logging.getLogger(__name__)


class StartedRuns:
    """Creates the run that the status of an object names, and knows which was refused.

    Args:
        cluster: Where.
        clock: The clock.
        kind: Of the objects that start runs.
    """

    def __init__(self, *, cluster: Cluster, clock: Clock, kind: Kind) -> None:
        self._cluster = cluster
        self._clock = clock
        self._kind = kind
        self._refused: dict[Key, str] = {}

    def refusal(self, key: Key) -> str:
        """Why the API server refused the last create for an object; "" if it did not."""
        return self._refused.get(key, "")

    def forget(self, key: Key) -> None:
        """Drop what is known of an object that is over."""
        self._refused.pop(key, None)

    async def create(self, key: Key, run: Obj, *, sent: float) -> None:
        """Create a run if its fence still holds. A later pass looks what became of it.

        Args:
            key: The object whose status names the run.
            run: The manifest.
            sent: Monotonic seconds before the status was written.

        Raises:
            TimeoutError: The fence ended meanwhile.
            ClusterError: The request failed in another way than a refusal.
        """
        self.forget(key)
        left = sent + FENCE_SECONDS - self._clock.monotonic()
        if left <= 0:
            return
        try:
            # Also bounds the wait for a write permit: a create never leaves after its fence.
            async with asyncio.timeout(left):
                await self._cluster.create(Kind.AGENT_WORKFLOW, namespace=key.namespace, body=run)
        except AlreadyExists:
            pass  # the next pass looks whose it is
        except Rejected as error:
            self._refused[key] = error.message
            about = {"object": f"{self._kind.kind}/{key.name}", "namespace": key.namespace}
            log.warning("a run was refused: %s", error.message, extra=about)
