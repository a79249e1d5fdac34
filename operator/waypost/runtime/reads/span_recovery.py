"""Exports again what the last leader recorded and may not have exported: it was killed.

Spans are exported after the checkpoint that ends them, in batches. A process that is killed loses
those of its last moments; if a lost span is the parent of others, these are orphans. So a leader
that takes over from one that was killed exports what ended shortly before, once for each run. Ids
and content follow from the status, so what had arrived arrives again as it was.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from waypost.engine.state.decision import Traces
from waypost.engine.state.observed import Observed
from waypost.kube import node_records
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Cluster, ClusterError, Kind, failure_text
from waypost.ports.telemetry import Telemetry
from waypost.protocol.work import Trace, trace_from_json
from waypost.runtime.cache.runs import Key

# Between the end of an attempt and the export of its checkpoint: a pass, a write, a batch.
WINDOW: Final = timedelta(seconds=60)

log = logging.getLogger(__name__)


class SpanRecovery:
    """What one process exports again. Used on one event loop."""

    def __init__(self, *, cluster: Cluster, telemetry: Telemetry) -> None:
        self._cluster = cluster
        self._telemetry = telemetry
        self._since: datetime | None = None
        self._seen: set[str] = set()

    def begin(self, silent_since: datetime | None) -> None:
        """A term as leader begins.

        Args:
            silent_since: When the last leader renewed its Lease for the last time; None if it
                released the Lease, and so has exported everything.
        """
        self._since = None if silent_since is None else silent_since - WINDOW
        self._seen.clear()

    async def look(self, key: Key, observed: Observed) -> None:
        """The first pass of a term over a run: export what ended just before the term.

        Args:
            key: The run.
            observed: The run with its definition, and its status as the last leader wrote it.
        """
        if self._since is None or key.uid in self._seen:
            return
        self._seen.add(key.uid)
        traces = await self._traces(key, observed, self._since)
        self._telemetry.recovered(observed, traces, since=self._since)

    async def _traces(self, key: Key, observed: Observed, since: datetime) -> Traces:
        found: dict[tuple[str, int], Trace] = {}
        for node in observed.status.nodes:
            for attempt in node.attempts or ():
                finished = parse_timestamp(attempt.finished_at)
                if attempt.trace and finished is not None and finished >= since:
                    trace = await self._trace(key, attempt.trace)
                    if trace is not None:
                        found[node.path, attempt.number] = trace
        return found

    async def _trace(self, key: Key, name: str) -> Trace | None:
        try:
            body = await self._cluster.get(Kind.NODE_RECORD, namespace=key.namespace, name=name)
            return trace_from_json(node_records.record_fact(body).payload.value)
        except (ClusterError, OSError, ValueError) as error:
            log.warning(
                "the spans of NodeRecord %s are not exported again: %s",
                name,
                failure_text(error),
                extra={"run": key.name, "namespace": key.namespace},
            )
            return None
