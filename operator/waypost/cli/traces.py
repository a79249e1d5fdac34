"""Loading what belongs to a run: its approvals, and the traces of its attempts."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from waypost.api.meta import LABEL_RUN, NODE_CONTAINER
from waypost.cli.cluster import Session
from waypost.cli.report import AttemptKey, RunReport, TraceReport
from waypost.engine import records
from waypost.engine.payloads import Whose
from waypost.ports.cluster import Kind, NotFound, Obj, Rejected
from waypost.protocol import ijson
from waypost.protocol.work import trace_from_json

_AT_ONCE: Final = 8  # requests


async def load_approvals(session: Session, run_uid: str) -> dict[str, Obj]:
    """The Approvals of a run by name."""
    found = await session.cluster.list(
        Kind.APPROVAL, namespace=session.namespace, labels=f"{LABEL_RUN}={run_uid}"
    )
    return {item["metadata"]["name"]: item for item in found.items}


async def load_traces(session: Session, run: RunReport) -> dict[AttemptKey, TraceReport]:
    """Traces of a run's agents: small ones from what their pods left, while those exist, others
    from NodeRecords, which are asked for by name: a list would bring every result as well."""
    wanted = [
        (node.path, run.round, attempt.number)
        for node in run.nodes
        if node.kind == "agent"
        for attempt in node.attempts
    ]
    if not wanted:
        return {}
    traces = await _of_pods(session, run)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(key: AttemptKey) -> TraceReport | None:
        async with turns:
            return await _of_record(session, run, key)

    missing = [key for key in wanted if key not in traces]
    found = await asyncio.gather(*(ask(key) for key in missing))
    pairs = zip(missing, found, strict=True)
    return traces | {key: trace for key, trace in pairs if trace is not None}


async def _of_pods(session: Session, run: RunReport) -> dict[AttemptKey, TraceReport]:
    try:
        pods = await session.cluster.list(
            Kind.POD, namespace=session.namespace, labels=f"{LABEL_RUN}={run.uid}"
        )
    except Rejected:
        return {}  # who may read runs need not be allowed to read pods
    return dict(found for pod in pods.items for found in _of_pod(pod, run.uid))


def _of_pod(pod: Obj, run_uid: str) -> Iterator[tuple[AttemptKey, TraceReport]]:
    """The trace in a commit record. Nothing is decided by it, so a record that is not one is
    passed over: the operator judges those."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    for status in statuses:
        ended = (status.get("state") or {}).get("terminated") or {}
        if status.get("name") != NODE_CONTAINER or not ended.get("message"):
            continue
        try:
            record = ijson.parse(ended["message"])
            if record["run"] == run_uid:
                key = (str(record["path"]), int(record["round"]), int(record["attempt"]))
                yield key, _trace(record["trace"])
        except (ValueError, LookupError, TypeError):
            continue


async def _of_record(session: Session, run: RunReport, key: AttemptKey) -> TraceReport | None:
    path, round_, number = key
    whose = Whose(run=run.name, run_uid=run.uid, path=path, round=round_, attempt=number)
    name = whose.record_name("Trace")
    try:
        body = await session.cluster.get(Kind.NODE_RECORD, namespace=session.namespace, name=name)
    except NotFound:
        return None
    fact = records.record_fact(body, limit=records.LARGEST)
    if not fact.is_of("Trace", whose):
        return TraceReport(note=f"NodeRecord {name} is not this attempt's")
    if fact.problem:
        return TraceReport(note=f"NodeRecord {name}: {fact.problem}")
    if not fact.payload.read:
        return TraceReport(note=f"{fact.payload.size:,} bytes, kept in the gateway's object store")
    try:
        return _trace(fact.payload.value)
    except ValueError as error:
        return TraceReport(note=str(error))


def _trace(document: Any) -> TraceReport:
    """Raises ValueError for what is no trace."""
    trace = trace_from_json(document)
    return TraceReport(entries=trace.entries, dropped=trace.dropped)
