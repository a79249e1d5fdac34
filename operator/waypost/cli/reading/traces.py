"""Reads the approvals of a run and the traces of its attempts."""

import asyncio
from typing import Final

from waypost.api.meta import LABEL_RUN
from waypost.cli.archive.source import Source
from waypost.kube import node_records
from waypost.kube.payloads import AttemptRef
from waypost.ports.cluster import Kind, NotFound, Obj, Rejected
from waypost.protocol.work import trace_from_json
from waypost.views.models import AttemptKey, RunView, TraceView
from waypost.views.run.models_used import models_used

_AT_ONCE: Final = 8  # concurrent requests


async def load_approvals(session: Source, run_uid: str) -> dict[str, Obj]:
    """The Approvals of a run by name."""
    found = await session.cluster.list(
        Kind.APPROVAL, namespace=session.namespace, labels=f"{LABEL_RUN}={run_uid}"
    )
    return {item["metadata"]["name"]: item for item in found.items}


async def load_traces(session: Source, run: RunView) -> dict[AttemptKey, TraceView]:
    """The traces that a run's status names, by path and attempt number.

    Each is read by name: a list of NodeRecords would transfer every result as well.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(record: str, ref: AttemptRef) -> tuple[AttemptKey, TraceView]:
        async with turns:
            return (ref.path, ref.attempt), await _trace(session, record, ref)

    wanted = [
        ask(
            attempt.trace_record,
            AttemptRef(run.name, run.uid, node.path, attempt.round, attempt.number),
        )
        for node in run.nodes
        for attempt in node.attempts
        if attempt.trace_record
    ]
    return dict(await asyncio.gather(*wanted))


async def _trace(session: Source, record: str, ref: AttemptRef) -> TraceView:
    """The trace in a NodeRecord, checked as the operator checks it; or a note why there is none."""
    try:
        body = await session.cluster.get(Kind.NODE_RECORD, namespace=session.namespace, name=record)
    except NotFound:
        return TraceView(note=f"NodeRecord {record} does not exist any more")
    except Rejected as error:
        if error.code != 403:
            raise
        return TraceView(
            note=f"NodeRecord {record}: access denied; role waypost-view-payloads grants it"
        )
    fact = node_records.record_fact(body, limit=node_records.LARGEST)
    if not fact.is_of("Trace", ref):
        return TraceView(note=f"NodeRecord {record} belongs to another attempt")
    if fact.problem:
        return TraceView(note=f"NodeRecord {record}: {fact.problem}")
    if not fact.payload.read:
        return TraceView(
            note=f"the trace ({fact.payload.size:,} bytes) is in the gateway's object store"
        )
    try:
        trace = trace_from_json(fact.payload.value)
    except ValueError as error:
        return TraceView(note=f"NodeRecord {record}: {error}")
    used = models_used(trace.entries)
    return TraceView(entries=trace.entries, models=used, dropped=trace.dropped)
