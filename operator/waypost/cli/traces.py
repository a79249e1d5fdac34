"""Loading what belongs to a run: its approvals, and the traces of its attempts."""

from collections.abc import Iterator
from typing import Any

from waypost.api.meta import LABEL_RUN, NODE_CONTAINER
from waypost.cli.cluster import Session
from waypost.cli.report import AttemptKey, TraceReport
from waypost.ports.cluster import Kind, Obj, Rejected
from waypost.protocol import ijson
from waypost.protocol.work import trace_from_json


async def load_approvals(session: Session, run_uid: str) -> dict[str, Obj]:
    """The Approvals of a run by name."""
    found = await session.cluster.list(
        Kind.APPROVAL, namespace=session.namespace, labels=f"{LABEL_RUN}={run_uid}"
    )
    return {item["metadata"]["name"]: item for item in found.items}


async def load_traces(session: Session, run_uid: str) -> dict[AttemptKey, TraceReport]:
    """Traces of attempts: small ones from what their pods left, while those exist, others from
    NodeRecords."""
    labels = f"{LABEL_RUN}={run_uid}"
    traces: dict[AttemptKey, TraceReport] = {}
    try:
        pods = await session.cluster.list(Kind.POD, namespace=session.namespace, labels=labels)
    except Rejected:
        pods = None  # who may read runs need not be allowed to read pods
    for pod in pods.items if pods else ():
        traces.update(_of_pod(pod, run_uid))
    records = await session.cluster.list(
        Kind.NODE_RECORD, namespace=session.namespace, labels=labels
    )
    for record in records.items:
        traces.update(_of_record(record["spec"]))
    return traces


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
        except ijson.IJsonError:
            continue
        if isinstance(record, dict) and record.get("run") == run_uid:
            yield from _read(record, record.get("trace"))


def _of_record(spec: dict[str, Any]) -> Iterator[tuple[AttemptKey, TraceReport]]:
    if spec.get("type") == "Trace":
        yield from _read(spec, spec.get("data"))


def _read(whose: dict[str, Any], document: Any) -> Iterator[tuple[AttemptKey, TraceReport]]:
    if not isinstance(document, dict):
        return
    try:
        trace = trace_from_json(document)
        key = (str(whose["path"]), int(whose["round"]), int(whose["attempt"]))
    except (ValueError, LookupError, TypeError):
        return
    yield key, TraceReport(entries=trace.entries, dropped=trace.dropped)
