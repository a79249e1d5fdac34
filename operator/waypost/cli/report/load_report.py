"""Reads a run and what belongs to it from the cluster into a report."""

from datetime import UTC, datetime

from waypost.cli.connection.cluster import Session, Target, find_run, with_cluster
from waypost.cli.report.run_report import RunReport, report
from waypost.cli.report.traces import load_approvals, load_traces


def load_report(target: Target, name: str, *, with_traces: bool) -> RunReport:
    """Read the run `name` and describe it; `with_traces` also reads the traces of its attempts.

    Raises:
        CommandError: the run does not exist or cannot be read.
    """

    async def work(session: Session) -> RunReport:
        run = await find_run(session, name)
        approvals = await load_approvals(session, run["metadata"]["uid"])
        now = datetime.now(UTC)
        found = report(run, now=now, approvals=approvals)
        if not with_traces:
            return found
        traces = await load_traces(session, found)
        return report(run, now=now, approvals=approvals, traces=traces)

    return with_cluster(target, work)
