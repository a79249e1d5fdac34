"""Kubernetes Events on runs and schedules, for people.

No decision depends on one; a failure is only logged.
"""

import hashlib
import logging
from collections.abc import Iterable

from waypost.api import meta
from waypost.engine.state.decision import RunEvent
from waypost.kube.timestamps import timestamp
from waypost.ports.clock import Clock
from waypost.ports.cluster import AlreadyExists, Cluster, ClusterError, Kind
from waypost.runtime.cache.runs import Key

log = logging.getLogger(__name__)


class RunEvents:
    """Posts the Events of a pass after its status was written."""

    def __init__(
        self, *, cluster: Cluster, clock: Clock, kind: str = meta.AGENT_WORKFLOW.kind
    ) -> None:
        self._cluster = cluster
        self._kind = kind
        self._clock = clock

    async def post(self, key: Key, events: Iterable[RunEvent]) -> None:
        """Post each event as an Event on the object. Never raises for the API server.

        The name follows from the event, so that a repeated event creates no second Event.
        """
        for event in events:
            try:
                await self._cluster.create(
                    Kind.EVENT, namespace=key.namespace, body=self._event(key, event)
                )
            except AlreadyExists:
                continue
            except ClusterError as error:
                log.info("an event was not posted: %s", error.message, extra={"run": key.name})

    def _event(self, key: Key, event: RunEvent) -> dict[str, object]:
        text = f"{key.uid}\0{event.reason}\0{event.message}"
        name = f"{key.name[:200]}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        moment = timestamp(self._clock.now())[:19] + "Z"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": key.namespace},
            "involvedObject": {
                "apiVersion": meta.API_VERSION,
                "kind": self._kind,
                "name": key.name,
                "namespace": key.namespace,
                "uid": key.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message,
            "source": {"component": meta.FIELD_MANAGER},
            "reportingComponent": meta.FIELD_MANAGER,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
