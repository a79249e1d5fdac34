"""Kubernetes Events on runs: a comfort for people, never a record. Failure to post is logged."""

import hashlib
import logging
from collections.abc import Iterable

from waypost.api import meta
from waypost.engine.state.decision import Note
from waypost.kube.timestamps import timestamp
from waypost.ports.clock import Clock
from waypost.ports.cluster import AlreadyExists, Cluster, ClusterError, Kind
from waypost.runtime.cache.runs import Key

log = logging.getLogger(__name__)


class RunEvents:
    """Posts the notes of a pass after its status has landed."""

    def __init__(self, *, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock

    async def post(self, key: Key, notes: Iterable[Note]) -> None:
        """Post each note as an Event on the run; the same note again is the same Event."""
        for note in notes:
            try:
                await self._cluster.create(
                    Kind.EVENT, namespace=key.namespace, body=self._event(key, note)
                )
            except AlreadyExists:
                continue
            except ClusterError as error:
                log.info("an event was not posted: %s", error.message, extra={"run": key.name})

    def _event(self, key: Key, note: Note) -> dict[str, object]:
        text = f"{key.uid}\0{note.reason}\0{note.message}"
        name = f"{key.name[:200]}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        moment = timestamp(self._clock.now())[:19] + "Z"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": key.namespace},
            "involvedObject": {
                "apiVersion": meta.API_VERSION,
                "kind": "AgentWorkflow",
                "name": key.name,
                "namespace": key.namespace,
                "uid": key.uid,
            },
            "type": note.type,
            "reason": note.reason,
            "message": note.message,
            "source": {"component": meta.FIELD_MANAGER},
            "reportingComponent": meta.FIELD_MANAGER,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
