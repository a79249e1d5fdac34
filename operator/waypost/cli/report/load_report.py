"""Reads a run and what belongs to it from the cluster into a report."""

from contextlib import suppress
from datetime import UTC, datetime

from waypost.cli.connection.cluster import Session, Target, find_run, with_cluster
from waypost.cli.report.run_report import RunReport, report
from waypost.cli.report.traces import load_approvals, load_traces
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import ClusterError, Kind, Obj


def load_report(target: Target, name: str, *, with_traces: bool) -> RunReport:
    """Read the run `name` and describe it; `with_traces` also reads the traces of its attempts.

    Raises:
        CommandError: the run does not exist or cannot be read.
    """

    async def work(session: Session) -> RunReport:
        run = await find_run(session, name)
        approvals = await load_approvals(session, run["metadata"]["uid"])
        definition = await _definition(session, run)
        now = datetime.now(UTC)
        found = report(run, now=now, approvals=approvals, definition=definition)
        if not with_traces:
            return found
        traces, records = await load_traces(session, found), await _items(session, run)
        return report(
            run,
            now=now,
            approvals=approvals,
            traces=traces,
            definition=definition,
            records=records,
        )

    return with_cluster(target, work)


async def _items(session: Session, run: Obj) -> dict[str, Obj]:
    """The NodeRecords with the items of maps that have ended, by name, as far as they exist."""
    nodes = items(run, "status", "nodes")
    names = [name for node in nodes if (name := text(section(node, "items"), "sealed"))]
    found: dict[str, Obj] = {}
    for name in names:
        with suppress(ClusterError):
            found[name] = await session.cluster.get(
                Kind.NODE_RECORD, namespace=session.namespace, name=name
            )
    return found


async def _definition(session: Session, run: Obj) -> Obj | None:
    """The NodeRecord of what a run took from its template; None if there is none to read."""
    name = text(section(run, "status", "template"), "record")
    if not name:
        return None
    try:
        return await session.cluster.get(Kind.NODE_RECORD, namespace=session.namespace, name=name)
    except ClusterError:
        return None  # without it the kinds of the nodes are not known; all else is
