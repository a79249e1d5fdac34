"""Reads a run and what belongs to it, and describes it."""

from dataclasses import replace
from datetime import UTC, datetime

from waypost.api.meta import LABEL_RUN
from waypost.cli.archive.source import Source
from waypost.cli.connection.records import read_records, record_of
from waypost.cli.reading.traces import load_approvals, load_traces
from waypost.ports.cluster import ClusterError, Kind, Obj
from waypost.views.models import RunView
from waypost.views.related import Related
from waypost.views.run.describe import run_view, status_of
from waypost.views.run.map_items import list_record


async def describe(session: Source, run: Obj, *, with_traces: bool = False) -> RunView:
    """Describe a run that was read. Raises CannotShow."""
    approvals = await load_approvals(session, run["metadata"]["uid"])
    definition = await record_of(session, run)
    now = datetime.now(UTC)
    pods = await _optional(session, Kind.POD, labels=f"{LABEL_RUN}={run['metadata']['uid']}")
    related = Related(approvals=approvals, definition=definition, pods=pods)
    found = run_view(run, now=now, related=related)
    if not with_traces:
        return found
    related = replace(
        related,
        traces=await load_traces(session, found),
        records=await _items(session, run),
        events=await _pulls(session) if pods else (),
    )
    return run_view(run, now=now, related=related)


async def _optional(
    session: Source, kind: Kind, *, labels: str = "", fields: str = ""
) -> tuple[Obj, ...]:
    """Objects that only add detail; none if the user may not read them."""
    try:
        found = await session.cluster.list(
            kind, namespace=session.namespace, labels=labels, fields=fields
        )
    except ClusterError:
        return ()
    return found.items


async def _pulls(session: Source) -> tuple[Obj, ...]:
    """The Events on image pulls in the namespace: Events have no label of their run."""
    found: tuple[Obj, ...] = ()
    for reason in ("Pulling", "Pulled"):
        selector = f"involvedObject.kind=Pod,reason={reason}"
        found += await _optional(session, Kind.EVENT, fields=selector)
    return found


async def _items(session: Source, run: Obj) -> dict[str, Obj]:
    """The NodeRecords with the items of maps that have ended, and with the lists of compensations,
    by name, as far as they exist."""
    maps = [node for node in status_of(run).nodes if node.items is not None]
    sealed = [node.items.sealed for node in maps if node.items and node.items.sealed]
    found = await read_records(session, sealed)
    lists = [
        list_record(node.items, found.get(node.items.sealed or ""))
        for node in maps
        if node.items is not None and node.stage == "Compensating"
    ]
    return found | await read_records(session, [name for name in lists if name])
